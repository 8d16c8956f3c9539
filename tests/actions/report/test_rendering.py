"""Reports as HTML and plain text for mail, and as mrkdwn for Slack: engine 7.5, trap 71."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from consumers.actions.report.rendering import to_html, to_mrkdwn, to_text

OURS = ("vision.example",)
REPORT = """\
## Payment *failed*

**5** of 12 & `a<b>` [open|it](https://vision.example/?a=1&b=2) [no](https://evil.example/) [obs 3]

- one <!channel>
    - two > 1
- three

2. four

> told

```
<b>
```
"""

marks = st.sampled_from(
    ["<!channel>", "<https://evil.example|x>", "[a](https://vision.example/?q=|x>)", "&lt;", "<b>", "*", "_", "`",
     "```", "\n", "\n\n", "- ", "# ", "|", " ", "a", "@here", "http://evil.example/", "![x](y)", '" onclick="', "'"]
)  # fmt: skip
texts = st.lists(marks, max_size=14).map("".join)


def test_html() -> None:
    assert to_html(REPORT, OURS).replace("\n", "") == (
        "<h2>Payment <em>failed</em></h2>"
        "<p><strong>5</strong> of 12 &amp; <code>a\u2039b&gt;</code> "
        '<a href="https://vision.example/?a=1&amp;b=2">open|it</a> no [obs 3]</p>'
        "<ul><li>one \u2039!channel&gt;<ul><li>two &gt; 1</li></ul></li><li>three</li><li>2. four</li></ul>"
        "<blockquote>told</blockquote><pre>\u2039b&gt;</pre>"
    )


def test_mrkdwn() -> None:
    assert to_mrkdwn(REPORT, OURS) == [
        "*Payment failed*",
        "*5* of 12 &amp; `a\u2039b&gt;` <https://vision.example/?a=1&amp;b=2|open/it> no [obs 3]",
        "\u2022 one \u2039!channel&gt;",
        "    \u25e6 two &gt; 1",
        "\u2022 three",
        "2. four",
        "> told",
        "```\n\u2039b&gt;\n```",
    ]


def test_text() -> None:
    assert to_text(REPORT, OURS).split("\n") == [
        "Payment failed", "--------------", "",
        "5 of 12 & a\u2039b> open|it (https://vision.example/?a=1&b=2) no [obs 3]", "",
        "- one \u2039!channel>", "    - two > 1", "- three", "2. four", "", "> told", "", "    \u2039b>",
    ]  # fmt: skip


@given(texts)
def test_html_has_no_elements_and_attributes_but_ours(text: str) -> None:
    seen = Seen()
    seen.feed(to_html(text, OURS))
    seen.close()
    assert not seen.open
    assert seen.tags <= {"h1", "h2", "h3", "h4", "p", "ul", "li", "blockquote", "pre", "code", "em", "strong", "a"}
    assert all(name == "href" and value.startswith("https://vision.example/") for name, value in seen.attributes)


@given(texts)
def test_slack_gets_no_sign_of_its_own_but_our_links(text: str) -> None:
    for block in to_mrkdwn(text, OURS):
        bare = re.sub(r"<https://vision\.example/[^<>|]*\|[^<>|]*>|```\n[^`<>]*\n```|`[^`<>]*`", "", block)
        assert "<" not in bare
        assert ">" not in bare.removeprefix("> ")
        assert not re.search(r"&(?!amp;|lt;|gt;)", bare)
        assert not re.search(r"@here\b", bare)


class Seen(HTMLParser):
    """What elements and attributes there are. Raises for those that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
