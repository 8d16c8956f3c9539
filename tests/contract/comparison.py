"""Compares a live server with the model of `model.py`: every document, list, count and sum that it can predict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from tests.contract import model_views as views
from tests.contract.model import Acting, Model, Observed, Outcome, Scanned
from tests.contract.site import ENVELOPE


@dataclass
class Comparison:
    """`apis`: a client for each environment of the modelled organization."""

    model: Model
    apis: Mapping[int, httpx.Client]
    _turn: int = 0

    def _next_order(self, orders: Sequence[str]) -> dict[str, str]:
        """Each order in its turn, and the default one."""
        self._turn += 1
        order_by = ["", *orders][self._turn % (len(orders) + 1)]
        return {"order_by": order_by} if order_by else {}

    def check(self, response: httpx.Response, expected: Outcome) -> dict[str, Any]:
        body = response.json() if response.content else {}
        told = (response.status_code, None, None)
        if response.status_code >= 400:
            assert set(body) == ENVELOPE, body
            told = (response.status_code, body["code"], body["attr"])
        assert told == expected, response.text
        assert "replay-vision-stale" not in response.headers
        return body

    def get(self, environment_id: int, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self.check(self.apis[environment_id].get(path, params=query), (200, None, None))

    def page(self, environment_id: int, path: str, query: Mapping[str, str], rows: Sequence[views.Row]) -> None:
        answer = self.get(environment_id, path, query)
        shown = views.paged(rows, query)
        same([row["id"] for row in answer["results"]], [row.id for row in shown])
        offset = int(query.get("offset", "0"))
        same(answer["count"], len(rows))
        same(answer["previous"] is not None, offset > 0)
        same(answer["next"] is not None, offset + (int(query.get("limit", "0")) or 100) < len(rows))
        for row, document in zip(shown, answer["results"], strict=True):
            self._document(row, document)

    def _document(self, row: Acting | Observed | Scanned, document: dict[str, Any]) -> None:
        if not isinstance(row, Observed):
            expected = row.document()
            told = {key: document[key] for key in expected} | {"created_by": document["created_by"]["id"]}
        else:
            expected = row.document()
            result = document["scanner_result"] and document["scanner_result"]["model_output"]
            told = {key: document[key] for key in expected if key in document} | {
                "triggered_by_user": document["triggered_by_user"]["id"],
                "scanner_result": result and {key: result[key] for key in row.output},
                "started": document["started_at"] is not None,
                "completed": document["completed_at"] is not None,
            }
        same(told, expected)
        same({key: _time(document[key]) for key in row.times}, row.times)

    def everything(self, scanned: Scanned, observed: Observed | None = None) -> None:
        """Everything that the step could have changed, and some that it must not have changed."""
        if scanned.id in self.model.scanners:
            self._learn(scanned)
        for environment_id in self.apis:
            query = self._next_order(views.SCANNER_ORDERS)
            self.page(environment_id, "scanners/", query, views.scanners(self.model.within(environment_id), query))
        rows = self.model.within(scanned.environment_id)
        same(self.get(scanned.environment_id, "scanners/stats/"), views.scanner_stats(rows))
        told = self.get(scanned.environment_id, "scanners/creators/")["creators"]
        same([user["id"] for user in told], views.creators(rows))
        quota = self.get(scanned.environment_id, "quota/")
        used, limit = self.model.used, self.model.quota
        same(
            [quota[key] for key in ("monthly_quota", "usage_this_month", "remaining", "exhausted")],
            [limit, used, max(0, limit - used), used >= limit],
        )
        if scanned.id in self.model.scanners:
            self._scanner(scanned, observed)
        else:
            self._gone(scanned)
        self._actions(scanned.environment_id, scanned.id)

    def acting(self, acting: Acting) -> None:
        """An action after a step that was about it, and what there is beside it."""
        for environment_id in self.apis:
            self._actions(environment_id, acting.scanner.id)
        self.page(acting.environment_id, "scanners/", {}, views.scanners(self.model.within(acting.environment_id), {}))
        path = f"actions/{acting.id or uuid4()}/"
        answer = self.apis[acting.environment_id].get(path)
        if acting.id not in self.model.actions:
            self.check(answer, (404, "not_found", None))
            return
        self._document(acting, self.check(answer, (200, None, None)))
        same(answer.headers["etag"], acting.etag)

    def _actions(self, environment_id: int, scanner_id: str) -> None:
        """All of them and those of one scanner in turn."""
        self._turn += 1
        query = {"scanner": scanner_id} if self._turn % 3 == 0 else {}
        rows = views.actions(self.model.acting_within(environment_id), query.get("scanner", ""))
        self.page(environment_id, "actions/", query, rows)

    def _learn(self, scanned: Scanned) -> None:
        """Takes over the times of observations that have changed their status; those of others have not moved."""
        for document in self.get(scanned.environment_id, f"scanners/{scanned.id}/observations/")["results"]:
            row = scanned.observations[document["session_id"]]
            if row.learned == (row.run, row.status):
                continue
            times = {key: _time(document[key]) for key in ("created_at", "started_at", "completed_at")}
            same(times["created_at"], row.times.get("created_at", times["created_at"]))
            known = [at for at in times.values() if at is not None]
            same(known, sorted(known))
            row.times, row.learned = times, (row.run, row.status)

    def _scanner(self, scanned: Scanned, observed: Observed | None) -> None:
        environment_id, path = scanned.environment_id, f"scanners/{scanned.id}/"
        self._document(scanned, self.get(environment_id, path))
        query = self._next_order(views.OBSERVATION_ORDERS)
        rows = views.observations(scanned.observations.values(), query)
        self.page(environment_id, f"{path}observations/", query, rows)
        self.stats(scanned, {})
        if observed is not None:
            told = self.get(environment_id, f"observations/{observed.id}/")
            self._document(observed, told)
            same((told["previous_observation_id"], told["next_observation_id"]), views.neighbours(observed))
            plain = self.get(environment_id, f"{path}observations/{observed.id}/")
            same(plain, {**told, "previous_observation_id": None, "next_observation_id": None})

    def stats(self, scanned: Scanned, query: Mapping[str, str]) -> None:
        told = self.get(scanned.environment_id, f"scanners/{scanned.id}/observations/stats/", query)
        recent = datetime.now(UTC) - timedelta(days=14)
        same(told, views.observation_stats(scanned, query, recent))

    def _gone(self, scanned: Scanned) -> None:
        """A deleted scanner and all of its observations do not exist."""
        paths = [f"scanners/{scanned.id}/{more}" for more in ("", "observations/", "gaps/")]
        paths += [f"actions/{one.id}/" for one in self.model.buried_actions[-2:]]
        for one in [*scanned.observations.values()][:2]:
            paths += [f"observations/{one.id}/", f"scanners/{scanned.id}/observations/{one.id}/"]
        for path in paths:
            self.check(self.apis[scanned.environment_id].get(path), (404, "not_found", None))


def same(told: object, expected: object) -> None:
    assert _rounded(told) == _rounded(expected)


def _rounded(value: Any) -> Any:
    """Sums of floating-point numbers depend on their order."""
    match value:
        case float():
            return round(value, 9)
        case dict():
            return {key: _rounded(inner) for key, inner in value.items()}
        case list():
            return [_rounded(inner) for inner in value]
        case _:
            return value


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
