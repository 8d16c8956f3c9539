"""The one port every provider implements (architecture 8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Protocol

from consumers.scanning.evidence import Evidence
from domain.scanner_types import Finding

FailureKind = Literal["provider_transient", "provider_rejected", "validation_failed", "internal_error"]
"""The kinds of a failed observation a provider can cause; only ``provider_transient`` is worth another try
(contract 4.1, engine 1.6)."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a scanner asks: its type and its config as checked by ``domain.scanner_types.check_config``.

    ``model`` is the model's id in the catalogue; ``emits_signals`` asks for findings beside the answer.
    """

    scanner_type: str
    scanner_config: Mapping[str, Any]
    model: str = "builtin"
    emits_signals: bool = False


@dataclass(frozen=True, slots=True)
class Used:
    """What one try took of a model.

    ``requests`` were sent, answered or not; tokens, and US dollars by the catalogue, are those of the answered ones.
    The digests (SHA-256, hexadecimal) are of what was asked and of the model's raw words; empty without any.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    requests: int = 0
    prompt_digest: str = ""
    answer_digest: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer.

    ``output`` has the closed shape of ``domain.scanner_types.answer_schema`` with citations
    ``(t seconds)`` in its prose; whoever asked checks it with ``check_answer`` and stores ``model_output`` of it.
    ``findings`` are those that were asked for and hold. The digests (SHA-256, hexadecimal) are of all that was asked
    and of the model's raw words; a provider that has none of its own leaves them empty. ``requests`` is how often a
    model was asked for it.
    """

    output: dict[str, Any]
    provider: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    findings: tuple[Finding, ...] = ()
    prompt_digest: str = ""
    answer_digest: str = ""
    requests: int = 0

    @property
    def used(self) -> Used:
        return Used(
            self.input_tokens, self.output_tokens, self.cost_usd, self.requests, self.prompt_digest, self.answer_digest
        )


class ProviderError(Exception):
    """A provider could not answer.

    ``message`` may be shown and holds neither page text nor keys; ``retry_after`` is in seconds, None when the
    provider named none; ``used`` is what the try took that came to nothing.
    """

    def __init__(
        self, kind: FailureKind, message: str, retry_after: float | None = None, used: Used | None = None
    ) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind: FailureKind = kind
        self.message = message
        self.retry_after = retry_after
        self.used = used or Used()


class Provider(Protocol):
    """Answers questions. One call is one paid attempt: retries are the caller's alone."""

    def analyse(self, question: Question, evidence: Evidence) -> Answer:
        """Answer ``question`` from ``evidence`` and nothing else. Raises ``ProviderError``."""
        ...
