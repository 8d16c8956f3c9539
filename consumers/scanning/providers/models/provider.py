"""A vendor's models as a provider: one conversation per try, judged before anybody sees the answer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from consumers.scanning.evidence import Evidence
from consumers.scanning.providers import calls
from consumers.scanning.providers.calls import GivenUp
from consumers.scanning.providers.checks import check_findings
from consumers.scanning.providers.models.catalogue import CatalogueModel
from consumers.scanning.providers.models.exchange import Exchange
from consumers.scanning.providers.models.form import filled
from consumers.scanning.providers.models.prompts import prompt_digest
from consumers.scanning.providers.port import Answer, FailureKind, ProviderError, Question, Used

if TYPE_CHECKING:
    from pydantic_ai.models import Model

TRY_SECONDS: Final = 1200.0
"""A whole try, with its correction (engine 1.3, step 6)."""

_IMPLAUSIBLE: Final = "The model provider's count of tokens cannot be right."
_LATE: Final[tuple[FailureKind, str]] = ("provider_transient", "The model did not finish its answer in time.")


class ModelProvider:
    """Asks the models of one vendor. Thread-safe: each try has an event loop and a connection of its own."""

    def __init__(
        self, name: str, find: Callable[[str], CatalogueModel | None], model: Callable[[CatalogueModel], "Model"]
    ) -> None:
        """`find` looks a model's id up in the catalogue; `model` makes it ready, or raises ProviderError."""
        self._name = name
        self._find = find
        self._model = model

    def analyse(self, question: Question, evidence: Evidence) -> Answer:
        """One paid try. Raises ``ProviderError``, also for an answer that stays wrong after its one correction."""
        entry = self._find(question.model)
        if entry is None:
            raise ProviderError("provider_rejected", "The scanner's model is not, or no longer, in the catalogue.")
        from consumers.scanning.providers.models.conversation import Conversation  # noqa: PLC0415 - takes seconds
        from consumers.scanning.providers.models.failures import provider_error  # noqa: PLC0415 - likewise

        exchange = Exchange()

        def used() -> Used:
            return exchange.used(entry, prompt_digest(question, evidence) if exchange.requests else "")

        try:
            told = calls.run(Conversation(self._model(entry), question, evidence, exchange).hold(), TRY_SECONDS)
        except GivenUp as given_up:
            given_up.used = used()
            raise
        except Exception as error:
            failure = ProviderError(*_LATE) if isinstance(error, TimeoutError) else provider_error(error)
            failure.used = used()
            raise failure from error
        if not exchange.plausible:
            raise ProviderError("provider_rejected", _IMPLAUSIBLE, used=used())
        output, findings = filled(question, told)
        took = used()
        return Answer(
            output=output,
            provider=self._name,
            model=entry.id,
            input_tokens=took.input_tokens,
            output_tokens=took.output_tokens,
            cost_usd=took.cost_usd,
            findings=check_findings(question, evidence, findings),
            prompt_digest=took.prompt_digest,
            answer_digest=took.answer_digest,
            requests=took.requests,
        )
