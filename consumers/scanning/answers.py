"""Answers that were paid for: the same question about the same evidence is not paid twice (ADR 25).

An answer is kept by a digest of who was asked what, with all our own words, about which evidence. Only answers that
have passed every check are kept, never failures, and they are checked again before they are used. Those of `builtin`
are not: they are free, and made anew in milliseconds. Evaluations ask their providers themselves and never come here.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg
from psycopg.errors import ForeignKeyViolation
from psycopg_pool import ConnectionPool

from commands.sealing import Seal, Unsealable
from commands.store.private_text import storable
from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.checks import check_answer, check_findings
from consumers.scanning.providers.models.catalogue import BUILTIN
from consumers.scanning.providers.models.prompts import prompt_digest
from consumers.scanning.providers.port import Answer, Question
from domain.tenant import Tenant
from projections.queries.visible import VISIBLE, visible

log = logging.getLogger("replay_vision.scanning")

FORM: Final = 1
"""Of the key and of what is kept. A release that judges or stores answers differently raises it: none is used again."""

MAX_AGE: Final = timedelta(days=30)
"""Vendors change the models behind an id. Retention ends most answers before."""

MAX_ROWS: Final = 5_000
"""Answers of one environment; the oldest go when others come. Some 20 MB with answers of the usual size."""

MAX_BYTES: Final = 64 * 1024
"""One answer, sealed. The longest that passes the checks has about half of that."""

FORGOTTEN: Final = 1_000
"""Rows that one statement deletes, so that it holds no locks for long."""

_FIND = f"""
SELECT a.sealed FROM scanning.answer a JOIN capture.session s USING (environment_id, session_id)
WHERE a.environment_id = %(environment_id)s AND a.key = %(key)s AND a.made_at > %(since)s AND {VISIBLE}
"""  # noqa: S608 - a condition of our own
_KEEP = """
INSERT INTO scanning.answer AS a (environment_id, key, session_id, subject, sealed, made_at)
VALUES (%(environment_id)s, %(key)s, %(session_id)s, %(subject)s, %(sealed)s, %(made_at)s)
ON CONFLICT (environment_id, key) DO UPDATE
    SET session_id = excluded.session_id, subject = excluded.subject, sealed = excluded.sealed,
        made_at = excluded.made_at
"""
_COUNT = """
INSERT INTO scanning.answer_use AS u (outcome, number) VALUES (%s, 1)
ON CONFLICT (outcome) DO UPDATE SET number = u.number + 1
"""
_COUNTS = "SELECT outcome, number FROM scanning.answer_use ORDER BY outcome"
_BOUND = """
DELETE FROM scanning.answer WHERE environment_id = %(environment_id)s AND made_at < (
    SELECT made_at FROM scanning.answer WHERE environment_id = %(environment_id)s
    ORDER BY made_at DESC OFFSET %(rows)s LIMIT 1)
