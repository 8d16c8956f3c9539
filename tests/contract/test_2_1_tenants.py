"""Contract 2.1 for every operation under both prefixes: who is refused, in which words and in which order.

A refusal changes nothing, and no answer tells anything of others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute
from psycopg import sql

from api.http.app import create_app
from api.http.calls import Operation
from domain.accounts import SCOPES, satisfies
from tests.contract.examples import BASES, EXAMPLES, OPERATIONS, READS, address, example, parameters
from tests.contract.site import CHEAP, Site
from tests.contract.tenants import Filled, fill, fresh, unlike

Told = tuple[int, dict[str, Any]]
State = list[list[tuple[Any, ...]]]

EVERYWHERE = pytest.mark.parametrize("base", BASES, ids=["environments", "projects"])
EVERY_OPERATION = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
NAMING_OBJECTS = pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if parameters(one)], ids=lambda operation: operation.name
)
VARYING = {"date", "replay-vision-correlation-id"}
NOWHERE = 999_999
MALFORMED = ["1", "00000000-0000-0000-0000-00000000000g", "%00", "é", "a" * 300]
NUMBERS = {
    "actions_runs_list",
    "quota_retrieve",
    "scanners_stats_retrieve",
    "scanners_gaps_list",
    "scanners_health_retrieve",
}
"""Reads that show nothing but numbers."""

BROKEN = b'{"name": '
STORED = (
    "SELECT count(*), max(notification_id) FROM store.events WHERE topic NOT LIKE 'ApiKey%'",
    "SELECT count(*) FROM store.private_text",
    "SELECT * FROM store.claim WHERE scope <> 'api_key' ORDER BY scope, key",
    "SELECT * FROM store.quota_usage ORDER BY organization_id, period",
    "SELECT * FROM store.in_flight ORDER BY scanner_id, period",
)
KEPT_ELSEWHERE = (
    "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN"
    " ('pg_catalog', 'information_schema', 'public', 'store', 'log', 'access')"
    " AND tablename NOT IN ('api_key', 'entry', 'stream', 'position') ORDER BY 1, 2"
)
"""The tables that answers are read from, but for keys, the history (of keys too), and how far the projections are."""


def said(status: int, kind: str, code: str, detail: str) -> Told:
    return status, {"type": kind, "code": code, "detail": detail, "attr": None}


def denied(detail: str) -> Told:
    return said(403, "authentication_error", "permission_denied", detail)


NO_KEY = said(401, "authentication_error", "not_authenticated", "Authentication credentials were not provided.")
UNKNOWN_KEY = said(
    401,
    "authentication_error",
    "authentication_failed",
    "Personal API key found in request Authorization header is invalid.",
)
NOT_A_MEMBER = denied("You don't have access to the project.")
NO_PROJECT = said(404, "invalid_request", "not_found", "Project not found.")
NO_OBJECT = said(404, "invalid_request", "not_found", "Not found.")


@dataclass
class Tenants:
    """The owner, another environment of the same organization, and an organization that has nothing to do with it."""

    owner: Filled
    sibling: Filled
    foreign: Filled
    homeless: str
    """Key of a user whose organization has no environment."""
    _http: httpx.Client
    documents: tuple[State, list[dict[str, bytes]]] | None = None
    """What everybody was shown last, and what was stored then."""
    _keys: dict[tuple[Any, ...], str] = field(default_factory=dict[tuple[Any, ...], str])

    def key(self, *scopes: str, environments: Sequence[int] = ()) -> str:
        """A key of the owner's user."""
        asked = (*scopes, *environments)
        if asked not in self._keys:
            site = self.owner.site
            self._keys[asked] = site.key(*scopes, environments=environments, email=self.owner.email)
        return self._keys[asked]

    def ask(
        self, operation: Operation, path: str, key: str | None, ids: Mapping[str, str], *, broken: bool = False
    ) -> httpx.Response:
        """The operation's example at `path`; `broken`: with a body that is no JSON."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        if broken:
            headers["Content-Type"] = "application/json"
            return self._http.request(operation.method, path, headers=headers, content=BROKEN)
        return self._http.request(operation.method, path, headers=headers, json=example(operation).body(ids))

    def state(self) -> State:
        """Everything that is stored of everybody but their keys.

        That is the log, what the rules over sets rest on, and a digest of each table that answers are read from.
        """
        with self.owner.site.services.pool.connection() as conn:
            digests = sql.SQL(" UNION ALL ").join(
                sql.SQL("SELECT {}, count(*), sum(hashtextextended(t::text, 0)) FROM {} t").format(
                    ".".join(table), sql.Identifier(*table)
                )
                for table in conn.execute(KEPT_ELSEWHERE).fetchall()
            )
            return [conn.execute(statement).fetchall() for statement in (*STORED, digests)]

    def shown(self) -> list[dict[str, bytes]]:
        """Everything that everybody is shown of their own."""
        return [filled.seen() for filled in (self.owner, self.sibling, self.foreign)]


@pytest.fixture(scope="module")
def tenants(site: Site) -> Iterator[Tenants]:
    owner = fill(site, site.organization_id, site.environment_id)
    sibling = fill(site, site.organization_id, site.sibling_id)
    others = site.accounts.create_organization(site.system, "Others", 50)
    foreign = fill(site, others.id, site.accounts.create_environment(site.system, others.id, "Theirs").id)
    empty = site.accounts.create_organization(site.system, "Empty", 50)
    homeless = site.accounts.create_user(site.system, empty.id, "homeless@example.org")
    site.caught_up(homeless.position)
    with httpx.Client(base_url=site.url, **CHEAP) as client:
        yield Tenants(owner, sibling, foreign, site.key(email="homeless@example.org"), client)


@pytest.fixture
def untouched(tenants: Tenants, operation: Operation, base: str) -> Iterator[None]:
    """Nothing that is stored is other after the test, and nobody's documents are (asked for after writes, being dear).

    What is stored tells which documents to expect: those that were shown when the same was stored.
    """
    asked_for = operation.method != "GET" and base == BASES[0]
    tenants.owner.site.standing()
    before = tenants.state()
    if asked_for and (tenants.documents is None or tenants.documents[0] != before):
        tenants.documents = (before, tenants.shown())
    yield
    tenants.owner.site.standing()
    assert tenants.state() == before
    assert not asked_for or (before, tenants.shown()) == tenants.documents


def told(response: httpx.Response) -> Told:
    assert "Traceback" not in response.text
    return response.status_code, response.json()


def test_1_every_operation_is_mounted_under_both_prefixes_and_nothing_else_is(site: Site) -> None:
    """So the tests below leave nothing out: what is not in OPERATIONS is no address of a tenant's."""
    mounted = {
        (method, route.path)
        for route in create_app(site.services).routes
        if isinstance(route, APIRoute) and route.path.startswith(tuple(BASES))
        for method in route.methods or ()
    }
    assert mounted == {(operation.method, base + operation.address) for operation in OPERATIONS for base in BASES}
    assert len(OPERATIONS) == len({operation.name for operation in OPERATIONS})
    assert set(EXAMPLES) <= {operation.name for operation in OPERATIONS}, "an example of no operation"


