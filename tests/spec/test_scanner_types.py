"""Contract 3.2 (configs, in the order of its checks), 4.2 (outputs) and engine 4.3-4.4 (semantic checks, citations)."""

import pytest

from domain.errors import Invalid
from domain.scanner_types import answer_schema, check_config, check_output, join_private, model_output, split_private
from domain.scanner_types.citations import cut
from domain.scanner_types.slug import slug

TAGS = ["address", "payment"]
SCALE = {"min": 0, "max": 10, "label": "anger"}


def refusal(scanner_type: str, config: object) -> str:
    with pytest.raises(Invalid) as caught:
        check_config(scanner_type, config)
    assert (caught.value.field, caught.value.code) == ("scanner_config", "invalid_input")
    return caught.value.message


@pytest.mark.rule(
    "3.2/monitor",
    "3.2/classifier",
    "3.2/scorer",
    "3.2/summarizer",
    "3.2/tolerated-keys",
    "3.2/prompt-length",
    "3.2/tags-most",
    "3.2/tags-length",
)
@pytest.mark.parametrize(
    ("scanner_type", "config"),
    [
        ("monitor", {"prompt": "Why?"}),
        ("monitor", {"prompt": "x" * 20_000, "allow_inconclusive": True, "scanner_type": "monitor"}),
        ("classifier", {"prompt": "p", "tags": ["a" * 100], "multi_label": False, "allow_freeform_tags": True}),
        ("classifier", {"prompt": "p", "tags": [f"tag {n}" for n in range(100)]}),
        ("scorer", {"prompt": "p", "scale": {"min": -1.5, "max": 2}}),
        ("scorer", {"prompt": "p", "scale": {"min": 0, "max": 1, "label": None}}),
        ("summarizer", {"prompt": "p", "length": "long", "emits_signals": True}),
    ],
)
def test_a_right_config_is_accepted(scanner_type: str, config: object) -> None:
    check_config(scanner_type, config)


@pytest.mark.rule(
    "3.2/failure",
    "3.2/object",
    "3.2/prompt-required",
    "3.2/prompt-length",
    "3.2/tags-needed",
    "3.2/tags-most",
    "3.2/tags-text",
    "3.2/tags-length",
    "3.2/tags-slug",
    "3.2/tags-clash",
    "3.2/scale-object",
    "3.2/scale-numbers",
    "3.2/scale-order",
    "3.2/wrong-type",
    "3.2/unknown-keys",
)
@pytest.mark.parametrize(
    ("scanner_type", "config", "says"),
    [
        ("monitor", [], "object"),
        ("monitor", None, "object"),
        ("monitor", {}, "prompt is required"),
        ("monitor", {"prompt": None}, "prompt is required"),
        ("monitor", {"prompt": 7}, "prompt is required"),
        ("monitor", {"prompt": " \n\t"}, "prompt is required"),
        ("monitor", {"prompt": "x" * 20_001}, "20000"),
        ("monitor", {"prompt": "p", "allow_inconclusive": "yes"}, "invalid"),
        ("monitor", {"prompt": "p", "b": 1, "a": 1}, "a, b"),
        ("monitor", {"prompt": "p", "tags": TAGS}, "tags"),
        ("classifier", {"prompt": "p"}, "At least one tag"),
        ("classifier", {"prompt": "p", "tags": []}, "At least one tag"),
        ("classifier", {"prompt": "p", "tags": "bug"}, "list"),
        ("classifier", {"prompt": "p", "tags": [f"t{n}" for n in range(101)]}, "100"),
        ("classifier", {"prompt": "p", "tags": ["ok", 5]}, "not blank"),
        ("classifier", {"prompt": "p", "tags": ["ok", " "]}, "not blank"),
        ("classifier", {"prompt": "p", "tags": ["a" * 101]}, "100 characters"),
        ("classifier", {"prompt": "p", "tags": ["!!!"]}, "letters or digits"),
        ("classifier", {"prompt": "p", "tags": ["login issue", "Login_Issue"]}, '"login issue" and "Login_Issue"'),
        ("classifier", {"prompt": "p", "tags": ["Bug", "Bug"]}, '"Bug" and "Bug"'),
        ("classifier", {"prompt": "p", "tags": TAGS, "multi_label": 1}, "invalid"),
        ("scorer", {"prompt": "p"}, "scale must be an object"),
        ("scorer", {"prompt": "p", "scale": [0, 1]}, "scale must be an object"),
        ("scorer", {"prompt": "p", "scale": {"min": 0}}, "numbers"),
        ("scorer", {"prompt": "p", "scale": {"min": False, "max": True}}, "numbers"),
        ("scorer", {"prompt": "p", "scale": {"min": 0, "max": float("nan")}}, "numbers"),
        ("scorer", {"prompt": "p", "scale": {"min": 3, "max": 3}}, "below"),
        ("scorer", {"prompt": "p", "scale": {"min": 0, "max": 1, "label": 4}}, "invalid"),
        ("scorer", {"prompt": "p", "scale": {"min": 0, "max": 1, "mid": 4}}, "mid"),
        ("summarizer", {"prompt": "p", "length": "tiny"}, "invalid"),
        ("summarizer", {"prompt": "p", "length": None}, "invalid"),
        ("summarizer", {"prompt": "p", "length": ["short"]}, "invalid"),
    ],
)
def test_each_rule_refuses_with_one_plain_sentence(scanner_type: str, config: object, says: str) -> None:
    assert says in refusal(scanner_type, config)


