"""Summarizer: a title, a summary of the asked length, and four facets."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from consumers.scanning.evidence import Evidence, Line, Signal
from consumers.scanning.evidence.masking import path_of
from consumers.scanning.providers.builtin.finding import stems
from consumers.scanning.providers.builtin.outcome import frustration, outcomes
from consumers.scanning.providers.builtin.quoting import as_name, repeatable, without_codes
from consumers.scanning.providers.builtin.wording import cite, cut, end_of, sentence

TITLES: Final = {
    "converted": "Conversion completed",
    "blocked": "Blocked by a defect",
    "abandoned": "Checkout or upgrade not completed",
    "completed": "Task completed",
    "failed": "Goal not reached",
    "browsing": "Looked around without an evident task",
}
_OUTCOMES: Final = {
    "converted": "The visitor completed a conversion.",
    "blocked": "A defect kept the visitor from the goal.",
    "abandoned": "The visitor began a checkout or upgrade and did not complete it.",
    "completed": "The visitor achieved what they set out to do.",
    "failed": "The visitor did not achieve what they tried.",
    "browsing": "The visitor looked around and left.",
}
_FRICTION: Final = {
    "rage_click": "bursts of clicks",
    "dead_click": "control without reaction",
    "error_shown": "error message",
    "javascript_error": "script error",
    "failed_request": "failed request",
    "slow_response": "slow response",
    "validation_error": "refused input",
    "lost_navigation": "lost between pages",
    "empty_search": "search without result",
    "impatient_repeat": "impatient clicking",
    "abandoned_form": "abandoned form",
}
_A_PAGE = "a page"
MAX_AGAIN: Final = 4
"""Further times of the same that are named in one sentence; the reader needs no more to find them."""
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_HEADINGS = re.compile(r'headings "((?:[^"\\]|\\.)*)"')


def summarizer(config: Mapping[str, Any], evidence: Evidence) -> dict[str, Any]:
    outcome = outcomes(evidence)[0]
    pages = [line for line in evidence.lines if line.kind == "page"]
    points, _ = frustration(evidence)
    signals = _telling(evidence)
    summary = _told(_paragraphs(evidence, pages, signals, outcome.name), config.get("length", "medium"))
    names = _names(pages)
    title = TITLES[outcome.name] + (
        f" after {_FRICTION[signals[0].kind]}" if signals and outcome.name != "browsing" else ""
    )
    return {
        "summary": summary,
        "title": cut(title, 120),
        "intent": cut(_intent(evidence, names), 300),
        "outcome": _OUTCOMES[outcome.name],
        "friction_points": [cut(f"{_FRICTION[s.kind]}: {_plain(s)}".lower(), 200) for s in signals[:8]],
        "keywords": _keywords(evidence, names, signals),
        "confidence": 0.6 if evidence.lines else 0.1 if points == 0 else 0.3,
    }


def _told(paragraphs: list[list[str]], length: str) -> str:
    """Two sentences, one paragraph, or all of them (contract 3.2)."""
    if length == "long":
        return "\n\n".join(map(" ".join, paragraphs))
    sentences = [each for paragraph in paragraphs for each in paragraph]
    return " ".join(sentences[:2] if length == "short" else sentences)


def _paragraphs(evidence: Evidence, pages: list[Line], signals: list[Signal], outcome: str) -> list[list[str]]:
    """The sentences of what is said, in order of weight: outcome, the way, the friction, the end."""
    ends = [
        s for s in evidence.signals if s.kind in ("conversion", "task_completed", "goal_missed", "checkout_given_up")
    ]
    head = [_OUTCOMES[outcome], sentence(ends[0])] if ends else [f"{_OUTCOMES[outcome][:-1]} {end_of(evidence)}."]
    names = _names(pages)
    way = f"The session began {cite(pages[0].t_ms)} on {_page(pages[0])}" if pages else "The session began (t 0)"
    way += f" and went through {len(pages)} pages and views" if len(pages) > 1 else ""
    other = [name for name in names if name != _page(pages[0])][:4]
    way += f", among them {', '.join(other)}" if other else ""
    clicks, inputs = evidence.counts.get("clicks", 0), evidence.counts.get("inputs", 0)
    way += f", with {clicks} clicks and {inputs} inputs." if clicks or inputs else "."
    friction = [sentence(signal, _again(signal, evidence)) for signal in signals[:5]] or ["No friction shows."]
    friction += [sentence(signal, (signal.end_ms,)) for signal in evidence.signals if signal.kind == "idle"][:2]
    last = pages[-1] if pages else None
    end = f"It ended {end_of(evidence)}" + (f" on {_page(last)}." if last is not None else ".")
    return [head, [way], friction, [end]]


def _telling(evidence: Evidence) -> list[Signal]:
    """The friction, one signal per kind and subject, in order of time."""
    seen: set[tuple[str, str]] = set()
    kept: list[Signal] = []
    for signal in evidence.signals:
        key = (signal.kind, signal.subject)
        if signal.kind in _FRICTION and key not in seen:
            seen.add(key)
            kept.append(signal)
    return kept


def _again(signal: Signal, evidence: Evidence) -> list[int]:
    """When the same happened again, the first times and the last."""
    times = [other.t_ms for other in evidence.signals if (other.kind, other.subject) == (signal.kind, signal.subject)]
    times += [signal.end_ms] if signal.count > 1 else []
    later = sorted({t for t in times if t > signal.t_ms})
    return later if len(later) <= MAX_AGAIN else [*later[: MAX_AGAIN - 1], later[-1]]


def _page(line: Line) -> str:
    """A page by its first heading where that is a name, else by its path."""
    address = _QUOTED.search(line.text)
    told = [match.group(1) for match in (_HEADINGS.search(line.text),) if match]
    told += [path_of(address.group(1))] if address else []
    name = next(filter(None, map(as_name, told)), "")
    return f'"{name}"' if name else _A_PAGE


def _names(pages: list[Line]) -> list[str]:
    return [name for name in dict.fromkeys(map(_page, pages)) if name != _A_PAGE]


def _plain(signal: Signal) -> str:
    subject = signal.subject.strip('"')
    return without_codes(subject) if subject and repeatable(subject) else f"at second {signal.t_ms // 1000}"


def _intent(evidence: Evidence, names: list[str]) -> str:
    for kind, text in (
        ("checkout_given_up", "Buy or upgrade"),
        ("conversion", "Buy, upgrade or sign up"),
        ("empty_search", "Find something by searching"),
        ("lost_navigation", "Find something on the site"),
        ("abandoned_form", "Fill in a form"),
        ("task_completed", "Get a task done"),
    ):
        found = next((s for s in evidence.signals if s.kind == kind), None)
        if found is not None:
            return f"{text} {cite(found.t_ms)}."
    return f"Look at {', '.join(names[:3])}." if names else "Not evident."


def _keywords(evidence: Evidence, names: list[str], signals: list[Signal]) -> list[str]:
    words = [_FRICTION[signal.kind] for signal in signals]
    words += [name.strip('"').lower() for name in names]
    acts = Counter(
        match.group(1).lower()
        for line in evidence.lines
        if line.kind == "click" and (match := _QUOTED.search(line.text)) and as_name(match.group(1))
    )
    words += [word for word, _ in acts.most_common(8) if stems(word)]
    return list(dict.fromkeys(cut(word, 60) for word in words if word))[:12]
