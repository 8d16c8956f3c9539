"""The document's shapes of configurations and outputs are the domain's."""

from __future__ import annotations

from typing import Any

import pytest

from api.http.shapes import CONFIGS
from domain.errors import Invalid
from domain.scanner_types import SCANNER_TYPES, check_config, classifier, model_output, monitor, scorer, summarizer
from tests.schema.test_document import DOCUMENT, problems

KEYS = {"monitor": monitor.KEYS, "classifier": classifier.KEYS, "scorer": scorer.KEYS, "summarizer": summarizer.KEYS}

ANSWERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "monitor": ({"prompt": "p"}, {"reasoning": "Left (t 3).", "verdict": "no", "confidence": 1}),
    "classifier": (
        {"prompt": "p", "tags": ["a"], "allow_freeform_tags": True},
        {"reasoning": "r", "tags": ["a"], "tags_freeform": ["Other one"], "confidence": 0.5},
    ),
    "scorer": (
        {"prompt": "p", "scale": {"min": 0, "max": 10}},
        {"reasoning": "r", "score": 4.0, "confidence": 0.5},
    ),
    "summarizer": ({"prompt": "p"}, {"summary": "s (t 1)", "title": "t", "confidence": 0}),
}
"""By type: a configuration, and what a provider answers to it."""

WRONG: dict[str, list[dict[str, Any]]] = {
    "monitor": [{}, {"prompt": " "}, {"prompt": "p", "allow_inconclusive": 1}, {"prompt": "p", "tags": []}],
    "classifier": [{"prompt": "p"}, {"prompt": "p", "tags": []}, {"prompt": "p", "tags": ["_"]}],
    "scorer": [{"prompt": "p"}, {"prompt": "p", "scale": {"min": 0}}, {"prompt": "p", "scale": {"min": 0, "max": "1"}}],
    "summarizer": [{"prompt": "p", "length": "huge"}, {"prompt": "p" * 20_001}],
}


def named(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def test_every_type_has_its_keys() -> None:
    assert tuple(CONFIGS) == SCANNER_TYPES
    assert {name: set(config.model_fields) for name, config in CONFIGS.items()} == KEYS


@pytest.mark.parametrize("scanner_type", SCANNER_TYPES)
def test_what_the_domain_takes_fits_and_what_it_refuses_does_not(scanner_type: str) -> None:
    config, answer = ANSWERS[scanner_type]
    check_config(scanner_type, config)
    assert problems(named(CONFIGS[scanner_type].__name__), config) == []
    assert (
        problems(
            named("ScannerResult"),
            {"model_output": model_output(scanner_type, config, answer, 9000), "signals_count": 0},
        )
        == []
    )
    for wrong in WRONG[scanner_type]:
        with pytest.raises(Invalid):
            check_config(scanner_type, wrong)
        assert problems(named(CONFIGS[scanner_type].__name__), wrong), wrong


def test_a_new_scanners_configuration_is_that_of_its_type() -> None:
    body = {"name": "n", "model": "builtin", "scanner_config": {"prompt": "p"}}
    assert problems(named("CreateScanner"), {**body, "scanner_type": "monitor"}) == []
    assert problems(named("CreateScanner"), {**body, "scanner_type": "scorer"})
    assert DOCUMENT["components"]["schemas"]["EditScanner"].get("allOf") is None