@EVERYWHERE
@EVERY_OPERATION
def test_2_1_the_owner_succeeds(tenants: Tenants, operation: Operation, base: str) -> None:
    """Or the refusals below would prove nothing. A key of exactly the operation's scopes suffices."""
    ids = fresh(tenants.owner, operation)
    key = tenants.key(*operation.scopes, environments=[tenants.owner.environment_id])
    for environment in (tenants.owner.environment_id, "@current"):
        response = tenants.ask(operation, address(operation, environment, ids, base), key, ids)
        assert response.status_code in operation.success, response.text
        ids = fresh(tenants.owner, operation)


def lacking(needed: Sequence[str]) -> Iterator[tuple[str, list[str], str]]:
    """For each needed scope: a name, all scopes but those that hold it, and the first that is then missing."""
    for scope in needed:
        held = [other for other in SCOPES if not satisfies(frozenset({other}), scope)]
        yield f"without {scope}", held, next(one for one in needed if not satisfies(frozenset(held), one))


@pytest.mark.rule("2.1/tenant-matrix")
@EVERYWHERE
@EVERY_OPERATION
def test_2_1_who_may_not(untouched: None, tenants: Tenants, operation: Operation, base: str) -> None:
    owner = tenants.owner
    path = address(operation, owner.environment_id, owner.ids, base)
    expected: dict[str, Told] = {"no key": NO_KEY, "unknown key": UNKNOWN_KEY}
    presented: dict[str, str | None] = {"no key": None, "unknown key": "phx_" + "x" * 40}
    for name, held, missing in lacking(operation.scopes):
        presented[name] = tenants.key(*held)
        expected[name] = denied(f"API key missing required scope '{missing}'")
    presented["confined"] = tenants.key("*", environments=[tenants.sibling.environment_id])
    expected["confined"] = denied(f"API key does not have access to the requested project: ID {owner.environment_id}.")
    presented["of others"], expected["of others"] = tenants.foreign.key, NOT_A_MEMBER
    presented["homeless"], expected["homeless"] = tenants.homeless, NOT_A_MEMBER
    answers = {name: tenants.ask(operation, path, key, owner.ids) for name, key in presented.items()}
    assert {name: told(answer) for name, answer in answers.items()} == expected
    challenged = {name for name, answer in answers.items() if answer.headers.get("www-authenticate") == "Bearer"}
    assert challenged == {"no key", "unknown key"}


