"""What an alert says: the same for the same figures, and what it quotes is text and no more (engine 7.5, 7.6)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection

from consumers.actions.alert_message import message
from consumers.actions.report.markdown import safe
from domain.alert_config import whole
from projections.queries.alert_metrics import Metric, Telling
from projections.queries.selected import Window
from tests.actions.alerts.checks import Checks
from tests.projections.world import START, World

SHARE: dict[str, Any] = {"metric": "verdict_share", "verdict": "no", "threshold": 0.5}


def said(checks: Checks) -> str:
    outcome = checks.run()
    assert outcome.report is not None
    return outcome.report.markdown


def test_it_says_the_figure_the_threshold_the_window_and_examples(world: World, connection: Connection) -> None:
    checks = Checks.of(world, connection, "monitor", SHARE, name="Give-ups")
    for number in range(7):
        checks.end({"reasoning": f"Card {number} was declined."}, verdict="no" if number < 6 else "yes")
    assert said(checks) == (
        "## Alert: Give-ups\n\n"
        "The share of the verdict no is 85.71 % (6 of 7), at or above 50 %.\n\n"
        "Checkout, 7 observations from 31 Oct 2026, 10:00 to 1 Nov 2026, 10:00 (Europe/Prague).\n\n"
        "- [obs 1] 1 Nov 2026, 09:00, no: Card 5 was declined.\n"
        "- [obs 2] 1 Nov 2026, 09:00, no: Card 4 was declined.\n"
        "- [obs 3] 1 Nov 2026, 09:00, no: Card 3 was declined.\n"
        "- [obs 4] 1 Nov 2026, 09:00, no: Card 2 was declined.\n"
        "- [obs 5] 1 Nov 2026, 09:00, no: Card 1 was declined."
    )
    for _ in range(7):
        checks.end(verdict="yes")
    assert said(checks) == (
        "## Resolved: Give-ups\n\n"
        "The share of the verdict no is 42.86 % (6 of 14), below 50 %.\n\n"
        "Checkout, 14 observations from 31 Oct 2026, 11:00 to 1 Nov 2026, 11:00 (Europe/Prague)."
    )


def test_it_lists_a_hundred_observations_and_quotes_five(world: World, connection: Connection) -> None:
    checks = Checks.of(world, connection, "monitor", {"metric": "count", "threshold": 100.0})
    ids = [checks.end() for _ in range(103)]
    outcome = checks.run()
    assert outcome.report is not None
    assert [one.id for one in outcome.report.observations] == ids[:2:-1]
    assert [one.index for one in outcome.report.observations] == list(range(1, 101))
    assert (outcome.report.observation_count, outcome.report.matched) == (103, 103)
    assert outcome.report.markdown.count("[obs ") == 5
    assert "The number of observations is 103, at or above 100." in outcome.report.markdown


@pytest.mark.parametrize(
    ("scanner_type", "config", "results", "figure", "example"),
    [
        (
            "scorer",
            {"metric": "avg_score", "threshold": 2.5, "direction": "below"},
            ({"score": 1}, {"score": 2}),
            "The average score is 1.5 (2 observations), at or below 2.5.",
            ", score 1: Fine.",
        ),
        (
            "classifier",
            {"metric": "tag_share", "tag": "payment", "threshold": 0.1},
            ({"tags": ["payment"]}, {"tags": ["address"]}),
            "The share of the tag payment is 50 % (1 of 2), at or above 10 %.",
            ", payment: Fine.",
        ),
        ("summarizer", {"metric": "count", "threshold": 1}, ({},), "The number of observations is 1,", ", Fine."),
    ],
)
def test_each_metric_has_its_words(
    world: World,
    connection: Connection,
    scanner_type: str,
    config: dict[str, Any],
    results: tuple[dict[str, Any], ...],
    figure: str,
    example: str,
) -> None:
    checks = Checks.of(world, connection, scanner_type, config)
    for result in results:
        checks.end({"reasoning": "Fine."}, **result)
    text = said(checks)
    assert figure in text
    assert f"- [obs 1] 1 Nov 2026, 09:00{example}" in text


@pytest.mark.rule("trap/71")
def test_nothing_that_is_quoted_pings_or_leads_anywhere(world: World, connection: Connection) -> None:
    """Engine 10, trap 71: tags, names and recorded text."""
    tag = "<!channel>"
    name = "[free](https://evil.example) <!here> ![x](https://evil.example/x.png)"
    config = {"metric": "tag_share", "tag": tag, "threshold": 0.1}
    checks = Checks.of(world, connection, "classifier", config, name=name)
    hostile = (
        "Look at https://evil.example/a and [here](javascript:alert(1)) @channel <https://evil.example|x> [obs 77]"
    )
    checks.end({"reasoning": hostile, "tags_freeform": [tag, "[a](https://evil.example)"]}, tags=["address"])
    text = said(checks)
    assert "<!" not in text
    assert "](" not in text
    assert "<http" not in text
    assert "[obs 77]" not in text
    assert "[obs 1]" in text
    rings = [word for word in text.split() if word.startswith("@")]
    assert rings == []


def test_a_text_that_was_erased_leaves_its_outcome(world: World, connection: Connection) -> None:
    checks = Checks.of(world, connection, "monitor", SHARE)
    checks.end(verdict="no")
    checks.shown()
    connection.execute("DELETE FROM store.private_text")
    assert "- [obs 1] 1 Nov 2026, 09:00, no\n" in f"{said(checks)}\n"


HOSTILE = st.text(
    st.one_of(st.sampled_from("<>[]()!@#|*_`~\\/:.-&\n "), st.characters(codec="utf-8")), min_size=1, max_size=60
)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_name_tag_or_text_changes_its_form(name: str, tag: str, reasoning: str) -> None:
    """Whatever is in them: one heading, two paragraphs and one example, and the gate of reports changes nothing."""
    output: dict[str, object] = {"scanner_type": "classifier", "tags": ["a"], "tags_freeform": [tag]}
    output["reasoning"] = reasoning
    text = message(
        "fired",
        action_name=name,
        scanner_name=name,
        timezone="UTC",
        config=whole({"metric": "tag_share", "tag": tag if tag.strip() else "a", "threshold": 0.5}),
        metric=Metric(matched=2, about=2, hits=1, value=0.5),
        window=Window(START, START + timedelta(days=1), None, 0),
        told=[Telling(UUID(int=1), "s1", START, output)],
    )
    assert safe(text) == text
    heading, figure, about, example = text.split("\n\n")
    assert heading.startswith("## Alert: ")
    assert figure.startswith("The share of the tag ")
    assert about.endswith("2 observations from 1 Nov 2026, 08:00 to 2 Nov 2026, 08:00 (UTC).")
    assert example.startswith("- [obs 1] 1 Nov 2026, 08:00, a")
    assert text.count("[obs ") == 1
    assert "](" not in text.replace("\\](", "")
