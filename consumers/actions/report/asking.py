"""One request to a model for a text. Importing this imports pydantic-ai, which takes seconds: only what asks does."""

from __future__ import annotations

from typing import Final

from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import ContentFilterError, OutputTokenLimitExceeded
from pydantic_ai.messages import ModelRequest, TextPart, UserPromptPart
from pydantic_ai.models import Model

from consumers.scanning.providers.models.exchange import Exchange

_CUT_OFF: Final = "The text was cut off."
_REFUSED: Final = "The model refused."


async def ask(model: Model, instructions: str, message: str, exchange: Exchange) -> str:
    """What the model writes, empty when it writes nothing. One request, and no second one whatever comes.

    `exchange` gets the request as it is sent and the answer as it comes. Raises what pydantic-ai raises, which
    ``consumers.scanning.providers.models.failures`` reads.
    """
    exchange.requests += 1
    request = ModelRequest(parts=[UserPromptPart(message)], instructions=instructions)
    response = await model_request(model, [request])
    exchange.usages.append(response.usage)
    text = "".join(part.content for part in response.parts if isinstance(part, TextPart)).strip()
    if text:
        exchange.raw.append(text)
    if response.finish_reason == "length":
        raise OutputTokenLimitExceeded(_CUT_OFF)
    if response.finish_reason == "content_filter":
        raise ContentFilterError(_REFUSED)
    return text
