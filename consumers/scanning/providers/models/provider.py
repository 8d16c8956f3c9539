"""A vendor's models as a provider: one conversation per try, judged before anybody sees the answer."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from consumers.scanning.checks import check_findings
from consumers.scanning.evidence import Evidence
from consumers.scanning.providers import calls
from consumers.scanning.providers.calls import GivenUp
from consumers.scanning.providers.models.catalogue import CatalogueModel
from consumers.scanning.providers.models.form import filled
from consumers.scanning.providers.models.prices import cost_usd, plausible
from consumers.scanning.providers.models.prompts import prompt_digest
from consumers.scanning.providers.port import Answer, ProviderError, Question

if TYPE_CHECKING:
    from pydantic_ai.models import Model

TRY_SECONDS: Final = 1200.0
"""A whole try, with its correction (engine 1.3, step 6)."""


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

        try:
            conversation = Conversation(self._model(entry), question, evidence)
            told = calls.run(conversation.hold(), TRY_SECONDS)
        except GivenUp:
            raise
        except TimeoutError as error:
            raise ProviderError("provider_transient", "The model did not finish its answer in time.") from error
        except Exception as error:
            raise provider_error(error) from error
        if not all(map(plausible, told.usages)):
            raise ProviderError("provider_rejected", "The model provider's count of tokens cannot be right.")
        output, findings = filled(question, told.answer)
        return Answer(
            output=output,
            provider=self._name,
            model=entry.id,
            input_tokens=sum(usage.input_tokens for usage in told.usages),
            output_tokens=sum(usage.output_tokens for usage in told.usages),
            cost_usd=sum((cost_usd(entry, usage) for usage in told.usages), start=Decimal(0)),
            findings=check_findings(question, evidence, findings),
            prompt_digest=prompt_digest(question, evidence),
            answer_digest=told.digest,
        )
