"""A model asked over a vendor's own protocol, by the vendor's SDK, on the loopback address."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.models.provider import ModelProvider
from consumers.scanning.providers.port import Answer, ProviderError, Question
from tests.servers.vendors.all import access, entry
from tests.servers.vendors.protocol import Protocol
from tests.servers.vendors.server import Reply, Script, VendorServer

MODEL = "the-model"


@dataclass
class Asked:
    """What came of it, and what went over the wire: one document per request."""

    answer: Answer | None
    error: ProviderError | None
    requests: list[Any]
    bodies: list[str]

    @property
    def output(self) -> dict[str, Any]:
        assert self.answer is not None, self.error
        return self.answer.output


def ask(
    protocol: Protocol, question: Question, about: Evidence, script: Sequence[Script | Reply], **fields: Any
) -> Asked:
    """One try. `fields`: what the catalogue says otherwise of the model."""
    from consumers.scanning.providers.models.vendors import model  # noqa: PLC0415 - takes seconds

    with VendorServer(script) as server:
        reach = access(protocol, server)
        provider = ModelProvider(
            protocol.provider,
            lambda name: entry(protocol, **fields) if name == MODEL else None,
            lambda found: model(found, reach),
        )
        answer, error = None, None
        try:
            answer = provider.analyse(question, about)
        except ProviderError as failed:
            error = failed
        bodies = [seen.body.decode() for seen in server.requests]
        return Asked(answer, error, [json.loads(body) for body in bodies], bodies)


def texts(document: Any) -> list[str]:
    """Every text in a document of any protocol, however it is nested."""
    if isinstance(document, str):
        return [document]
    if isinstance(document, dict):
        document = list(document.values())
    return [text for each in document for text in texts(each)] if isinstance(document, list) else []
