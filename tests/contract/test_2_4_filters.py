"""Contract 2.4: comma-separated values, order keys, booleans."""

import pytest
from starlette.datastructures import QueryParams

from api.http.filters import Boolean, Csv, Order, Text, UserIds
from domain.errors import Invalid

STATUS = Csv("status", ("pending", "succeeded"))
ENABLED = Csv(
    "enabled", ("enabled", "disabled"), {"true": "enabled", "1": "enabled", "false": "disabled", "0": "disabled"}
)
ORDER = Order(("name", "created_at"))


def refusal(reader: Csv | UserIds | Order | Text, query: str) -> tuple[str | None, str, str]:
    with pytest.raises(Invalid) as caught:
        reader.read(QueryParams(query))
    return caught.value.field, caught.value.code, caught.value.message


@pytest.mark.rule("2.4/csv", "2.4/csv-empty", "2.4/last-wins")
@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", ()),
        ("status=", ()),
        ("status=,%20,", ()),
        ("status=pending", ("pending",)),
        ("status=pending,%20succeeded,,", ("pending", "succeeded")),
        ("status=pending&status=succeeded", ("succeeded",)),
        ("status=pending,pending", ("pending",)),
    ],
)
def test_values_are_split_trimmed_and_the_last_repeat_wins(query: str, values: tuple[str, ...]) -> None:
    assert STATUS.read(QueryParams(query)) == values


@pytest.mark.rule("2.4/csv-unknown")
def test_an_unknown_value_names_the_offending_and_the_allowed() -> None:
    assert refusal(STATUS, "status=pending,odd,Pending") == (
        "status",
        "invalid_input",
        "Unknown value: odd, Pending. Allowed values: pending, succeeded.",
    )


@pytest.mark.rule("3.5/enabled-aliases")
@pytest.mark.parametrize("alias", ["true", "TRUE", "True", "1", "enabled"])
def test_the_aliases_of_enabled_come_in_any_case(alias: str) -> None:
    assert ENABLED.read(QueryParams(f"enabled={alias}")) == ("enabled",)


def test_the_words_of_enabled_are_exact() -> None:
    assert refusal(ENABLED, "enabled=ENABLED")[0] == "enabled"


@pytest.mark.rule("2.4/order-one-key")
@pytest.mark.parametrize(
    ("query", "key"), [("", None), ("order_by=", None), ("order_by=name", "name"), ("order_by=-name", "-name")]
)
def test_order_takes_one_key(query: str, key: str | None) -> None:
    assert ORDER.read(QueryParams(query)) == key


@pytest.mark.rule("2.4/order-unknown", "2.4/order-list")
@pytest.mark.parametrize("value", ["odd", "name,created_at", "--name", "-", "NAME"])
def test_order_refuses_anything_else(value: str) -> None:
    assert refusal(ORDER, f"order_by={value}")[:2] == ("order_by", "invalid_input")


@pytest.mark.rule("2.4/booleans", "2.4/booleans-ignored", "10/14")
@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("true", True),
        ("True", True),
        ("1", True),
        ("false", False),
        ("False", False),
        ("0", False),
        ("TRUE", None),
        ("yes", None),
        ("", None),
        ("%00", None),
    ],
)
def test_booleans_ignore_what_they_do_not_know(value: str, read: bool | None) -> None:
    assert Boolean("emits_signals").read(QueryParams(f"emits_signals={value}")) is read


@pytest.mark.rule("3.5/created-by-invalid")
@pytest.mark.parametrize("value", ["a", "1,b", "-1", "1.5", "²", "0x1"])
def test_user_ids_are_digits(value: str) -> None:
    assert refusal(UserIds("created_by"), f"created_by={value}")[:2] == ("created_by", "invalid_input")


def test_ids_that_nobody_has_still_filter() -> None:
    assert UserIds("created_by").read(QueryParams("created_by=5," + "9" * 6000)) == (5, 0)


def test_a_nul_is_refused() -> None:
    assert refusal(Text("search"), "search=a%00b")[:2] == ("search", "invalid_input")
    assert refusal(Csv("tags"), "tags=a%00b")[:2] == ("tags", "invalid_input")
