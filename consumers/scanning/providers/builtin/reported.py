"""Findings for scanners with ``emits_signals``: the signals that tell of a problem of the site (engine 4.5)."""

from typing import Final

from consumers.scanning.evidence import Evidence, Signal
from consumers.scanning.providers.builtin.finding import said
from consumers.scanning.providers.builtin.wording import cut
from domain.scanner_types import Finding, findings

_DESCRIPTION_CHARS: Final = 500
"""Half of what a finding may have: texts of signals are shorter."""

_REPORTED: Final = {
    "javascript_error": ("bug", 0.8, "Uncaught script error"),
    "failed_request": ("bug", 0.7, "Request failed at the server"),
    "error_shown": ("bug", 0.6, "Server error shown to the visitor"),
    "rage_click": ("ux_friction", 0.7, "Burst of clicks on one control"),
    "dead_click": ("design_flaw", 0.6, "Control does not react to clicks"),
    "slow_response": ("ux_friction", 0.6, "Slow answer to an action"),
    "validation_loop": ("ux_friction", 0.6, "Form refused several times"),
    "lost_navigation": ("design_flaw", 0.5, "Visitor lost between pages"),
    "abandoned_form": ("ux_friction", 0.5, "Form begun and given up"),
    "empty_search": ("ux_friction", 0.4, "Search without result"),
}
"""Type, confidence and headline by kind of signal. Told once per subject; happening again makes it surer."""

_SURER: Final = 0.1


def reported(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding per kind and subject, in order of time."""
    seen: dict[tuple[str, str], Signal] = {}
    again: set[tuple[str, str]] = set()
    for signal in evidence.signals:
        key = (signal.kind, signal.subject)
        if signal.kind in _REPORTED and _sites_own(signal):
            if key in seen or signal.count > 1:
                again.add(key)
            seen.setdefault(key, signal)
    return tuple(findings([_told(one, again=key in again) for key, one in seen.items()], evidence.duration_ms))


def _sites_own(signal: Signal) -> bool:
    """A refusal (4xx, a declined card, a wrong entry) is how a site ought to work; a server's failure is not."""
    if signal.kind == "failed_request":
        return signal.note != "4xx"
    return signal.kind != "error_shown" or signal.note == "server"


def _told(signal: Signal, *, again: bool) -> dict[str, object]:
    problem_type, confidence, headline = _REPORTED[signal.kind]
    text = said(signal)
    return {
        "description": cut(f"{text[0].upper()}{text[1:]}.", _DESCRIPTION_CHARS),
        "problem_type": problem_type,
        "start_time": signal.t_ms / 1000,
        "end_time": max(signal.t_ms, signal.end_ms) / 1000,
        "headline": headline,
        "confidence": round(confidence + (_SURER if again else 0.0), 2),
    }
