"""Generated requests against a live server, and every check of their answers. Runs in the tools' own environment.

Prints what went wrong, and which links were followed how often. Exit code 1 when anything went wrong, or when a link
that matters was never followed to an answer below 400.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote
from uuid import uuid4

import jsonschema_rs
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core import NotSet
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine import Status, events, from_schema
from schemathesis.generation.meta import TestPhase
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData, UseAfterFree

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fuzz.accepted import exact_document
from tests.fuzz.again import send_again
from tests.fuzz.exceptions import may_refuse, outlives
from tests.fuzz.reading import as_read, resolved
from tests.fuzz.repairs import Kept, repair, repair_place, spare

DOCUMENT = exact_document()
COMPONENTS: dict[str, Any] = DOCUMENT["components"]["schemas"]
EXCUSED: Counter[str] = Counter()
PREFIXES = ("/api/projects/", "/api/environments/")
LEAST_TAKEN = 5
"""Answers below 300 that each operation has to give in every run, so that it was not only refusals that were seen."""
BY_CHANCE = {("vision_scanners_observe_create", "200"): "it takes the same session twice"}
"""Answers whose links are not asked for in any run, by the end of the operation's id and the status, and why not."""
DEEP = {
    ("vision_actions_partial_update", "200"): "third of a sequence; a created action leads to the same operations",
    ("vision_scanners_retrieve", "200"): "third of a sequence; a created scanner leads to the same operations",
    ("vision_scanners_observations_retry_create", "202"): "fourth of a sequence; an observe leads to the same ones",
}
"""Answers whose links are asked for in long runs only, and why."""
MOST_ROUNDS = 20
KEY = "Idempotency-Key"
STALE = "replay-vision-stale"
LATE_SECONDS = 30.0
LOWEST_REFUSAL = 400
STEPS = 30
"""Requests of a sequence, at most."""


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
    """Whether a failed check is a failure; see tests.fuzz.exceptions and tests.fuzz.reading."""
    if isinstance(failure, RejectedPositiveData) and response.status_code in (400, 409):
        rule = may_refuse(case.method, case.path, case.body, response.json())
        if rule is not None:
            EXCUSED[rule] += 1
        return rule is None
    if isinstance(failure, UseAfterFree | EnsureResourceAvailability) and time.monotonic() < Run.late_until:
        EXCUSED["the server said that lists are late"] += 1
        return False
    if isinstance(failure, UseAfterFree) and outlives(case.path):
        EXCUSED[outlives.__name__] += 1
        return False
    if isinstance(failure, AcceptedNegativeData) and _fits_as_read(case):
        EXCUSED["read as the contract has it"] += 1
        return False
    return True


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Makes good requests better, see tests.fuzz.repairs, and every request the first one with its key."""
    spare(case.method, case.path_parameters, Run.kept)
    if case.meta is None:
        return
    # A changed header would make the engine judge bad headers anew, and it does not know all that was bad.
    if KEY in case.headers and not case.meta.is_negative_at(ParameterLocation.HEADER):
        case.headers[KEY] = str(uuid4())
    if case.meta.generation.mode.is_positive:
        repair(case.method, case.path, case.body, Run.kept)
        _repair_place(case)


def _repair_place(case: Any) -> None:
    """Real ids where they do not come from a link."""
    drawn = {draw.parameter_name for draw in case.meta.pool_draws}
    if case.path_parameters.get("scanner_id") not in Run.linked or "scanner_id" in drawn:
        repair_place(case.method, case.path, case.path_parameters, Run.kept)
    made = Run.made.get(case.path.removesuffix("{id}/"))
    if made and case.method in ("PATCH", "DELETE") and case.meta.phase.name is not TestPhase.STATEFUL:
        case.path_parameters["id"] = made[-1] if case.method == "PATCH" else made.pop()


class Run:
    """What hooks know of the run."""

    kept: Kept
    linked: ClassVar[set[str]] = set()
    """Scanners that were made in a sequence, so that links lead to them."""
    made: ClassVar[dict[str, list[str]]] = {}
    """Other objects that were made, by the path that makes them: to be changed and deleted."""
    late_until = 0.0
    """Until when reads may not show a write, after an answer that said so (architecture 6)."""


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Notes what later hooks need; see Run."""
    if response.status_code == 201 and case.meta is not None:
        if case.meta.phase.name is TestPhase.STATEFUL:
            Run.linked.add(response.json()["id"])
        else:
            Run.made.setdefault(case.path, []).append(response.json()["id"])
    if STALE in {name.lower() for name in response.headers}:
        Run.late_until = time.monotonic() + LATE_SECONDS


