"""Evidence: a recording as a deterministic timeline with second marks and signals (architecture 8, capture 6)."""

from consumers.scanning.evidence.build import build_evidence
from consumers.scanning.evidence.evidence import MAX_TEXT_BYTES, Captured, Evidence, Line, Signal
from consumers.scanning.evidence.signals import KINDS
from consumers.scanning.evidence.site_events import SiteEvent

__all__ = ["KINDS", "MAX_TEXT_BYTES", "Captured", "Evidence", "Line", "Signal", "SiteEvent", "build_evidence"]
