"""Every signal, once where it is and once where it only looks like it. The sites exist nowhere."""

import pytest

from consumers.scanning.evidence import Evidence, Signal, build_evidence
from tests.scanning.browser import Browser

FORM = (
    "<main><h1>Tell us about you</h1>{}<form><label>Phone<input id='phone'></label><label>City<input id='city'></label>"
    "<button id='go'>Continue</button></form><div id='note'></div></main>"
)
NAV = "<nav><a id='home' href='https://a.example/'>Home</a><a id='help' href='https://a.example/help'>Help</a></nav>"


def page(body: str, url: str = "https://a.example/", *, network: bool = True) -> Browser:
    return Browser(network=network).load(url, body).wait(3, moving=True)


def evidence(browser: Browser) -> Evidence:
    return build_evidence(browser.leave())


def found(browser: Browser, kind: str) -> list[Signal]:
    return [signal for signal in evidence(browser).signals if signal.kind == kind]


def test_three_clicks_on_one_control_within_two_seconds_are_a_rage_click() -> None:
    [signal] = found(page("<button id='b'>Refresh</button>").click("b", times=4), "rage_click")
    assert signal.count == 4
    assert signal.t_ms == 3_000
    assert '"Refresh" button' in signal.text


@pytest.mark.parametrize(
    ("label", "times", "every"), [("Refresh", 2, 0.2), ("Refresh", 4, 1.5), ("+", 5, 0.2), ("Next", 4, 0.2)]
)
def test_slow_clicks_pairs_and_steppers_are_no_rage(label: str, times: int, every: float) -> None:
    assert not found(page(f"<button id='b'>{label}</button>").click("b", times=times, every=every), "rage_click")


def test_a_click_without_reaction_on_what_looks_clickable_is_dead() -> None:
    [signal] = found(
        page("<span id='b' class='pill-button'>Compare</span>").click("b").wait(5).click("b").wait(5), "dead_click"
    )
    assert signal.count == 2
    assert '"Compare" button' in signal.text


def test_a_pointer_cursor_makes_an_element_look_clickable() -> None:
    browser = Browser().load(
        "https://a.example/",
        "<div class='tile' id='b'>Plan B</div>",
        head="<style>.tile, .x { color: red; cursor: pointer }</style>",
    )
    assert found(browser.wait(3).click("b").wait(6), "dead_click")


def test_clicks_that_change_something_or_are_not_meant_to_are_not_dead() -> None:
    assert not found(
        page("<button id='b'>Open</button><div id='d'></div>").click("b").wait(0.2).fill("d", "<p>Menu</p>").wait(5),
        "dead_click",
    )
    assert not found(page("<p id='b'>Just a paragraph of text.</p>").click("b").wait(5), "dead_click")
    assert not found(page("<label>Name<input id='b'></label>").click("b").wait(5), "dead_click")
    assert not found(page("<a id='b' href='https://a.example/price.pdf'>Prices</a>").click("b").wait(5), "dead_click")
    assert not found(page(NAV).click("home").wait(5).click("home").wait(5), "dead_click"), (
        "a link to the page one is on"
    )


def test_a_clock_is_no_answer_to_a_click() -> None:
    browser = page("<button id='b'>Send report</button><p id='clock'>0</p>")
    for second in range(12):
        browser.wait(1).fill("clock", f"<i>{second}</i>")
        if second in (7, 9):
            browser.click("b")
    assert found(browser, "dead_click")


def test_clicking_again_while_the_answer_is_on_its_way_is_impatient() -> None:
    browser = page("<button id='b'>Export</button><p id='s' role='status'></p>").click("b").fill("s", "Preparing…")
    browser.request("GET", "https://a.example/api/export", 200, took=6).wait(3).click("b", times=2).wait(3.2).fill(
        "s", "Export ready"
    )
    signals = evidence(browser).signals
    assert [s.count for s in signals if s.kind == "impatient_repeat"] == [2]
    [slow] = [s for s in signals if s.kind == "slow_response"]
    assert slow.measure_ms == 6_000
    assert slow.t_ms == 3_000
    assert not [s for s in signals if s.kind == "dead_click"]
    assert [s.kind for s in signals if s.kind == "task_completed"]


