"""Calls of models, counted: how many there were, how they ended, how long they took and what they used.

In the database, as whoever is asked for metrics is another process than the one that calls. These are for dashboards:
what an observation cost is in its events. `builtin` calls nobody, and is not counted.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from time import monotonic
from typing import Any, Final

import psycopg
from psycopg.rows import class_row
from psycopg_pool import ConnectionPool

from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.calls import GivenUp
from consumers.scanning.providers.models.catalogue import BUILTIN
from consumers.scanning.providers.port import Answer, Provider, ProviderError, Question, Used

log = logging.getLogger("replay_vision.scanning")

OK: Final = "ok"
GIVEN_UP: Final = "given_up"
OTHER: Final = "other"
"""A model that the catalogue does not list, or no longer: labels must not grow with what scanners name."""

REPORT: Final = "report"
"""Stands in the place of a scanner's type where a report was asked for."""

BOUNDS: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds (engine 9, and one more: a request may take 600). The last bucket has no bound."""

PATIENCE: Final = 2.0
"""Seconds that counting waits for a connection. Then the call is not counted: its answer is worth more."""

_NOTE = """
INSERT INTO scanning.model_call AS c
    (provider, model, scanner_type, outcome, at_most, calls, requests, input_tokens, output_tokens, cost_usd, seconds)
VALUES (%(provider)s, %(model)s, %(scanner_type)s, %(outcome)s, %(at_most)s, 1, %(requests)s, %(input_tokens)s,
    %(output_tokens)s, %(cost_usd)s, %(seconds)s)
ON CONFLICT (provider, model, scanner_type, outcome, at_most) DO UPDATE
    SET calls = c.calls + 1, requests = c.requests + excluded.requests,
        input_tokens = c.input_tokens + excluded.input_tokens,
        output_tokens = c.output_tokens + excluded.output_tokens,
        cost_usd = c.cost_usd + excluded.cost_usd, seconds = c.seconds + excluded.seconds
"""
_COUNTED = """
SELECT provider, model, scanner_type, outcome, at_most, calls, requests, input_tokens, output_tokens, cost_usd, seconds
FROM scanning.model_call ORDER BY provider, model, scanner_type, outcome, at_most
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Calls of one kind that took no longer than `at_most` seconds, and longer than the bound before it; ever."""

    provider: str
    model: str
    scanner_type: str
    outcome: str
    """`ok`, `given_up` (lease lost or process stopped), or the kind of the failure."""
    at_most: float
    calls: int
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    seconds: float


class CountedProvider:
    """A provider whose calls are counted. Thread-safe if the provider is."""

    def __init__(self, name: str, provider: Provider, tally: Tally) -> None:
        self._name = name
        self._provider = provider
        self._tally = tally

    def analyse(self, question: Question, evidence: Evidence) -> Answer:
        """As the provider does."""
        began, outcome, used = monotonic(), "internal_error", Used()
        try:
            answer = self._provider.analyse(question, evidence)
            outcome, used = OK, answer.used
        except ProviderError as error:
            outcome, used = error.kind, error.used
            raise
        except GivenUp as given_up:
            outcome, used = GIVEN_UP, given_up.used
            raise
        finally:
            seconds = monotonic() - began
            self._tally.note(self._name, question.model, question.scanner_type, outcome, used, seconds)
        return answer


class Tally:
    """Notes calls of models. Thread-safe."""

    def __init__(self, models: Mapping[str, Collection[str]], pool: ConnectionPool[psycopg.Connection[Any]]) -> None:
        """`models`: the catalogue's ids, by provider."""
        self._models = models
        self._pool = pool

    def note(self, provider: str, model: str, about: str, outcome: str, used: Used, seconds: float) -> None:
        """`about`: the scanner's type, or REPORT. A database that is away is logged."""
        values = {
            "provider": provider,
            "model": model if model in self._models.get(provider, ()) else OTHER,
            "scanner_type": about,
            "outcome": outcome,
            "at_most": next((bound for bound in BOUNDS if seconds <= bound), float("inf")),
            "requests": used.requests,
            "input_tokens": used.input_tokens,
            "output_tokens": used.output_tokens,
            "cost_usd": used.cost_usd,
            "seconds": seconds,
        }
        try:
            with self._pool.connection(timeout=PATIENCE) as connection:
                connection.execute(_NOTE, values)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            log.warning("a call of a model is not counted: %s", error)


def counted(
    providers: Mapping[str, Provider],
    models: Mapping[str, Collection[str]],
    pool: ConnectionPool[psycopg.Connection[Any]],
) -> dict[str, Provider]:
    """The same providers, with their calls counted. `models`: the catalogue's ids, by provider."""
    tally = Tally(models, pool)
    return {
        name: provider if name == BUILTIN else CountedProvider(name, provider, tally)
        for name, provider in providers.items()
    }


def counts(connection: psycopg.Connection[Any]) -> list[Counted]:
    """All that was counted, ever; for metrics. Some ten rows for each model, type of scanner and outcome."""
    with connection.cursor(row_factory=class_row(Counted)) as cursor:
        return cursor.execute(_COUNTED).fetchall()
