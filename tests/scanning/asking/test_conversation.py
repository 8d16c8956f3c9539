"""How a model is asked and its answer judged: every vendor's SDK against a server that speaks the vendor's protocol."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from consumers.scanning.providers.port import Answer, ProviderError, Question
from tests.scanning.asking.asked import MODEL, Asked, ask, texts
from tests.scanning.recorded import evidence
from tests.servers.vendors.all import PROTOCOLS
from tests.servers.vendors.anthropic import Messages
from tests.servers.vendors.openai import ChatCompletions
from tests.servers.vendors.protocol import Protocol, Tokens
from tests.servers.vendors.server import Reply, Seen

ABOUT = evidence("card_declined")
PROMPT = "Was a card declined?"
MONITOR = Question("monitor", {"prompt": PROMPT, "allow_inconclusive": True}, MODEL)
GOOD = {"reasoning": 'It says "Payment declined. Try another card." (t 69).', "verdict": "yes", "confidence": 0.8}
ANY = ChatCompletions()

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)


def feedback(asked: Asked, number: int = 1) -> str:
    """What a further request says that the first did not."""
    before = {text for document in asked.requests[:number] for text in texts(document)}
    return "\n".join(text for text in texts(asked.requests[number]) if text not in before)


def bill(error: ProviderError) -> tuple[int, int, Decimal, int]:
    used = error.used
    return used.input_tokens, used.output_tokens, used.cost_usd, used.requests


def digests(told: ProviderError | Answer) -> tuple[str, str]:
    """Of what was asked and of what was said."""
    return told.used.prompt_digest, told.used.answer_digest


@each_protocol
def test_an_answer_of_the_form_asked_for(protocol: Protocol) -> None:
    asked = ask(protocol, MONITOR, ABOUT, [protocol.answer(GOOD, Tokens(1200, 80, 200))])
    assert asked.output == GOOD
    answer = asked.answer
    assert answer is not None
    assert (answer.provider, answer.model) == (protocol.provider, protocol.model)
    assert (answer.input_tokens, answer.output_tokens) == (1200, 80)
    assert answer.cost_usd == Decimal("0.00182")
    assert re.fullmatch(r"[0-9a-f]{64}", answer.prompt_digest)
    assert re.fullmatch(r"[0-9a-f]{64}", answer.answer_digest)
    assert len(asked.requests) == 1


@each_protocol
def test_the_schema_is_the_vendors_own_and_in_order(protocol: Protocol) -> None:
    """No tool stands in for it, and reasoning is written first, confidence last."""
    asked = ask(protocol, MONITOR, ABOUT, [protocol.answer(GOOD)])
    assert protocol.tools(asked.requests[0]) == []
    assert re.search(r'"enum": ?\["yes", ?"no", ?"inconclusive"\]', asked.bodies[0])
    tight = asked.bodies[0].replace('": ', '":')
    places = [tight.index(f'"{name}":{{') for name in ("reasoning", "verdict", "confidence")]
    assert places == sorted(places)
    assert re.search(r'"required": ?\["reasoning", ?"verdict", ?"confidence"\]', asked.bodies[0])
    assert re.search(r'"additionalProperties": ?false', asked.bodies[0])


@each_protocol
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"reasoning": "Declined (t 999)."}, "reasoning: second 999 is outside the recording"),
        ({"reasoning": 'It says "You won" (t 69).'}, "reasoning: quotation 1 does not occur in the evidence"),
        ({"verdict": "perhaps"}, "verdict: "),
        ({"confidence": 7}, "confidence: "),
    ],
)
def test_a_wrong_answer_is_sent_back_once(protocol: Protocol, wrong: dict[str, Any], says: str) -> None:
    script = [protocol.answer({**GOOD, **wrong}), protocol.answer(GOOD)]
    asked = ask(protocol, MONITOR, ABOUT, script)
    assert asked.output == GOOD
    assert len(asked.requests) == 2
    assert says in feedback(asked)
    assert "Payment declined" not in feedback(asked).replace(json.dumps({**GOOD, **wrong}), "")
    answer = asked.answer
    assert answer is not None
    assert (answer.input_tokens, answer.output_tokens, answer.cost_usd) == (2400, 160, Decimal("0.00364"))
    assert answer.requests == 2


@each_protocol
def test_a_second_wrong_answer_is_the_last(protocol: Protocol) -> None:
    wrong = protocol.answer({**GOOD, "reasoning": 'It says "Secret words" (t 69).'})
    asked = ask(protocol, MONITOR, ABOUT, [wrong])
    assert asked.error is not None
    assert (asked.error.kind, asked.error.message) == (
        "validation_failed",
        "The answer breaks a rule about its reasoning.",
    )
    assert len(asked.requests) == 2
    assert bill(asked.error) == (2400, 160, Decimal("0.00364"), 2), "both are on the vendor's bill"
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests(asked.error))


def test_what_was_paid_before_a_failure_of_another_kind_is_told() -> None:
    wrong = ANY.answer({**GOOD, "verdict": "perhaps"})
    failed = ask(ANY, MONITOR, ABOUT, [wrong, ANY.error(503, "away")]).error
    assert failed is not None
    assert failed.kind == "provider_transient"
    assert bill(failed) == (1200, 80, Decimal("0.00182"), 2)
    refused = ask(ANY, MONITOR, ABOUT, [ANY.error(401, "no")]).error
    assert refused is not None
    assert bill(refused) == (0, 0, 0, 1)
    assert digests(refused) == (digests(failed)[0], ""), "what was asked is the same; nothing was said"


@each_protocol
def test_an_answer_that_cannot_be_read_is_not_quoted(protocol: Protocol) -> None:
    text = "Payment declined, since you ask."
    asked = ask(protocol, MONITOR, ABOUT, [protocol.text(text), protocol.answer(GOOD)])
    assert asked.output == GOOD
    assert "not one JSON object" in feedback(asked)
    assert feedback(asked).count(text) <= 1  # as the model's own turn, not in ours
    twice = ask(protocol, MONITOR, ABOUT, [protocol.text(text)])
    assert twice.error is not None
    assert twice.error.kind == "validation_failed"
    assert text not in twice.error.message
    assert len(twice.requests) == 2


@each_protocol
def test_an_answer_that_was_cut_off_is_asked_for_again_in_brief(protocol: Protocol) -> None:
    asked = ask(protocol, MONITOR, ABOUT, [protocol.truncated('{"reasoning": "The vis'), protocol.answer(GOOD)])
    assert asked.output == GOOD
    assert "Be brief" in asked.bodies[1]
    assert "The vis" not in asked.bodies[1].replace("The visit", "")
    assert "Be brief" not in asked.bodies[0]
    twice = ask(protocol, MONITOR, ABOUT, [protocol.truncated("")])
    assert twice.error is not None
    assert twice.error.kind == "validation_failed"
    assert len(twice.requests) == 2


def test_brevity_and_a_correction_have_each_their_turn_and_no_more() -> None:
    wrong = ANY.answer({**GOOD, "verdict": "perhaps"})
    asked = ask(ANY, MONITOR, ABOUT, [ANY.truncated(""), wrong, ANY.answer(GOOD)])
    assert asked.output == GOOD
    asked = ask(ANY, MONITOR, ABOUT, [wrong, ANY.truncated(""), ANY.answer(GOOD)])
    assert asked.output == GOOD
    for script in (
        [ANY.truncated(""), wrong],
        [wrong, ANY.truncated(""), wrong],
        [wrong, ANY.truncated("")],
        [ANY.empty(), ANY.truncated(""), wrong],
        [ANY.truncated(""), ANY.empty(), wrong],
    ):
        asked = ask(ANY, MONITOR, ABOUT, script)
        assert asked.error is not None
        assert asked.error.kind == "validation_failed"
        assert len(asked.requests) == 3


def test_a_model_without_structured_output_must_call_a_tool() -> None:
    """Its profile decides; the checks are the same."""
    claude = Messages()
    script = [claude.answer({**GOOD, "verdict": "perhaps"}), claude.answer(GOOD)]
    asked = ask(claude, MONITOR, ABOUT, script, id="claude-3-haiku-20240307")
    assert asked.output == GOOD
    assert claude.tools(asked.requests[0]) == ["final_result"]
    assert "verdict: " in feedback(asked)


def test_tags_are_told_plainly_and_stored_as_the_scanner_spells_them() -> None:
    spelled = "Ｃａｒｄ\u200b trouble"
    config = {"prompt": "p", "tags": [spelled, "other"], "multi_label": False, "allow_freeform_tags": True}
    answer = {"reasoning": "Declined (t 69).", "tags": ["Card trouble"], "tags_freeform": [], "confidence": 0.8}
    asked = ask(ANY, Question("classifier", config, MODEL), ABOUT, [ANY.answer(answer)])
    assert asked.output["tags"] == [spelled]
    assert "Card trouble" in asked.bodies[0]
    assert spelled not in asked.bodies[0]


@pytest.mark.parametrize(
    ("scanner_type", "config", "answer"),
    [
        (
            "scorer",
            {"prompt": "p", "scale": {"min": 0, "max": 10, "label": "anger"}},
            {"reasoning": "Twice (t 69, 73).", "score": 6.5, "confidence": 0.9},
        ),
        (
            "summarizer",
            {"prompt": "p", "length": "short"},
            {
                "summary": "The card was declined (t 69).", "title": "Card declined", "intent": "",
                "outcome": "No order.", "friction_points": ["declined card"], "keywords": ["card"], "confidence": 0.9,
            },
        ),
    ],
)  # fmt: skip
def test_the_other_types(scanner_type: str, config: dict[str, Any], answer: dict[str, Any]) -> None:
    asked = ask(ANY, Question(scanner_type, config, MODEL), ABOUT, [ANY.answer(answer)])
    assert asked.output == answer


def test_a_model_that_left_the_catalogue_is_a_plain_reason() -> None:
    asked = ask(ANY, Question("monitor", {"prompt": "p"}, "gone"), ABOUT, [ANY.answer(GOOD)])
    assert asked.error is not None
    assert asked.error.kind == "provider_rejected"
    assert asked.requests == []


@pytest.mark.parametrize("count", [10**19, -(10**9)])
@pytest.mark.parametrize("place", ["prompt_tokens", "completion_tokens"])
def test_a_count_of_tokens_that_no_model_reaches_is_not_stored(place: str, count: int) -> None:
    """It would go into an event for good, and be more than a column of the read model holds."""

    def counted(seen: Seen) -> Reply:
        document = ANY.said(json.dumps(GOOD), Tokens(), seen.document)
        document["usage"][place] = count
        return Reply(document)

    asked = ask(ANY, MONITOR, ABOUT, [counted])
    assert asked.answer is None
    assert asked.error is not None
    assert asked.error.kind in {"provider_rejected", "provider_transient"}
    assert len(asked.requests) == 1


def test_a_time_beyond_all_calendars_is_the_providers_trouble() -> None:
    def dated(seen: Seen) -> Reply:
        return Reply({**ANY.said(json.dumps(GOOD), Tokens(), seen.document), "created": 10**30})

    error = ask(ANY, MONITOR, ABOUT, [dated]).error
    assert error is not None
    assert error.kind == "provider_transient"


def test_digests_are_of_what_was_asked_and_said() -> None:
    def told(answer: dict[str, Any], name: str = "card_declined") -> tuple[str, str]:
        found = ask(ANY, MONITOR, evidence(name), [ANY.answer(answer)]).answer
        assert found is not None
        return digests(found)

    first = told(GOOD)
    assert told(GOOD) == first
    other = told({**GOOD, "confidence": 0.7})
    assert other[0] == first[0]
    assert other[1] != first[1]
    assert told({**GOOD, "reasoning": "r"}, "order_fails")[0] != first[0]