def test_clicking_again_after_the_answer_is_not_impatient() -> None:
    browser = page("<button id='b'>Export</button><p id='s' role='status'></p>").click("b").fill("s", "Preparing…")
    browser.request("GET", "https://a.example/api/export", 200, took=2).wait(2.2).fill("s", "Export ready")
    assert not found(browser.wait(1).click("b"), "impatient_repeat")


def test_requests_of_a_second_are_slow_and_shorter_ones_and_files_are_not() -> None:
    def slow(seconds: float) -> list[Signal]:
        return found(
            page("<p>x</p>").request("GET", "https://a.example/api", 200, took=seconds).wait(2), "slow_request"
        )

    assert [signal.measure_ms for signal in slow(1.0)] == [1_000]
    assert not slow(0.9)
    picture = {"name": "https://a.example/a.jpg", "entryType": "resource", "initiatorType": "img", "duration": 4_000}
    browser = page("<p>x</p>").wait(4)
    browser.emit(6, {"plugin": "rrweb/network@1", "payload": {"requests": [picture]}})
    assert not found(browser, "slow_request")


def test_a_slow_answer_shows_without_network_capture() -> None:
    browser = page("<button id='b'>Plan route</button><div id='r'></div>", network=False).click("b").wait(0.1)
    [signal] = found(
        browser.fill("r", "<p>Calculating route…</p>").wait(5, moving=True).fill("r", "<p>42 km</p>"), "slow_response"
    )
    assert 4_500 < signal.measure_ms < 5_500


def test_quick_answers_and_slow_requests_of_the_page_itself_are_no_slow_response() -> None:
    assert not found(
        page("<button id='b'>Go</button>").click("b").request("GET", "https://a.example/api", 200, took=1),
        "slow_response",
    )
    browser = page("<p>Dashboard</p>").request("GET", "https://a.example/api/poll", 200, took=9).wait(10)
    assert not found(browser, "slow_response")
    assert found(page("").request("GET", "https://a.example/x", 200, took=2), "slow_request")


def test_error_messages_are_found_by_place_and_by_words() -> None:
    for markup in (
        "<p class='form-error'>That will not do</p>",
        "<p>Something went wrong on our side.</p>",
        "<div role='alert'>You may not do this</div>",
    ):
        browser = page("<button id='b'>Save</button><div id='n'></div>").click("b").wait(0.3).fill("n", markup)
        assert found(browser, "error_shown"), markup


def test_a_plain_message_right_after_a_failed_call_is_an_error() -> None:
    browser = (
        page("<button id='b'>Pay</button><div id='n'></div>").click("b").request("POST", "https://a.example/pay", 402)
    )
    [signal] = found(browser.wait(0.3).fill("n", "<p>Your bank said no.</p>"), "error_shown")
    assert "Your bank said no." in signal.text


@pytest.mark.parametrize(
    "markup",
    [
        "<div role='status'>Changes saved</div>",
        "<p>No results for this filter</p>",
        "<p role='status'>Loading…</p>",
        f"<p>Our guide explains what to do if a payment failed: {'wait a day, ask your bank, write to us. ' * 5}</p>",
    ],
)
def test_good_news_empty_results_progress_and_prose_are_no_errors(markup: str) -> None:
    assert not found(
        page("<button id='b'>Go</button><div id='n'></div>").click("b").wait(0.3).fill("n", markup), "error_shown"
    )


def test_hidden_error_texts_of_a_fresh_form_are_no_errors_until_shown() -> None:
    message = "<p id='e' class='error' style='display:none'>Enter a valid email</p>"
    body = f"<form><input id='i'>{message}<button id='b'>Send</button></form>"
    assert not found(page(body), "error_shown")
    static = body.replace("style='display:none'", "")
    assert not found(page(static), "error_shown"), "a style sheet may hide it, which cannot be seen here"
    assert found(page(body).type("i", "x").click("b").attribute("e", style="display:block"), "validation_error")


def test_an_error_page_is_an_error_shown() -> None:
    browser = (
        page(NAV).click("help").wait(0.2).load("https://a.example/help", "<h1>Hm.</h1><p>This page does not exist.</p>")
    )
    [signal] = found(browser, "error_shown")
    assert signal.note == "missing_page"