"""
_FORGET = """
DELETE FROM scanning.answer WHERE (environment_id, key) IN (
    SELECT environment_id, key FROM scanning.answer WHERE made_at <= %s LIMIT %s FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks whom: the observation, whose session it is about, and whom erasing must find the answer by."""

    observation_id: UUID
    provider: str
    session_id: str
    subject: str | None
    told: Collection[str] = ()
    """Digests of answers whose price the observation's failed tries have recorded: it has no other price any more."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer as an observation records it. `paid_by` is the observation that paid, None when it was asked for now.

    What was there has no tokens and no price: the observation that paid has them. One whose own earlier try paid, and
    died before it could say so, has them itself.
    """

    answer: Answer
    paid_by: UUID | None = None


class Answers:
    """The answers of all environments, each used in its own only. Thread-safe.

    Two workers that ask the same at the same moment both pay: nobody waits for another's model (ADR 25).
    """

    def __init__(
        self,
        pool: ConnectionPool[psycopg.Connection[Any]],
        seal: Seal,
        clock: Callable[[], datetime],
        *,
        servers: Mapping[str, str] | None = None,
    ) -> None:
        """`servers`: the address of each provider that has one of the operator's, as other models answer there."""
        self._pool = pool
        self._seal = seal
        self._clock = clock
        self._servers = servers or {}

    def told(
        self, tenant: Tenant, asked: Asked, question: Question, evidence: Evidence, ask: Callable[[], Answer]
    ) -> Told:
        """The answer that is there, or else the one that `ask` pays for, which is then kept.

        Raises what `ask` raises, and psycopg's outages before it is called.
        """
        if asked.provider == BUILTIN:
            return Told(ask())
        key = self._key(asked.provider, question, evidence)
        found = self._find(tenant, key, asked, question, evidence)
        if found is not None:
            return found
        answer = ask()
        self._keep(tenant, key, asked, answer)
        return Told(answer)

    def _find(self, tenant: Tenant, key: bytes, asked: Asked, question: Question, evidence: Evidence) -> Told | None:
        """Counts either way."""
        now = self._clock()
        values = {**visible(tenant, now), "key": key, "since": now - MAX_AGE}
        with self._pool.connection() as connection:
            row = connection.execute(_FIND.encode(), values).fetchone()
            kept = self._opened(tenant, key, row[0]) if row else None
            told = _checked(kept, asked, question, evidence) if kept else None
            connection.execute(_COUNT, ("hit" if told else "miss",))
        return told

    def _keep(self, tenant: Tenant, key: bytes, asked: Asked, answer: Answer) -> None:
        """Keeps an answer that has passed the checks, in place of one that no longer does.

        It is a saving and no part of the scan: a database that is away is logged, and an answer about a session that
        is gone meanwhile is not kept.
        """
        sealed = self._seal.seal(orjson.dumps(_document(tenant, key, answer, asked.observation_id)).decode())
        if len(sealed) > MAX_BYTES:
            return
        values = {
            "environment_id": tenant.environment_id,
            "key": key,
            "session_id": asked.session_id,
            "subject": storable(asked.subject),
            "sealed": sealed,
            "made_at": self._clock(),
        }
        try:
            with self._pool.connection() as connection:
                connection.execute(_KEEP, values)
                connection.execute(_BOUND, {"environment_id": tenant.environment_id, "rows": MAX_ROWS - 1})
        except ForeignKeyViolation:
            log.info("an answer is not kept: its session is gone", extra={"observation": str(asked.observation_id)})
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            log.warning("an answer is not kept: %s", error, extra={"observation": str(asked.observation_id)})

    def _key(self, provider: str, question: Question, evidence: Evidence) -> bytes:
        """`prompt_digest` covers our own words, the config as far as it is asked about, and the evidence's text."""
        asked = [
            FORM,
            provider,
            self._servers.get(provider, ""),
            question.model,
            question.scanner_type,
            question.emits_signals,
            evidence.digest,
            prompt_digest(question, evidence),
        ]
        return hashlib.sha256(orjson.dumps(asked)).digest()

    def _opened(self, tenant: Tenant, key: bytes, sealed: str) -> dict[str, Any] | None:
        """What was kept. None for what another secret has sealed, or what was sealed for another row."""
        try:
            document = orjson.loads(self._seal.unseal(sealed))
        except Unsealable:
            return None
        mine = (document["environment_id"], document["key"]) == (tenant.environment_id, key.hex())
        return document if mine else None


def forget(connection: psycopg.Connection[Any], now: datetime) -> int:
    """Deletes what is older than MAX_AGE, at most FORGOTTEN rows."""
    return connection.execute(_FORGET, (now - MAX_AGE, FORGOTTEN)).rowcount


def uses(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """How many answers were there (`hit`) and how many had to be asked for (`miss`), ever; for metrics."""
    return dict(connection.execute(_COUNTS).fetchall())


def _document(tenant: Tenant, key: bytes, answer: Answer, paid_by: UUID) -> dict[str, Any]:
    return {
        "environment_id": tenant.environment_id,
        "key": key.hex(),
        "paid_by": str(paid_by),
        "output": answer.output,
        "findings": [one.model_dump() for one in answer.findings],
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "cost_usd": str(answer.cost_usd),
        "requests": answer.requests,
        "prompt_digest": answer.prompt_digest,
        "answer_digest": answer.answer_digest,
    }


def _checked(kept: dict[str, Any], asked: Asked, question: Question, evidence: Evidence) -> Told | None:
    if check_answer(question, evidence, kept["output"]):
        return None
    paid_by = UUID(kept["paid_by"])
    answer = Answer(
        output=kept["output"],
        provider=asked.provider,
        model=question.model,
        findings=check_findings(question, evidence, kept["findings"]),
        prompt_digest=kept["prompt_digest"],
        answer_digest=kept["answer_digest"],
    )
    if paid_by == asked.observation_id and answer.answer_digest not in asked.told:
        price = Decimal(kept["cost_usd"])
        tokens = {"input_tokens": kept["input_tokens"], "output_tokens": kept["output_tokens"]}
        answer = replace(answer, cost_usd=price, requests=kept.get("requests", 1), **tokens)
    return Told(answer, paid_by)
