"""The provider "builtin": deterministic, without network, free of charge."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.builtin.reported import reported
from consumers.scanning.providers.builtin.scores import scorer
from consumers.scanning.providers.builtin.story import summarizer
from consumers.scanning.providers.builtin.tags import classifier
from consumers.scanning.providers.builtin.verdict import monitor
from consumers.scanning.providers.port import Answer, ProviderError, Question

PROVIDER: Final = "builtin"
MODEL: Final = "builtin"

_ANSWERS: Final[dict[str, Callable[[Mapping[str, Any], Evidence], dict[str, Any]]]] = {
    "monitor": monitor,
    "classifier": classifier,
    "scorer": scorer,
    "summarizer": summarizer,
}


class BuiltinProvider:
    """Answers every scanner type from signals and timeline: the same answer for the same question and evidence.

    Confidence falls where a prompt is beyond it. Page text is only ever compared and quoted, never followed.
    """

    def analyse(self, question: Question, evidence: Evidence) -> Answer:
        """Raises ``ProviderError`` (provider_rejected) for a scanner type there is none of."""
        answer = _ANSWERS.get(question.scanner_type)
        if answer is None:
            raise ProviderError("provider_rejected", f'There is no scanner type "{question.scanner_type}".')
        return Answer(
            output=answer(question.scanner_config, evidence),
            provider=PROVIDER,
            model=MODEL,
            findings=reported(evidence) if question.emits_signals else (),
        )
