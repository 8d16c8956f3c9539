"""The form in which a model must answer: the closed schema of a scanner's type, under this scanner's config.

One JSON schema for every vendor, of what all of them take in their strict modes: types, enumerations, required fields,
no others. Bounds and lengths, which some refuse, are told in words and checked by us (``check_answer``). Fields come
in the order of engine 4.3, reasoning first and confidence last, since a model writes them in that order.
"""

from collections.abc import Mapping
from typing import Any, Final, cast, get_args

from consumers.scanning.providers.port import Question
from domain.plain_text import one_line
from domain.scanner_types import ProblemType

Schema = dict[str, Any]

NAME: Final = "answer"
FINDINGS: Final = "findings"

_LENGTHS: Final = {"short": "1 or 2 sentences", "medium": "1 paragraph", "long": "3 to 5 paragraphs"}
"""Contract 3.2."""


def form(question: Question) -> Schema:
    """The schema. All texts of the operator's in it are plain."""
    fields = dict(_FIELDS[question.scanner_type](question.scanner_config))
    if question.emits_signals:
        fields[FINDINGS] = _findings()
    fields["confidence"] = {"type": "number", "description": "How sure you are, 0 to 1, by the rules of confidence."}
    return _object(fields)


def filled(question: Question, answer: Mapping[str, object]) -> tuple[dict[str, Any], object]:
    """``(output, findings)`` of a model's answer: tags as the scanner spells them, findings apart from the rest."""
    output = {key: value for key, value in answer.items() if key != FINDINGS}
    told = output.get("tags")
    if question.scanner_type == "classifier" and isinstance(told, list):
        spelled = {one_line(tag): tag for tag in reversed(question.scanner_config["tags"])}
        tags = cast(list[object], told)
        output["tags"] = [spelled.get(tag, tag) if isinstance(tag, str) else tag for tag in tags]
    return output, answer.get(FINDINGS, []) if question.emits_signals else []


def _monitor(config: Mapping[str, Any]) -> Schema:
    verdicts = ["yes", "no", *(["inconclusive"] if config.get("allow_inconclusive") else [])]
    return {"reasoning": _reasoning(), "verdict": {"type": "string", "enum": verdicts}}


def _classifier(config: Mapping[str, Any]) -> Schema:
    tags = list(dict.fromkeys(map(one_line, config["tags"])))
    many = "every tag that fits, at least one" if config.get("multi_label", True) else "exactly one tag"
    fields: Schema = {
        "reasoning": _reasoning(),
        "tags": {"type": "array", "items": {"type": "string", "enum": tags}, "description": f"Of these, {many}."},
    }
    if config.get("allow_freeform_tags"):
        told = "At most 5 further tags of your own, of 1 to 3 words each, for what no tag says; else an empty list."
        fields["tags_freeform"] = {**_texts(), "description": told}
    return fields


def _scorer(config: Mapping[str, Any]) -> Schema:
    scale = config["scale"]
    label = f" of {one_line(scale['label'])}" if scale.get("label") else ""
    told = f"The score{label}: a number from {scale['min']} to {scale['max']}."
    return {"reasoning": _reasoning(), "score": {"type": "number", "description": told}}


def _summarizer(config: Mapping[str, Any]) -> Schema:
    length = _LENGTHS[config.get("length", "medium")]
    return {
        "summary": _text(f"What happened, in {length}, with citations."),
        "title": _text("At most 80 characters."),
        "intent": _text("What the visitor wanted, in one sentence; empty when it does not show."),
        "outcome": _text("What came of it, in one sentence."),
        "friction_points": {**_texts(), "description": "What stood in the way, a few words each; may be empty."},
        "keywords": {**_texts(), "description": "5 to 15 words to find the visit by, in lower case."},
    }


def _findings() -> Schema:
    item = _object(
        {
            "description": _text("What went wrong, in 1 to 3 sentences, without citations."),
            "problem_type": {
                "type": "string",
                "enum": list(get_args(ProblemType)),
            },
            "start_time": {"type": "number", "description": "The second at which it began."},
            "end_time": {"type": "number", "description": "The second at which it ended, not before it began."},
            "headline": _text("At most 8 words."),
            "confidence": {"type": "number", "description": "How sure you are that it is a problem, 0 to 1."},
        }
    )
    told = "Problems of the site that the visit shows, whatever the question is; an empty list when there is none."
    return {"type": "array", "items": item, "description": told}


def _reasoning() -> Schema:
    return _text("Why you answer so, in 1 to 4 sentences, with citations.")


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _texts() -> Schema:
    return {"type": "array", "items": {"type": "string"}}


def _object(fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


_FIELDS: Final = {
    "monitor": _monitor,
    "classifier": _classifier,
    "scorer": _scorer,
    "summarizer": _summarizer,
}
