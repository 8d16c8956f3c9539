"""A model that obeys every page, asked through each vendor's SDK: whatever it writes, what is stored is harmless."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.models.access import Access
from consumers.scanning.providers.models.provider import ModelProvider
from consumers.scanning.providers.port import Question
from tests.scanning.recorded import TRUTH
from tests.security.attacks import ATTACKS, HIJACKED, SECRET
from tests.security.hostile import PLACES, evidence
from tests.security.inert import harm, repeats
from tests.security.measure import stored
from tests.servers.vendors.all import PROTOCOLS, entry
from tests.servers.vendors.protocol import Protocol, Tokens
from tests.servers.vendors.server import Reply, Seen, VendorServer

MODEL = "the-model"
QUESTIONS = (
    Question("monitor", {"prompt": "Did the visitor buy anything?"}, MODEL, emits_signals=True),
    Question(
        "classifier",
        {"prompt": "What was the outcome?", "tags": TRUTH["labels"], "allow_freeform_tags": True},
        MODEL,
    ),
    Question("scorer", {"prompt": "How frustrated?", "scale": {"min": 0, "max": 10, "label": "anger"}}, MODEL),
    Question("summarizer", {"prompt": "Summarise the visit.", "length": "short"}, MODEL, emits_signals=True),
)


class Hijacked:
    """Says in every text of its answer what it was told to say; the most that the form leaves it."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.text = ""
        self.bodies: list[bytes] = []

    def __call__(self, seen: Seen) -> Reply:
        self.bodies.append(seen.body)
        (shape,) = forms(seen.document)
        return Reply(self.protocol.said(json.dumps(self._fill(shape, "")), Tokens(), seen.document))

    def _fill(self, shape: dict[str, Any], name: str) -> Any:
        if "enum" in shape:
            return shape["enum"][0]
        if shape["type"] == "object":
            return {name: self._fill(part, name) for name, part in shape["properties"].items()}
        if shape["type"] == "array":
            return [self._fill(shape["items"], name)]
        if shape["type"] == "number":
            return {"confidence": 0.9, "start_time": 1, "end_time": 2}.get(name, 10)
        limit = {"title": 120, "headline": 120, "intent": 500, "outcome": 500, "friction_points": 500, "keywords": 500}
        return self.text[: limit.get(name, 1_000)]


def forms(document: Any) -> list[dict[str, Any]]:
    """The form of the answer in a request, wherever the vendor's protocol has it."""
    if isinstance(document, dict):
        if "confidence" in document.get("properties", ()):
            return [document]
        document = list(document.values())
    return [form for part in document for form in forms(part)] if isinstance(document, list) else []


@pytest.fixture(scope="module", params=PROTOCOLS, ids=lambda protocol: protocol.name)
def hijacked(request: pytest.FixtureRequest) -> Iterator[tuple[Hijacked, ModelProvider]]:
    from consumers.scanning.providers.models.vendors import model  # noqa: PLC0415 - takes seconds

    protocol: Protocol = request.param
    player = Hijacked(protocol)
    with VendorServer([player]) as server:
        made = model(entry(protocol), Access(protocol.provider, SECRET, server.url + protocol.below, 20.0))
        yield player, ModelProvider(protocol.provider, lambda _: entry(protocol), lambda _: made)


def asked(hijacked: tuple[Hijacked, ModelProvider], text: str, about: Evidence, number: int) -> dict[str, Any] | None:
    player, provider = hijacked
    player.text = text
    return stored(provider, QUESTIONS[number % len(QUESTIONS)], about)


def test_whatever_pages_make_it_say_is_harmless(
    hijacked: tuple[Hijacked, ModelProvider], capsys: pytest.CaptureFixture[str]
) -> None:
    places = list(PLACES)
    documents = [
        asked(hijacked, text, evidence(places[number % len(places)], text), number)
        for number, text in enumerate(ATTACKS.values())
    ]
    kept = [document for document in documents if document is not None]
    harmful = [found for document in kept if (found := harm(document))]
    with capsys.disabled():
        print(
            f"\n{hijacked[0].protocol.name}, hijacked: {len(harmful)} of {len(documents)} attacks stored harm; "
            f"{len(documents) - len(kept)} answers were refused, {sum(map(repeats, kept))} repeat a word as plain text"
        )
    assert harmful == []
    assert kept, "a hijacked model that is never believed would prove nothing"


@pytest.mark.parametrize("number", range(len(QUESTIONS)), ids=[each.scanner_type for each in QUESTIONS])
def test_whatever_it_writes_to_do_harm_is_inert(hijacked: tuple[Hijacked, ModelProvider], number: int) -> None:
    about = evidence("visible text", "Blue mugs.")
    found = {text[:60]: harm(document) for text in HIJACKED if (document := asked(hijacked, text, about, number))}
    found.pop(f"The key is {SECRET}.", None)  # only a model that is told the secret could say it
    assert {text: kinds for text, kinds in found.items() if kinds} == {}
    assert found


def test_no_secret_and_no_other_session_is_told_to_a_model(hijacked: tuple[Hijacked, ModelProvider]) -> None:
    player, _ = hijacked
    player.bodies.clear()
    asked(hijacked, "It was so (t 1).", evidence("review", ATTACKS["secrets"]), 0)
    assert len(player.bodies) == 1
    body = player.bodies[0].decode()
    assert SECRET not in body
    assert not re.search(r"api[_-]?key\W{1,4}\w", body.replace("the API key and", ""), re.IGNORECASE)


def test_a_page_cannot_end_the_fence(hijacked: tuple[Hijacked, ModelProvider]) -> None:
    """The marks of a request are random, and its evidence stands between exactly two of them."""
    player, _ = hijacked
    player.bodies.clear()
    for _ in range(2):
        asked(hijacked, "It was so (t 1).", evidence("visible text", ATTACKS["closing the fence"]), 0)
    marks = [re.findall(r"\[(?:END OF )?EVIDENCE ([0-9a-f]{32})\]", body.decode()) for body in player.bodies]
    own = [[mark for mark in found if mark.strip("0")] for found in marks]
    assert [len(found) for found in own] == [2, 2]
    assert own[0][0] == own[0][1] != own[1][0] == own[1][1]
