"""Stored text is inert: no link, image, tag or mention is left in it, whatever an answer says."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.scanner_types import check_output, model_output
from domain.scanner_types.defang import defang, defang_line

PIECES = [
    "http", "https", "HTTP", "://", ":", "/", "www.", "evil.example", "a", "b.c", "[", "]", "(", ")", "!", "<", ">",
    "img src=", "@", ".", "data:", "javascript:",
    " ", "\n", "\t", "\u200b", "‹", "hxxps", "_", "\\", "?", "é", "#", '"',
]  # fmt: skip
hostile = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=14).map("".join))


@settings(deadline=None)
@given(hostile)
def test_nothing_that_a_program_would_follow_is_left(text: str) -> None:
    inert = defang(text)
    assert not re.search(r"https?://|\]\(|\]\[|!\[|<[a-z/!?@#]|(?<![\w@-])www\.\w", inert, re.IGNORECASE)
    assert not re.search(r"\b(javascript|data|mailto):[^\s:]", inert, re.IGNORECASE)
    assert defang(inert) == inert
    assert "\n" not in defang_line(text)


@settings(deadline=None)
@given(st.from_regex(r"\A[A-Za-z ,;()'\"-]{0,40}( \(t [0-9]{1,3}(, [0-9]{1,3})?\))?\.?\Z"))
def test_sentences_and_citations_stay(sentence: str) -> None:
    assert defang(sentence) == re.sub(" +", " ", sentence).strip()


@pytest.mark.parametrize(
    ("text", "inert"),
    [
        ("[Verify](https://evil.example/x?d=1)", "[Verify] (hxxps://evil[.]example/x?d=1)"),
        ("![p](https://evil.example/p?q=s)", "[p] (hxxps://evil[.]example/p?q=s)"),
        ("<img src=x onerror=alert(1)>", "‹img src=x onerror=alert(1)>"),
        ("<!channel> <@U1> <https://evil.example|go>", "‹!channel> ‹@U1> ‹hxxps://evil[.]example|go>"),
        ("www.evil.example, evil.example/x", "www[.]evil[.]example, evil[.]example/x"),
        ("a@evil.example", "a[@]evil.example"),
        ("@Channel, @here and @everyone", "[@]Channel, [@]here and [@]everyone"),
        ("_https://evil.example_ ftp://evil.example", "_hxxps://evil[.]example_ ftp[:]//evil[.]example"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("ｈｔｔｐｓ：／／evil.example", "hxxps://evil[.]example"),
        ("ht\u200btps://evil.example", "hxxps://evil[.]example"),
        ('opens "/checkout" (t 12), e.g. v1.5', 'opens "/checkout" (t 12), e.g. v1.5'),
        ("the [button](t 12)", "the [button] (t 12)"),
        ("a\n\n\n\nb\x07\r\nc", "a\n\nb\nc"),
    ],
)  # fmt: skip
def test_examples(text: str, inert: str) -> None:
    assert defang(text) == inert


@pytest.mark.parametrize(
    "piece", ["a.", "[", "http://", "a", "@a.", "www.", "-", "\n ", "](](", "a://", "a-.", "<", "![", "!"]
)
def test_time_grows_with_the_text_only(piece: str) -> None:
    began = time.process_time()
    defang(piece * (40_000 // len(piece)))
    assert time.process_time() - began < 2


LINK = "[x](https://evil.example/?s=1)\x07"
ANSWERS = {
    "monitor": ({"prompt": "p"}, {"reasoning": LINK, "verdict": "no", "confidence": 0.5}),
    "classifier": (
        {"prompt": "p", "tags": ["a"], "allow_freeform_tags": True},
        {"reasoning": LINK, "tags": ["a"], "tags_freeform": [LINK, "<b>"], "confidence": 0.5},
    ),
    "scorer": ({"prompt": "p", "scale": {"min": 0, "max": 1}}, {"reasoning": LINK, "score": 1, "confidence": 0.5}),
    "summarizer": (
        {"prompt": "p"},
        {
            "summary": f"{LINK}\n\n{LINK}", "title": LINK, "intent": LINK, "outcome": LINK,
            "friction_points": [LINK, "\x07"], "keywords": [LINK.upper()], "confidence": 0.5,
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("scanner_type", ANSWERS)
def test_every_free_text_of_every_type_is_stored_inert(scanner_type: str) -> None:
    config, answer = ANSWERS[scanner_type]
    assert check_output(scanner_type, config, answer, 1000) == []
    stored = repr(model_output(scanner_type, config, answer, 1000))
    assert "https://" not in stored
    assert "](" not in stored
    assert "x07" not in stored
    assert "evil[.]example" in stored or "evil_example" in stored


def test_text_of_nothing_that_shows_is_no_answer() -> None:
    answer = {"reasoning": "\u200b\x07", "verdict": "no", "confidence": 0.5}
    assert check_output("monitor", {"prompt": "p"}, answer, 1000) == ["reasoning: must not be blank"]
