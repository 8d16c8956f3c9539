"""What a site's own analytics events add to a recording: custom events, exceptions, addresses, a visitor made known.

Only what the recording does not tell. `$pageview`, `$autocapture` and the rest of what the SDK sends by itself add
nothing but the address they were sent from, where the recorder missed a change of it (capture 4, "SPA navigation gap").
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol
from urllib.parse import parse_qsl, urlsplit

from consumers.scanning.evidence.evidence import Line
from consumers.scanning.evidence.happenings import Logged, Story
from consumers.scanning.evidence.masking import clean, clean_url, mask_beside, path_of, quoted

MAX_LINES: Final = 500
MAX_PROPERTIES: Final = 5
NAME_CHARS: Final = 80
VALUE_CHARS: Final = 60
"""Site events of one session, properties told of each, and what is told of their names and values: one short line each
leaves room for what the visitor did. Ours."""
MAX_NAMES: Final = 5
"""Parameters of a query that are named."""
OUTSIDE_MS: Final = 60_000
"""How long before or after the recording an event still belongs to its first or last moment: the SDK starts recording a
little after the page, and its last batch may be lost. What is further away has another clock."""
SAME_MS: Final = 5_000
"""A page line, or a console line with the same text, so near says what the event says."""

LOAD_MS: Final = 1_000
"""A new page tells analytics about itself this long before the recorder begins, at most."""

_PRIVATE: Final = frozenset(
    (
        *("address", "birth", "birthday", "card", "city", "cvc", "cvv", "dob", "email", "firstname", "fullname"),
        *("iban", "ip", "lastname", "login", "mail", "mobile", "password", "phone", "postcode", "secret", "ssn"),
        *("lat", "latitude", "lng", "longitude", "otp", "passcode", "passport", "passwd", "pin", "pw", "pwd"),
        *("street", "surname", "tel", "telephone", "token", "username", "zip"),
    )
)
"""Words of a property's name that say that its value is personal or secret; of a name made of two: _PRIVATE_PAIRS."""
_PRIVATE_PAIRS: Final = re.compile(
    r"^name$|(?:first|last|full|user|real|nick|customer|contact|person)_?name", re.IGNORECASE
)
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_OWN: Final = frozenset({"distinct_id", "token", "title"})
"""What the SDK itself sends without a $ in front."""
_IDENTIFY: Final = frozenset({"$identify", "$create_alias"})
_EXCEPTION: Final = "$exception"


class SiteEvent(Protocol):
    """An analytics event of the session. ``at`` is in ms since 1970 by the visitor's clock, as in the recording."""

    @property
    def name(self) -> str: ...
    @property
    def at(self) -> int: ...
    @property
    def window_id(self) -> str | None: ...
    @property
    def current_url(self) -> str | None: ...
    @property
    def properties(self) -> Mapping[str, object]: ...


def event_lines(events: Iterable[SiteEvent], story: Story, windows: Sequence[str]) -> list[Line]:
    """Lines of kind "event" in order of time, at most MAX_LINES, the earliest.

    ``events`` come in order of time and are read once; ``windows`` are the story's, by their ids.
    """
    places = {window: index for index, window in enumerate(windows)}
    addresses = _Addresses(story)
    lines: list[Line] = []
    for event in events:
        t = event.at - story.started_at_ms
        if not -OUTSIDE_MS <= t <= story.duration + OUTSIDE_MS:
            continue
        t = min(max(t, 0), story.duration)
        window = places.get(event.window_id or "", 0 if len(places) == 1 else None)
        before = f"window {window + 1}: " if story.windows > 1 and window is not None else ""
        for text in (*addresses.changed(event, t, window), *_said(event, t, window or 0, story)):
            lines.append(Line(t, "event", before + text))
            if len(lines) == MAX_LINES:
                return lines
    return lines


def _said(event: SiteEvent, t: int, window: int, story: Story) -> Iterator[str]:
    if event.name == _EXCEPTION:
        yield from _exception(event.properties, t, window, story)
    elif event.name in _IDENTIFY:
        yield "site event: the visitor is identified"
    elif not event.name.startswith("$"):
        told = "".join(f", {name} {value}" for name, value in _extract(event.properties))
        yield f"site event {quoted(clean(event.name, NAME_CHARS))}{told}"


