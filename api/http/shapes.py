"""What a scanner's configuration and an observation's output look like, type by type, for the OpenAPI document.

The rules themselves are the domain's (contract 3.2, 4.2); tests/schema holds these shapes against it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.http.fields import NOT_BLANK
from domain.scanner_types.classifier import MAX_FREEFORM, MAX_TAGS, TAG_MAX_CHARS
from domain.scanner_types.rules import PROMPT_MAX_CHARS
from domain.scanner_types.summarizer import TITLE_MAX_CHARS

Prompt = Annotated[str, Field(min_length=1, max_length=PROMPT_MAX_CHARS, pattern=NOT_BLANK)]
Tag = Annotated[
    str,
    Field(min_length=1, max_length=TAG_MAX_CHARS, pattern=r"^[^\u0000]*[A-Za-z0-9-][^\u0000]*$"),
]


class _Shape(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class _Config(_Shape):
    model_config = ConfigDict(extra="forbid")

    prompt: Prompt
    """What to look for, in plain words."""


class MonitorConfig(_Config):
    """A yes or no question."""

    allow_inconclusive: bool = False
    """Whether `inconclusive` is an answer too."""


class ClassifierConfig(_Config):
    """Tags from a vocabulary."""

    tags: Annotated[list[Tag], Field(min_length=1, max_length=MAX_TAGS)]
    """The vocabulary. Tags that differ only in case, spaces or signs are the same tag and are refused."""
    multi_label: bool = True
    """Whether one session may have several tags."""
    allow_freeform_tags: bool = False
    """Whether tags outside the vocabulary may be given."""


class Scale(_Shape):
    """Both ends included; `min` is below `max`."""

    model_config = ConfigDict(extra="forbid")

    min: float
    max: float
    label: Annotated[str, Field(pattern=r"^[^\u0000]*$")] | None = None
    """What the number measures."""


class ScorerConfig(_Config):
    """A number on a scale."""

    scale: Scale


class SummarizerConfig(_Config):
    """A title, a summary and what the visitor wanted, got and stumbled over."""

    length: Literal["short", "medium", "long"] = "medium"
    """One or two sentences, a paragraph, or three to five paragraphs."""


ScannerConfig = ClassifierConfig | ScorerConfig | SummarizerConfig | MonitorConfig

CONFIGS: dict[str, type[_Config]] = {
    "monitor": MonitorConfig,
    "classifier": ClassifierConfig,
    "scorer": ScorerConfig,
    "summarizer": SummarizerConfig,
}


class TextSegment(_Shape):
    """Plain text."""

    kind: Literal["text"]
    value: str


class ChipSegment(_Shape):
    """A citation of a moment of the recording."""

    kind: Literal["chip"]
    timestamp_ms: Annotated[int, Field(ge=0)]


Segments = list[TextSegment | ChipSegment]


class _Output(_Shape):
    confidence: Annotated[float, Field(ge=0, le=1)]


class _Reasoned(_Output):
    """Text about the visitor is absent once it has been erased."""

    reasoning: str = ""
    reasoning_segments: Segments = []
    """The same text, cut at its citations."""


class MonitorOutput(_Reasoned):
    """A monitor's answer."""

    scanner_type: Literal["monitor"]
    verdict: Literal["yes", "no", "inconclusive"]


class ClassifierOutput(_Reasoned):
    """A classifier's answer."""

    scanner_type: Literal["classifier"]
    tags: Annotated[list[str], Field(min_length=1)]
    """From the vocabulary, as it spells them."""
    tags_freeform: Annotated[list[str], Field(max_length=MAX_FREEFORM)] = []


class ScorerOutput(_Reasoned):
    """A scorer's answer."""

    scanner_type: Literal["scorer"]
    score: float
    label: str | None
    """The label of the scanner's scale."""


class SummarizerOutput(_Output):
    """A summarizer's answer. Text about the visitor is absent once it has been erased."""

    scanner_type: Literal["summarizer"]
    title: Annotated[str, Field(max_length=TITLE_MAX_CHARS)] = ""
    summary: str = ""
    summary_segments: Segments = []
    intent: str = ""
    outcome: str = ""
    friction_points: list[str] = []
    keywords: list[str] = []


ModelOutput = MonitorOutput | ClassifierOutput | ScorerOutput | SummarizerOutput


def configured_by_type(schema: dict[str, Any]) -> None:
    """Adds to the schema of a new scanner that its configuration is the one of its type."""
    schema["allOf"] = [
        {
            "if": {"properties": {"scanner_type": {"const": name}}, "required": ["scanner_type"]},
            "then": {"properties": {"scanner_config": {"$ref": f"#/components/schemas/{config.__name__}"}}},
        }
        for name, config in CONFIGS.items()
    ]
