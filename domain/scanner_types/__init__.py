"""The four scanner types: what a config may say, what a provider may answer, what an observation stores.

A provider answers in the type's closed schema (``answer_schema``); ``check_output`` says what is wrong with an answer,
``model_output`` makes the stored document of contract 4.2 from a right one, with its free text made inert.
"""

from collections.abc import Callable, Mapping
from typing import Final, cast

from pydantic import ValidationError

from domain.errors import Invalid
from domain.plain_text import plain_text
from domain.scanner_types import classifier, monitor, scorer, summarizer
from domain.scanner_types.citations import Segment, citation, cut, outside, unreadable
from domain.scanner_types.defang import defang
from domain.scanner_types.findings import KEY as FINDINGS
from domain.scanner_types.findings import Finding, ProblemType, findings, join_findings, split_findings
from domain.scanner_types.private import PRIVATE_KEYS, join_private, split_private
from domain.scanner_types.rules import ClosedAnswer, as_object
from domain.scanner_types.titles import title

__all__ = [
    "FINDINGS",
    "PRIVATE_KEYS",
    "SCANNER_TYPES",
    "Finding",
    "ProblemType",
    "Segment",
    "answer_schema",
    "check_config",
    "check_output",
    "citation",
    "findings",
    "free_text",
    "join_findings",
    "join_private",
    "model_output",
    "split_findings",
    "split_private",
    "title",
]

SCANNER_TYPES: Final = ("monitor", "classifier", "scorer", "summarizer")

_CONFIG_CHECKS: Final[dict[str, Callable[[Mapping[str, object]], None]]] = {
    "monitor": monitor.check_config,
    "classifier": classifier.check_config,
    "scorer": scorer.check_config,
    "summarizer": summarizer.check_config,
}
_PROSE: Final = {
    "monitor": monitor.PROSE,
    "classifier": classifier.PROSE,
    "scorer": scorer.PROSE,
    "summarizer": summarizer.PROSE,
}
_SCHEMAS: Final[dict[str, type[ClosedAnswer]]] = {
    "monitor": monitor.Output,
    "classifier": classifier.Output,
    "scorer": scorer.Output,
    "summarizer": summarizer.Output,
}


def check_config(scanner_type: str, config: object) -> None:
    """Check a scanner's config by the rules of contract 3.2, in their order.

    Raises ``Invalid`` (field ``scanner_config``, code ``invalid_input``, one plain sentence) at the first rule broken,
    and ``Invalid`` on ``scanner_type`` for a type there is none of.
    """
    if scanner_type not in _CONFIG_CHECKS:
        raise Invalid(field="scanner_type", code="invalid_choice", message=f'"{scanner_type}" is not a valid choice.')
    _CONFIG_CHECKS[scanner_type](as_object(config))


def answer_schema(scanner_type: str) -> type[ClosedAnswer]:
    """The closed pydantic model a provider's answer must fit; its field order is the order to ask for."""
    return _SCHEMAS[scanner_type]


def check_output(
    scanner_type: str, config: Mapping[str, object], output: object, duration_ms: int | None = None
) -> list[str]:
    """What is wrong with a provider's answer, one line per problem; empty when it may be stored.

    Checks the closed schema, the type's rules under this (already checked) config, and, when ``duration_ms`` is given,
    that every cited second lies within the recording, one second of rounding allowed (engine 4.3, 4.4). A line names
    the field first and repeats nothing that the answer says, so that it may be sent back and be logged.
    """
    try:
        answer = _SCHEMAS[scanner_type].model_validate(output)
    except ValidationError as error:
        return [_broken(item) for item in error.errors(include_url=False, include_context=False, include_input=False)]
    found = _problems(config, answer)
    found += [f"{key}: must not be blank" for key in _PROSE[scanner_type] if not defang(getattr(answer, key))]
    for key, told in free_text(answer.model_dump()):
        text = plain_text(told)
        found += [f"{key}: a citation is not of the form (t 12)"] * bool(unreadable(text))
        if duration_ms is not None:
            found += [f"{key}: second {second:g} is outside the recording" for second in outside(text, duration_ms)]
    return found


def free_text(output: Mapping[str, object]) -> list[tuple[str, str]]:
    """Every free text of an answer that has the right shape, with the name of its field: all but verdicts and tags."""
    found: list[tuple[str, str]] = []
    for key, value in output.items():
        if key not in PRIVATE_KEYS:
            continue
        texts = cast(list[object], value) if isinstance(value, list) else [value]
        found += [(key, text) for text in texts if isinstance(text, str)]
    return found


def _broken(item: Mapping[str, object]) -> str:
    """One way in which an answer misses the schema. The name of a field of its own making is the answer's text."""
    if item["type"] == "extra_forbidden":
        return "answer: extra fields are not permitted"
    place = ".".join(map(str, cast(tuple[int | str, ...], item["loc"])))
    return f"{place or 'answer'}: {item['msg']}"


def model_output(
    scanner_type: str, config: Mapping[str, object], output: object, duration_ms: int
) -> dict[str, object]:
    """The document of contract 4.2 from an answer that ``check_output`` passes.

    Its free text is made inert, its prose cut into segments, freeform tags
    slugged, the scale's label stamped. Raises pydantic's ``ValidationError`` for an answer of another shape.
    """
    answer = _SCHEMAS[scanner_type].model_validate(output)
    document: dict[str, object] = {"scanner_type": scanner_type, **_fields(config, answer)}
    for key in _PROSE[scanner_type]:
        prose, segments = cut(defang(cast(str, document[key])), duration_ms)
        document[key], document[f"{key}_segments"] = prose, segments
    document["confidence"] = cast(float, answer.model_dump()["confidence"])
    return join_private(*split_private(document))


def _problems(config: Mapping[str, object], answer: ClosedAnswer) -> list[str]:
    match answer:
        case monitor.Output():
            return monitor.problems(config, answer)
        case classifier.Output():
            return classifier.problems(config, answer)
        case scorer.Output():
            return scorer.problems(config, answer)
        case summarizer.Output():
            return summarizer.problems(answer)
        case _:
            raise TypeError(f"no scanner type answers with {type(answer).__name__}")


def _fields(config: Mapping[str, object], answer: ClosedAnswer) -> dict[str, object]:
    match answer:
        case monitor.Output():
            return monitor.fields(answer)
        case classifier.Output():
            return classifier.fields(config, answer)
        case scorer.Output():
            return scorer.fields(config, answer)
        case summarizer.Output():
            return summarizer.fields(answer)
        case _:
            raise TypeError(f"no scanner type answers with {type(answer).__name__}")