def _extract(properties: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Names and values, in order of names so that it does not matter how they were sent; no value that is personal."""
    custom = [name for name in sorted(properties) if not name.startswith("$") and name not in _OWN]
    told = [(name, properties[name]) for name in custom[:MAX_PROPERTIES] if not _private(name)]
    # A value may go on in the next one, and its name may say what it is.
    texts = mask_beside([str(value) if isinstance(value, str | int | float) else "" for _, value in told])
    for (name, value), text in zip(told, texts, strict=True):
        if isinstance(value, bool) or value is None:
            yield quoted(clean(name, NAME_CHARS)), str(value).lower()
        elif isinstance(value, str | int | float):
            _, masked = mask_beside([" ".join(_WORDS.findall(name)).lower(), text])
            yield quoted(clean(name, NAME_CHARS)), quoted(clean(masked, VALUE_CHARS))


def _private(name: str) -> bool:
    return bool(_PRIVATE_PAIRS.search(name)) or any(word.lower() in _PRIVATE for word in _WORDS.findall(name))


def _exception(properties: Mapping[str, object], t: int, window: int, story: Story) -> Iterator[str]:
    """Type and message, unless the recorded console has an error with that message near it.

    One that nothing handled is a script error like those of the console.
    """
    kind, message = (_first(properties, f"$exception_{part}") for part in ("types", "values"))
    if not kind and not message:
        return
    told = (line for line in story.logged if line.level in ("error", "assert") and abs(line.t - t) <= SAME_MS)
    if message and any(message[:VALUE_CHARS] in line.text for line in told):
        return
    if not _handled(properties):
        story.exceptions.append(Logged(t, window, "error", f"{kind or 'Error'}: {message}", uncaught=True))
    yield f"site event: exception {quoted(kind or 'Error')}" + (f" {quoted(message)}" if message else "")


def _handled(properties: Mapping[str, object]) -> bool:
    """Whether the site's own code caught it and sent it; the SDK says so of the first of a chain."""
    chain = properties.get("$exception_list")
    first = chain[0] if isinstance(chain, list) and chain else None
    mechanism = first.get("mechanism") if isinstance(first, dict) else None
    return isinstance(mechanism, dict) and mechanism.get("handled") is True


def _first(properties: Mapping[str, object], name: str) -> str:
    values = properties.get(name)
    first = values[0] if isinstance(values, list) and values else ""
    return clean(first, 2 * NAME_CHARS) if isinstance(first, str) else ""


class _Addresses:
    """Which address each window is known to be at, and what the events say beyond it."""

    def __init__(self, story: Story) -> None:
        self._pages: dict[int, list[tuple[int, str]]] = {}
        for page in story.pages:
            if page.how != "view":  # that is another heading, the address stays open
                self._pages.setdefault(page.window, []).append((page.t, page.url))
        self._at: dict[int, int] = {}
        self._told: dict[int, tuple[int, str, str]] = {}

    def changed(self, event: SiteEvent, t: int, window: int | None) -> Iterator[str]:
        url = clean_url(event.current_url)
        if not url or window is None:
            return
        query = _query(event.current_url or "")
        last_t, last_url, last_query = self._told.get(window, (-1, "", query))
        recorded = self._recorded(window, t)
        since = any(last_t < at <= t + LOAD_MS for at, _ in recorded)
        self._told[window] = (t, url, query)
        if url != last_url and not any(page == url for _, page in recorded):
            yield f"site event: the address is {quoted(path_of(url))}"
        elif url == last_url and query != last_query and not since:
            yield f"site event: the address is {quoted(path_of(url))} with another query{_named(query)}"

    def _recorded(self, window: int, t: int) -> list[tuple[int, str]]:
        """The recorded pages that the address may be of: the one in view and those within SAME_MS."""
        pages = self._pages.get(window, [])
        at = self._at.get(window, 0)
        while at + 1 < len(pages) and pages[at + 1][0] <= t - SAME_MS:
            at += 1
        self._at[window] = at
        until = at
        while until < len(pages) and pages[until][0] <= t + SAME_MS:
            until += 1
        return pages[at:until]


def _query(url: str) -> str:
    try:
        return urlsplit(url[:4096]).query
    except ValueError:
        return ""


def _named(query: str) -> str:
    """The parameters' names; values may be anything, so they stay out (capture 4, "Masking")."""
    names = dict.fromkeys(clean(name, 30) for name, _ in parse_qsl(query[:1_000], keep_blank_values=True))
    shown = [quoted(name) for name in names if name][:MAX_NAMES]
    return f" ({', '.join(shown)})" if shown else ""
