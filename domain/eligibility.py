"""Whether a session is worth scanning at all: one rule for selection, estimate and the scan itself (contract 4.1)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EligibilityLimits:
    """Limits in seconds; the defaults are the reference product's (engine 1.5)."""

    min_duration_seconds: float = 15
    min_active_seconds: float = 10
    max_active_seconds: float = 3600


@dataclass(frozen=True, slots=True)
class Ineligible:
    """Why a session is not scanned. `kind` is one of the contract's error_reason kinds."""

    kind: str
    message: str


NO_RECORDING = Ineligible("no_recording", "This session has no recording.")


def ineligible(duration_seconds: float, active_seconds: float, limits: EligibilityLimits) -> Ineligible | None:
    """The first limit that the session breaks, in the order of engine 1.5, or None when it may be scanned."""
    if duration_seconds < limits.min_duration_seconds:
        return Ineligible(
            "too_short",
            f"The recording lasts {duration_seconds:.1f} s; at least {limits.min_duration_seconds:g} s are needed.",
        )
    if active_seconds < limits.min_active_seconds:
        return Ineligible(
            "too_inactive",
            f"The visitor was active for {active_seconds:.1f} s; at least {limits.min_active_seconds:g} s are needed.",
        )
    if active_seconds > limits.max_active_seconds:
        return Ineligible(
            "too_long",
            f"The visitor was active for {active_seconds:.0f} s; at most {limits.max_active_seconds:g} s are scanned.",
        )
    return None