def _fits_as_read(case: Any) -> bool:
    operation = DOCUMENT["paths"][case.path][case.method.lower()]
    places = {"query": case.query, "header": case.headers, "path": case.path_parameters}
    for parameter in operation["parameters"]:
        given = (places[parameter["in"]] or {}).get(parameter["name"])
        if parameter["in"] == "path":
            given = unquote(str(given))
        if not _parameter_fits(parameter, given):
            return False
    if "requestBody" not in operation:
        return True
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    target = resolved(schema, COMPONENTS)
    bodies = target.get("oneOf", [target])
    sent = {} if isinstance(case.body, NotSet) else case.body
    return any(_fits(body, as_read(sent, body, COMPONENTS)) for body in bodies)


def _parameter_fits(parameter: dict[str, Any], given: object) -> bool:
    """A lenient parameter always does, an empty one is none, blanks around a value are no part of it."""
    if parameter.get("x-lenient"):
        return True
    values = [item for item in given if item is not None] if isinstance(given, list) else [given]
    value = values[-1] if values else None
    text = "" if value is None else str(value).strip()
    return not parameter["required"] if text == "" else _fits(parameter["schema"], text)


def _fits(schema: dict[str, Any], value: object) -> bool:
    whole = {**schema, "components": {"schemas": COMPONENTS}}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True).is_valid(value)


def configuration(
    url: str, key: str, environment: str, examples: int, scenarios: int, seed: int, *, requests: bool
) -> SchemathesisConfig:
    """Every check on. Without `requests`, only sequences of them."""
    return SchemathesisConfig.from_dict(
        {
            "base-url": url,
            "seed": seed,
            "continue-on-failure": True,
            "request-timeout": 30,
            "auth": {"openapi": {"key": {"bearer": key}}},
            "parameters": {"path.environment_id": environment, "path.project_id": environment},
            "generation": {"max-examples": examples, "mode": "all", "database": "none"},
            "checks": {
                "enabled": True,
                # 412: whether a version is the present one is no question of form, and is asked before others.
                "positive_data_acceptance": {"expected-statuses": ["2xx", "404", "412"]},
                "negative_data_rejection": {"expected-statuses": ["400", "401", "404", "405", "412", "415"]},
            },
            "phases": {
                "examples": {"enabled": requests},
                "coverage": {"enabled": requests},
                # Nothing is learnt from error texts: the document is to be enough, and sentences are misread.
                "fuzzing": {"enabled": requests, "error-feedback": {"enabled": False}},
                "stateful": {
                    "enabled": True,
                    "max-steps": STEPS,
                    "generation": {"max-examples": scenarios},
                    # Only the links of the document, so that it is them that are followed.
                    "inference": {"algorithms": []},
                },
            },
        }
    )


