"""Repeating a command changes nothing, whatever has happened before (architecture 4)."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import ApiKey, Environment, Organization
from domain.errors import Conflict, Invalid, LeaseLost, NotFound
from domain.event import Aggregate, Event, TextRef
from domain.ids import gap_id
from domain.observation import IN_FLIGHT, Observation
from domain.scanner import VERSIONED, Scanner, ScannerReconfigured
from tests.spec.given import NOW, STAMP, STREAM, fold

Decision = Callable[[Any], object]

NUMBERS = st.integers(-5, 5) | st.floats(-5, 5)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["Dead ends", "dead ends", "Ends", " ", "x" * 256]),
        "description": st.sampled_from(["", "At the checkout", "x" * 1001]),
        "scanner_type": st.sampled_from(["scorer", "scorer", "monitor"]),
        "scanner_config": st.builds(
            lambda low, high: {"prompt": "How angry?", "scale": {"min": low, "max": high}}, NUMBERS, NUMBERS
        ),
        "query": st.sampled_from([{}, {"limit": 1}, {"version": 1}, {"version": 1.0}, {"tags": {"a": True}}, {"b": 1}]),
        "sampling_rate": st.sampled_from([0, 1, 0.0, 1.0, 0.25, 2, 0.00001]),
        "provider": st.sampled_from(["google", "builtin"]),
        "model": st.sampled_from(["a", "b"]),
        "enabled": st.booleans(),
        "emits_signals": st.booleans(),
    },
)
SCANNER_COMMANDS: st.SearchStrategy[Decision] = st.one_of(
    FIELDS.map(lambda changes: lambda scanner: scanner.edit(STAMP, changes)),
    st.builds(
        lambda first, more: lambda scanner: scanner.skip_gap(STAMP, first, first + more, "no_quota"),
        st.integers(1, 5),
        st.integers(0, 5),
    ),
    st.integers(1, 5).map(lambda first: lambda scanner: scanner.redrive_gap(STAMP, gap_id(STREAM, first))),
    st.just(lambda scanner: scanner.delete(STAMP)),
)

ANSWER: dict[str, Any] = {
    "result": {}, "text": TextRef(id=UUID(int=9), digest="0"), "signals_count": 0, "evidence_digest": "e",
    "prompt_digest": "p", "answer_digest": "a", "provider": "p", "model": "m", "input_tokens": 1, "output_tokens": 1,
    "cost_usd": Decimal(1), "duration_ms": 1, "reused_from": None,
}  # fmt: skip
RUNS, TRIES, TOKENS = st.integers(1, 3), st.integers(1, 3), st.sampled_from([UUID(int=1), UUID(int=2)])
WHY: dict[str, Any] = {"kind": "timeout", "message": "Slow."}
OBSERVATION_COMMANDS: st.SearchStrategy[Decision] = st.one_of(
    st.builds(
        lambda run, number, token: (
            lambda o: o.start(STAMP, run=run, try_number=number, lease_token=token, subject=None)
        ),
        RUNS,
        TRIES,
        TOKENS,
    ),
    st.builds(
        lambda run, token: lambda o: o.fail_try(STAMP, run=run, lease_token=token, retry_at=NOW, **WHY), RUNS, TOKENS
    ),
    st.builds(lambda run, token: lambda o: o.succeed(STAMP, run=run, lease_token=token, **ANSWER), RUNS, TOKENS),
    st.builds(lambda run, token: lambda o: o.fail(STAMP, run=run, lease_token=token, **WHY), RUNS, TOKENS | st.none()),
    st.builds(lambda run, token: lambda o: o.judge_ineligible(STAMP, run=run, lease_token=token, **WHY), RUNS, TOKENS),
    st.just(lambda o: o.retry(STAMP, period="2026-12")),
)
MAIL: dict[str, Any] = {"key": "email", "type": "person", "operator": "is_set"}
BOUGHT: dict[str, Any] = {"id": 1, "name": "Bought", "steps": [{"event": "bought"}]}
ACCOUNT_COMMANDS: dict[type[Aggregate], st.SearchStrategy[Decision]] = {
    Organization: st.integers(0, 3).map(lambda quota: lambda o: o.set_quota(STAMP, quota)),
    Environment: st.one_of(
        st.sampled_from(["phc_1", "phc_2"]).map(lambda token: lambda e: e.rotate_token(STAMP, token)),
        st.sampled_from([[], [MAIL]]).map(lambda filters: lambda e: e.set_test_accounts(STAMP, filters)),
        st.sampled_from([[], [BOUGHT]]).map(lambda actions: lambda e: e.define_actions(STAMP, actions)),
    ),
    ApiKey: st.just(lambda key: key.revoke(STAMP)),
}


def scanner() -> Scanner:
    config = {"prompt": "How angry?", "scale": {"min": 0, "max": 1}}
    return Scanner.create(STREAM, STAMP, name="Dead ends", scanner_type="scorer", scanner_config=config, model="a")


def observation() -> Observation:
    return Observation.request(
        STAMP, scanner_id=STREAM, session_id="s", scanner_snapshot={}, triggered_by="schedule", period="2026-11"
    )


def account(aggregate_class: type[Aggregate]) -> Aggregate:
    if aggregate_class is Organization:
        return Organization.create(STREAM, STAMP, name="Acme", monthly_quota=None)
    if aggregate_class is Environment:
        return Environment.create(7, STAMP, name="Web", timezone="UTC", project_token="phc_1")
    return ApiKey.issue(
        STREAM, STAMP, user_id=1, label="ci", prefix="phx", key_hash="0", scopes=[], environment_ids=[], expires_at=None
    )


def attempt(aggregate: Aggregate, decide: Decision) -> list[Any]:
    """What the decision records; nothing when it is refused, for a reason that a caller is told."""
    try:
        decide(aggregate)
    except (Invalid, Conflict, NotFound, LeaseLost):
        assert not aggregate.pending_events
    return list(aggregate.collect_events())


def live(aggregate: Any, decisions: Sequence[Decision]) -> list[Event]:
    """Makes each decision and repeats it at once. Returns the history, which must replay to the same state."""
    history: list[Event] = list(aggregate.collect_events())
    for decide in decisions:
        history += attempt(aggregate, decide)
        before = repr(aggregate)
        assert attempt(aggregate, decide) == []
        assert repr(aggregate) == before
    assert fold(history) == aggregate
    return history


@given(st.lists(SCANNER_COMMANDS, max_size=8))
def test_scanners(decisions: list[Decision]) -> None:
    history = live(scanner(), decisions)
    versions = [event.scanner_version for event in history if isinstance(event, ScannerReconfigured)]
    assert versions == list(range(2, len(versions) + 2))
    assert all(event.changes.keys() <= set(VERSIONED) for event in history if isinstance(event, ScannerReconfigured))


@given(st.lists(OBSERVATION_COMMANDS, max_size=25))
def test_observations_and_each_run_ends_at_most_once(decisions: list[Decision]) -> None:
    whole = observation()
    history = live(whole, decisions)
    endings = [event.run for event in history if event.TOPIC in ENDINGS]  # type: ignore[attr-defined]
    assert endings == sorted(set(endings))
    assert len(endings) == whole.run - (whole.status in IN_FLIGHT)
    assert all(event.TOPIC != "ObservationSucceeded" for event in history[:-1])


ENDINGS = ("ObservationSucceeded", "ObservationFailed", "ObservationIneligible")


@given(st.data())
def test_accounts(data: st.DataObject) -> None:
    for aggregate_class, commands in ACCOUNT_COMMANDS.items():
        live(account(aggregate_class), data.draw(st.lists(commands, max_size=5)))
