"""The outcome of a session as one of six classes, best first, and how much friction it had."""

from dataclasses import dataclass
from typing import Final

from consumers.scanning.evidence import Evidence, Signal

MANY_PRESSES: Final = 2
"""More presses of what does not react are a defect that was in the way; fewer may be one idle try. Ours."""
SAME_FAILURE_MS: Final = 2_000
"""A message and a failed request this near each other cost one point, not two. Ours."""
WAIT_MS: Final = 3_000
"""A wait that is felt: from here on an answer is a signal (signals/friction.py)."""
LONG_WAIT_MS: Final = 8_000
"""A wait that people give up in. Ours."""
CLASSES: Final = ("converted", "blocked", "abandoned", "completed", "failed", "browsing")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A class with the signals that speak for it; ``strength`` 0..1."""

    name: str
    strength: float
    moments: tuple[Signal, ...]


def outcomes(evidence: Evidence) -> list[Outcome]:
    """Every class, the most fitting first.

    A session has one outcome: a conversion beats all, a defect that kept the
    person from a goal beats a checkout given up, that beats a completed task, that a failed one.
    """
    by: dict[str, list[Signal]] = {}
    for signal in evidence.signals:
        by.setdefault(signal.kind, []).append(signal)
    missed = by.get("goal_missed", [None])[0]
    reason = missed.note if missed is not None else ""
    given_up, tasks = by.get("checkout_given_up", []), by.get("task_completed", [])
    strength = dict.fromkeys(CLASSES, 0.05) | {"browsing": 0.3}
    if by.get("conversion"):
        strength["converted"] = 0.95
    if missed is not None:
        strength["failed"] = 0.5
        strength["browsing"] = 0.15 if reason != "lost" else 0.3
        if reason == "defect":
            strength["blocked"] = 0.85 if _serious(by) else 0.45
        if given_up:
            strength["abandoned"] = 0.7 if reason != "defect" else 0.4
    elif given_up:
        strength["abandoned"] = 0.45
    if tasks:
        later = missed is None or max(s.t_ms for s in tasks) > missed.t_ms
        strength["completed"] = 0.75 if later else 0.4
    spoken: dict[str, list[Signal]] = {
        "converted": by.get("conversion", []),
        "blocked": [*([missed] if missed else []), *_defects(by)],
        "abandoned": given_up + ([missed] if missed else []),
        "completed": tasks,
        "failed": [missed] if missed else [],
        "browsing": [],
    }
    order = sorted(CLASSES, key=lambda name: (-strength[name], CLASSES.index(name)))
    return [Outcome(name, strength[name], tuple(spoken[name])) for name in order]


def _serious(by: dict[str, list[Signal]]) -> bool:
    """A script error, a server failure, or a control pressed again and again: not one idle try on a decoration."""
    presses = sum(signal.count for signal in by.get("dead_click", []))
    server = [s for s in by.get("failed_request", []) if s.note != "4xx"] + [
        s for s in by.get("error_shown", []) if s.note == "server"
    ]
    return bool(by.get("javascript_error") or by.get("rage_click") or server or presses > MANY_PRESSES)


def _defects(by: dict[str, list[Signal]]) -> list[Signal]:
    return [*by.get("javascript_error", []), *by.get("dead_click", []), *by.get("rage_click", [])]


def frustration(evidence: Evidence) -> tuple[float, list[Signal]]:
    """0 to 10 points and the signals they come from.

    Failed attempts give one point each (refused input, failed requests, empty searches, at most two for script errors
    and two for dead clicks), three in all; bursts of clicks 2, or 3 for several; a wait of 3 s one, of 8 s two; being
    lost 2; a goal missed 3; a goal reached takes one away.
    """
    by: dict[str, list[Signal]] = {}
    for signal in evidence.signals:
        by.setdefault(signal.kind, []).append(signal)
    failures = [s for s in by.get("failed_request", []) if not s.measure_ms or s.note]
    refusals = [
        s for s in by.get("error_shown", []) if not any(abs(s.t_ms - f.t_ms) < SAME_FAILURE_MS for f in failures)
    ]
    dead = min(2, sum(signal.count for signal in by.get("dead_click", [])))
    attempts = len(failures) + len(refusals) + len(by.get("empty_search", []))
    attempts += min(2, len(by.get("javascript_error", []))) + dead
    rages = len(by.get("rage_click", []))
    wait = max((signal.measure_ms for signal in by.get("slow_response", [])), default=0)
    points = float(min(3, attempts)) + (0, 2, 3)[min(2, rages)]
    points += 2 if wait >= LONG_WAIT_MS else 1 if wait >= WAIT_MS else 0
    points += 2 if by.get("lost_navigation") else 0
    points += 3 if by.get("goal_missed") else 0
    points -= 1 if (by.get("conversion") or by.get("task_completed")) and not by.get("goal_missed") else 0
    kinds = (
        "rage_click",
        "goal_missed",
        "lost_navigation",
        "error_shown",
        "javascript_error",
        "empty_search",
        "dead_click",
        "slow_response",
    )
    moments = [by[kind][0] for kind in kinds if by.get(kind)]
    return min(10.0, max(0.0, points)), moments
