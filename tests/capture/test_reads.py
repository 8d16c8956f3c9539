from datetime import timedelta
from uuid import uuid4

import pytest

from consumers.capture.ending.settler import settle
from domain.session_facts import activity_score
from domain.tenant import Tenant
from projections.queries.session_list import SessionFilters, TooSlow, page
from projections.queries.sessions import (
    MAX_SESSIONS,
    last_settle_number,
    session_exists,
    session_facts,
    sessions_facts,
)
from tests.capture.traffic import ENVIRONMENT, EXPECTED, NOW, Capture, click, recorded, snapshot

pytestmark = pytest.mark.usefixtures("readable")

TENANT = Tenant(ENVIRONMENT, uuid4())
OTHER = Tenant(2, uuid4())
SAMPLE = "tests/recordings/two_tabs_one_session.jsonl.gz"


def test_the_facts_of_a_session(capture: Capture) -> None:
    capture.handle(recorded(SAMPLE))
    expected = EXPECTED[SAMPLE]
    with capture.pool.connection() as conn:
        facts = session_facts(conn, TENANT, expected["session_id"], NOW)
    assert facts is not None
    assert facts.id == expected["session_id"]
    assert facts.distinct_id == expected["distinct_ids"][0]
    assert facts.start_time.timestamp() * 1000 == expected["min_first_timestamp"]
    assert facts.recording_duration == expected["duration_ms"] / 1000
    assert facts.active_seconds == expected["active_milliseconds"] / 1000
    assert facts.active_seconds + facts.inactive_seconds == pytest.approx(facts.recording_duration)
    assert len(facts.windows) == 2
    assert facts.urls[0] == facts.start_url == expected["first_url"]
    assert (facts.snapshot_source, facts.snapshot_library) == ("web", "web")
    assert facts.settled_at is None
    assert facts.activity_score > 0


def test_sessions_of_other_environments_do_not_exist(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], "a"))
    with capture.pool.connection() as conn:
        assert session_exists(conn, TENANT, "a", NOW)
        assert not session_exists(conn, OTHER, "a", NOW)
        assert session_facts(conn, OTHER, "a", NOW) is None
        assert sessions_facts(conn, TENANT, ["a", "b"], NOW).keys() == {"a"}
        with pytest.raises(ValueError, match="at most"):
            sessions_facts(conn, TENANT, ["a"] * (MAX_SESSIONS + 1), NOW)


def test_ongoing_for_five_minutes(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], "a"))
    with capture.pool.connection() as conn:
        for minutes, ongoing in ((4, True), (6, False)):
            facts = session_facts(conn, TENANT, "a", NOW + timedelta(minutes=minutes))
            assert facts is not None
            assert facts.ongoing == ongoing


@pytest.mark.rule("trap/55")
def test_a_session_of_one_moment_is_not_inactive_for_less_than_nothing(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], "a"))
    with capture.pool.connection() as conn:
        facts = session_facts(conn, TENANT, "a", NOW)
    assert facts is not None
    assert (facts.recording_duration, facts.active_seconds, facts.inactive_seconds) == (0, 0.001, 0)


@pytest.mark.rule("trap/20")
def test_settled_sessions_have_growing_numbers_and_new_ones_when_they_reopen(capture: Capture) -> None:
    def numbered() -> dict[str, int]:
        rows = capture.rows("SELECT session_id, settle_number FROM capture.session WHERE settle_number IS NOT NULL")
        return {row["session_id"]: row["settle_number"] for row in rows}

    with capture.pool.connection() as conn:
        assert last_settle_number(conn) == 0
        for number, session_id in enumerate("abcde"):
            environment_id = 2 if session_id == "b" else ENVIRONMENT
            capture.capture(snapshot([click(1)], session_id, environment_id=environment_id))
            capture.now += timedelta(minutes=1)
            assert settle(conn, capture.now, 60) == 1
            assert last_settle_number(conn) == number + 1
        assert numbered() == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
        facts = session_facts(conn, TENANT, "c", capture.now)
        assert facts is not None
        assert facts.settled_at is not None
        capture.capture(snapshot([click(2)], "c", "late"))
        assert numbered() == {"a": 1, "b": 2, "d": 4, "e": 5}
        capture.now += timedelta(minutes=1)
        settle(conn, capture.now, 60)
        assert numbered() == {"a": 1, "b": 2, "c": 6, "d": 4, "e": 5}


def test_the_score_of_nothing_is_zero() -> None:
    def score(*values: float) -> float:
        names = ("active_seconds", "duration_seconds", "clicks", "keypresses", "mouse_activity")
        consoles = ("console_logs", "console_warns", "console_errors")
        return activity_score(**dict(zip((*names, *consoles), values, strict=True)))  # type: ignore[arg-type]

    assert score(0, 0, 0, 0, 0, 0, 0, 0) == 0
    assert score(10, 20, 5, 3, 30, 1, 0, 2) == round(100 * 20 / 53, 2)


@pytest.mark.rule("sessions/list")
def test_a_list_that_takes_too_long_is_cancelled_and_the_connection_is_good(capture: Capture) -> None:
    with capture.pool.connection() as holding, capture.pool.connection() as conn:
        with holding.transaction():
            holding.execute("LOCK TABLE capture.session IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(TooSlow):
                page(conn, TENANT, SessionFilters(), NOW, limit=1, offset=0, seconds=0.1)
        assert page(conn, TENANT, SessionFilters(), NOW, limit=1, offset=0) == (0, [])
        assert conn.execute("SHOW statement_timeout").fetchone() == ("0",)
