"""Recordings of pages that attack: each attack in each place where a page, or whoever writes on it, can put a text."""

from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from consumers.scanning.evidence import Evidence, build_evidence
from tests.scanning.browser import START, Browser

SITE: Final = "https://a.example"
_SHOP: Final = "<h1>Mugs</h1><a id='l' href='https://a.example/more'>More mugs</a><p id='o'>Blue and red.</p>"


class Sent(NamedTuple):
    """An analytics event."""

    name: str
    at: int
    properties: Mapping[str, object]
    window_id: str | None = "w1"
    current_url: str | None = None


Recorded = tuple[list[tuple[str, Any]], list[Sent]]


def _visit(body: str, *, url: str = f"{SITE}/mugs", title: str = "Mugs", head: str = "") -> Recorded:
    """Somebody looks around for half a minute and does nothing else."""
    browser = Browser().load(url, body, title, head).wait(4, moving=True).click("l").wait(0.3)
    browser.load(f"{SITE}/more", _SHOP).wait(12, moving=True)
    return browser.leave(10), []


def _seen(text: str) -> Recorded:
    return _visit(f"{_SHOP}<p>{escape(text)}</p>")


def _review(text: str) -> Recorded:
    return _visit(f"{_SHOP}<h2>Reviews</h2><ul><li>{escape(text)}</li><li>Good mug.</li></ul>")


def _hidden(text: str) -> Recorded:
    return _visit(f"{_SHOP}<div style='display:none'>{escape(text)}</div><div hidden>{escape(text)}</div>")


def _attribute(name: str) -> Callable[[str], Recorded]:
    return lambda text: _visit(f"{_SHOP}<img {name}='{escape(text, quote=True)}'><div {name}='{escape(text)}'>x</div>")


def _title(text: str) -> Recorded:
    return _visit(_SHOP, title=escape(text))


def _heading(text: str) -> Recorded:
    return _visit(f"<h1>{escape(text)}</h1>{_SHOP}")


def _meta(text: str) -> Recorded:
    return _visit(_SHOP, head=f"<meta name='description' content='{escape(text, quote=True)}'><!-- {escape(text)} -->")


def _path(text: str) -> Recorded:
    return _visit(_SHOP, url=f"{SITE}/{quote(text, safe='')}")


def _query(text: str) -> Recorded:
    return _visit(_SHOP, url=f"{SITE}/mugs?q={quote(text)}#{quote(text)}")


def _raw_url(text: str) -> Recorded:
    return _visit(_SHOP, url=f"{SITE}/{text}")


def _button(text: str) -> Recorded:
    browser = Browser().load(f"{SITE}/mugs", f"{_SHOP}<button id='b'>{escape(text)}</button><p id='n'>0</p>").wait(4)
    browser.click("b").wait(0.2).fill("n", "<b>1</b>").wait(3, moving=True).click("l").wait(0.2)
    return browser.load(f"{SITE}/more", _SHOP).wait(12, moving=True).leave(10), []


def _field(text: str) -> Recorded:
    field = f"<input type='search' id='q' name='q' placeholder='{escape(text, quote=True)}'>"
    browser = Browser().load(f"{SITE}/mugs", _SHOP + field).wait(4).type("q", "mug").wait(3, moving=True).click("l")
    return browser.wait(0.2).load(f"{SITE}/more", _SHOP).wait(12, moving=True).leave(10), []


def _appearing(text: str) -> Recorded:
    """As in a chat: it comes up without anybody having done anything."""
    browser = Browser().load(f"{SITE}/mugs", _SHOP + "<div id='chat'>Chat</div>").wait(4, moving=True)
    browser.fill("chat", f"<div>{escape(text)}</div>").wait(20, moving=True)
    return browser.leave(10), []


def _error(text: str) -> Recorded:
    """As a refusal that repeats what somebody else wrote."""
    form = "<form><input id='m' name='m'><button id='b'>Save</button></form><div id='e' class='error'></div>"
    browser = Browser().load(f"{SITE}/mugs", _SHOP + form).wait(4).type("m", "mug").click("b").wait(0.2)
    browser.request("POST", f"{SITE}/api/m", 422).wait(0.2).fill("e", f"<p>{escape(text)}</p>")
    return browser.wait(20, moving=True).leave(10), []


def _exception(text: str) -> Recorded:
    browser = Browser().load(f"{SITE}/mugs", _SHOP).wait(4, moving=True).console("error", f"Uncaught Error: {text}")
    return browser.wait(20, moving=True).leave(10), []


def _console(level: str) -> Callable[[str], Recorded]:
    def recorded(text: str) -> Recorded:
        browser = Browser().load(f"{SITE}/mugs", _SHOP).wait(4, moving=True).console(level, text).wait(20, moving=True)
        return browser.leave(10), []

    return recorded


def _request(text: str) -> Recorded:
    browser = Browser().load(f"{SITE}/mugs", _SHOP).wait(4).request("GET", f"{SITE}/api/{quote(text)}", 200, 2.0)
    return browser.wait(20, moving=True).leave(10), []


def _event_name(text: str) -> Recorded:
    return _visit(_SHOP)[0], [Sent(text, START + 5_000, {})]


def _event_property(text: str) -> Recorded:
    return _visit(_SHOP)[0], [Sent("looked", START + 5_000, {"note": text, text[:40]: text})]


def _recorder_note(text: str) -> Recorded:
    browser = Browser().load(f"{SITE}/mugs", _SHOP).wait(4, moving=True)
    browser.emit(5, {"tag": text, "payload": {"note": text}})
    return browser.wait(20, moving=True).leave(10), []


PLACES: Final[dict[str, Callable[[str], Recorded]]] = {
    "visible text": _seen,
    "review": _review,
    "hidden elements": _hidden,
    "alt text": _attribute("alt"),
    "aria-label": _attribute("aria-label"),
    "title attribute": _attribute("title"),
    "page title": _title,
    "heading": _heading,
    "meta and comment": _meta,
    "path": _path,
    "query and fragment": _query,
    "raw address": _raw_url,
    "name of a button": _button,
    "label of a field": _field,
    "chat": _appearing,
    "error message": _error,
    "uncaught exception": _exception,
    "console warning": _console("warn"),
    "console error": _console("error"),
    "address of a request": _request,
    "event name": _event_name,
    "event property": _event_property,
    "recorder note": _recorder_note,
}


def evidence(place: str, text: str) -> Evidence:
    events, sent = PLACES[place](text)
    return build_evidence(events, sent)


def corpus(attacks: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(attack, place, text) of every recording there is."""
    for attack, text in attacks.items():
        for place in PLACES:
            yield attack, place, text
