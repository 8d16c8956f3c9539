"""Recordings and analytics of real sites together: what the one misses, the other tells."""

from uuid import UUID

from consumers.capture.reading.recording import recording_in_time
from consumers.scanning.evidence import Evidence, build_evidence
from domain.tenant import Tenant
from projections.queries.session_events import events_of_session
from tests.capture.traffic import ENVIRONMENT, EXPECTED, Capture, recorded, recorded_events

TENANT = Tenant(ENVIRONMENT, UUID(int=7))


def seen(capture: Capture, name: str) -> Evidence:
    path = f"tests/recordings/{name}.jsonl.gz"
    session_id = EXPECTED[path]["session_id"]
    capture.handle(recorded(path))
    capture.handle_events(recorded_events(path))
    with capture.pool.connection() as conn:
        events = events_of_session(conn, TENANT, session_id)
        return build_evidence(recording_in_time(conn, capture.blobs, ENVIRONMENT, session_id), events)


def told(found: Evidence) -> list[str]:
    return [line.text for line in found.lines if line.kind == "event"]


def test_a_single_page_site_whose_addresses_the_recorder_misses(capture: Capture) -> None:
    """Four clicks on tabs that change the query by pushState: one address in the recording (capture 4)."""
    assert (
        told(seen(capture, "spa_tabs_and_404"))
        == ['site event: the address is "/account" with another query ("tab")'] * 3
    )


def test_a_site_of_whole_pages_tells_nothing_new(capture: Capture) -> None:
    """Each search loads a page, which is recorded, query and all."""
    assert told(seen(capture, "search_by_enter")) == []


def test_an_order_is_told_by_the_site(capture: Capture) -> None:
    assert told(seen(capture, "sdk_1_257_checkout")) == ['site event "order_placed", "order" "R-10482"']