@EVERYWHERE
@EVERY_OPERATION
def test_2_1_projects_that_are_not_there(untouched: None, tenants: Tenants, operation: Operation, base: str) -> None:
    ids = tenants.owner.ids
    for unknown in ("999999", "0", "abc", "-1", "1.0", "9" * 20, "%00", "@other", str(uuid4())):
        response = tenants.ask(operation, address(operation, unknown, ids, base), tenants.owner.key, ids)
        assert told(response) == NO_PROJECT, unknown
    response = tenants.ask(operation, address(operation, "@current", ids, base), tenants.homeless, ids)
    assert told(response) == NO_PROJECT


@pytest.mark.rule("2.1/tenant-matrix")
@EVERYWHERE
@NAMING_OBJECTS
def test_2_1_objects_of_others_are_like_unknown_ones(
    untouched: None, tenants: Tenants, operation: Operation, base: str
) -> None:
    """Same bytes, same headers: nobody learns whether there is such an object elsewhere."""
    owner = tenants.owner
    wrong = {
        "foreign": tenants.foreign.ids,
        "sibling": tenants.sibling.ids,
        "unknown": {name: str(uuid4()) for name in owner.ids},
        "capitals": {name: value.upper() for name, value in tenants.foreign.ids.items()},
        **{f"malformed {bad[:9]}": dict.fromkeys(owner.ids, bad) for bad in MALFORMED},
    }
    if {"observation_id", "judged_observation_id"} & set(parameters(operation)) and "scanner_id" in parameters(
        operation
    ):
        wrong["another scanner's"] = {**owner.ids, "scanner_id": owner.ids["other_scanner_id"]}
    seen: set[tuple[bytes, tuple[tuple[str, str], ...]]] = set()
    for situation, ids in wrong.items():
        for which, mixed in unlike(owner, operation, ids).items():
            if mixed == owner.ids:
                continue
            for broken in (False, operation.body is not None):
                path = address(operation, owner.environment_id, mixed, base)
                response = tenants.ask(operation, path, owner.key, owner.ids, broken=broken)
                assert told(response) == NO_OBJECT, (situation, which)
                seen.add((response.content, _headers(response)))
    assert len(seen) == 1


def _headers(response: httpx.Response) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in response.headers.items() if name not in VARYING))


@EVERYWHERE
@NAMING_OBJECTS
def test_2_1_current_leads_nobody_to_others(untouched: None, tenants: Tenants, operation: Operation, base: str) -> None:
    """`@current` of another user is another environment, in which the owner's objects are unknown."""
    ids = tenants.owner.ids
    for key in (tenants.foreign.key, tenants.key("*", environments=[tenants.sibling.environment_id])):
        response = tenants.ask(operation, address(operation, "@current", ids, base), key, ids)
        assert told(response) == NO_OBJECT


@pytest.mark.rule("2.1/tenant-matrix")
@EVERYWHERE
@EVERY_OPERATION
def test_2_1_references_in_bodies(untouched: None, tenants: Tenants, operation: Operation, base: str) -> None:
    """A body that names an object of others is refused like one that names an unknown one; broken ones are 400."""
    owner = tenants.owner
    path = address(operation, owner.environment_id, owner.ids, base)
    for name, of in example(operation).refers.items():
        answers = set[str]()
        for ids in (tenants.foreign.ids, tenants.sibling.ids, {of: str(uuid4())}):
            response = tenants.ask(operation, path, owner.key, {**owner.ids, of: ids[of]})
            assert (response.status_code, response.json()["attr"]) == (400, name), response.text
            answers.add(response.text.replace(ids[of], "<id>"))
        assert len(answers) == 1
    if operation.body is not None:
        response = tenants.ask(operation, path, owner.key, owner.ids, broken=True)
        assert (response.status_code, response.json()["code"]) == (400, "parse_error")


