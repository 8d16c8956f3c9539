"""Sites of all kinds: frames, shadow trees, dialogs, phones, editors, lists that draw themselves, no semantics."""

from typing import Any

import pytest

from consumers.scanning.evidence import Evidence, build_evidence
from tests.scanning.browser import Browser


def page(body: str, url: str = "https://a.example/") -> Browser:
    return Browser().load(url, body).wait(3, moving=True)


def evidence(browser: Browser) -> Evidence:
    return build_evidence(browser.leave())


def kinds(browser: Browser) -> set[str]:
    return {signal.kind for signal in evidence(browser).signals}


def lines(browser: Browser, kind: str) -> list[str]:
    return [line.text for line in evidence(browser).lines if line.kind == kind]


def element(node_id: int, tag: str, *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": 2, "id": node_id, "tagName": tag, "attributes": {}, "childNodes": list(children), **more}


def text(node_id: int, said: str) -> dict[str, Any]:
    return {"type": 3, "id": node_id, "textContent": said}


def added(browser: Browser, parent: int, node: dict[str, Any], **more: Any) -> None:
    entry = {"parentId": parent, "nextId": None, "node": node}
    browser.emit(3, {"source": 0, "texts": [], "attributes": [], "removes": [], "adds": [entry], **more})


def test_a_frame_of_the_same_site_is_read_and_clicked() -> None:
    browser = page("<h1>Help desk</h1><iframe id='f' src='/chat'></iframe>")
    button = element(904, "button", text(905, "Start chat"))
    document = {"type": 0, "id": 901, "childNodes": [element(902, "html", element(903, "body", button))]}
    added(browser, browser.by_id["f"], document, isAttachIframe=True)
    browser.wait(2).emit(3, {"source": 2, "type": 2, "id": 904, "x": 9, "y": 9})
    added(browser.wait(0.3), 903, element(906, "p", text(907, "An agent is on the way"), attributes={"role": "status"}))
    browser.wait(3)
    assert 'click "Start chat" button' in lines(browser, "click")
    assert 'screen shows status "An agent is on the way"' in lines(browser, "screen")
    assert "dead_click" not in kinds(browser)


def test_a_shadow_tree_is_part_of_its_host() -> None:
    browser = page("<my-shop id='s'></my-shop>")
    inside = element(802, "button", text(803, "Add to basket"), isShadow=True)
    added(browser, browser.by_id["s"], inside)
    browser.wait(2).emit(3, {"source": 2, "type": 2, "id": 802, "x": 9, "y": 9})
    added(browser.wait(0.2), browser.by_id["s"], element(804, "p", text(805, "Something went wrong"), isShadow=True))
    assert 'click "Add to basket" button' in lines(browser.wait(2), "click")
    assert "error_shown" in kinds(browser)


def test_a_dialog_is_read_when_it_opens_and_not_before() -> None:
    modal = "<div id='d' class='modal fade'><h2>Delete this project?</h2><button id='y'>Delete</button></div>"
    native = "<dialog id='n'><p>Really leave?</p></dialog>"
    browser = page(f"<button id='b'>Remove</button>{native}<div>{modal}</div>")
    assert "Really leave?" not in evidence(browser).text
    browser = page(f"<button id='b'>Remove</button>{native}<div>{modal}</div>").click("b").wait(0.2)
    browser.attribute("d", **{"class": "modal fade show"}).wait(1).click("y").wait(0.2).attribute("n", open="").wait(2)
    shown = lines(browser, "screen")
    assert any("Delete this project?" in line for line in shown)
    assert any("Really leave?" in line for line in shown)


def test_a_closed_fold_is_read_when_it_is_opened() -> None:
    fold = "<details id='d'><summary id='s'>Returns</summary><p>Within thirty days.</p></details>"
    assert "thirty days" not in evidence(page(fold)).text
    opened = page(fold).click("s").wait(0.1).attribute("d", open="").wait(2)
    assert any("thirty days" in line for line in lines(opened, "screen"))


def test_a_toast_of_a_library_is_a_message() -> None:
    browser = page("<button id='b'>Save</button><div id='t'></div>").click("b").wait(0.4)
    browser.fill("t", "<div class='Toastify__toast Toastify__toast--error'><div>Nope, that name is gone</div></div>")
    assert "error_shown" in kinds(browser.wait(1))


def tap(browser: Browser, name: str, *, click: bool, seconds: float = 0.1, moved: int = 0) -> Browser:
    node = browser.by_id[name]
    browser.emit(3, {"source": 2, "type": 7, "id": node, "x": 50, "y": 60})
    browser.wait(seconds).emit(3, {"source": 2, "type": 9, "id": node, "x": 50, "y": 60 + moved})
    if click:
        browser.wait(0.05).emit(3, {"source": 2, "type": 2, "id": node, "x": 50, "y": 60, "pointerType": 2})
    return browser


def test_a_tap_is_one_click_with_the_browsers_own_or_without() -> None:
    for click in (True, False):
        browser = tap(page("<button id='b'>Buy</button>"), "b", click=click).wait(6)
        result = evidence(browser)
        assert result.counts["clicks"] == 1
        assert "dead_click" in {signal.kind for signal in result.signals}


def test_a_swipe_and_a_long_press_are_no_clicks() -> None:
    browser = page("<button id='b'>Buy</button>")
    tap(browser, "b", click=False, moved=80).wait(1)
    tap(browser, "b", click=False, seconds=1.2).wait(1)
    assert evidence(browser).counts["clicks"] == 0


def test_taps_in_anger_are_rage() -> None:
    browser = page("<button id='b'>Buy</button>")
    for _ in range(4):
        tap(browser, "b", click=False).wait(0.3)
    assert "rage_click" in kinds(browser)


def test_what_is_written_into_an_editor_is_typing_and_never_shown() -> None:
    browser = page("<div id='e' contenteditable='true'><p id='p'>x</p></div><p id='o'>y</p>").click("p")
    node = browser.parents  # ids of text nodes, which have no names
    inside = next(child for child, parent in node.items() if parent == browser.by_id["p"])
    for size in range(1, 9):
        browser.wait(0.2).emit(
            3,
            {
                "source": 0,
                "adds": [],
                "removes": [],
                "attributes": [],
                "texts": [{"id": inside, "value": "secrets!"[:size]}],
            },
        )
    result = evidence(browser)
    assert "secre" not in result.text
    assert any("8 characters, 8 input events" in line.text for line in result.lines if line.kind == "input")


def test_a_chosen_file_is_no_typing() -> None:
    browser = page("<form><label>CV<input id='f' type='file'></label><button id='b'>Send</button></form>").click("f")
    browser.wait(2).emit(3, {"source": 5, "text": "*" * 21, "isChecked": False, "id": browser.by_id["f"]})
    assert lines(browser, "input") == ['chooses a file in "CV" file field']


def test_a_native_select_is_a_choice() -> None:
    browser = page("<label>Size<select id='s'><option>S</option><option>M</option></select></label>").click("s").wait(1)
    browser.emit(3, {"source": 5, "text": "*", "isChecked": False, "id": browser.by_id["s"]})
    assert lines(browser, "input") == ['chooses in "Size" select']
    assert "dead_click" not in kinds(browser)


def render(count: int) -> str:
    return f"<ul><li>First item</li><li>Second item</li></ul><p role='alert'>Card was declined</p><b>{count}</b>"


def test_a_page_rendered_anew_shows_only_what_is_new() -> None:
    browser = page("<div id='app'></div><input id='i'>").fill("app", render(0)).wait(3)
    for count in range(1, 6):
        browser.wait(2).fill("app", render(count))
    result = evidence(browser)
    assert result.counts["error_shown"] == 1
    assert not [line for line in result.lines if "First item" in line.text and line.t_ms > 4_000]


def test_a_refusal_rendered_anew_after_a_click_counts_again() -> None:
    form = "<form><input id='i'><button id='b'>Pay</button></form>"
    browser = page(f"{form}<div id='app'></div>").type("i", "4").click("b").wait(0.3).fill("app", render(1)).wait(3)
    browser.click("b").wait(0.3).fill("app", render(2)).wait(3)
    assert evidence(browser).counts["error_shown"] == 2


def test_a_list_that_draws_itself_while_scrolled_makes_no_lines() -> None:
    browser = page("<div id='list'></div><div id='note'></div>")
    for row in range(40):
        browser.wait(0.4).emit(3, {"source": 3, "id": 1, "x": 0, "y": row * 90})
        browser.wait(0.05).fill("list", "".join(f"<div>Row {row + n}</div>" for n in range(8)))
    assert not [line for line in lines(browser, "screen") if "Row" in line]
    browser.fill("note", "<div role='alert'>Failed to load more rows</div>")
    assert [line for line in lines(browser, "screen") if "Failed to load" in line]


def test_routes_in_the_fragment_are_pages() -> None:
    browser = page("<div id='app'><h1>Cart</h1></div>", "https://a.example/#/cart")
    browser.wait(2).go("https://a.example/#/checkout?step=2").fill("app", "<h1>Checkout</h1>").wait(2)
    assert any('moves to "/#/checkout"' in line for line in lines(browser, "page"))


def test_a_site_without_any_semantics() -> None:
    body = (
        "<div><div>Feedback</div><div><input id='i'></div><div id='b' class='btn2 blue-btn'>Go on</div>"
        "<div id='m'></div></div>"
    )
    browser = (
        page(body).type("i", "abc").click("b").wait(0.3).fill("m", "<div>Please enter at least 20 characters</div>")
    )
    assert "validation_error" in kinds(browser.wait(2))
    quiet = page(body).click("b").wait(5).click("b").wait(5)
    assert "dead_click" in kinds(quiet)


def test_a_message_between_fields_is_told_without_them() -> None:
    body = "<form><label>E-mail<input id='i'></label><span id='e' class='field-error'></span><button id='b'>Go</button>"
    browser = page(body + "</form>").type("i", "x").click("b").wait(0.3).fill("e", "That is not an address")
    assert 'screen shows error "That is not an address"' in lines(browser.wait(1), "screen")


def test_a_class_for_the_pointer_makes_a_control() -> None:
    browser = page("<div id='b' class='rounded cursor-pointer'>Pay now</div><div id='m'></div>").click("b").wait(0.5)
    browser.fill("m", "<span>Payment was declined</span>")
    assert 'click "Pay now" button' in lines(browser.wait(1), "click")
    assert "error_shown" in kinds(browser)


def test_drawing_on_a_canvas_answers_a_click() -> None:
    browser = page("<button id='b'>Red</button><canvas id='c'></canvas>").click("b").wait(0.2)
    browser.emit(3, {"source": 9, "id": browser.by_id["c"], "type": 0, "commands": []})
    assert "dead_click" not in kinds(browser.wait(5))


@pytest.mark.parametrize("style", [{"display": "block"}, {"display": ["block", ""]}, "display: block"])
def test_styles_change_as_objects_or_as_text(style: Any) -> None:
    browser = page("<form><input id='i'><p id='e' class='error' style='display:none'>Enter a date</p></form>")
    browser.type("i", "x").emit(
        3,
        {
            "source": 0,
            "adds": [],
            "removes": [],
            "texts": [],
            "attributes": [{"id": browser.by_id["e"], "attributes": {"style": style}}],
        },
    )
    assert "error_shown" in kinds(browser.wait(1))


def test_first_generation_recorders_name_the_sibling_before() -> None:
    browser = page("<div id='d'><p id='one'>One</p></div>")
    node = element(700, "p", text(701, "Two"))
    entry = {"parentId": browser.by_id["d"], "previousId": browser.by_id["one"], "nextId": None, "node": node}
    browser.emit(3, {"source": 0, "texts": [], "attributes": [], "removes": [], "adds": [entry]})
    assert any("Two" in line for line in lines(browser, "screen"))
