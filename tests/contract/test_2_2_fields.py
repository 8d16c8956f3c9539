"""Contract 2.2: leniency, codes and literal texts of field types; first problem only, in declaration order."""

from typing import Annotated, Any

import pytest
from pydantic import Field, model_validator

from api.http.fields import WHOLE, Body, Flag, choice, configured_choice, integer, number, problem, read, text
from api.http.free_form import document
from domain.errors import Invalid


class Inner(Body):
    word: Annotated[str, text(10)]
    window_days: Annotated[int, integer(1, 365)] = 1

    @model_validator(mode="after")
    def _no_clash(self) -> "Inner":
        if self.word == "clash":
            raise problem("invalid_input", "The word clashes.", WHOLE)
        return self


class Sample(Body):
    name: Annotated[str, text(5)]
    note: Annotated[str, text(8, blank=True)] = ""
    kind: Annotated[str, choice("monitor", "scorer")] = "monitor"
    rate: Annotated[float, number(0.0, 1.0)] = 1.0
    model: Annotated[str, configured_choice("model")] = "a"
    enabled: Flag = True
    query: Annotated[Any, document("The filter is invalid.")] = None
    inner: Inner | None = None
    items: list[Inner] = Field(default_factory=list)


def refusal(body: Any) -> tuple[str | None, str, str]:
    with pytest.raises(Invalid) as caught:
        read(Sample, body, choices={"model": ["a", "b"]})
    return caught.value.field, caught.value.code, caught.value.message


def accepted(**fields: Any) -> Sample:
    return read(Sample, {"name": "ok", **fields}, choices={"model": ["a", "b"]})


REFUSED = [
    ({}, "name", "required", "This field is required."),
    ({"name": None}, "name", "null", "This field may not be null."),
    ({"name": ""}, "name", "blank", "This field may not be blank."),
    ({"name": " \t\n "}, "name", "blank", "This field may not be blank."),
    ({"name": "123456"}, "name", "max_length", "Ensure this field has no more than 5 characters."),
    ({"name": True}, "name", "invalid_input", "Not a valid string."),
    ({"name": ["x"]}, "name", "invalid_input", "Not a valid string."),
    ({"name": {"x": 1}}, "name", "invalid_input", "Not a valid string."),
    ({"name": "a\x00b"}, "name", "null_characters_not_allowed", "Null characters are not allowed."),
    ({"name": "\ud800"}, "name", "surrogate_characters_not_allowed", "Surrogate characters are not allowed: U+D800."),
    ({"name": 10**5000}, "name", "invalid_input", "Not a valid string."),
    ({"name": "ok", "kind": "nope"}, "kind", "invalid_choice", '"nope" is not a valid choice.'),
    ({"name": "ok", "kind": ""}, "kind", "invalid_choice", '"" is not a valid choice.'),
    ({"name": "ok", "kind": 5}, "kind", "invalid_choice", '"5" is not a valid choice.'),
    ({"name": "ok", "kind": None}, "kind", "null", "This field may not be null."),
    ({"name": "ok", "model": "c"}, "model", "invalid_choice", '"c" is not a valid choice.'),
    ({"name": "ok", "rate": 1.5}, "rate", "max_value", "Ensure this value is less than or equal to 1.0."),
    ({"name": "ok", "rate": -0.1}, "rate", "min_value", "Ensure this value is greater than or equal to 0.0."),
    ({"name": "ok", "rate": 10**400}, "rate", "max_value", "Ensure this value is less than or equal to 1.0."),
    ({"name": "ok", "rate": "often"}, "rate", "invalid_input", "A valid number is required."),
    ({"name": "ok", "rate": "nan"}, "rate", "invalid_input", "A valid number is required."),
    ({"name": "ok", "rate": True}, "rate", "invalid_input", "A valid number is required."),
    ({"name": "ok", "rate": []}, "rate", "invalid_input", "A valid number is required."),
    ({"name": "ok", "rate": "1" * 1001}, "rate", "max_string_length", "String value too large."),
    ({"name": "ok", "enabled": "maybe"}, "enabled", "invalid_input", "Must be a valid boolean."),
    ({"name": "ok", "enabled": {}}, "enabled", "invalid_input", "Must be a valid boolean."),
    ({"name": "ok", "enabled": None}, "enabled", "null", "This field may not be null."),
    ({"name": "ok", "query": None}, "query", "null", "This field may not be null."),
    ({"name": "ok", "query": {"a": ["\x00"]}}, "query", "invalid_input", "The filter is invalid."),
    ({"name": "ok", "query": {"\ud800": 1}}, "query", "invalid_input", "The filter is invalid."),
    ({"name": "ok", "query": {"a": 10**30}}, "query", "invalid_input", "The filter is invalid."),
    ({"name": "ok", "inner": {}}, "inner__word", "required", "This field is required."),
    (
        {"name": "ok", "inner": {"word": "w", "window_days": 2.5}},
        "inner__window_days",
        "invalid_input",
        "A valid integer is required.",
    ),
    (
        {"name": "ok", "inner": {"word": "w", "window_days": "x"}},
        "inner__window_days",
        "invalid_input",
        "A valid integer is required.",
    ),
    (
        {"name": "ok", "inner": {"word": "w", "window_days": 0}},
        "inner__window_days",
        "min_value",
        "Ensure this value is greater than or equal to 1.",
    ),
    ({"name": "ok", "inner": {"word": "clash"}}, "inner__non_field_errors", "invalid_input", "The word clashes."),
    (
        {"name": "ok", "inner": [1]},
        "inner__non_field_errors",
        "invalid_input",
        "Invalid data. Expected a dictionary, but got list.",
    ),
    ({"name": "ok", "items": 5}, "items", "not_a_list", 'Expected a list of items but got type "int".'),
    ({"name": "ok", "items": None}, "items", "null", "This field may not be null."),
    ({"name": "ok", "items": [{"word": "w"}, {}]}, "items__1__word", "required", "This field is required."),
    ([], None, "invalid_input", "Invalid data. Expected a dictionary, but got list."),
    ("text", None, "invalid_input", "Invalid data. Expected a dictionary, but got str."),
    (None, None, "null", "No data provided"),
]