@EVERYWHERE
@EVERY_OPERATION
def test_2_1_the_order_of_the_checks(untouched: None, tenants: Tenants, operation: Operation, base: str) -> None:
    """Key, scope, project, object, body: everything is wrong from there on, and the first is told."""
    owner, foreign = tenants.owner, tenants.foreign
    wrong = {name: str(uuid4()) for name in owner.ids}
    nothing_held = tenants.key(next(lacking(operation.scopes[:1]))[1][0])
    missing = denied(f"API key missing required scope '{operation.scopes[0]}'")
    confined_elsewhere = denied(f"API key does not have access to the requested project: ID {foreign.environment_id}.")
    confined = tenants.key("*", environments=[owner.environment_id])
    steps: list[tuple[str | None, int | str, Told]] = [
        (None, NOWHERE, NO_KEY),
        ("phx_wrong", NOWHERE, UNKNOWN_KEY),
        (nothing_held, NOWHERE, missing),
        (nothing_held, foreign.environment_id, missing),
        (nothing_held, owner.environment_id, missing),
        (confined, NOWHERE, NO_PROJECT),
        (confined, foreign.environment_id, confined_elsewhere),
        (owner.key, foreign.environment_id, NOT_A_MEMBER),
    ]
    if parameters(operation):
        steps.append((owner.key, owner.environment_id, NO_OBJECT))
    for key, environment, expected in steps:
        path = address(operation, environment, wrong, base).partition("?")[0] + "?order_by=nonsense&status=nonsense"
        response = tenants.ask(operation, path, key, wrong, broken=operation.body is not None)
        assert told(response) == expected, (key, environment)


# --- what is shown --------------------------------------------------------------------------------------------------


def probes(operation: Operation, filled: Filled, other: Filled) -> list[str]:
    """The addresses at which an owner asks for what another has."""
    plain = address(operation, filled.environment_id, filled.ids).partition("?")[0]
    asked = [f"{parameter.name}={other.values.get(parameter.name, '')}" for parameter in operation.parameters]
    return [address(operation, filled.environment_id, filled.ids), *(f"{plain}?{one}" for one in asked)]


@pytest.mark.rule("2.1/tenant-matrix")
@pytest.mark.parametrize("operation", READS, ids=lambda operation: operation.name)
def test_2_1_no_answer_shows_anything_of_others(tenants: Tenants, operation: Operation) -> None:
    for filled in (tenants.owner, tenants.sibling, tenants.foreign):
        for other in (tenants.owner, tenants.sibling, tenants.foreign):
            if other is filled:
                continue
            for path in probes(operation, filled, other):
                response = filled.client().get(filled.site.url + path)
                assert response.status_code in (200, 400), response.text
                shown = response.text
                if response.status_code == 200 and response.headers["content-type"] == "application/json":
                    shown = json.dumps({**response.json(), "next": None, "previous": None})
                assert other.mark not in shown, path
                assert not [name for name, value in other.ids.items() if value in shown], path


def test_2_1_the_marks_are_where_they_would_be_seen(tenants: Tenants) -> None:
    """Or the test above would prove nothing: the owner is shown each of its objects, and its texts in most answers."""
    for filled in (tenants.owner, tenants.sibling, tenants.foreign):
        shown = filled.seen()
        everything = b"".join(shown.values()).decode()
        assert [name for name, value in filled.ids.items() if value not in everything] == []
        silent = {
            operation.name
            for operation in READS
            if filled.mark.encode() not in b"".join(filled.seen([operation]).values())
        }
        assert silent == NUMBERS, "fill() makes data for every read that shows texts or names"


@pytest.mark.rule("2.1/tenant-matrix")
def test_2_1_what_others_do_changes_no_answer(site: Site, tenants: Tenants) -> None:
    """Rows, counts, stats, creators, history: the same bytes. Only the quota is shared, within the organization."""
    own, quota = tenants.owner, [operation for operation in READS if operation.name == "quota_retrieve"]
    rest = [operation for operation in READS if operation not in quota]
    before, used = own.seen(rest), own.seen(quota)
    fill(site, tenants.foreign.site.organization_id, tenants.foreign.environment_id)
    assert (own.seen(rest), own.seen(quota)) == (before, used)
    fill(site, site.organization_id, site.sibling_id)
    assert own.seen(rest) == before
    assert own.seen(quota) != used
