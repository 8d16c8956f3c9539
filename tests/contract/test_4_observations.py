"""Contract 4: the lists and retrieves of observations."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.contract.site import Site, observe, refusal, scanner

KEYS = [
    "id",
    "scanner_id",
    "session_id",
    "status",
    "error_reason",
    "workflow_id",
    "scanner_snapshot",
    "scanner_result",
    "triggered_by",
    "triggered_by_user",
    "distinct_id",
    "recording_subject_email",
    "previous_observation_id",
    "next_observation_id",
    "started_at",
    "completed_at",
    "created_at",
]


@dataclass
class Rows:
    """One scanner of each kind with observations in every state, in order of creation."""

    monitor: str
    ids: dict[str, str]
    scorer: str
    scores: dict[str, str]
    classifier: str
    tagged: dict[str, str]


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.fixture(scope="module")
def rows(site: Site, api: httpx.Client) -> Rows:
    config: dict[str, Any] = {"prompt": "p", "allow_inconclusive": True}
    monitor = scanner(api, str(uuid4()), scanner_config=config)["id"]
    ids = {
        name: observe(api, monitor, f"o-{name}")
        for name in ("pending", "running", "failed", "ineligible", "yes", "no", "unsure")
    }
    site.start(ids["running"])
    site.fail(ids["failed"])
    site.judge_ineligible(ids["ineligible"])
    for name, verdict in (("yes", "yes"), ("no", "no"), ("unsure", "inconclusive")):
        site.succeed(ids[name], "monitor", config, {"reasoning": "Seen (t 84).", "verdict": verdict, "confidence": 0.8})
    scale: dict[str, Any] = {"prompt": "p", "scale": {"min": 0, "max": 20, "label": "pain"}}
    scorer = scanner(api, str(uuid4()), scanner_type="scorer", scanner_config=scale)["id"]
    scores = {name: observe(api, scorer, f"s-{name}") for name in ("10", "2", "none", "7.5")}
    for name in ("10", "2", "7.5"):
        site.succeed(scores[name], "scorer", scale, {"reasoning": "r", "score": float(name), "confidence": 1})
    tags: dict[str, Any] = {"prompt": "p", "tags": ["payment", "Review"], "allow_freeform_tags": True}
    classifier = scanner(api, str(uuid4()), scanner_type="classifier", scanner_config=tags)["id"]
    tagged = {name: observe(api, classifier, f"t-{name}") for name in ("payment", "both", "free")}
    for name, own, free in (
        ("payment", ["payment"], []),
        ("both", ["payment", "Review"], []),
        ("free", ["Review"], ["slow page"]),
    ):
        answer = {"reasoning": "r", "tags": own, "tags_freeform": free, "confidence": 1}
        site.succeed(tagged[name], "classifier", tags, answer)
    return Rows(monitor, ids, scorer, scores, classifier, tagged)


def named(api: httpx.Client, scanner_id: str, ids: dict[str, str], query: str = "") -> list[str]:
    response = api.get(f"scanners/{scanner_id}/observations/?{query}")
    assert response.status_code == 200, response.text
    names = {identifier: name for name, identifier in ids.items()}
    return [names[row["id"]] for row in response.json()["results"]]


@pytest.mark.rule(
    "4.1/keys",
    "4.1/workflow-id",
    "4.1/snapshot",
    "4.1/result",
    "4.1/distinct-id",
    "4.1/subject-email",
    "4.1/triggered-by-user",
    "4.1/created-at",
    "2.1/acts-as-user-triggered",
    "4.2/common",
)
def test_4_1_a_succeeded_row(site: Site, api: httpx.Client, rows: Rows) -> None:
    row = api.get(f"scanners/{rows.monitor}/observations/{rows.ids['yes']}/").json()
    assert sorted(row) == sorted(KEYS)
    assert (row["status"], row["error_reason"]) == ("succeeded", "")
    assert row["workflow_id"] == f"replay-vision-apply-scanner-{rows.monitor}-o-yes"
    assert row["scanner_snapshot"] == {
        "name": row["scanner_snapshot"]["name"],
        "scanner_type": "monitor",
        "scanner_version": 1,
        "model": "builtin",
        "provider": "builtin",
        "emits_signals": False,
        "scanner_config": {"prompt": "p", "allow_inconclusive": True},
    }
    output = row["scanner_result"]["model_output"]
    assert (output["scanner_type"], output["verdict"], output["confidence"]) == ("monitor", "yes", 0.8)
    assert {"kind": "chip", "timestamp_ms": 84000} in output["reasoning_segments"]
    assert row["scanner_result"]["signals_count"] == 0
    assert (row["distinct_id"], row["recording_subject_email"]) == ("visitor-88", "v@example.org")
    assert row["created_at"] <= row["started_at"] <= row["completed_at"]
    assert row["created_at"].endswith("Z")
    assert row["triggered_by_user"]["id"] == site.user_id


@pytest.mark.rule(
    "4.1/status",
    "4.1/error-reason",
    "4.1/error-reason-empty",
    "4.1/workflow-id-empty",
    "4.1/completed-at",
    "4.1/result-null",
    "4.1/neighbours-only-there",
    "trap/13",
)
def test_4_1_rows_in_other_states(api: httpx.Client, rows: Rows) -> None:
    found = {row["id"]: row for row in api.get(f"scanners/{rows.monitor}/observations/").json()["results"]}
    by_name = {name: found[identifier] for name, identifier in rows.ids.items()}
    assert {name: row["status"] for name, row in by_name.items()} == {
        "pending": "pending",
        "running": "running",
        "failed": "failed",
        "ineligible": "ineligible",
        "yes": "succeeded",
        "no": "succeeded",
        "unsure": "succeeded",
    }
    assert by_name["failed"]["error_reason"] == "validation_failed:no: good"
    assert by_name["ineligible"]["error_reason"] == "too_short:3 s"
    assert by_name["pending"]["workflow_id"] == ""
    assert by_name["running"]["started_at"] is not None
    for name, row in by_name.items():
        assert (row["completed_at"] is None) == (name in ("pending", "running"))
        assert (row["scanner_result"] is None) == (row["status"] != "succeeded")
        assert row["previous_observation_id"] is row["next_observation_id"] is None


@pytest.mark.rule("4.1/snapshot-frozen", "4.3/order-version", "trap/16")
def test_4_1_the_snapshot_is_frozen(api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))
    first = observe(api, made["id"], "before the edit")
    api.patch(f"scanners/{made['id']}/", json={"scanner_config": {"prompt": "later"}, "name": str(uuid4())})
    observe(api, made["id"], "after the edit")
    row = api.get(f"scanners/{made['id']}/observations/{first}/").json()
    assert row["scanner_snapshot"]["name"] == made["name"]
    assert row["scanner_snapshot"]["scanner_config"] == made["scanner_config"]
    versions = [
        entry["scanner_snapshot"]["scanner_version"]
        for entry in api.get(f"scanners/{made['id']}/observations/?order_by=scanner_version").json()["results"]
    ]
    assert versions == [1, 2]


@pytest.mark.rule("4.3/default-order")
def test_4_3_newest_first(api: httpx.Client, rows: Rows) -> None:
    assert named(api, rows.monitor, rows.ids) == list(rows.ids)[::-1]
    assert named(api, rows.monitor, rows.ids, "order_by=created_at") == list(rows.ids)


@pytest.mark.rule("4.3/status", "4.3/triggered-by", "4.3/verdict", "4.3/session-id")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=pending", {"pending"}),
        ("status=succeeded,%20failed", {"yes", "no", "unsure", "failed"}),
        ("status=", None),
        ("triggered_by=on_demand", None),
        ("triggered_by=schedule", set()),
        ("verdict=yes", {"yes"}),
        ("verdict=no,inconclusive", {"no", "unsure"}),
        ("session_id=o-yes", {"yes"}),
        ("session_id=o-yes,%20o-no,odd", {"yes", "no"}),
        ("session_id=odd", set()),
        ("session_id=", None),
        ("tags=payment", set()),
        ("status=failed&verdict=yes", set()),
        ("status=failed&status=pending", {"pending"}),
    ],
)
def test_4_3_filters(api: httpx.Client, rows: Rows, query: str, expected: set[str] | None) -> None:
    assert set(named(api, rows.monitor, rows.ids, query)) == (set(rows.ids) if expected is None else expected)
    count = api.get(f"scanners/{rows.monitor}/observations/?{query}&limit=1").json()["count"]
    assert count == (len(rows.ids) if expected is None else len(expected))


@pytest.mark.rule("4.3/tags", "4.3/tags-exact", "10/20")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tags=payment", {"payment", "both"}),
        ("tags=Review", {"both", "free"}),
        ("tags=review", set()),
        ("tags=slow_page", {"free"}),
        ("tags=payment,slow_page", {"payment", "both", "free"}),
        ("tags=odd", set()),
        ("tags=", {"payment", "both", "free"}),
    ],
)
def test_4_3_tags_match_any_of_both_kinds_exactly(
    api: httpx.Client, rows: Rows, query: str, expected: set[str]
) -> None:
    assert set(named(api, rows.classifier, rows.tagged, query)) == expected


@pytest.mark.rule("4.3/order-keys", "4.3/order-numeric", "4.3/order-missing", "4.3/order-times", "2.4/ties")
def test_4_3_orders(api: httpx.Client, rows: Rows) -> None:
    """Numbers sort as numbers, and rows without a value come last in both directions."""
    assert named(api, rows.scorer, rows.scores, "order_by=result_score") == ["2", "7.5", "10", "none"]
    assert named(api, rows.scorer, rows.scores, "order_by=-result_score") == ["10", "7.5", "2", "none"]
    verdicts = named(api, rows.monitor, rows.ids, "order_by=result_verdict")
    assert verdicts[:3] == ["unsure", "no", "yes"]
    assert named(api, rows.monitor, rows.ids, "order_by=-result_verdict")[:3] == ["yes", "no", "unsure"]
    assert set(named(api, rows.monitor, rows.ids, "order_by=-started_at")[-1:]) == {"pending"}
    assert set(named(api, rows.monitor, rows.ids, "order_by=-completed_at")[-2:]) == {"pending", "running"}
    assert set(named(api, rows.monitor, rows.ids, "order_by=completed_at")[-2:]) == {"pending", "running"}
    assert named(api, rows.monitor, rows.ids, "order_by=status")[0] == "failed"
    ties = [rows.ids[name] for name in named(api, rows.monitor, rows.ids, "order_by=-scanner_version")]
    assert ties == sorted(ties, key=UUID)


@pytest.mark.rule("4.3/status", "4.3/triggered-by", "4.3/verdict", "4.3/order-invalid")
@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ("status=done", "status"),
        ("status=Pending", "status"),
        ("triggered_by=retry", "triggered_by"),
        ("verdict=maybe", "verdict"),
        ("order_by=odd", "order_by"),
        ("order_by=status,created_at", "order_by"),
        ("order_by=--status", "order_by"),
    ],
)
def test_4_3_values_that_are_refused(api: httpx.Client, rows: Rows, query: str, attr: str) -> None:
    response = api.get(f"scanners/{rows.monitor}/observations/?{query}")
    assert refusal(response) == (400, "validation_error", "invalid_input", attr)


@pytest.mark.rule("4.3/retrieve", "4.3/retrieve-owner")
def test_4_3_retrieve_ignores_filters_and_belongs_to_its_scanner(api: httpx.Client, rows: Rows) -> None:
    one = rows.ids["yes"]
    assert api.get(f"scanners/{rows.monitor}/observations/{one}/?status=failed&order_by=odd").status_code == 200
    assert api.get(f"scanners/{rows.scorer}/observations/{one}/").status_code == 404
    assert api.get(f"scanners/{rows.monitor}/observations/{uuid4()}/").status_code == 404
    assert api.get(f"scanners/{uuid4()}/observations/").status_code == 404


@pytest.mark.rule("4.4/required", "10/4")
@pytest.mark.parametrize("query", ["", "session_id=", "session_id=%20", "order_by=odd"])
def test_4_4_the_session_is_required(api: httpx.Client, query: str) -> None:
    response = api.get(f"observations/?{query}")
    assert refusal(response) == (400, "validation_error", "invalid_input", None)
    assert "session_id" in response.json()["detail"]


@pytest.mark.rule("4.4/across-scanners", "4.4/order-by", "4.4/filters-ignored", "10/4")
def test_4_4_a_session_across_scanners(site: Site, api: httpx.Client) -> None:
    session = f"shared {uuid4()}"
    first, second = (observe(api, scanner(api, str(uuid4()))["id"], session) for _ in range(2))
    assert [row["id"] for row in api.get("observations/", params={"session_id": session}).json()["results"]] == [
        second,
        first,
    ]
    ordered = api.get(
        "observations/", params={"session_id": session, "order_by": "created_at", "status": "failed"}
    ).json()
    assert [row["id"] for row in ordered["results"]] == [first, second]
    assert refusal(api.get("observations/", params={"session_id": session, "order_by": "odd"}))[3] == "order_by"
    assert (
        site.client(environment=site.sibling_id).get("observations/", params={"session_id": session}).json()["count"]
        == 0
    )


@pytest.mark.rule("4.1/neighbours", "4.4/retrieve")
def test_4_4_retrieve_knows_the_neighbours(site: Site, api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))
    older, middle, newer = (observe(api, made["id"], name) for name in ("n-1", "n-2", "n-3"))
    row = api.get(f"observations/{middle}/").json()
    assert (row["previous_observation_id"], row["next_observation_id"]) == (newer, older)
    assert api.get(f"observations/{newer}/").json()["previous_observation_id"] is None
    assert api.get(f"observations/{older}/").json()["next_observation_id"] is None
    assert api.get(f"observations/{uuid4()}/").status_code == 404
    assert site.client(environment=site.sibling_id).get(f"observations/{middle}/").status_code == 404


@pytest.mark.rule("4.3/pages", "2.3/count")
def test_4_pages(site: Site, api: httpx.Client, rows: Rows) -> None:
    path = f"scanners/{rows.monitor}/observations/"
    seen: list[str] = []
    address: str | None = f"{path}?limit=3"
    while address:
        page = api.get(address).json()
        assert page["count"] == len(rows.ids)
        seen += [row["id"] for row in page["results"]]
        address = page["next"] and page["next"].replace(site.services.public_url, site.url)
    assert seen == list(rows.ids.values())[::-1]
