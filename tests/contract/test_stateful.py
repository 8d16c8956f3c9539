"""Any sequence of calls answers as the contract has it: `model.py` is compared with a live server after every step.

`REPLAY_VISION_STATEFUL_EXAMPLES=200` makes it a longer run over sequences of its own choice.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from commands.observations import ObservationLimits, Observations
from domain.errors import LeaseLost
from tests.contract import model_steps as drawn
from tests.contract import model_views as views
from tests.contract.comparison import Comparison
from tests.contract.model import IN_FLIGHT, TYPES, Acting, Model, Observed, Scanned, User
from tests.contract.site import Site, served

EXAMPLES_VARIABLE = "REPLAY_VISION_STATEFUL_EXAMPLES"
EXAMPLES = int(os.environ.get(EXAMPLES_VARIABLE, "0"))
SETTINGS = settings(
    max_examples=EXAMPLES or 12,
    stateful_step_count=44,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
LIMITS = ObservationLimits(per_scanner=3, per_environment=5, kept_per_scanner=0, kept_per_environment=0)
QUOTA = 8
NO_GAPS: list[Scanned] = []
"""Nothing is recorded here that a schedule could pass over."""
FEW, MANY = 3, 8
"""Scanners that there are at least and at most, so that steps meet each other."""


class Machine(RuleBasedStateMachine):
    """An organization of its own with two environments and two users."""

    site: ClassVar[Site]

    def __init__(self) -> None:
        super().__init__()
        site = Machine.site
        self.model = Model(QUOTA, LIMITS.per_scanner, LIMITS.per_environment)
        organization_id = site.accounts.create_organization(site.system, "Modelled", QUOTA).id
        self.here = [
            replace(
                site,
                organization_id=organization_id,
                environment_id=site.accounts.create_environment(site.system, organization_id, called).id,
                _clients=[],
            )
            for called in ("One", "Two")
        ]
        self.users = [self._user(first, last) for first, last in (("Zoë", "Baker"), ("", "abbot"))]
        keys = [site.key(email=user.email) for user in self.users]
        self.apis = {here.environment_id: [here.client(key) for key in keys] for here in self.here}
        self.compared = Comparison(self.model, {at: clients[0] for at, clients in self.apis.items()})
        for at, made in enumerate(TYPES):
            self._create(at % 2, at % 2, made, {"name": f"{made} to begin with", "scanner_config": 0, "models": 0})
        for scanned, ending in zip(
            [*self.model.scanners.values()], ("fail", "judge_ineligible", "succeed"), strict=False
        ):
            self._observe(scanned, 0, "s1")
            self._report(scanned.observations["s1"], ending, 0)
            self.compared.everything(scanned)
        for at, scanned in enumerate(self.model.scanners.values()):
            self._create_action(scanned, at % 2, f"{at % 3} to begin with", {})

    def _user(self, first: str, last: str) -> User:
        site, email = Machine.site, f"{uuid4()}@example.org"
        made = site.accounts.create_user(site.system, self.here[0].organization_id, email, first, last)
        site.caught_up(made.position)
        return User(made.id, first, last, email)

    def teardown(self) -> None:
        for here in self.here:
            here.close()

    # --- what a step needs ------------------------------------------------------------------------------------------

    def _scanned(self, which: int) -> Scanned:
        """One of the scanners; now and then one that is deleted."""
        alive = [*self.model.scanners.values()]
        if self.model.buried and (which == drawn.BURIED or not alive):
            return self.model.buried[-1]
        return alive[which % len(alive)]

    def _observed(self, which: int, *statuses: str) -> Observed | None:
        """One of the observations, first of those with one of `statuses`; now and then one of a deleted scanner."""
        known = sorted(self.model.observations(), key=lambda one: one.status not in statuses)
        buried = [one for scanned in self.model.buried[-1:] for one in scanned.observations.values()]
        known = buried if which == drawn.BURIED and buried else known
        return known[which % len(known)] if known else None

    def _acting(self, which: int) -> Acting | None:
        """One of the actions; now and then one that is deleted."""
        known = [*self.model.actions.values()]
        if self.model.buried_actions and (which == drawn.BURIED or not known):
            return self.model.buried_actions[-1]
        return known[which % len(known)] if known else None

    # --- steps ------------------------------------------------------------------------------------------------------

    def _create(self, where: int, who: int, scanner_type: str, chosen: Mapping[str, Any]) -> None:
        body = {**drawn.fields_of(scanner_type, chosen), "scanner_type": scanner_type}
        defaults = {"description": "", "query": {}, "sampling_rate": 1.0, "enabled": True, "emits_signals": False}
        environment_id = self.here[where].environment_id
        outcome, made = self.model.create(environment_id, self.users[who], {**defaults, **body})
        document = self.compared.check(self.apis[environment_id][who].post("scanners/", json=body), outcome)
        if outcome[0] == 201:
            self.model.born(made, document["id"])
            made.times = {key: datetime.fromisoformat(document[key]) for key in ("created_at", "updated_at")}
            assert made.times["created_at"] == made.times["updated_at"]

    @precondition(lambda self: len(self.model.scanners) < MANY)
    @rule(
        where=drawn.place,
        who=drawn.place,
        scanner_type=drawn.kind,
        called=drawn.name,
        config=drawn.place,
        model=drawn.place,
        chosen=drawn.changes,
    )
    def create(
        self, where: int, who: int, scanner_type: str, called: str, config: int, model: int, chosen: Any
    ) -> None:
        whole = {**chosen, "name": called, "scanner_config": config, "models": model}
        self._create(where, who, scanner_type, whole)
        self.compared.everything(self._scanned(len(self.model.scanners) - 1))

    @rule(which=drawn.number, who=drawn.place, chosen=drawn.changes)
    def edit(self, which: int, who: int, chosen: Any) -> None:
        scanned = self._scanned(which)
        body = drawn.fields_of(scanned.fields["scanner_type"], chosen)
        outcome, changed = self.model.edit(scanned, body)
        document = self.compared.check(
            self.apis[scanned.environment_id][who].patch(f"scanners/{scanned.id}/", json=body), outcome
        )
        if outcome[0] == 200:
            updated_at = datetime.fromisoformat(document["updated_at"])
            assert (updated_at > scanned.times["updated_at"]) is changed
            scanned.times["updated_at"] = updated_at
        self.compared.everything(scanned)

    @precondition(lambda self: len(self.model.scanners) > FEW)
    @rule(which=drawn.number)
    def delete(self, which: int) -> None:
        scanned = self._scanned(which)
        path = f"scanners/{scanned.id}/"
        self.compared.check(self.apis[scanned.environment_id][0].delete(path), self.model.delete(scanned))
        self.compared.everything(scanned)

    @rule(
        which=drawn.number,
        who=drawn.place,
        session_id=st.one_of(drawn.session, drawn.session, st.sampled_from([" s1 ", " "])),
    )
    def observe(self, which: int, who: int, session_id: str) -> None:
        self._observe(self._scanned(which), who, session_id)

    def _observe(self, scanned: Scanned, who: int, session_id: str) -> None:
        new = session_id.strip() not in scanned.observations
        outcome, observed = self.model.observe(scanned, self.users[who], session_id)
        path = f"scanners/{scanned.id}/observe/"
        told = self.compared.check(
            self.apis[scanned.environment_id][who].post(path, json={"session_id": session_id}), outcome
        )
        if observed is not None:
            observed.id = told["observation_id"] if new else observed.id
            workflow_id = f"replay-vision-apply-scanner-{scanned.id}-{observed.session_id}"
            assert told == {"workflow_id": workflow_id, "observation_id": observed.id}
        self.compared.everything(scanned)

    @rule(which=drawn.number, who=drawn.place, session_ids=st.lists(drawn.session, min_size=1, max_size=5))
    def bulk_observe(self, which: int, who: int, session_ids: list[str]) -> None:
        scanned = self._scanned(which)
        outcome, results = self.model.bulk(scanned, self.users[who], session_ids)
        path = f"scanners/{scanned.id}/bulk_observe/"
        told = self.compared.check(
            self.apis[scanned.environment_id][who].post(path, json={"session_ids": session_ids}), outcome
        )
        if outcome[0] == 202:
            assert [(one["session_id"], one["scan_outcome"]) for one in told["results"]] == results
            assert told["started"] == [result for _, result in results].count("started")
            for one in told["results"]:
                observed = scanned.observations.get(one["session_id"])
                if observed is not None:
                    observed.id = observed.id or one["observation_id"]
                assert one["observation_id"] == (observed.id if observed else None)
        self.compared.everything(scanned)

    @rule(which=drawn.number, who=drawn.place)
    def retry(self, which: int, who: int) -> None:
        observed = self._observed(which, "failed", "ineligible")
        if observed is None:
            return
        scanned = observed.scanner
        outcome = self.model.retry(observed, self.users[who])
        path = f"scanners/{scanned.id}/observations/{observed.id}/retry/"
        told = self.compared.check(self.apis[scanned.environment_id][who].post(path), outcome)
        assert outcome[0] != 202 or told["observation_id"] == observed.id
        self.compared.everything(scanned, observed)

    @rule(
        which=drawn.number,
        ending=st.sampled_from(["start", "succeed", "fail", "judge_ineligible"]),
        answer=drawn.number,
    )
    def work(self, which: int, ending: str, answer: int) -> None:
        """What a scan worker does. Of a deleted scanner nothing can be reported any more (contract 3.4)."""
        observed = self._observed(which, *IN_FLIGHT)
        if observed is None or not observed.in_flight:
            return
        if observed.scanner.id not in self.model.scanners:
            with pytest.raises(LeaseLost):
                self._worker(observed).start(observed.id, run=observed.run)
        else:
            self._report(observed, ending, answer)
        self.compared.everything(observed.scanner, observed)

    def _worker(self, observed: Observed) -> Site:
        return next(here for here in self.here if here.environment_id == observed.scanner.environment_id)

    def _report(self, observed: Observed, ending: str, answer: int) -> None:
        here = self._worker(observed)
        if observed.lease is None:
            subject = {"distinct_id": f"visitor {answer}", "email": None} if answer % 2 else None
            observed.lease = here.start(observed.id, subject, observed.run)
            observed.status = "running"
            observed.subject = subject["distinct_id"] if subject else observed.subject
        if ending == "succeed":
            given, kept = drawn.answer_of(observed.snapshot, answer)
            here.succeed(
                observed.id,
                observed.snapshot["scanner_type"],
                observed.snapshot["scanner_config"],
                given,
                observed.lease,
            )
            self.model.end(observed, "succeeded", output=kept)
        elif ending == "fail":
            here.fail(observed.id, lease=observed.lease)
            self.model.end(observed, "failed", "validation_failed:no: good")
        elif ending == "judge_ineligible":
            here.judge_ineligible(observed.id, observed.lease)
            self.model.end(observed, "ineligible", "too_short:3 s")
        here.standing()

    @rule(which=drawn.number, session_id=drawn.session, answer=drawn.number)
    def scan(self, which: int, session_id: str, answer: int) -> None:
        """A session from the request to the answer."""
        scanned = self._scanned(which)
        self._observe(scanned, answer % 2, session_id)
        observed = scanned.observations.get(session_id)
        if observed is not None and observed.in_flight and scanned.id in self.model.scanners:
            self._report(observed, "succeed", answer)
            self.compared.everything(scanned, observed)

    @precondition(lambda self: len(self.model.actions) < MANY)
    @rule(
        which=drawn.number,
        who=drawn.place,
        called=drawn.action_name,
        chosen=drawn.action_fields,
        astray=drawn.mostly_not,
    )
    def create_action(self, which: int, who: int, called: str, chosen: Any, astray: bool) -> None:
        """Now and then for a scanner of the other environment."""
        self._create_action(self._scanned(which), who, called, chosen, astray=astray)

    def _create_action(self, scanned: Scanned, who: int, called: str, chosen: Any, *, astray: bool = False) -> None:
        at = next(at for at in self.apis if (at == scanned.environment_id) is not astray)
        defaults = {"enabled": True, "trigger_config": {}, "selection": {"window_days": 1}}
        made = Acting(at, self.users[who], scanned, {**defaults, **chosen, "name": called})
        outcome = self.model.create_action(made)
        answer = self.apis[at][who].post("actions/", json={**chosen, "name": called, "scanner": scanned.id})
        document = self.compared.check(answer, outcome)
        if outcome[0] == 201:
            self.model.acts(made, document["id"])
            made.written(datetime.fromisoformat(document["created_at"]), answer.headers["etag"], rescheduled=True)
        self.compared.acting(made)

    @rule(which=drawn.number, who=drawn.place, chosen=drawn.action_changes)
    def edit_action(self, which: int, who: int, chosen: Any) -> None:
        self._edit_action(which, who, chosen)

    @rule(which=drawn.number, called=drawn.action_name)
    def rename_action(self, which: int, called: str) -> None:
        self._edit_action(which, 0, {"name": called})

    @rule(which=drawn.number, to=drawn.number)
    def move_action(self, which: int, to: int) -> None:
        self._edit_action(which, 0, {"scanner": to})

    def _edit_action(self, which: int, who: int, chosen: Any) -> None:
        acting = self._acting(which)
        if acting is None:
            return
        moved = {"scanner": self._scanned(chosen["scanner"])} if "scanner" in chosen else {}
        outcome, changed = self.model.edit_action(acting, {**chosen, **moved})
        body = {**chosen, **{name: scanned.id for name, scanned in moved.items()}}
        answer = self.apis[acting.environment_id][who].patch(f"actions/{acting.id}/", json=body)
        document = self.compared.check(answer, outcome)
        if changed:
            updated_at, etag = datetime.fromisoformat(document["updated_at"]), answer.headers["etag"]
            assert updated_at > (acting.times["updated_at"] or updated_at)
            assert etag != acting.etag
            acting.written(updated_at, etag, rescheduled="trigger_config" in changed)
        self.compared.acting(acting)

    @precondition(lambda self: len(self.model.actions) > 1)
    @rule(which=drawn.number)
    def delete_action(self, which: int) -> None:
        acting = self._acting(which)
        if acting is not None:
            answer = self.apis[acting.environment_id][0].delete(f"actions/{acting.id}/")
            self.compared.check(answer, self.model.delete_action(acting))
            self.compared.acting(acting)

    @rule(where=drawn.place, which=st.one_of(st.none(), drawn.number), paging=drawn.limits)
    def list_actions(self, where: int, which: int | None, paging: dict[str, str]) -> None:
        environment_id = self.here[where].environment_id
        scanner_id = "" if which is None else self._scanned(which).id
        rows = views.actions(self.model.acting_within(environment_id), scanner_id)
        self.compared.page(environment_id, "actions/", {"scanner": scanner_id, **paging}, rows)

    @rule(amount=st.integers(0, 12))
    def set_quota(self, amount: int) -> None:
        context = replace(Machine.site.system, now=Machine.site.services.clock())
        Machine.site.accounts.set_quota(context, self.here[0].organization_id, amount)
        Machine.site.standing()
        self.model.quota = amount
        self.compared.everything(self._scanned(amount))

    @rule(where=drawn.place, query=drawn.scanner_queries, paging=drawn.limits, who=st.sampled_from([None, 0, 1]))
    def list_scanners(self, where: int, query: dict[str, str], paging: dict[str, str], who: int | None) -> None:
        if who is not None:
            query = {**query, "created_by": f"{self.users[who].id},999999"}
        environment_id = self.here[where].environment_id
        rows = views.scanners(self.model.within(environment_id), query)
        self.compared.page(environment_id, "scanners/", {**query, **paging}, rows)

    @rule(which=drawn.number, query=drawn.observation_queries, paging=drawn.limits)
    def list_observations(self, which: int, query: dict[str, str], paging: dict[str, str]) -> None:
        scanned = self._scanned(which)
        if scanned.id not in self.model.scanners:
            return
        path = f"scanners/{scanned.id}/observations/"
        rows = views.observations(scanned.observations.values(), query)
        self.compared.page(scanned.environment_id, path, {**query, **paging}, rows)
        self.compared.stats(scanned, query)
        self.compared.page(scanned.environment_id, f"scanners/{scanned.id}/gaps/", paging, NO_GAPS)

    @rule(where=drawn.place, session_id=drawn.session, query=drawn.observation_queries, paging=drawn.limits)
    def list_session(self, where: int, session_id: str, query: dict[str, str], paging: dict[str, str]) -> None:
        """Contract 4.4: every scanner of the environment; of the filters only the order counts."""
        environment_id = self.here[where].environment_id
        asked = {**{key: value for key, value in query.items() if key == "order_by"}, "session_id": session_id}
        known = [one for one in self.model.observations() if one.scanner.environment_id == environment_id]
        self.compared.page(
            environment_id, "observations/", {**query, **paging, **asked}, views.observations(known, asked)
        )


@pytest.fixture(scope="module")
def modelled(site: Site) -> Iterator[Site]:
    """The site behind a server whose in-flight caps are small."""
    store = site.services.observations._store  # noqa: SLF001 - the same store under other limits
    services = replace(site.services, observations=Observations(store, LIMITS), limits=LIMITS)
    with served(services) as client:
        yield replace(site, services=services, url=str(client.base_url).rstrip("/"))


def test_every_sequence_of_calls_answers_as_the_contract_has_it(modelled: Site) -> None:
    """Contract 2.3, 3.4 to 3.6, 4.1 to 4.5, 5, 7, 8; extensions "Observing"."""
    Machine.site = modelled
    run_state_machine_as_test(Machine, settings=SETTINGS)
