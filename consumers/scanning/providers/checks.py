"""Whether an answer may be stored, whoever gave it. The checks are structural, and fail closed (architecture 8)."""

from collections.abc import Iterable
from typing import Any, Final

from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.port import ProviderError, Question
from consumers.scanning.providers.quotations import Sources
from domain.scanner_types import Finding, answer_schema, check_output, findings, free_text

MAX_PROBLEMS: Final = 10
"""Lines that are told about one answer: enough to put it right."""


def check_answer(question: Question, evidence: Evidence, output: object) -> list[str]:
    """What is wrong with an answer, one line per problem that begins with the field; empty when it may be stored.

    The type's own rules (``check_output``), then that whatever it quotes was there to be quoted. No line repeats
    the answer or the page.
    """
    problems = check_output(question.scanner_type, question.scanner_config, output, duration_ms=evidence.duration_ms)
    return (problems or _unfounded(question, evidence, output))[:MAX_PROBLEMS]


def refusal(question: Question, problems: list[str]) -> ProviderError:
    """What an answer with these problems fails with: only which field of ours is wrong, never what stands in it."""
    named = problems[0].partition(":")[0].partition(".")[0]
    part = named if named in answer_schema(question.scanner_type).model_fields else "form"
    return ProviderError("validation_failed", f"The answer breaks a rule about its {part}.")


def check_findings(question: Question, evidence: Evidence, told: object) -> tuple[Finding, ...]:
    """The findings that hold. One that quotes what was not there is left out, like any other bad one."""
    sources = Sources(question.scanner_config, evidence)
    kept = findings(told, evidence.duration_ms)
    return tuple(one for one in kept if not sources.missing(f"{one.headline}\n{one.description}"))


def _unfounded(question: Question, evidence: Evidence, output: Any) -> list[str]:
    sources = Sources(question.scanner_config, evidence)
    return [f"{field}: quotation {place} does not occur in the evidence" for field, place in _missing(sources, output)]


def _missing(sources: Sources, output: dict[str, object]) -> Iterable[tuple[str, int]]:
    return ((field, place) for field, text in free_text(output) for place in sources.missing(text))
