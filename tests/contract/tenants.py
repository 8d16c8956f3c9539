"""Tenants that are filled with data of every kind, none of which can be mistaken for another's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx

from api.http.calls import Operation
from domain.ids import gap_id
from tests.contract.examples import READS, address, parameters
from tests.contract.judging import judge
from tests.contract.reporting import reported
from tests.contract.site import Site, observe, record, scanner


@dataclass(frozen=True)
class Filled:
    """An environment, as `site` sees it, with its own user, whose key `key` is.

    `mark` stands in each of its texts. `ids` has an object for each path parameter, `values` what its data would be
    found by in a list, for each query parameter.
    """

    site: Site
    email: str
    key: str
    mark: str
    ids: Mapping[str, str]
    values: Mapping[str, str]

    @property
    def environment_id(self) -> int:
        return self.site.environment_id

    def client(self) -> httpx.Client:
        return self.site.client(self.key)

    def seen(self, reads: Sequence[Operation] = READS) -> dict[str, bytes]:
        """Everything that its owner is shown: each GET of its own objects."""
        api = self.client()
        addresses = [address(operation, self.environment_id, self.ids) for operation in reads]
        answers = {path: api.get(self.site.url + path) for path in addresses}
        assert {answer.status_code for answer in answers.values()} == {200}, answers
        return {path: answer.content for path, answer in answers.items()}


def fill(site: Site, organization_id: UUID, environment_id: int) -> Filled:
    """A user, scanners, observations of every status and free text, in the environment of `site` that is named."""
    mark = f"mark{uuid4().hex[:12]}"
    email = f"{mark}@example.org"
    user = site.accounts.create_user(site.system, organization_id, email, f"{mark} first", f"{mark} last")
    site.caught_up(user.position)
    here = replace(site, organization_id=organization_id, environment_id=environment_id)
    key = here.key(email=email)
    api = here.client(key)
    made = scanner(api, f"{mark} monitor", description=mark, scanner_config={"prompt": mark})
    config = {"prompt": mark, "tags": [mark, "other"], "allow_freeform_tags": True}
    tagging = scanner(api, f"{mark} tagging", scanner_type="classifier", scanner_config=config, enabled=False)
    succeeded, judged, failed, _ = (observe(api, tagging["id"], f"{mark}-{number}") for number in range(4))
    digest = action(api, tagging["id"], f"{mark} digest")
    gap = skip(here, tagging["id"])
    here.fail(failed, message=mark)
    here.judge_ineligible(judged)
    answer = {"reasoning": mark, "tags": [mark], "tags_freeform": [f"{mark} free"], "confidence": 0.5}
    # By a clock that is ahead, so that it stays on the first page whatever the other tests record here.
    record(here, f"{mark}-0", f"https://shop.example/{mark}", ago=-3600)
    judge(here, succeeded, f"{mark}-0", "classifier", config, answer)
    run, delivery = reported(here, digest, succeeded, f"{mark}-0", mark)
    other = observe(api, made["id"], f"{mark}-0")
    return Filled(
        site=here,
        email=email,
        key=key,
        mark=mark,
        ids={
            "scanner_id": tagging["id"],
            "observation_id": failed,
            "judged_observation_id": succeeded,
            "action_id": digest,
            "run_id": run,
            "delivery_id": delivery,
            "gap_id": gap,
            "other_scanner_id": made["id"],
            "other_observation_id": other,
            "session_id": f"{mark}-0",
        },
        values={
            "search": mark,
            "scanner": tagging["id"],
            "session_id": f"{mark}-0",
            "session_ids": f"{mark}-0",
            "tags": mark,
            "created_by": str(user.id),
            "actor": str(user.id),
            "type": "ScannerCreated",
            "cursor": _cursor(here, api, tagging["id"]),
        },
    )


def action(api: httpx.Client, scanner_id: str, name: str) -> str:
    """Creates an action of a scanner, with one target; its id."""
    target = {"type": "webhook", "url": f"https://hooks.shop.example/{quote(name)}"}
    response = api.post("actions/", json={"name": name, "scanner": scanner_id, "delivery_config": [target]})
    assert response.status_code == 201, response.text
    identifier: str = response.json()["id"]
    return identifier


def skip(site: Site, scanner_id: str) -> str:
    """What the schedule does with a session that it passes over; the id of the gap."""
    context = replace(site.system, now=site.services.clock(), tenant=site.tenant)
    site.services.scanners.skip_gap(context, UUID(scanner_id), 1, 1, "quota_exhausted")
    return str(gap_id(UUID(scanner_id), 1))


def _cursor(site: Site, api: httpx.Client, scanner_id: str) -> str:
    api.patch(f"scanners/{scanner_id}/", json={"sampling_rate": 0.5}).raise_for_status()
    site.standing()
    page = api.get(f"scanners/{scanner_id}/history/?limit=1").json()
    return httpx.URL(page["next"]).params["cursor"]


def fresh(filled: Filled, operation: Operation) -> dict[str, str]:
    """Objects of a tenant's own that a test of the operation may use up: `ids` as of `fill`."""
    api = filled.client()
    made = scanner(api, str(uuid4()))
    failed = observe(api, made["id"], str(uuid4()))
    digest = action(api, made["id"], str(uuid4()))
    gap = skip(filled.site, made["id"])
    filled.site.fail(failed)
    ids = {"scanner_id": made["id"], "observation_id": failed, "action_id": digest, "gap_id": gap}
    ids["session_id"] = record(filled.site, str(uuid4()))
    if "judged_observation_id" in parameters(operation):
        ids["judged_observation_id"] = observe(api, made["id"], ids["session_id"])
        answer = {"reasoning": "r", "verdict": "yes", "confidence": 0.5}
        judge(filled.site, ids["judged_observation_id"], ids["session_id"], "monitor", made["scanner_config"], answer)
    if "run_id" in parameters(operation):
        ids["run_id"], ids["delivery_id"] = reported(filled.site, digest, failed, ids["session_id"], filled.mark)
    return {**filled.ids, **ids}


def unlike(filled: Filled, operation: Operation, wrong: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The ids of a request with some of the owner's ids replaced: one parameter each, and all of them."""
    names = parameters(operation)
    if not names:
        return {}
    replaced = {name: {**filled.ids, name: wrong[name]} for name in names}
    return {**replaced, "+".join(names): {**filled.ids, **{name: wrong[name] for name in names}}}
