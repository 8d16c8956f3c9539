"""What is asked: the monitors, the classifier, the scorer and the summarizer of `questions.json`, in all wordings.

`questions.json` is `{"monitors": {name: prompt}, "classifier": {"question", "labels"}, "scorer": {"question"}}`, where
labels are a list or an object by name; `wordings.json` has lists of further prompts under `monitors`, and may have them
under `classifier` and `scorer`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consumers.evaluation.labelled import SHAPES, Unlabelled
from domain.errors import Invalid
from domain.scanner_types import check_config

SCALE: Final = {"min": 0, "max": 10}
"""Of the scorer: the truth's frustration is 0 to 10."""
AS_WRITTEN: Final = "questions"
CLASSIFIER: Final = "classifier"
SCORER: Final = "scorer"
SUMMARIZER: Final = "summarizer"
SUMMARIZE: Final = "Summarise what the visitor wanted, what got in the way, and how it ended."


@dataclass(frozen=True, slots=True)
class Asked:
    """A question in one wording. ``wording`` is "questions" or "wordings 1", "wordings 2", ..."""

    name: str
    wording: str
    scanner_type: str
    config: Mapping[str, Any]


def questions_in(given: Mapping[str, Any], wordings: Mapping[str, Any] | None = None) -> list[Asked]:
    """Everything that is asked of each session. Raises Unlabelled for a question that no scanner could ask."""
    try:
        found = _all(given, wordings or {})
    except SHAPES as error:
        raise Unlabelled(f"the questions or wordings cannot be read ({type(error).__name__})") from error
    for asked in found:
        try:
            check_config(asked.scanner_type, asked.config)
        except Invalid as invalid:
            raise Unlabelled(f'the question "{asked.name}" ({asked.wording}): {invalid.message}') from invalid
    return found


def _all(given: Mapping[str, Any], other: Mapping[str, Any]) -> list[Asked]:
    found: list[Asked] = []
    for name, prompt in (given.get("monitors") or {}).items():
        for wording, text in _wordings(prompt, (other.get("monitors") or {}).get(name)):
            found.append(Asked(str(name), wording, "monitor", {"prompt": text}))
    if classifier := given.get("classifier"):
        tags = list(classifier["labels"])
        for wording, text in _wordings(classifier["question"], other.get(CLASSIFIER)):
            config = {"prompt": text, "tags": tags, "multi_label": False}
            found.append(Asked(CLASSIFIER, wording, "classifier", config))
    if scorer := given.get("scorer"):
        for wording, text in _wordings(scorer["question"], other.get(SCORER)):
            found.append(Asked(SCORER, wording, "scorer", {"prompt": text, "scale": SCALE}))
    found.append(Asked(SUMMARIZER, AS_WRITTEN, "summarizer", {"prompt": SUMMARIZE, "length": "medium"}))
    return found


def _wordings(first: str, others: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    yield AS_WRITTEN, first
    for number, text in enumerate(others or [], start=1):
        yield f"wordings {number}", text