def test_uncaught_errors_count_and_logged_ones_do_not() -> None:
    browser = page("<p>x</p>").console("error", "Uncaught TypeError: n is null").console("error", "payment failed")
    [signal] = found(browser, "javascript_error")
    assert "n is null" in signal.text
    assert found(page("<p>x</p>").console("error", "Uncaught (in promise) Error: no"), "javascript_error")
    assert not found(page("<p>x</p>").console("warn", "Uncaught is a word"), "javascript_error")


def test_failed_requests_by_status_and_for_want_of_an_answer() -> None:
    browser = (
        page("<p>x</p>")
        .request("GET", "https://a.example/api/a?key=1", 503)
        .request("POST", "https://a.example/api/b", None)
    )
    browser.request("GET", "https://a.example/api/c", 204)
    signals = found(browser.wait(1), "failed_request")
    assert [signal.note for signal in signals] == ["5xx", "none"]
    assert "key" not in signals[0].text


def test_old_network_plugin_entries_are_read() -> None:
    browser = page("<p>x</p>")
    entry = {"0": "resource", "2": "https://a.example/api", "18": "fetch", "21": 500, "39": 40}
    browser.emit(6, {"plugin": "posthog/network@1", "payload": entry})
    assert [s.note for s in found(browser, "failed_request")] == ["5xx"]


def test_a_form_refused_for_what_was_entered() -> None:
    browser = (
        page(FORM.format(""))
        .type("phone", "12")
        .click("go")
        .wait(0.2)
        .fill("note", "<p>Phone needs at least 6 digits</p>")
    )
    [signal] = found(browser, "validation_error")
    assert "at least 6 digits" in signal.text


def test_a_form_refused_by_a_page_load_is_refused_too_and_then_accepted() -> None:
    browser = (
        page(FORM.format(""), url="https://a.example/step/1")
        .type("phone", "12")
        .type("city", "Ulm")
        .click("go")
        .wait(0.3)
    )
    browser.load("https://a.example/step/1", FORM.format("<ul><li>Phone looks too short.</li></ul>")).wait(2)
    assert found(browser, "validation_error")
    assert found(browser, "abandoned_form")
    browser = page(FORM.format(""), url="https://a.example/step/1").type("phone", "12").click("go").wait(0.3)
    browser.load("https://a.example/step/1", FORM.format("<ul><li>Phone looks too short.</li></ul>")).wait(2)
    browser.type("phone", "123456").click("go").wait(0.3).load("https://a.example/step/2", "<h1>Your income</h1>")
    assert not found(browser, "abandoned_form")


def test_a_declined_card_or_missing_permission_is_no_validation_error() -> None:
    for text in ("Your card was declined", "You need the owner role to do this"):
        browser = (
            page(FORM.format(""))
            .type("phone", "123456")
            .click("go")
            .wait(0.2)
            .fill("note", f"<p role='alert'>{text}</p>")
        )
        assert found(browser, "error_shown")
        assert not found(browser, "validation_error")


def test_two_refusals_are_a_validation_loop() -> None:
    browser = (
        page(FORM.format(""))
        .type("phone", "1")
        .click("go")
        .fill("note", "<p role='alert'>Phone is required</p>")
        .wait(2)
    )
    assert not found(browser, "validation_loop")
    browser.type("phone", "12").click("go").fill("note", "<p role='alert'>Phone is too short</p>")
    assert [s.count for s in found(browser, "validation_loop")] == [2]


def test_a_page_left_within_two_seconds_is_a_quick_back() -> None:
    def visit(seconds: float) -> Browser:
        browser = page(NAV).click("help").wait(0.2).load("https://a.example/help", NAV + "<h1>Help</h1>").wait(seconds)
        return browser.load("https://a.example/", NAV + "<h1>Home</h1>").wait(4)

    assert found(visit(1), "quick_back")
    assert not found(visit(5), "quick_back")


def wander(dwell: float, *paths: str) -> Browser:
    browser = Browser()
    for path in paths:
        links = "".join(f"<a id='{other}' href='https://a.example/{other}'>{other}</a>" for other in set(paths))
        browser.load(f"https://a.example/{path}", f"<nav>{links}</nav><h1>{path}</h1>").wait(dwell, moving=True)
    return browser