@pytest.mark.rule(
    "2.2/text-required",
    "2.2/text-null",
    "2.2/text-blank",
    "2.2/text-max-length",
    "2.2/text-choice",
    "2.2/text-max-value",
    "2.2/text-min-value",
    "2.2/text-number",
    "2.2/text-integer",
    "2.2/text-boolean",
    "2.2/text-string",
    "2.2/text-not-an-object",
    "2.2/not-a-list",
    "2.2/attr-nested",
    "2.2/attr-positions",
    "2.2/attr-whole",
    "2.2/attr-null",
    "2.2/boolean-no-text",
)
@pytest.mark.parametrize(("body", "attr", "code", "message"), REFUSED)
def test_refusals_have_their_literal_text(body: Any, attr: str | None, code: str, message: str) -> None:
    assert refusal(body) == (attr, code, message)


@pytest.mark.rule("2.2/first-problem")
def test_only_the_first_problem_in_declaration_order_is_told() -> None:
    assert refusal({"enabled": "x", "rate": "x", "name": ""})[0] == "name"
    assert refusal({"enabled": "x", "rate": "x", "name": "ok"})[0] == "rate"


@pytest.mark.rule("2.2/trimmed", "2.2/digits-as-text")
@pytest.mark.parametrize(
    ("given", "stored"),
    [("  ab ", "ab"), (5, "5"), (1.5, "1.5"), ("a\tb", "a\tb"), ("日本", "日本")],
)
def test_strings_are_trimmed_and_numbers_are_taken_as_digits(given: Any, stored: str) -> None:
    assert accepted(name=given).name == stored


@pytest.mark.rule("2.2/number-strings")
@pytest.mark.parametrize("given", [0.5, "0.5", " 0.5 ", "5e-1"])
def test_numbers_may_be_strings(given: Any) -> None:
    assert accepted(rate=given).rate == 0.5


@pytest.mark.parametrize("given", [5, "5", 5.0, " 5 ", "5.0"])
def test_whole_numbers_may_be_strings(given: Any) -> None:
    inner = accepted(inner={"word": "w", "window_days": given}).inner
    assert inner is not None
    assert inner.window_days == 5


@pytest.mark.rule("2.2/boolean-words")
@pytest.mark.parametrize(
    ("given", "stored"),
    [(given, True) for given in (True, "true", "True", "TRUE", "yes", "on", "1", "t", "y", 1, 1.0)]
    + [(given, False) for given in (False, "false", "no", "off", "0", "f", "n", 0, 0.0)],
)
def test_booleans_may_be_words(given: Any, stored: bool) -> None:
    assert accepted(enabled=given).enabled is stored


def test_unknown_fields_are_ignored_and_given_names_what_was_sent() -> None:
    body = accepted(id="x", created_at=5, rate=0.5, **{"\ud800": "\x00"})
    assert body.given() == {"name": "ok", "rate": 0.5}


def test_long_values_are_not_echoed_whole() -> None:
    assert len(refusal({"name": "ok", "kind": "x" * 100_000})[2]) < 300
