"""No rule knows a site: nothing that only the recorded sites say stands in the code that judges recordings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.scanning.recorded import SESSIONS, evidence

CODE: Final = Path(__file__).parents[3] / "consumers" / "scanning"
_TITLE: Final = re.compile(r'title "((?:[^"\\]|\\.)*)"')
_ADDRESS: Final = re.compile(r'"(https?://([\w.-]+)[^"]*)"')
_MESSAGE: Final = re.compile(r'(?:error|alert|status|notice) "((?:[^"\\]|\\.){12,})"')
_PATH: Final = re.compile(r'(?:request|moves to|opens page) "(?:[A-Z]+ )?(/[\w-]+/[\w/-]+)"')


def own_words(name: str) -> Iterator[str]:
    """Names, hosts, longer paths and whole messages of the site that a session was recorded on."""
    text = evidence(name).text
    yield from (brand for title in _TITLE.findall(text) for brand in title.split(" - ")[1:])
    yield from (host for _, host in _ADDRESS.findall(text))
    yield from _PATH.findall(text)
    yield from _MESSAGE.findall(text)


@pytest.fixture(scope="module")
def code() -> str:
    return "\n".join(path.read_text(encoding="utf-8").lower() for path in sorted(CODE.rglob("*.py")))


@pytest.mark.parametrize("name", SESSIONS)
def test_nothing_of_a_recorded_site_is_in_the_code(name: str, code: str) -> None:
    words = {word.lower() for word in own_words(name)}
    assert words
    assert {word for word in words if word in code} == set()
