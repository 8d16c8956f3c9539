"""Signals: what an analyst would point at, found by rules with stated thresholds. No rule knows a site."""

from typing import Final

from consumers.scanning.evidence.evidence import Signal
from consumers.scanning.evidence.scene import Scene
from consumers.scanning.evidence.signals import faults, friction, journey
from consumers.scanning.evidence.signals.forms import abandoned_forms, forms
from consumers.scanning.evidence.signals.outcome import Outcome

KINDS: Final = (
    "rage_click",
    "dead_click",
    "impatient_repeat",
    "error_shown",
    "javascript_error",
    "failed_request",
    "slow_request",
    "slow_response",
    "validation_error",
    "validation_loop",
    "quick_back",
    "lost_navigation",
    "empty_search",
    "idle",
    "abandoned_form",
    "conversion",
    "task_completed",
    "checkout_given_up",
    "goal_missed",
)
MAX_PER_KIND: Final = 40
"""More of one kind are left out (readout.py), the first are kept; ``Evidence.counts`` still counts all."""


def detect(scene: Scene) -> list[Signal]:
    """Every signal of a scene, in order of time, then of ``KINDS``."""
    all_forms = forms(scene)
    refusals = list(faults.validation_errors(scene))
    standing = [
        c.t for c in scene.story.clicks if c.error_in_view and c.target.submit and refusals and c.t > refusals[0].t_ms
    ]
    found = [
        *friction.rage_clicks(scene),
        *friction.dead_clicks(scene),
        *friction.impatient_repeats(scene),
        *friction.slow_answers(scene),
        *faults.error_messages(scene),
        *faults.javascript_errors(scene),
        *faults.failed_requests(scene),
        *faults.slow_requests(scene),
        *refusals,
        *faults.validation_loops(refusals, standing),
        *journey.quick_backs(scene),
        *journey.lost_navigation(scene),
        *journey.empty_searches(scene),
        *journey.idles(scene),
        *abandoned_forms(all_forms),
    ]
    found += Outcome(scene, all_forms, found).signals()
    found.sort(key=lambda signal: (signal.t_ms, KINDS.index(signal.kind), signal.text))
    return found
