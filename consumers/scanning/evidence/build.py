"""From a recording to its evidence."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from consumers.capture.reading.recording import Recording
from consumers.scanning.evidence import readout
from consumers.scanning.evidence.arrival import Arrived, ordered
from consumers.scanning.evidence.evidence import Evidence
from consumers.scanning.evidence.masking import masking
from consumers.scanning.evidence.observe import observe
from consumers.scanning.evidence.scene import Scene
from consumers.scanning.evidence.signals import detect
from consumers.scanning.evidence.site_events import SiteEvent, event_lines
from consumers.scanning.evidence.timeline import timeline


def build_evidence(
    recording: Recording | Iterable[tuple[str, Any]], events: Iterable[SiteEvent] = (), *, masked: bool = True
) -> Evidence:
    """The evidence of a recording: ``(window id, rrweb event)`` pairs, inflated.

    Either a Recording, which is in order of time and read once in bounded memory, or pairs in order of arrival that fit
    into memory. ``events`` are the site's analytics events of the session, in order of time; they add what the
    recording does not tell (site_events). Deterministic: the same events give the same text and digest, and without
    analytics events the text is as if there were no analytics. Never raises for what a recording holds; what cannot be
    read is counted in ``skipped_events``. Personal data is masked (masking.mask) unless ``masked`` is False.
    """
    with masking(on=masked):
        return _built(recording, events)


def _built(recording: Recording | Iterable[tuple[str, Any]], events: Iterable[SiteEvent]) -> Evidence:
    timed = recording if isinstance(recording, Recording) else ordered(recording)
    story = observe(Arrived(timed))
    told = event_lines(events, story, timed.windows)
    scene = Scene(story)
    signals = detect(scene)
    shown = readout.kept_signals(signals)
    lines = timeline(story, told)
    kept = readout.fit(shown, lines)
    captured = readout.captured(story)
    head = readout.header(story, captured, len(lines) - len(kept), readout.left_of(signals, shown))
    text = readout.render(head, shown, kept)
    counts = Counter(signal.kind for signal in signals)
    return Evidence(
        started_at_ms=story.started_at_ms,
        duration_ms=story.duration,
        windows=story.windows,
        captured=captured,
        lines=tuple(kept),
        signals=tuple(shown),
        counts=dict(counts) | {"clicks": len(story.clicks), "pages": len(story.pages), "inputs": len(story.typings)},
        text=text,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        dropped_lines=len(lines) - len(kept),
        skipped_events=story.skipped,
    )
