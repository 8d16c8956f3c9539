"""Markdown that nobody is harmed by: engine 7.5, traps 71 and 72."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from consumers.actions.report.markdown import escaped, safe, shortened

OURS = ("vision.example",)

READ_AS_IT_IS = [
    "Five of twelve visitors paid [obs 3] [obs 14].",
    "## Payment\n\n- **Refused** [obs 1]\n    - twice in *one* visit\n- The rest\n\n1. Look\n\n    2. Ask",
    "[The session](https://vision.example/sessions/1?a=b&c=d#e) and [below](http://eu.vision.example/)",
    "> Quoted\n\n```\ncode < b\n```\n\nsnake_case, 5 < 6, 3 \\* 4 = 12, R&D",
]

TAKEN_APART = [
    ("![a chart](https://evil.example/x.png)", "a chart"),
    ("![a](x)![b](y)", "ab"),
    ("[click here](https://evil.example/)", "click here"),
    ("[obs 3](https://evil.example/)", "[obs 3]"),
    ("see https://evil.example/a?b=c, or", "see `https://evil.example/a?b=c`, or"),
    ("see https://vision.example/", "see `https://vision.example/`"),
    ("<https://evil.example/>", "`https://evil.example/`"),
    ("[ww](x)w.evil.example", "`www.evil.example`"),
    ("[<](x)!channel>", "\u2039!channel>"),
    ("[a](x)\u0301", "\u00e1"),
    ("www.evil.example", "`www.evil.example`"),
    ("evil.example/x and evil.example:80/", "`evil.example/x` and `evil.example:80/`"),
    ("mail me@evil.example now", "mail `me@evil.example` now"),
    ("<me@evil.example>", "`me@evil.example`"),
    ("@channel, @here @everyone", "`@channel`, `@here` `@everyone`"),
    ("<!channel> <@U012AB> <#C1|x>", "\u2039!channel> \u2039@U012AB> \u2039#C1|x>"),
    ("`<!channel>`", "`\u2039!channel>`"),
    ("```\n<!here>\n```", "```\n\u2039!here>\n```"),
    ("&lt;!channel&gt;", "\u2039!channel>"),
    ("\uff1c!channel\uff1e", "\u2039!channel>"),
    ("<img src=x onerror=alert(1)>", "\u2039img src=x onerror=alert(1)>"),
    ("[obs 1]: https://evil.example\n\n[obs 1]", "[obs 1]\\: `https://evil.example`\n\n[obs 1]"),
    ("[a](javascript:alert(1))", "a"),
    ("[a](https://vision.example@evil.example/)", "a"),
    ("[a](https://evil.example\\@vision.example/)", "a"),
    ("[a](https://evilvision.example/)", "a"),
    ("[a](//evil.example/)", "a"),
    ("[a](https://evil.example%2f.vision.example/)", "a"),
    ("[a](https://evil.example\u3002.vision.example/)", "a"),
    ("[a](https://evil.example#.vision.example/)", "a"),
    ("[a](https&#58;//evil.example/)", "a"),
    ('[a](https://vision.example/"onclick=x)', "[a](https://vision.example/%22onclick=x)"),
    ("[a](<https://vision.example/a b>)", "a"),
    ("[a](https://vision.example:bad/)", "a"),
    ("# One\n###### Two", "# One\n\n#### Two"),
    ("One\n===\n\nTwo\n---", "# One\n\n## Two"),
    ("| a | b |\n|---|---|\n| 1 | <b> |", "- a \u00b7 b\n- 1 \u00b7 \u2039b>"),
    ("a\u200bb\u202ec", "abc"),
    ("one\\\ntwo  \n2. three\n# four", "one two 2. three\n\n# four"),
]

HOSTILE = (
    "[", "![", "[](", "[a](", "[a](<b", "*a ", "a**b", "`a", "a`b``c```d", ">", "> - ", "- ", "-\n ", "1. ", "<", "<a",
    "<http://", "\\", "&#x", "](", "|-\n", "a|b\n-|-\n", "[a](((", "***", "\t- ", "- a\n  ", "a@", "a.", "www.",
    "@here", "http://", "http://a ", "obs [obs 1]", "[obs 1](", "_a*", "**a **", "\u0301", "=\n", "```\n",
)  # fmt: skip


@pytest.mark.parametrize("text", READ_AS_IT_IS)
def test_what_is_harmless_stays_as_it_is_written(text: str) -> None:
    assert safe(text, OURS) == text


def test_a_heading_above_ours_is_lowered() -> None:
    assert safe("# Other scanner\n\n9,999 observations\n\n### a", highest=2) == (
        "## Other scanner\n\n9,999 observations\n\n### a"
    )


@pytest.mark.parametrize(("text", "expected"), TAKEN_APART)
def test_what_could_do_harm_is_taken_apart(text: str, expected: str) -> None:
    assert safe(text, OURS) == expected


marks = st.sampled_from([*HOSTILE, " ", "\n", "\n\n", "a", "B7", "x.example/", "https://vision.example/", "ok](", ")"])
texts = st.one_of(st.lists(marks, max_size=14).map("".join), st.text(max_size=40))


@given(texts)
@example("- - a")
@example("10. a\n\n    - b")
@example("**`a`**b")
@example("*a*b*c*")
@example("**a***b*")
def test_whatever_is_written_nothing_in_it_does_harm(text: str) -> None:
    once = safe(text, OURS)
    assert safe(once, OURS) == once
    harmless(once)


@pytest.mark.rule("trap/72")
@given(texts, st.integers(10, 60))
def test_what_is_cut_off_is_as_harmless(text: str, limit: int) -> None:
    short = shortened(text, limit, OURS)
    assert len(short) <= limit
    harmless(short)


@given(texts)
def test_a_name_stands_as_plain_text(name: str) -> None:
    tokens = inline(f"**{escaped(name)}** and then")
    assert [token.type for token in tokens if not token.type.startswith(("text", "code"))] == [
        "paragraph_open", "inline", *(["strong_open", "strong_close"] if escaped(name) else []), "paragraph_close",
    ]  # fmt: skip


@pytest.mark.rule("trap/72")
@pytest.mark.parametrize("mark", HOSTILE)
def test_hostile_text_takes_no_longer_than_other_text(mark: str) -> None:
    def seconds(size: int) -> float:
        began = time.thread_time()
        safe((mark * size)[:size], OURS)
        return time.thread_time() - began

    seconds(100)
    little = min(seconds(1_000) for _ in range(3))
    assert min(seconds(8_000), seconds(8_000)) < max(0.2, 24 * little)


def harmless(text: str) -> None:
    """By a parser with everything that CommonMark has, and by what other programs link in plain text."""
    for token in inline(text):
        assert token.type not in ("image", "html_inline", "html_block")
        if token.type == "link_open":
            assert re.match(r"https?://(\w+\.)?vision\.example(/|$|\?|#)", str(token.attrs["href"]))
        elif token.type in ("text", "text_special"):
            assert not re.search(
                r"https?://\w|(?<![\w.@-])www\.\w|\w@\w+\.\w|<[!@#/a-z]|@(here|channel)\b", token.content, re.IGNORECASE
            )
    assert not re.search(r"<[!@#/a-zA-Z]", text)


def inline(text: str) -> list[Token]:
    parser = MarkdownIt("commonmark", {"html": True})
    return [one for block in parser.parse(text) for one in (block, *(block.children or ()))]