class Tally:
    """What has happened, over all rounds."""

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.taken: Counter[str] = Counter()
        """Answers below 300 by operation."""
        self.seen: Counter[str] = Counter()
        self.followed: Counter[str] = Counter()
        self.problems: dict[str, str] = {}

    def take(self, event: Any) -> None:
        """Counts one event of the engine."""
        if isinstance(event, events.ScenarioFinished):
            self._scenario(event)
        elif isinstance(event, events.NonFatalError):
            self.problems[f"{event.label}: {event.info.title}"] = event.info.format()
        elif isinstance(event, events.FatalError):
            raise event.exception

    def add(self, what: str, found: list[str]) -> None:
        """Notes problems that no event told of."""
        self.problems.update({f"{what}: {one}": "" for one in found})

    def unfollowed(self, wanted: set[str]) -> list[str]:
        """What was not followed and should have been."""
        return sorted(wanted - set(self.followed))

    def seldom_taken(self, prefix: str) -> list[str]:
        """Operations that have not given enough good answers."""
        return [
            name
            for path, methods in DOCUMENT["paths"].items()
            for name in (f"{method.upper()} {path}" for method in methods)
            if path.startswith(prefix) and self.taken[name] < LEAST_TAKEN
        ]

    def _scenario(self, event: Any) -> None:
        recorder = event.recorder
        self.cases[event.phase.value] += len(recorder.interactions)
        for identifier, interaction in recorder.interactions.items():
            status = interaction.response.status_code if interaction.response is not None else 0
            self.statuses[status] += 1
            node = recorder.cases.get(identifier)
            if node is not None:
                operation = node.value.operation.label
                self.seen[operation] += 1
                if 200 <= status < 300 and node.value.method == operation.partition(" ")[0]:
                    self.taken[operation] += 1
            if node is None or node.transition is None or node.transition.is_inferred:
                continue
            if node.is_transition_applied and status < LOWEST_REFUSAL:
                self.followed[node.transition.id] += 1
        for identifier, checks in recorder.checks.items():
            for check in checks:
                if check.status is Status.FAILURE and check.failure_info is not None:
                    failure = check.failure_info.failure
                    case = recorder.cases[identifier].value
                    name = f"{check.name}: {case.operation.label}: {failure.title}"
                    where = f"{event.phase.value}: {case.meta and case.meta.phase.data.description}"
                    text = f"{where}\n{failure.message}\n{check.failure_info.code_sample}"
                    self.problems.setdefault(name, text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("key")
    parser.add_argument("environment")
    parser.add_argument("kept", type=json.loads, help="what is there from the start, as JSON")
    parser.add_argument("--cases", type=int, default=2000, help="to be tried at least")
    parser.add_argument("--examples", type=int, default=10, help="of each operation and round, beside systematic ones")
    parser.add_argument("--scenarios", type=int, default=25, help="sequences of requests, of each round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prefix", default="/api/", help="of the addresses that are tried")
    parser.add_argument("--every-link", action="store_true", help="those too that come late in a sequence")
    given = parser.parse_args()
    Run.kept = Kept(**{name: tuple(ids) if isinstance(ids, list) else ids for name, ids in given.kept.items()})
    tally, started = Tally(), time.monotonic()
    wanted = links(given.prefix, deep=given.every_link)
    prefixes = [prefix for prefix in PREFIXES if prefix.startswith(given.prefix)]
    for number in range(MOST_ROUNDS):
        enough = tally.cases.total() >= given.cases and not tally.seldom_taken(given.prefix)
        if tally.problems or (enough and not tally.unfollowed(wanted)):
            break
        seed = given.seed + number
        config = configuration(
            given.url, given.key, given.environment, given.examples, given.scenarios, seed, requests=not enough
        )
        # One prefix a round: what is deleted under one name is gone under the other, which no check can know.
        prefix = prefixes[number % len(prefixes)]
        schema = schemathesis.openapi.from_dict(DOCUMENT, config=config).include(path_regex=f"^{prefix}")
        for event in from_schema(schema).execute():
            tally.take(event)
        passed = time.monotonic() - started
        print(f"seed {seed}: {tally.cases.total()} cases after {passed:.0f} s; still wanted:", flush=True)
        for name in (*tally.unfollowed(wanted), *tally.seldom_taken(given.prefix)):
            print(f"  {name}", flush=True)
        if number == 0:
            tally.add("sent again", send_again(schema, *creation(given.prefix, given.environment), given.key))
    tally.add("never followed", tally.unfollowed(wanted))
    tally.add(f"fewer than {LEAST_TAKEN} good answers", tally.seldom_taken(given.prefix))
    if tally.cases.total() < given.cases:
        tally.add("too few cases", [str(tally.cases.total())])
    return report(tally)


def creation(prefix: str, environment: str) -> tuple[str, dict[str, str]]:
    """The path below the prefix that makes scanners, and its parameters."""
    path = next(path for path in DOCUMENT["paths"] if path.startswith(prefix) and path.endswith("/vision/scanners/"))
    parameters = DOCUMENT["paths"][path]["post"]["parameters"]
    return path, {one["name"]: environment for one in parameters if one["in"] == "path"}


def links(prefix: str, *, deep: bool) -> set[str]:
    """Links of the document by the names that the engine gives them; those of DEEP too when asked for."""
    left_out = {*BY_CHANCE, *(() if deep else DEEP)}
    paths = {
        operation["operationId"]: f"{method.upper()} {path}"
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }
    return {
        f"{paths[operation['operationId']]} -> [{status}] {name} -> {paths[link['operationId']]}"
        for path, methods in DOCUMENT["paths"].items()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        for name, link in answer.get("links", {}).items()
        if path.startswith(prefix)
        if not any(operation["operationId"].endswith(end) and status == given for end, given in left_out)
    }


def report(tally: Tally) -> int:
    """Prints the tally; the exit code."""
    print(f"cases: {dict(tally.cases)}")
    print(f"statuses: {dict(sorted(tally.statuses.items()))}")
    print(f"excused: {dict(EXCUSED)}")
    print("answers below 300, of all:")
    for name, count in sorted(tally.seen.items()):
        print(f"  {tally.taken[name]:6} {count:6} {name}")
    print("links followed:")
    for name, count in sorted(tally.followed.items()):
        print(f"  {count:6} {name}")
    for name, text in tally.problems.items():
        print(f"\n!!! {name}\n{text[:3000]}")
    print(f"{len(tally.problems)} problems")
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