@pytest.mark.rule("3.2/order")
@pytest.mark.parametrize(
    ("scanner_type", "config", "says"),
    [
        ("classifier", {"tags": [], "zzz": 1}, "prompt is required"),
        ("classifier", {"prompt": "p", "tags": [], "multi_label": 3, "zzz": 1}, "At least one tag"),
        ("classifier", {"prompt": "p", "tags": TAGS, "multi_label": 3, "zzz": 1}, "invalid"),
        ("scorer", {"prompt": "p", "zzz": 1}, "scale must be"),
        ("scorer", {"prompt": "p", "scale": {"min": 1, "max": 0, "label": 3}, "zzz": 1}, "below"),
    ],
)
def test_rules_are_checked_in_the_order_of_the_contract(scanner_type: str, config: object, says: str) -> None:
    assert says in refusal(scanner_type, config)


def test_an_unknown_type_is_refused_on_its_own_field() -> None:
    with pytest.raises(Invalid) as caught:
        check_config("guesser", {"prompt": "p"})
    assert (caught.value.field, caught.value.code) == ("scanner_type", "invalid_choice")


@pytest.mark.rule("3.2/slug")
@pytest.mark.parametrize(
    ("tag", "expected"),
    [("Login issue", "login_issue"), ("  Bug! ", "bug"), ("a--b__c", "a--b__c"), ("??", ""), ("Änd", "nd")],
)
def test_slug(tag: str, expected: str) -> None:
    assert slug(tag) == expected


@pytest.mark.rule("4.2/segments")
@pytest.mark.parametrize(
    ("prose", "plain", "chips"),
    [
        ("Nothing.", "Nothing.", []),
        ("Refused (t 84) and left.", "Refused (t 84) and left.", [84_000]),
        ("Twice (t 12, 34).", "Twice (t 12, 34).", [12_000, 34_000]),
        ("Twice (t 12, t 34).", "Twice (t 12, 34).", [12_000, 34_000]),
        ("Late (t 91).", "Late (t 91).", [90_000]),
        ("Never (t 12, 500).", "Never (t 12).", [12_000]),
        ("Never (t 500).", "Never.", []),
        ("(t 3) first", "(t 3) first", [3_000]),
        ("Half (t 1.5s)", "Half (t 1.5)", [1_500]),
        ("Not one: (t) (12) (to 12)", "Not one: (t) (12) (to 12)", []),
    ],
)
def test_citations_become_chips(prose: str, plain: str, chips: list[int]) -> None:
    text, segments = cut(prose, duration_ms=90_000)
    assert text == plain
    assert [segment["timestamp_ms"] for segment in segments if segment["kind"] == "chip"] == chips


@pytest.mark.rule("4.2/segments")
def test_segments_are_those_of_the_contract_example() -> None:
    _, segments = cut("The card form was rejected twice (t 84) and the tab was closed.", duration_ms=100_000)
    assert segments == [
        {"kind": "text", "value": "The card form was rejected twice"},
        {"kind": "chip", "timestamp_ms": 84_000},
        {"kind": "text", "value": " and the tab was closed."},
    ]


CONFIGS: dict[str, dict[str, object]] = {
    "monitor": {"prompt": "p"},
    "classifier": {"prompt": "p", "tags": TAGS, "allow_freeform_tags": True},
    "scorer": {"prompt": "p", "scale": SCALE},
    "summarizer": {"prompt": "p"},
}
ANSWERS: dict[str, dict[str, object]] = {
    "monitor": {"reasoning": "Seen (t 3).", "verdict": "yes", "confidence": 0.9},
    "classifier": {
        "reasoning": "r",
        "tags": ["payment"],
        "tags_freeform": ["Card Trouble", "card trouble", "Payment", "!"],
        "confidence": 0.5,
    },
    "scorer": {"reasoning": "r", "score": 7.0, "confidence": 1},
    "summarizer": {"summary": "s (t 1)", "title": " T ", "friction_points": ["Slow Page"], "confidence": 0.4},
}


