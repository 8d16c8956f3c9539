# ruff: noqa: E501 - patterns: each stays together
"""Where and when a prompt asks about: "on the checkout page", "in the first minute"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from consumers.scanning.evidence import Evidence, Signal
from consumers.scanning.providers.builtin.prompt import Ask

_PLACES: Final = {
    "checkout": r"check-?out|payment|billing",
    "cart": r"cart|basket|trolley|shopping bag",
    "sign-up": r"sign-?\s?up|registration|onboarding|register|join|welcome|create (?:an? )?account",
    "sign-in": r"log-?\s?in|sign-?\s?in",
    "settings": r"settings|preferences|configuration",
    "account": r"account|profile",
    "pricing": r"pricing|plans|tariffs?",
    "dashboard": r"dashboard|overview",
    "booking": r"booking|reservation",
    "contact": r"contact",
    "help": r"help|faq|support",
    "search": r"search results?|results",
    "product": r"products?|items?|details?",
}
"""What pages people name, and the words such pages have in their address, title or headings, whatever the site."""

_SCOPE: Final = re.compile(
    r"(?<!or )\b(?:on|in|at|during|within|inside|throughout|while (?:on|in|at))\s+(?:the |our |their |a |an |its |your |any )?(?:\w+ )?"
    rf"(?:{'|'.join(f'(?P<p{n}>{words})' for n, words in enumerate(_PLACES.values()))})"
    r"(?P<kind> (?:page|step|screen|form|flow|section|process|funnel|view|area|tab|dialog|phase|stage)s?)?\b(?! (?:message|error|result|field))"
)
_NEEDS_KIND: Final = frozenset({"product", "search", "help", "account", "contact", "settings", "dashboard"})
"""Words that name a page only where "page" or the like follows."""
_MAIN_TEXT: Final = re.compile(r'; text (?:"|as before).*$')


@dataclass(frozen=True, slots=True)
class Scope:
    """``place`` is a name of _PLACES, "" for everywhere; ``after_ms`` and ``before_ms`` bound the time."""

    place: str = ""
    after_ms: int = 0
    before_ms: int | None = None


def scope_of(ask: Ask, evidence: Evidence) -> Scope:
    after, before = 0, None
    if ask.period is not None:
        after, before = (0, ask.period) if ask.period > 0 else (evidence.duration_ms + ask.period, None)
    for part in ask.parts:
        match = _SCOPE.search(part.text) if part.weight == 1 else None
        if match is not None:
            place = next(name for n, name in enumerate(_PLACES) if match[f"p{n}"])
            if place not in _NEEDS_KIND or match["kind"]:
                return Scope(place, after, before)
    return Scope("", after, before)


def visited(scope: Scope, evidence: Evidence) -> bool:
    """Whether the session ever was where the prompt asks about."""
    return not scope.place or any(_is_place(scope.place, line.text) for line in evidence.lines if line.kind == "page")


def within(moments: Sequence[Signal], scope: Scope, evidence: Evidence) -> tuple[Signal, ...]:
    """The moments that lie in the scope: on such a page, in such a time."""
    pages = [(line.t_ms, _is_place(scope.place, line.text)) for line in evidence.lines if line.kind == "page"]
    return tuple(
        moment
        for moment in moments
        if scope.after_ms <= moment.t_ms
        and (scope.before_ms is None or moment.t_ms <= scope.before_ms)
        and (not scope.place or any([there for t, there in pages if t <= moment.t_ms][-1:]))
    )


def named(page: str) -> str:
    """A page line's address, title and headings, which name the page; its main text may be about anything."""
    return _MAIN_TEXT.sub("", page)


def _is_place(place: str, page: str) -> bool:
    """By what names the page."""
    if not place:
        return True
    shown = re.sub(r"[/_.?=&-]+", " ", named(page).lower())
    return bool(re.search(rf"\b(?:{_PLACES[place]})\b", shown))
