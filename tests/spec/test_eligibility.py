"""Which sessions are worth scanning: the order of the limits and their edges (engine 1.5)."""

import pytest

from domain.eligibility import NO_RECORDING, EligibilityLimits, ineligible

LIMITS = EligibilityLimits()


@pytest.mark.rule("4.1/too-short", "4.1/too-inactive", "4.1/too-long")
@pytest.mark.parametrize(
    ("duration", "active", "kind"),
    [
        (15, 10, None),
        (14.999, 10, "too_short"),
        (15, 9.999, "too_inactive"),
        (4000, 3600, None),
        (4000, 3600.001, "too_long"),
        (0, 0, "too_short"),
        (90_000, 60, None),
    ],
)
def test_the_edges(duration: float, active: float, kind: str | None) -> None:
    found = ineligible(duration, active, LIMITS)
    assert (found.kind if found else None) == kind


def test_the_first_broken_limit_is_named() -> None:
    limits = EligibilityLimits(min_duration_seconds=100, min_active_seconds=50, max_active_seconds=10)
    found = [ineligible(duration, active, limits) for duration, active in ((99, 20), (100, 20), (100, 50))]
    assert [each.kind for each in found if each] == ["too_short", "too_inactive", "too_long"]


def test_messages_give_the_measured_and_the_needed_value() -> None:
    found = ineligible(3.21, 0, EligibilityLimits(min_duration_seconds=7.5))
    assert found is not None
    assert "3.2 s" in found.message
    assert "7.5 s" in found.message
    assert NO_RECORDING.kind == "no_recording"


def test_limits_of_nought_let_everything_pass() -> None:
    assert ineligible(0, 0, EligibilityLimits(0, 0, 0)) is None