@pytest.mark.parametrize("scanner_type", CONFIGS)
def test_a_right_answer_becomes_the_output_of_the_contract(scanner_type: str) -> None:
    config, answer = CONFIGS[scanner_type], ANSWERS[scanner_type]
    assert check_output(scanner_type, config, answer, 10_000) == []
    output = model_output(scanner_type, config, answer, 10_000)
    assert output["scanner_type"] == scanner_type
    assert output["confidence"] == answer["confidence"]
    structured, private = split_private(output)
    assert set(structured) <= {"scanner_type", "verdict", "tags", "score", "label", "confidence"}
    assert join_private(structured, private) == output
    assert list(join_private(structured, private)) == list(output)


@pytest.mark.rule("4.2/score", "4.2/facets")
def test_outputs_carry_what_the_scanner_type_says() -> None:
    assert model_output("classifier", CONFIGS["classifier"], ANSWERS["classifier"], 1)["tags_freeform"] == [
        "card_trouble"
    ]
    scored = model_output("scorer", CONFIGS["scorer"], ANSWERS["scorer"], 1)
    assert (scored["score"], scored["label"]) == (7, "anger")
    summary = model_output("summarizer", CONFIGS["summarizer"], ANSWERS["summarizer"], 10_000)
    assert summary["title"] == "T"
    assert summary["friction_points"] == ["slow page"]
    assert summary["summary_segments"] == [{"kind": "text", "value": "s"}, {"kind": "chip", "timestamp_ms": 1_000}]


@pytest.mark.rule("4.2/inconclusive", "4.2/tags", "4.2/score", "4.2/title", "4.2/common")
@pytest.mark.parametrize(
    ("scanner_type", "config", "change", "says"),
    [
        ("monitor", {}, {"verdict": "inconclusive"}, "not allowed"),
        ("monitor", {}, {"verdict": "maybe"}, "verdict"),
        ("monitor", {}, {"confidence": 1.1}, "confidence"),
        ("monitor", {}, {"reasoning": ""}, "reasoning"),
        ("monitor", {}, {"reasoning": "See (t 99)."}, "outside the recording"),
        ("monitor", {}, {"extra": 1}, "extra"),
        ("classifier", {}, {"tags": []}, "tags"),
        ("classifier", {}, {"tags": ["Payment"]}, "vocabulary"),
        ("classifier", {}, {"tags": ["payment", "payment"]}, "twice"),
        ("classifier", {"multi_label": False}, {"tags": ["payment", "address"]}, "exactly one"),
        ("classifier", {"allow_freeform_tags": False}, {}, "tags_freeform"),
        ("scorer", {}, {"score": 10.5}, "outside 0..10"),
        ("scorer", {}, {"score": True}, "score"),
        ("summarizer", {}, {"title": "x" * 121}, "title"),
        ("summarizer", {}, {"title": "  "}, "blank"),
    ],
)
def test_a_wrong_answer_is_named(
    scanner_type: str, config: dict[str, object], change: dict[str, object], says: str
) -> None:
    problems = check_output(scanner_type, CONFIGS[scanner_type] | config, ANSWERS[scanner_type] | change, 10_000)
    assert any(says in problem for problem in problems), problems


@pytest.mark.parametrize("scanner_type", CONFIGS)
@pytest.mark.parametrize("answer", [None, [], "yes", 3, {}])
def test_an_answer_of_another_shape_is_a_problem_not_an_error(scanner_type: str, answer: object) -> None:
    assert check_output(scanner_type, CONFIGS[scanner_type], answer)


@pytest.mark.parametrize("scanner_type", CONFIGS)
def test_schemas_are_closed_and_end_with_confidence(scanner_type: str) -> None:
    schema = answer_schema(scanner_type)
    names = list(schema.model_fields)
    assert names[0] in ("reasoning", "summary")
    assert names[-1] == "confidence"
    assert schema.model_json_schema()["additionalProperties"] is False


def test_erased_private_text_leaves_the_structured_part() -> None:
    output = model_output("monitor", CONFIGS["monitor"], ANSWERS["monitor"], 10_000)
    assert join_private(split_private(output)[0], None) == {
        "scanner_type": "monitor",
        "verdict": "yes",
        "confidence": 0.9,
    }
