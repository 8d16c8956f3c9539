"""What a page costs to read grows with its nodes, however they are nested and however often they change."""

import time
from typing import Any

import pytest

from consumers.scanning.evidence import build_evidence
from consumers.scanning.evidence.mirror import Mirror
from consumers.scanning.evidence.naming import Pointers, describe
from consumers.scanning.evidence.reading import visible
from tests.scanning.browser import Browser

BASE = 1_800_000_000_000
SECONDS = 20
"""Of a busy machine: each of these took minutes, or never came to an end."""
MANY = 49_000


OPENED = {"type": 4, "timestamp": BASE, "data": {"href": "https://shop.test/", "width": 800, "height": 600}}


def page() -> dict[str, Any]:
    body = {"type": 2, "id": 2, "tagName": "body", "attributes": {}, "childNodes": []}
    return {"type": 2, "timestamp": BASE, "data": {"node": {"type": 0, "id": 1, "childNodes": [body]}}}


def mutation(at: int, **data: list[Any]) -> dict[str, Any]:
    return {"type": 3, "timestamp": BASE + at, "data": {"source": 0, **data}}


def added(node_id: int, parent: int, tag: str = "div", **attributes: str) -> dict[str, Any]:
    node = {"type": 2, "id": node_id, "tagName": tag, "attributes": attributes, "childNodes": []}
    return {"parentId": parent, "nextId": None, "node": node}


def chain(tag: str) -> list[dict[str, Any]]:
    return [added(n, n - 1, tag) for n in range(3, MANY)]


def flat() -> list[dict[str, Any]]:
    return [added(n, 2) for n in range(3, MANY)]


@pytest.mark.parametrize(
    "changes",
    [
        [
            mutation(10, adds=[added(3, 2, "span", contenteditable=""), *chain("span")[1:990]]),
            mutation(20, adds=[added(n, 991, "b") for n in range(1_000, 40_000)]),
            *(mutation(5_000 + n, texts=[{"id": i, "value": f"{n}"} for i in range(1_000, 40_000)]) for n in range(4)),
        ],
        [mutation(10, adds=[added(3, 2, hidden=""), *chain("main")[1:]])],
        [mutation(10, adds=chain("span")), mutation(5_000, texts=[{"id": n, "value": "x"} for n in range(3, MANY)])],
        [
            mutation(10, adds=flat()),
            mutation(900, attributes=[{"id": 2, "attributes": {"hidden": n % 2 or None}} for n in range(9_001)]),
        ],
        [
            mutation(10, adds=[added(3, 2, style="color:red;" * 40_000)]),
            mutation(5_000, attributes=[{"id": 3, "attributes": {"x": "y"}} for _ in range(5_000)]),
        ],
    ],
    ids=["editors", "hidden mains", "texts far below", "shown again and again", "a long style"],
)
def test_large_and_deep_pages_are_read_in_good_time(changes: list[dict[str, Any]]) -> None:
    started = time.process_time()
    assert build_evidence([("w", event) for event in [OPENED, page(), *changes]]).text
    assert time.process_time() - started < SECONDS


def test_thousands_of_texts_in_one_element_are_read_once() -> None:
    """Each of them used to read the whole element, until there was no room left to read the page at all."""
    texts = [
        {"parentId": 2, "nextId": None, "node": {"type": 3, "id": n, "textContent": f"row {n}"}} for n in range(3, MANY)
    ]
    started = time.process_time()
    result = build_evidence([("w", event) for event in [OPENED, page(), mutation(10, adds=texts)]])
    assert "row 3 row 4" in result.text
    assert time.process_time() - started < SECONDS / 5


def test_what_is_known_to_be_hidden_is_not_asked_again() -> None:
    mirror = Mirror()
    mirror.replace(page()["data"]["node"])
    mirror.add([added(3, 2), added(4, 3, hidden=""), added(5, 4), added(6, 3)])
    known: dict[Any, bool] = {}
    for node in mirror.nodes.values():
        assert visible(node, known) == visible(node)
    assert [node.id for node, hides in known.items() if hides] == [4, 5]


def clicks(*nodes: int) -> list[dict[str, Any]]:
    return [
        {
            "type": 3,
            "timestamp": BASE + 10_000 + 50 * n,
            "data": {"source": 2, "type": 2, "id": nodes[n % len(nodes)], "x": 5, "y": 5},
        }
        for n in range(2_000)
    ]


@pytest.mark.parametrize("tag", ["div", "label"])
def test_clicks_on_a_page_of_many_nodes_are_named_in_good_time(tag: str) -> None:
    crowd = [added(n, 4, tag) for n in range(5, 100_000)]
    style = added(6, 3, "style", _cssText=",".join(f".c{n}" for n in range(300)) + "{cursor:pointer}")
    grown = mutation(10, adds=[added(3, 2), style, added(4, 3, "button" if tag == "div" else "div"), *crowd])
    started = time.process_time()
    evidence = build_evidence([("w", event) for event in [OPENED, page(), grown, *clicks(4, 5, 40_000)]])
    assert time.process_time() - started < SECONDS
    assert evidence.text.count("click") >= 3


@pytest.mark.parametrize("between", [1, 500])
def test_fields_and_buttons_of_one_panel_belong_together(between: int) -> None:
    rows = "".join(f"<p>row {n}</p>" for n in range(between))
    browser = Browser().load(
        "https://a.example/",
        f"<div><div><b>Other</b></div><div id='panel'><input id='f'>{rows}<button id='b'>Save</button></div></div>",
    )
    mirror = Mirror()
    mirror.replace(next(event["data"]["node"] for _, event in browser.events if event["type"] == 2))
    named = [mirror.node(browser.by_id[name]) for name in ("f", "b", "panel")]
    field, button, panel = [node for node in named if node is not None]
    assert [describe(node, Pointers()).group for node in (field, button)] == [panel.id, panel.id]
