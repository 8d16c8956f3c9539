"""Contract 8.1 and 8.2, rule by rule: recurrence rules and zones in their exact words, and the order of the list."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.contract.site import Site, refusal, scanner

DAILY = "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0"
INVALID = (400, "validation_error", "invalid_input")


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client(prefix="projects")


@pytest.fixture(scope="module")
def subject(api: httpx.Client) -> str:
    identifier: str = scanner(api, "Watched by rule")["id"]
    return identifier


@pytest.fixture
def made(api: httpx.Client, subject: str) -> Iterator[dict[str, Any]]:
    document = create(api, subject, trigger_config={"rrule": DAILY, "timezone": "Europe/Prague"})
    yield document
    api.delete(f"actions/{document['id']}/")


def create(api: httpx.Client, subject: str, **fields: Any) -> dict[str, Any]:
    response = api.post("actions/", json={"name": str(uuid4()), "scanner": subject, **fields})
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()
    return document


def both(api: httpx.Client, made: dict[str, Any], **fields: Any) -> tuple[httpx.Response, httpx.Response]:
    """The answers to a new action and to an edit with the same fields."""
    body = {"name": str(uuid4()), "scanner": made["scanner"], **fields}
    return api.post("actions/", json=body), api.patch(f"actions/{made['id']}/", json=fields)


@pytest.mark.rule("8.1/rrule-parse")
@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("daily", "not enough values to unpack (expected 2, got 1)"),
        ("FREQ=SOMETIMES", "invalid 'FREQ': SOMETIMES"),
        ("FREQ=DAILY;BYDAY=XX", "invalid 'BYDAY': XX"),
        ("FREQ=DAILY;BYHOUR=24", "hour must be in 0..23"),
        ("FREQ=DAILY;COLOUR=RED", "unknown parameter 'COLOUR'"),
        ("FREQ=DAILY;COUNT=some", "invalid 'COUNT': SOME"),
        ("RRULE:RRULE:FREQ=DAILY", "too many values to unpack (expected 2)"),
        ("HELLO:FREQ=DAILY", "unsupported property: HELLO"),
    ],
)
def test_a_rule_that_does_not_parse_is_refused_in_the_words_of_the_parser(
    api: httpx.Client, made: dict[str, Any], rule: str, message: str
) -> None:
    for answer in both(api, made, trigger_config={"rrule": rule}):
        assert refusal(answer) == (*INVALID, "trigger_config__rrule")
        assert answer.json()["detail"] == message


@pytest.mark.rule("8.1/rrule-dtstart", "8.1/rrule-interval")
@pytest.mark.parametrize(
    "rule",
    [
        "DTSTART:20260101T000000\nRRULE:FREQ=DAILY",
        "dtstart:20260101T000000\nrrule:freq=daily",
        "DtStArT;TZID=UTC:20260101T000000\nRRULE:FREQ=DAILY",
        "FREQ=DAILY;DTSTART=20260101T000000",
        "FREQ=DAILY;INTERVAL=0",
        "RRULE:FREQ=HOURLY;INTERVAL=0;BYMINUTE=0",
        "freq=daily;interval=00",
        "FREQ=MINUTELY",
        "FREQ=SECONDLY;INTERVAL=86400",
        "RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY",
        "RRULE:FREQ=DAILY\nEXDATE:20270101T000000",
        "RDATE:20270101T000000",
        "EXDATE;TZID=/etc/localtime:20270101T000000",
        "EXRULE:FREQ=DAILY",
    ],
)
def test_rules_that_parse_and_are_no_schedule(api: httpx.Client, made: dict[str, Any], rule: str) -> None:
    for answer in both(api, made, trigger_config={"rrule": rule, "timezone": "UTC"}):
        assert refusal(answer) == (*INVALID, "trigger_config__rrule")
        assert answer.json()["detail"]
    assert api.get(f"actions/{made['id']}/").json() == made


@pytest.mark.rule("8.1/rrule-prefix")
def test_the_prefix_changes_nothing_and_is_answered_as_it_was_sent(api: httpx.Client, subject: str) -> None:
    plain, prefixed = (
        create(api, subject, trigger_config={"rrule": rule, "timezone": "UTC"}) for rule in (DAILY, f"RRULE:{DAILY}")
    )
    assert prefixed["trigger_config"]["rrule"] == f"RRULE:{DAILY}"
    assert prefixed["next_run_at"] == plain["next_run_at"] is not None


@pytest.mark.rule("8.1/rrule-blank")
@pytest.mark.parametrize("rule", ["", "  ", "\n"])
def test_a_blank_rule(api: httpx.Client, made: dict[str, Any], rule: str) -> None:
    for answer in both(api, made, trigger_config={"rrule": rule}):
        assert refusal(answer) == (400, "validation_error", "blank", "trigger_config__rrule")


@pytest.mark.rule("8.1/timezone", "8.1/timezone-invalid")
def test_zones_are_names_of_the_iana(api: httpx.Client, made: dict[str, Any]) -> None:
    for zone in ("UTC", "America/Argentina/Buenos_Aires", "Asia/Kathmandu"):
        edited = api.patch(f"actions/{made['id']}/", json={"trigger_config": {"rrule": DAILY, "timezone": zone}})
        assert (edited.status_code, edited.json()["trigger_config"]["timezone"]) == (200, zone)
    for zone in ("", " ", "Mars/Base", "/etc/localtime", "../UTC", "Europe/../UTC", "Europe", "localtime", "+02:00"):
        for answer in both(api, made, trigger_config={"rrule": DAILY, "timezone": zone}):
            assert refusal(answer) == (*INVALID, "trigger_config__timezone"), zone


@pytest.mark.rule("8.1/next-run-read-only", "8.1/last-run", "8.1/hog-flow", "10/9")
def test_what_is_computed_is_not_taken_from_a_body_and_an_action_is_due_without_a_flow(
    api: httpx.Client, subject: str
) -> None:
    given = {
        "id": str(uuid4()),
        "next_run_at": "2040-01-01T00:00:00Z",
        "last_run_at": "2020-01-01T00:00:00Z",
        "hog_flow_id": str(uuid4()),
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
        "created_by": None,
    }
    document = create(api, subject, trigger_config={"rrule": DAILY}, **given)
    assert (document["last_run_at"], document["hog_flow_id"]) == (None, None)
    assert datetime.fromisoformat(document["next_run_at"]) <= datetime.now(UTC) + timedelta(days=1)
    assert [name for name in ("id", "created_at", "updated_at", "created_by") if document[name] == given[name]] == []
    assert api.patch(f"actions/{document['id']}/", json=given).json() == document


@pytest.mark.rule("8.1/name")
def test_a_name_has_up_to_255_characters_after_trimming(api: httpx.Client, subject: str) -> None:
    longest = str(uuid4()).ljust(255, "é")
    assert create(api, subject, name=f" {longest} ")["name"] == longest
    taken = api.post("actions/", json={"name": f"{longest} ", "scanner": subject})
    assert refusal(taken) == (*INVALID, "name")


@pytest.mark.rule("8.1/scanner-malformed", "8.1/scanner-foreign")
def test_the_words_about_scanners(api: httpx.Client, made: dict[str, Any]) -> None:
    unknown = str(uuid4())
    for answer in both(api, made, scanner=unknown):
        assert answer.json()["detail"] == f'Invalid pk "{unknown}" - object does not exist.'
    for answer in both(api, made, scanner="seven"):
        assert answer.json()["detail"] == "“seven” is not a valid UUID."


@pytest.mark.rule("2.2/first-problem")
def test_a_word_or_a_zone_that_is_refused_is_told_before_a_later_field(api: httpx.Client, made: dict[str, Any]) -> None:
    """Contract 2.2: only what looks at several fields waits until each has passed."""
    for fields, attr in (
        ({"trigger_type": "threshold", "mode": "nope"}, "trigger_type"),
        ({"mode": "per_observation", "selection": None}, "mode"),
        ({"trigger_config": {"timezone": "Mars/Base"}, "selection": None}, "trigger_config__timezone"),
        ({"trigger_config": {"rrule": "daily"}, "selection": None}, "selection"),
    ):
        for answer in both(api, made, **fields):
            assert refusal(answer)[3] == attr


@pytest.mark.rule("8.1/prompt-guide")
def test_a_guide_of_500_characters(api: httpx.Client, subject: str) -> None:
    guide = {"prompt_guide": "é" * 500}
    assert create(api, subject, synthesis_config=guide)["synthesis_config"] == guide


@pytest.mark.rule("8.1/patch-whole")
def test_a_list_of_deliveries_is_replaced_whole(api: httpx.Client, subject: str) -> None:
    items = [{"type": "webhook", "url": f"https://example.org/{number}"} for number in range(2)]
    document = create(api, subject, delivery_config=items, synthesis_config={"prompt_guide": "g"})
    edited = api.patch(
        f"actions/{document['id']}/", json={"delivery_config": items[1:], "synthesis_config": {}, "selection": {}}
    ).json()
    assert (edited["delivery_config"], edited["synthesis_config"], edited["selection"]) == (items[1:], {}, {})


@pytest.mark.rule("8.2/order", "8.2/no-other")
def test_the_list_is_in_the_order_of_names_and_asks_for_no_other(site: Site) -> None:
    created = site.accounts.create_environment(site.system, site.organization_id, str(uuid4()))
    site.caught_up(created.position)
    api = site.client(environment=created.id)
    subject = scanner(api, "listed")["id"]
    for name in ("march", "april", "may", "february"):
        create(api, subject, name=name)
    expected = ["april", "february", "march", "may"]
    for asked in ({}, {"order_by": "-name"}, {"order_by": "nope"}, {"search": "may"}, {"enabled": "false"}):
        rows = api.get("actions/", params=asked).json()["results"]
        assert [row["name"] for row in rows] == expected, asked
    second = api.get("actions/", params={"limit": 1, "offset": 1}).json()
    assert [row["name"] for row in second["results"]] == ["february"]
    assert re.search(r"/vision/actions/\?limit=1&offset=2$", second["next"])