def test_moving_back_and_forth_without_doing_anything_is_being_lost() -> None:
    way = ("a", "b", "c", "a", "d", "b", "c", "a", "d", "b")
    assert found(wander(2, *way), "lost_navigation")
    assert not found(wander(9, *way), "lost_navigation"), "someone who reads is not lost"


def test_looking_through_a_list_is_not_being_lost() -> None:
    assert not found(wander(3, "list", "a", "list", "b", "list", "c", "list", "d", "list", "e"), "lost_navigation")


def search(words: str, result: str) -> Browser:
    browser = page(
        "<main><h1>Openings</h1><input id='q' placeholder='Filter roles'>"
        "<div id='r'><a href='/1'>Baker</a></div></main>"
    )
    return browser.type("q", words).wait(0.1).fill("r", result)


def test_a_filter_without_hits_is_an_empty_search() -> None:
    assert found(search("pilot", "<p>Nothing matches your filter</p>"), "empty_search")
    assert not found(search("bak", "<a href='/1'>Baker</a>"), "empty_search")
    assert not found(page("<h1>Inbox</h1><p>No messages found yet</p>"), "empty_search"), (
        "an empty list nobody searched"
    )


def test_a_page_of_results_that_only_exists_in_the_snapshot_is_read() -> None:
    browser = (
        page("<form role='search'><input id='q'><button id='b'>Search</button></form>")
        .type("q", "kayak")
        .enter("b")
        .wait(0.2)
    )
    browser.load(
        "https://a.example/s?q=kayak", "<main><h1>Results</h1><p>We could not find anything for you</p></main>"
    )
    assert found(browser, "empty_search")
    assert "could not find anything" in evidence(browser).text


def test_searching_in_vain_and_then_finding_is_a_task_completed() -> None:
    browser = (
        search("pilot", "<p>No matches</p>")
        .wait(2)
        .type("q", "bak")
        .wait(0.1)
        .fill("r", "<a id='hit' href='https://a.example/1'>Baker</a>")
    )
    browser.wait(2).click("hit").wait(0.2).load("https://a.example/1", "<h1>Baker</h1>").wait(3)
    assert found(browser, "task_completed")
    assert not found(browser, "goal_missed")
    assert found(search("pilot", "<p>No matches</p>"), "goal_missed")


def test_only_a_pause_in_the_middle_is_idle() -> None:
    browser = page("<p id='p'>x</p>").click("p").wait(20).click("p")
    [signal] = found(browser, "idle")
    assert signal.measure_ms == pytest.approx(20_000, abs=50)
    assert not found(page("<p id='p'>x</p>").click("p").wait(9).click("p"), "idle")
    quiet_end = page("<p id='p'>x</p>").click("p").wait(40)
    quiet_end.emit(5, {"tag": "window hidden", "payload": {}})
    assert not [s for s in build_evidence(quiet_end.events).signals if s.kind == "idle"]


def test_a_form_begun_and_not_accepted_is_abandoned() -> None:
    [signal] = found(page(FORM.format("")).type("phone", "123456").wait(4), "abandoned_form")
    assert "never submitted" in signal.text
    assert "Phone" in signal.text


def test_scripted_values_searches_and_accepted_forms_are_not_abandoned() -> None:
    assert not found(page(FORM.format("")).scripted("phone", "123456").scripted("city", "Ulm"), "abandoned_form")
    assert not found(search("bak", "<a href='/1'>Baker</a>"), "abandoned_form")
    browser = page(FORM.format("")).type("phone", "123456").click("go").request("POST", "https://a.example/api", 201)
    assert not found(browser.wait(0.4).fill("note", "<p role='status'>Thanks, we have it</p>"), "abandoned_form")


def test_leaving_by_a_link_accepts_no_form() -> None:
    browser = page(NAV + FORM.format("")).type("phone", "123456").click("go").wait(4).click("help").wait(0.2)
    assert found(browser.load("https://a.example/help", NAV + "<h1>Help</h1>"), "abandoned_form")
