"""ActionRun: what may follow what, and what each decision records (extensions "Actions")."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import pytest

from domain.action_run import (
    ActionRun,
    ActionRunClaimed,
    ActionRunCompleted,
    ActionRunFailed,
    ActionRunSkipped,
    ActionRunStarted,
    ReportWritten,
)
from domain.errors import Conflict, LeaseLost, NotFound
from domain.event import TextRef
from domain.run_deliveries import (
    MOST_ROUNDS,
    DeliveryAbandoned,
    DeliveryAttempted,
    DeliverySucceeded,
    RedeliveryRequested,
)
from tests.spec.given import NOW, STAMP, STREAM, Given, fact, given

FIRST, SECOND = UUID(int=1), UUID(int=2)
TEXT = TextRef(id=UUID(int=9), digest="d" * 64)
HOOK: dict[str, Any] = {"type": "webhook", "url": "https://hooks.example/x"}
MAIL: dict[str, Any] = {"type": "email", "to": ["a@shop.example", "b@shop.example"]}
IDS = [uuid5(STREAM, f"delivery/{number}") for number in range(3)]
FIELDS: dict[str, Any] = {
    "action_id": UUID(int=3),
    "scanner_id": UUID(int=4),
    "cause": "schedule",
    "scheduled_at": NOW,
    "next_run_at": NOW + timedelta(days=1),
    "window_start": None,
    "window_end": NOW,
    "position": 42,
    "action_version": 2,
}
DELIVERIES = [
    {**HOOK, "id": str(IDS[0])},
    {**MAIL, "to": ["a@shop.example"], "id": str(IDS[1])},
    {**MAIL, "to": ["b@shop.example"], "id": str(IDS[2])},
]
CLAIMED = fact(
    ActionRunClaimed, **FIELDS, triggered_by_user=17, action={"name": "Digest", "delivery_config": DELIVERIES}
)
STARTED = fact(ActionRunStarted, try_number=1, lease_token=FIRST, window_start=NOW, since=7)
REPORT: dict[str, Any] = {
    "report": TEXT,
    "observations": [],
    "observation_count": 3,
    "matched": 3,
    "provider": "builtin",
    "model": "builtin",
    "input_tokens": 0,
    "output_tokens": 0,
    "cost_usd": Decimal(0),
    "digests": 0,
}
WRITTEN = fact(ReportWritten, lease_token=FIRST, **REPORT)
COMPLETED = fact(ActionRunCompleted, lease_token=FIRST)
DONE = (CLAIMED, STARTED, WRITTEN, COMPLETED)
SENT: dict[str, Any] = {"at": NOW, "status_code": 500, "duration_ms": 5, "error": "HTTP 500", "response": TEXT}
LATER = NOW + timedelta(minutes=5)


def attempted(number: int, retry_at: Any = None, delivery: UUID = IDS[0]) -> Any:
    return fact(DeliveryAttempted, delivery_id=delivery, number=number, retry_at=retry_at, **SENT)


def attempt(run: ActionRun, number: int, ending: Any = None, retry_at: Any = None, **fields: Any) -> None:
    given_ = {"round": 1, "number": number, "ending": ending, "retry_at": retry_at, **SENT, **fields}
    run.attempt(STAMP, IDS[0], **given_)


def test_a_claim_freezes_the_action_and_numbers_its_deliveries_one_an_address() -> None:
    begin: Given[ActionRun] = given(ActionRun)
    action = {"name": "Digest", "delivery_config": [HOOK, MAIL]}
    run = begin.when(lambda _: ActionRun.claim(STREAM, STAMP, **FIELDS, action=action)).then(CLAIMED)
    assert list(run.deliveries) == [str(one) for one in IDS]


def test_a_try_starts_once() -> None:
    start: dict[str, Any] = {"try_number": 1, "lease_token": FIRST, "window_start": NOW, "since": 7}
    given(ActionRun, CLAIMED).when(lambda run: run.start(STAMP, **start)).then(STARTED)
    given(ActionRun, CLAIMED, STARTED).when(lambda run: run.start(STAMP, **start)).then_nothing()
    other = {**start, "lease_token": SECOND}
    given(ActionRun, CLAIMED, STARTED).when(lambda run: run.start(STAMP, **other)).then_refused(LeaseLost)
    again = {**other, "try_number": 2}
    given(ActionRun, CLAIMED, STARTED).when(lambda run: run.start(STAMP, **again)).then(fact(ActionRunStarted, **again))
    given(ActionRun, *DONE).when(lambda run: run.start(STAMP, **again)).then_refused(LeaseLost)


def test_a_report_completes_the_run() -> None:
    reported = given(ActionRun, CLAIMED, STARTED).when(lambda run: run.write_report(STAMP, lease_token=FIRST, **REPORT))
    assert reported.then(WRITTEN, COMPLETED).status == "completed"


def test_only_the_present_lease_ends_a_run() -> None:
    why: dict[str, Any] = {"reason": "skipped_empty", "message": "No observation matched."}
    running = given(ActionRun, CLAIMED, STARTED)
    running.when(lambda run: run.skip(STAMP, lease_token=FIRST, **why)).then(
        fact(ActionRunSkipped, lease_token=FIRST, **why)
    )
    running.when(lambda run: run.fail(STAMP, lease_token=FIRST, **why)).then(
        fact(ActionRunFailed, lease_token=FIRST, **why)
    )
    for end in ("skip", "fail"):
        running.when(lambda run, end=end: getattr(run, end)(STAMP, lease_token=SECOND, **why)).then_refused(LeaseLost)
        given(ActionRun, *DONE).when(
            lambda run, end=end: getattr(run, end)(STAMP, lease_token=None, **why)
        ).then_refused(LeaseLost)


def test_a_delivery_is_tried_until_it_ends() -> None:
    first = attempted(1, LATER)
    given(ActionRun, *DONE).when(lambda run: attempt(run, 1, retry_at=LATER)).then(first)
    given(ActionRun, *DONE, first).when(lambda run: attempt(run, 2, "succeeded")).then(
        attempted(2), fact(DeliverySucceeded, delivery_id=IDS[0])
    )
    given(ActionRun, *DONE, first).when(lambda run: attempt(run, 2, "abandoned")).then(
        attempted(2), fact(DeliveryAbandoned, delivery_id=IDS[0], reason="HTTP 500")
    )


def test_an_attempt_is_recorded_once() -> None:
    given(ActionRun, *DONE, attempted(1, LATER)).when(lambda run: attempt(run, 1, "succeeded")).then_nothing()


@pytest.mark.parametrize("ended", [DeliverySucceeded, DeliveryAbandoned])
def test_an_ended_delivery_is_tried_no_more_until_somebody_asks(ended: Any) -> None:
    why = {"reason": "HTTP 500"} if ended is DeliveryAbandoned else {}
    over = given(ActionRun, *DONE, attempted(1), fact(ended, delivery_id=IDS[0], **why))
    over.when(lambda run: attempt(run, 2, "succeeded")).then_refused(LeaseLost)
    asked = fact(RedeliveryRequested, delivery_id=IDS[0], round=2)
    over.when(lambda run: run.redeliver(STAMP, IDS[0])).then(asked)
    again = given(ActionRun, *DONE, attempted(1), fact(ended, delivery_id=IDS[0], **why), asked)
    again.when(lambda run: attempt(run, 2, "succeeded")).then_refused(LeaseLost)  # the first round's worker
    again.when(lambda run: attempt(run, 2, "succeeded", round=2)).then(
        attempted(2), fact(DeliverySucceeded, delivery_id=IDS[0])
    )
    again.when(lambda run: run.redeliver(STAMP, IDS[0])).then_refused(Conflict)


def test_a_delivery_is_not_asked_for_without_end() -> None:
    def ended(round: int) -> Any:  # noqa: A002 - the word of the delivery
        asked = fact(RedeliveryRequested, delivery_id=IDS[0], round=round)
        failed = fact(DeliveryAbandoned, delivery_id=IDS[0], reason="HTTP 500")
        return given(ActionRun, *DONE, asked, failed).when(lambda run: run.redeliver(STAMP, IDS[0]))

    ended(MOST_ROUNDS - 1).then(fact(RedeliveryRequested, delivery_id=IDS[0], round=MOST_ROUNDS))
    ended(MOST_ROUNDS).then_refused(Conflict)


def test_what_cannot_be_delivered_again() -> None:
    given(ActionRun, *DONE).when(lambda run: run.redeliver(STAMP, IDS[0])).then_refused(Conflict)
    given(ActionRun, CLAIMED).when(lambda run: run.redeliver(STAMP, IDS[0])).then_refused(Conflict)
    given(ActionRun, *DONE).when(lambda run: run.redeliver(STAMP, STREAM)).then_refused(NotFound)


def test_a_delivery_that_cannot_be_tried_is_given_up_once() -> None:
    gone = fact(DeliveryAbandoned, delivery_id=IDS[1], reason="The integration was deleted.")
    given(ActionRun, *DONE).when(lambda run: run.abandon_delivery(STAMP, IDS[1], reason=gone.fields["reason"])).then(
        gone
    )
    given(ActionRun, *DONE, gone).when(lambda run: run.abandon_delivery(STAMP, IDS[1], reason="x")).then_nothing()
