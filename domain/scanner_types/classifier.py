"""Classifier: tags from a vocabulary, and freeform ones where the scanner allows them."""

from collections.abc import Mapping
from typing import Annotated, Final, cast

from pydantic import Field

from domain.scanner_types.rules import ClosedAnswer, Confidence, Prose, check_flag, check_keys, check_prompt, refuse
from domain.scanner_types.slug import freeform, slug

KEYS: Final = frozenset({"prompt", "tags", "multi_label", "allow_freeform_tags"})
PROSE: Final = ("reasoning",)
MAX_TAGS: Final = 100
TAG_MAX_CHARS: Final = 100
MAX_FREEFORM: Final = 5

Tag = Annotated[str, Field(min_length=1, max_length=TAG_MAX_CHARS)]


class Output(ClosedAnswer):
    reasoning: Prose
    tags: Annotated[list[Tag], Field(min_length=1, max_length=MAX_TAGS)]
    tags_freeform: Annotated[list[Tag], Field(max_length=MAX_TAGS, default_factory=list[str])]
    confidence: Confidence


def check_config(config: Mapping[str, object]) -> None:
    check_prompt(config)
    _check_tags(config.get("tags"))
    check_flag(config, "multi_label")
    check_flag(config, "allow_freeform_tags")
    check_keys(config, KEYS)


def _check_tags(value: object) -> None:
    """Rule 4 of contract 3.2, in its order."""
    if value is not None and not isinstance(value, list):
        refuse("Tags must be a list.")
    tags = cast(list[object], value or [])
    if not tags:
        refuse("At least one tag is needed.")
    if len(tags) > MAX_TAGS:
        refuse(f"At most {MAX_TAGS} tags are allowed.")
    if any(not isinstance(tag, str) or not tag.strip() for tag in tags):
        refuse("Every tag must be text that is not blank.")
    names = cast(list[str], tags)
    if any(len(name) > TAG_MAX_CHARS for name in names):
        refuse(f"A tag may have at most {TAG_MAX_CHARS} characters.")
    seen: dict[str, str] = {}
    for name in names:
        if not slug(name):
            refuse(f'The tag "{name}" must contain letters or digits.')
    for name in names:
        if slug(name) in seen:
            refuse(f'The tags "{seen[slug(name)]}" and "{name}" are the same tag.')
        seen[slug(name)] = name


def vocabulary(config: Mapping[str, object]) -> list[str]:
    return cast(list[str], config["tags"])


def problems(config: Mapping[str, object], output: Output) -> list[str]:
    """Tags are a subset of the vocabulary, verbatim; exactly one unless multi_label (contract 4.2)."""
    found: list[str] = []
    known = vocabulary(config)
    if any(tag not in known for tag in output.tags):
        found.append("tags: a tag is not in the vocabulary")
    if len(set(output.tags)) != len(output.tags):
        found.append("tags: a tag is given twice")
    if not config.get("multi_label", True) and len(output.tags) != 1:
        found.append("tags: exactly one tag is needed")
    if output.tags_freeform and not config.get("allow_freeform_tags", False):
        found.append("tags_freeform: not allowed by this scanner")
    return found


def fields(config: Mapping[str, object], output: Output) -> dict[str, object]:
    return {
        "tags": list(output.tags),
        "tags_freeform": freeform(output.tags_freeform, vocabulary(config), MAX_FREEFORM),
        "reasoning": output.reasoning,
    }
