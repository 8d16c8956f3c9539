"""Findings of scanners with emits_signals: asked for, judged one by one, stored apart from the answer, read again."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from consumers.scanning.providers.builtin import BuiltinProvider
from consumers.scanning.providers.port import Answer, Question
from domain.scanner_types import Finding, findings, join_findings
from domain.tenant import Tenant
from projections.catalogue import PROJECTIONS
from projections.engine.installing import install
from projections.queries.findings import findings_of
from projections.queries.observations import observation
from tests.projections.world import catch_up
from tests.scanning.answering import Answering
from tests.scanning.asking.asked import MODEL, ask
from tests.scanning.recorded import SESSIONS, TRUTH, evidence
from tests.scanning.scans import TENANT, Scans
from tests.servers.vendors.all import PROTOCOLS
from tests.servers.vendors.protocol import Protocol

pytestmark = pytest.mark.usefixtures("readable")

ABOUT = evidence("card_declined")
TOLD: dict[str, Any] = {
    "description": "The card was declined (t 69) without a reason.",
    "problem_type": "ux_friction",
    "start_time": 69,
    "end_time": 73.5,
    "headline": "Card declined",
    "confidence": 0.7,
}
KEPT = {**TOLD, "description": "The card was declined without a reason."}
ANSWER = {"reasoning": "Declined (t 69).", "verdict": "yes", "confidence": 0.8}


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, {}),
        ({"confidence": 0.4}, {"confidence": 0.4}),
        ({"confidence": 0.39}, None),
        ({"end_time": 86.9}, {"end_time": 86.4}),
        ({"end_time": 88}, None),
        ({"end_time": 68}, None),
        ({"start_time": -1}, None),
        ({"start_time": float("nan")}, None),
        ({"start_time": "69"}, None),
        ({"problem_type": "other"}, None),
        ({"headline": "a b c d e f g h i"}, {"headline": "a b c d e f g h"}),
        ({"headline": " \u200b"}, None),
        ({"description": "(t 69)"}, None),
        ({"description": "See [x](https://evil.example)"}, {"description": "See [x] (hxxps://evil[.]example)"}),
        ({"description": "x" * 1001}, None),
        ({"url": "/x"}, None),
    ],
)  # fmt: skip
def test_each_is_judged_by_itself(change: dict[str, Any], kept: dict[str, Any] | None) -> None:
    found = findings([TOLD, {**TOLD, **change}], 86_400)
    expected = [KEPT] if kept is None else [KEPT, {**KEPT, **kept}]
    assert [one.model_dump() for one in found] == expected


@pytest.mark.parametrize("told", [None, "x", {}, [None, 3, "x", []], [{}] * 30])
def test_what_is_no_finding_is_none(told: object) -> None:
    assert findings(told, 86_400) == []


def test_there_are_at_most_twenty() -> None:
    assert len(findings([TOLD] * 50, 86_400)) == 20


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_a_bad_finding_never_fails_the_answer(protocol: Protocol) -> None:
    told = [TOLD, {**TOLD, "end_time": 9000}, {**TOLD, "description": 'It said "You won".'}, "nonsense"]
    question = Question("monitor", {"prompt": "p"}, MODEL, emits_signals=True)
    asked = ask(protocol, question, ABOUT, [protocol.answer({**ANSWER, "findings": told})])
    assert asked.output == ANSWER
    assert asked.answer is not None
    assert [one.model_dump() for one in asked.answer.findings] == [KEPT]
    assert len(asked.requests) == 1
    assert '"problem_type"' in asked.bodies[0]


def test_nobody_is_asked_for_findings_that_are_not_wanted() -> None:
    protocol = PROTOCOLS[0]
    script = [protocol.answer({**ANSWER, "findings": [TOLD]})]
    asked = ask(protocol, Question("monitor", {"prompt": "p"}, MODEL), ABOUT, script)
    assert asked.answer is not None
    assert asked.answer.findings == ()
    assert "problem_type" not in asked.bodies[0]


def test_they_are_stored_apart_and_read_again(scans: Scans) -> None:
    kept = tuple(Finding.model_validate({**KEPT, "start_time": n, "end_time": n + 1}) for n in (5, 9))
    scans.providers["builtin"] = Answering([Answer({**ANSWER, "reasoning": "r"}, "builtin", "builtin", findings=kept)])
    asked = scans.request(scans.scanner(emits_signals=True))
    scans.scan()
    event = scans.last(asked)
    assert event["signals_count"] == 2
    assert event["result"]["findings"] == [
        {"problem_type": "ux_friction", "start_time": n, "end_time": n + 1, "confidence": 0.7} for n in (5.0, 9.0)
    ]
    assert "declined" not in repr(event), "what a finding says is private text"
    with scans.pool.connection() as connection:
        install(connection, PROJECTIONS)
        catch_up(connection)
        assert findings_of(connection, TENANT, asked) == [one.model_dump() for one in kept]
        assert findings_of(connection, Tenant(2, uuid4()), asked) is None
        document = observation(connection, TENANT, asked)
    assert document is not None
    result = document["scanner_result"]
    assert result["signals_count"] == 2
    assert set(result["model_output"]) == {"scanner_type", "verdict", "reasoning", "reasoning_segments", "confidence"}


def test_the_scanners_own_settings_are_asked(scans: Scans) -> None:
    class Listening:
        def __init__(self) -> None:
            self.asked: list[Question] = []

        def analyse(self, question: Question, evidence: object) -> Answer:
            del evidence
            self.asked.append(question)
            return Answer({**ANSWER, "reasoning": "r"}, "google", "g", prompt_digest="p" * 64, answer_digest="a" * 64)

    listening = Listening()
    scans.providers["google"] = listening
    wanted = scans.request(scans.scanner(provider="google", model="g", emits_signals=True))
    scans.scan()
    (question,) = listening.asked
    assert (question.model, question.emits_signals) == ("g", True)
    event = scans.last(wanted)
    assert (event["prompt_digest"], event["answer_digest"]) == ("p" * 64, "a" * 64)
    assert event["signals_count"] == 0
    assert "findings" not in event["result"]


def test_erased_text_leaves_where_and_how_sure() -> None:
    structured = {"problem_type": "bug", "start_time": 1.0, "end_time": 2.0, "confidence": 0.5}
    assert join_findings({"findings": [structured]}, None) == [structured]
    assert join_findings({}, {}) == []


@pytest.mark.parametrize("name", SESSIONS)
def test_the_built_in_analyser_reports_what_its_signals_show(name: str) -> None:
    question = Question("monitor", {"prompt": "Was there an error?"}, "builtin", emits_signals=True)
    answer = BuiltinProvider().analyse(question, evidence(name))
    again = findings([one.model_dump() for one in answer.findings], evidence(name).duration_ms)
    assert tuple(again) == answer.findings, "by the rules that hold for everybody"
    assert bool(answer.findings) or TRUTH["sessions"][name]["frustration"] <= 2
    quiet = BuiltinProvider().analyse(Question("monitor", {"prompt": "Was there an error?"}), evidence(name))
    assert quiet.findings == ()
    assert quiet.output == answer.output
