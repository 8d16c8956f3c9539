"""A model of a vendor is asked something small, by the vendor's own SDK, at a server that speaks its protocol."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.models import Model
from pydantic_ai.usage import RequestUsage

from consumers.scanning.providers.models import failures, vendors
from consumers.scanning.providers.models.access import Access
from consumers.scanning.providers.models.catalogue import CatalogueModel
from consumers.scanning.providers.port import ProviderError


class Verdict(BaseModel):
    reasoning: str
    verdict: str


OUTPUTS = {"tool": ToolOutput(Verdict), "schema": NativeOutput(Verdict)}

GOOD = {"reasoning": "It said so.", "verdict": "yes"}


@dataclass(frozen=True)
class Answered:
    output: Verdict
    usage: list[RequestUsage]
    """One for each request."""


def ask(entry: CatalogueModel, access: Access, way: str = "tool", tools: Any = ()) -> Answered:
    """One conversation without a second chance. Raises what the SDK and pydantic-ai raise."""
    return asked(vendors.model(entry, access), way, tools)


def asked(model: Model, way: str = "tool", tools: Any = ()) -> Answered:
    async def conversation() -> Answered:
        agent = Agent(model, output_type=OUTPUTS[way], retries=0, tools=tools)
        result = await agent.run("Did it work?")
        usage = [message.usage for message in result.new_messages() if message.kind == "response"]
        return Answered(result.output, usage)

    return asyncio.run(conversation())


def failure(entry: CatalogueModel, access: Access, way: str = "tool") -> ProviderError:
    """What it comes to when the vendor does not answer. Fails the test when it does."""
    try:
        answered = ask(entry, access, way)
    except Exception as error:  # noqa: BLE001 - whatever the SDK raises is the question
        return failures.provider_error(error)
    raise AssertionError(f"there was an answer: {answered}")
