"""The mirror of a page follows what the browser reports."""

import time
from typing import Any

from consumers.scanning.evidence.mirror import MAX_CHARS, MAX_DEPTH, MAX_NODES, Mirror, Room, walk
from consumers.scanning.evidence.page_text import read_page
from consumers.scanning.evidence.reading import blocks_of, text_of


def element(node_id: int, tag: str, *children: dict[str, Any], **attributes: str) -> dict[str, Any]:
    return {"type": 2, "id": node_id, "tagName": tag, "attributes": attributes, "childNodes": list(children)}


def text(node_id: int, value: str) -> dict[str, Any]:
    return {"type": 3, "id": node_id, "textContent": value}


def mirror(*children: dict[str, Any]) -> Mirror:
    page = Mirror()
    page.replace({"type": 0, "id": 1, "childNodes": [element(2, "body", *children)]})
    return page


def said(page: Mirror) -> str:
    assert page.root is not None
    return text_of(page.root)


def test_nodes_are_added_before_their_sibling() -> None:
    page = mirror(element(3, "p", text(4, "last")))
    page.add(
        [
            {"parentId": 2, "nextId": 3, "node": element(5, "p")},
            {"parentId": 5, "nextId": None, "node": text(6, "first")},
        ]
    )
    assert said(page) == "first last"


def test_entries_may_come_before_what_they_hang_on() -> None:
    page = mirror()
    roots = page.add(
        [
            {"parentId": 9, "nextId": None, "node": text(10, "b")},
            {"parentId": 2, "nextId": 9, "node": element(8, "p", text(11, "a"))},
            {"parentId": 2, "nextId": None, "node": element(9, "p")},
        ]
    )
    assert said(page) == "a b"
    assert {root.id for root in roots} == {8, 9}


def test_an_entry_whose_sibling_never_comes_goes_to_the_end_and_one_without_parent_is_lost() -> None:
    page = mirror(element(3, "p", text(4, "first")))
    page.add(
        [
            {"parentId": 2, "nextId": 77, "node": element(5, "p", text(6, "late"))},
            {"parentId": 99, "nextId": None, "node": text(7, "lost")},
        ]
    )
    assert said(page) == "first late"
    assert page.node(7) is None


def test_a_long_chain_of_waiting_entries_takes_linear_time() -> None:
    page = mirror()
    count = 20_000
    entries = [
        {"parentId": 2, "nextId": n + 1 if n < count else None, "node": element(n, "i")} for n in range(10, count + 1)
    ]
    started = time.process_time()
    page.add(entries)
    assert len(page.nodes) == count - 9 + 2
    assert time.process_time() - started < 5


def test_removing_takes_all_below_along() -> None:
    page = mirror(element(3, "div", element(4, "p", text(5, "x"))))
    removed = page.remove(3)
    assert removed is not None
    assert [node.id for node in walk(removed)] == [3, 4, 5]
    assert all(page.node(node_id) is None for node_id in (3, 4, 5))
    assert said(page) == ""


def test_hidden_parts_are_not_read() -> None:
    page = mirror(
        element(3, "p", text(4, "seen")),
        element(5, "p", text(6, "style"), style="color: red; display: none"),
        element(7, "p", text(8, "attribute"), hidden=""),
        element(9, "script", text(10, "code")),
        element(11, "div", element(12, "p", text(13, "aria")), **{"aria-hidden": "true"}),
    )
    assert said(page) == "seen"


def test_style_changes_may_come_as_an_object() -> None:
    page = mirror(element(3, "p", text(4, "now"), style="color:red;display:none"))
    page.set_attributes(3, {"style": {"display": "block", "margin": ["1px", "important"]}})
    assert said(page) == "now"
    page.set_attributes(3, {"style": {"display": False}})
    assert said(page) == "now"


def test_the_number_of_nodes_is_capped() -> None:
    page = mirror(*(text(n, "x") for n in range(10, MAX_NODES + 500)))
    assert len(page.nodes) == MAX_NODES
    assert page.truncated


def test_a_page_says_its_title_headings_messages_and_main_text_without_navigation() -> None:
    page = Mirror()
    head = element(3, "head", element(4, "title", text(5, "Mugs - Shop")))
    body = element(
        6,
        "body",
        element(7, "nav", element(8, "a", text(9, "Home"))),
        element(10, "main", element(11, "h1", text(12, "Mugs")), element(13, "p", text(14, "Two kinds."))),
        element(15, "div", text(16, "Saved"), **{"class": "toast"}),
        element(17, "footer", text(18, "Imprint")),
    )
    page.replace({"type": 0, "id": 1, "childNodes": [element(2, "html", head, body)]})
    said_by = read_page(page)
    assert (said_by.title, said_by.headings, said_by.main) == ("Mugs - Shop", ("Mugs",), "Two kinds.")
    assert [(m.place, m.text) for m in said_by.messages] == [("status", "Saved")]


def test_very_deep_pages_are_read() -> None:
    deep: dict[str, Any] = text(3, "bottom")
    for n in range(4, MAX_DEPTH):
        deep = element(n, "div", deep)
    page = mirror(deep)
    assert (said(page), page.truncated) == ("bottom", False)
    for n in range(5_000, 5_010):
        deep = element(n, "div", deep)
    page = mirror(deep)
    assert (said(page), page.truncated, len(page.nodes)) == ("", True, MAX_DEPTH + 1)


def test_long_texts_of_a_page_share_a_bound() -> None:
    page = mirror(*(element(10 + n, "i", title="x" * 400_000) for n in range(100)))
    assert page.truncated
    assert MAX_CHARS - 400_000 < page.chars <= MAX_CHARS
    assert sum(len(node.attribute("title")) for node in page.nodes.values()) < MAX_CHARS + 100 * 200
    for n in range(100):
        page.remove(10 + n)
    assert page.chars == 0
    page.set_attributes(2, {"title": "y" * 500})
    page.set_attributes(2, {"title": "z"})
    assert page.chars == 0


def test_reading_ends_when_there_is_no_room_for_it() -> None:
    page = mirror(*(element(10 + 2 * n, "p", text(11 + 2 * n, f"t{n}")) for n in range(10)))
    assert page.root is not None
    assert text_of(page.root, room=Room(8)) == "t0 t1 t2"
    assert [block.text for block in blocks_of(page.root, room=Room(8))] == ["t0", "t1", "t2"]
    assert (read_page(page, Room(21)).blocks, len(read_page(page, Room(100)).blocks)) == ((), 10)
