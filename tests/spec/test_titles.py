"""The line that stands for an answer in lists of what a report cites."""

import pytest

from domain.scanner_types import title
from domain.scanner_types.summarizer import TITLE_MAX_CHARS


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ({"title": "Paid", "summary": "All went well. Then more."}, "Paid"),
        ({"reasoning": 'Shown "Payment declined. Try again." twice (t 9, 12). Then (t 13) left.'},
         'Shown "Payment declined. Try again." twice.'),
        ({"reasoning": 'Search without result: "No results for \\"kayak\\"" (t 9).'},
         'Search without result: "No results for "kayak"".'),
        ({"reasoning": "one\n two"}, "one two"),
        ({"verdict": "yes"}, ""),
        ({"title": None, "reasoning": None}, ""),
    ],
)  # fmt: skip
def test_titles(output: dict[str, object], told: str) -> None:
    assert title(output) == told


def test_a_long_sentence_is_shortened() -> None:
    assert title({"reasoning": "word " * 100}) == "word " * (TITLE_MAX_CHARS // 5 - 1) + "word\N{HORIZONTAL ELLIPSIS}"
