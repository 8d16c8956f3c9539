"""One conversation with a model about one session: the question, at most one correction, at most one plea for brevity.

Importing this imports pydantic-ai, which takes seconds: only what asks a model does, at that moment.
"""

from typing import Any, Final

from pydantic import ValidationError
from pydantic_ai import Agent, ModelRetry, NativeOutput, RunContext, StructuredDict, ToolOutput
from pydantic_ai.capabilities import Hooks
from pydantic_ai.exceptions import OutputTokenLimitExceeded, UnexpectedModelBehavior
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import Model, ModelRequestContext
from pydantic_ai.usage import UsageLimits

from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.checks import check_answer, refusal
from consumers.scanning.providers.models.exchange import Exchange
from consumers.scanning.providers.models.fence import Fence
from consumers.scanning.providers.models.form import NAME, filled, form
from consumers.scanning.providers.models.prompts import instructions, message
from consumers.scanning.providers.port import ProviderError, Question

CORRECTIONS: Final = 1
"""Answers of a conversation that are sent back with what is wrong with them (engine 4.2)."""

MAX_REQUESTS: Final = 1 + CORRECTIONS
"""To the model in one conversation, and one more after an answer that was cut off."""

_UNREADABLE: Final = "The answer is not one JSON object of the form that was asked for. Answer again with nothing else."
_SILENT: Final = "The model provider gave no answer, twice."
_NO_FORM: Final = "The answer has no form that can be read."
_WRONG: Final = "The answer breaks these rules:\n{problems}\nAnswer again, with the whole answer put right."
_BRIEF: Final = """

An earlier answer was too long and was cut off. Be brief: think shortly, and write half as much in every field."""


class Conversation:
    """Asks one question about one session's evidence. For one use."""

    def __init__(self, model: Model, question: Question, evidence: Evidence, exchange: Exchange) -> None:
        """`exchange` gets each request as it is sent, and each answer as it comes."""
        self._model = model
        self._question = question
        self._evidence = evidence
        self._exchange = exchange
        self._most = MAX_REQUESTS
        self._cut_off = False

    async def hold(self) -> dict[str, Any]:
        """The answer in the form asked for.

        Raises ProviderError (``validation_failed``) for answers that stay wrong, and what pydantic-ai raises.
        """
        asked = message(self._evidence, Fence.drawn())
        try:
            return await self._run(asked)
        except OutputTokenLimitExceeded:
            # Cut off, and often empty: not sent back, but asked anew (engine 4.2).
            self._most += 1
            return await self._run(asked + _BRIEF)

    async def _run(self, asked: str) -> dict[str, Any]:
        try:
            result = await self._agent().run(asked, usage_limits=UsageLimits(request_limit=self._left))
        except UnexpectedModelBehavior as error:
            if type(error) is UnexpectedModelBehavior and self._silent:
                raise ProviderError("provider_rejected", _SILENT) from error
            raise
        return result.output

    @property
    def _silent(self) -> bool:
        """Whether there was not a word in several answers: engine 1.6 takes that for a refusal."""
        return len(self._exchange.usages) > CORRECTIONS and not self._exchange.raw

    def _agent(self) -> Agent[None, dict[str, Any]]:
        agent: Agent[None, dict[str, Any]] = Agent(
            self._model,
            output_type=self._output(),
            instructions=instructions(self._question),
            deps_type=type(None),
            retries={"output": self._left - 1, "tools": 0},
            capabilities=[
                Hooks(
                    before_model_request=self._count,
                    after_model_request=self._keep,
                    output_validate_error=self._unreadable,
                )
            ],
        )
        agent.output_validator(self._checked)
        return agent

    def _output(self) -> NativeOutput[dict[str, Any]] | ToolOutput[dict[str, Any]]:
        """The vendor's own structured output where the model has it: the decoder then keeps to the schema.

        Else a tool that the model must call, the older way to the same end.
        """
        shape = StructuredDict(form(self._question), name=NAME)
        if self._model.profile.get("supports_json_schema_output", False):
            return NativeOutput(shape, name=NAME, strict=True)
        return ToolOutput(shape, strict=True)

    def _checked(self, answer: dict[str, Any]) -> dict[str, Any]:
        output, _ = filled(self._question, answer)
        problems = check_answer(self._question, self._evidence, output)
        if problems:
            told = "\n".join(f"- {problem}" for problem in problems)
            raise self._correction(_WRONG.format(problems=told), refusal(self._question, problems))
        return answer

    def _unreadable(self, _: RunContext[None], *, error: ValidationError | ModelRetry, **__: object) -> Any:
        """In our words: pydantic's would send the whole answer back, and with it what it repeats of a page."""
        if isinstance(error, ModelRetry):
            raise error
        if self._cut_off:
            raise OutputTokenLimitExceeded(_NO_FORM) from error
        raise self._correction(
            _UNREADABLE, ProviderError("validation_failed", "The answer is not of the form asked for.")
        )

    def _correction(self, told: str, failure: ProviderError) -> ModelRetry | ProviderError:
        """Sends the answer back as long as there is a request left; then the try has failed."""
        return ModelRetry(told) if self._left else failure

    @property
    def _left(self) -> int:
        return self._most - len(self._exchange.usages)

    async def _count(self, _: RunContext[None], request: ModelRequestContext) -> ModelRequestContext:
        self._exchange.requests += 1
        return request

    async def _keep(self, _: RunContext[None], *, response: ModelResponse, **__: object) -> ModelResponse:
        self._cut_off = response.finish_reason == "length"
        self._exchange.usages.append(response.usage)
        said = [part.content for part in response.parts if isinstance(part, TextPart)]
        called = [part.args_as_json_str() for part in response.parts if isinstance(part, ToolCallPart)]
        self._exchange.raw += [*said, *called]
        return response
