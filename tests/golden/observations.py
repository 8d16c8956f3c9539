"""Golden observations: every way in which a run of one can end, and what the tries took."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from domain.observation import Observation, Usage
from domain.scanner import Scanner
from tests.golden.stamps import BEGAN, WORKERS, Stamps, text

USED = Usage(
    requests=2,
    input_tokens=1200,
    output_tokens=80,
    cost_usd=Decimal("0.000125"),
    duration_ms=61_250,
    prompt_digest="p" * 64,
    answer_digest="b" * 64,
)
UNANSWERED = Usage(1, 0, 0, Decimal(0), 4_000, prompt_digest="p" * 64)
UNASKED = Usage(requests=0, input_tokens=0, output_tokens=0, cost_usd=Decimal(0), duration_ms=12)


def observations(stamps: Stamps, scanner: Scanner) -> Iterator[Observation]:
    first, second, third, fourth = WORKERS
    why: dict[str, Any] = {"kind": "provider_transient", "message": "The provider did not answer."}
    succeeded = _requested(stamps, scanner, "s-1")
    succeeded.start(stamps.next(), run=1, try_number=1, lease_token=first, subject=text("subject"))
    succeeded.fail_try(stamps.next(), run=1, lease_token=first, retry_at=BEGAN + timedelta(minutes=5), **why)
    succeeded.start(stamps.next(), run=1, try_number=2, lease_token=second, subject=None)
    succeeded.fail(stamps.next(), run=1, lease_token=second, **why)
    succeeded.retry(stamps.next(), period="2026-12")
    succeeded.start(stamps.next(), run=2, try_number=1, lease_token=third, subject=None)
    succeeded.succeed(
        stamps.next(),
        run=2,
        lease_token=third,
        result={"scanner_type": "scorer", "score": 7, "label": None, "confidence": 0.75},
        text=text("answer"),
        signals_count=3,
        evidence_digest="e" * 64,
        prompt_digest="p" * 64,
        answer_digest="a" * 64,
        provider="builtin",
        model="builtin",
        input_tokens=1200,
        output_tokens=80,
        cost_usd=Decimal("0.000125"),
        duration_ms=1875,
        reused_from=None,
    )
    yield succeeded
    yield _reused(stamps, scanner, succeeded)
    short = _requested(stamps, scanner, "s-2")
    short.start(stamps.next(), run=1, try_number=1, lease_token=fourth, subject=None)
    short.judge_ineligible(stamps.next(), run=1, lease_token=fourth, kind="too_short", message="3 s.")
    yield short
    orphan = _requested(stamps, scanner, "s-3")
    orphan.fail(stamps.next(), run=1, lease_token=None, kind="orphaned", message="The workers stopped.")
    yield orphan
    running = _requested(stamps, scanner, "s-4")
    running.start(stamps.next(), run=1, try_number=1, lease_token=first, subject=None)
    yield running
    yield _unanswered(stamps, scanner)


def _reused(stamps: Stamps, scanner: Scanner, paid: Observation) -> Observation:
    reused = _requested(stamps, scanner, "s-5")
    reused.start(stamps.next(), run=1, try_number=1, lease_token=WORKERS[1], subject=None)
    reused.succeed(
        stamps.next(),
        run=1,
        lease_token=WORKERS[1],
        result={"scanner_type": "scorer", "score": 7, "label": None, "confidence": 0.75},
        text=text("same answer"),
        signals_count=0,
        evidence_digest="e" * 64,
        prompt_digest="p" * 64,
        answer_digest="a" * 64,
        provider="google",
        model="gemini-3-flash-preview",
        input_tokens=0,
        output_tokens=0,
        cost_usd=Decimal(0),
        duration_ms=12,
        reused_from=paid.id,
    )
    return reused


def _unanswered(stamps: Stamps, scanner: Scanner) -> Observation:
    """Tries that brought nothing, with what they took. The others of this history do not know, as of dead workers."""
    first, second, third, fourth = WORKERS
    later = BEGAN + timedelta(minutes=6)
    paid = _requested(stamps, scanner, "s-6")
    paid.start(stamps.next(), run=1, try_number=1, lease_token=first, subject=None)
    failure: dict[str, Any] = {"kind": "provider_transient", "message": "HTTP 503", "retry_at": later, "usage": USED}
    paid.fail_try(stamps.next(), run=1, lease_token=first, **failure)
    paid.start(stamps.next(), run=1, try_number=2, lease_token=second, subject=None)
    stopped: dict[str, Any] = {"kind": "infra_transient", "message": "Stopped.", "retry_at": later, "usage": UNANSWERED}
    paid.fail_try(stamps.next(), run=1, lease_token=second, **stopped)
    paid.start(stamps.next(), run=1, try_number=3, lease_token=third, subject=None)
    wrong: dict[str, Any] = {"kind": "validation_failed", "message": "The answer breaks a rule.", "usage": USED}
    paid.fail(stamps.next(), run=1, lease_token=third, **wrong)
    paid.retry(stamps.next(), period="2026-12")
    paid.start(stamps.next(), run=2, try_number=1, lease_token=fourth, subject=None)
    gone: dict[str, Any] = {"kind": "no_recording", "message": "There is no recording.", "usage": UNASKED}
    paid.judge_ineligible(stamps.next(), run=2, lease_token=fourth, **gone)
    return paid


def _requested(stamps: Stamps, scanner: Scanner, session_id: str) -> Observation:
    return Observation.request(
        stamps.next(),
        scanner_id=scanner.id,
        session_id=session_id,
        scanner_snapshot=scanner.snapshot(),
        triggered_by="schedule",
        period="2026-11",
    )
