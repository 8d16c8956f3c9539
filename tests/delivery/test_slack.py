"""Slack by the published contract of its method: a stand-in on the loopback address takes what the vendor would."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.delivery.guard import Unguarded
from consumers.delivery.http import Poster
from consumers.delivery.port import Attempt, Message, SlackTarget
from consumers.delivery.slack import Slack, call_of
from consumers.delivery.slack_blocks import cut, packed
from tests.delivery.messages import NOW, RUN, message
from tests.delivery.slack_stand_in import MENTION, TOKEN, SlackStandIn, invalid_blocks, shown
from tests.servers.vendors.server import Reply, Script, VendorServer

LINK = re.compile(r"<(https?://[^|>]+)\|[^>]*>")


def sent(
    answering: Script | Reply, said: Message | None = None, channel: str = "#checkout", token: str = TOKEN
) -> Attempt:
    with VendorServer([answering]) as server:
        slack = Slack(Poster(Unguarded()), f"{server.url}/api/")
        return slack.send(SlackTarget(channel, token), said or message(), NOW)


def test_a_report_is_posted() -> None:
    slack = SlackStandIn()
    attempt = sent(slack, channel="C0123|#checkout")
    assert (attempt.verdict, attempt.status_code, attempt.error) == ("succeeded", 200, None)
    (call,) = slack.posted
    assert call["channel"] == "C0123"
    assert call["text"] == "Morning digest: Checkout"
    assert call["metadata"] == {"event_type": "replay_vision_digest", "event_payload": {"id": str(RUN)}}
    text = shown(call)
    assert "*TL;DR*" in text
    assert "*3*" in text
    assert "\N{BULLET} Slow &amp;" in text
    assert f"<https://vision.example.org/runs/{RUN}|Open the report>" in text


HOSTILE = """# <!channel> *x*

<!here> <@U123> <#C123> @everyone @channel #general &lt;!channel&gt; <https://evil.example|click> https://evil.example
[click](https://evil.example/?q=1) ![x](https://evil.example/pixel.png) [own](https://vision.example.org/runs/1?a=1&b=2)
<https://evil.example> www.evil.example [a](javascript:alert(1)) [b](https://vision.example.org@evil.example/)

- <!subteam^S1> item [c]: <mailto:x@evil.example>
> <!everyone>

```
<!channel> </code>
```
"""


@pytest.mark.parametrize(
    "name", ["<!channel>", "a|b> <!here>", "*_~`<https://evil.example|x>", "\u202e<!channel\u202c>"]
)
def test_recorded_text_can_neither_ping_nor_smuggle_a_link(name: str) -> None:
    slack = SlackStandIn()
    assert sent(slack, message(markdown=HOSTILE, action_name=name, scanner_name=name)).verdict == "succeeded"
    (call,) = slack.posted
    text = shown(call)
    header = call["blocks"][0]["text"]
    assert header["type"] == "plain_text"  # nothing is read as mark-up there
    marked = text.replace(header["text"], "")
    assert MENTION.search(marked) is None
    assert {found[1].partition("?")[0] for found in LINK.finditer(marked)} == {
        f"https://vision.example.org/runs/{RUN}",
        "https://vision.example.org/runs/1",
    }
    assert marked.count("<") == len(LINK.findall(marked))
    assert (call["parse"], call["link_names"], call["unfurl_links"]) == ("none", False, False)
    assert all(block["text"]["verbatim"] for block in call["blocks"] if block["type"] == "section")


def test_a_long_report_keeps_the_limits_and_says_that_it_goes_on() -> None:
    link = "[the run](https://vision.example.org/runs/2?x=" + "y" * 200 + ")"
    for markdown in (
        "\n\n".join(f"Paragraph {n}. " + "word " * 300 + link for n in range(100)),
        "\n".join(f"- item {n} {link}" for n in range(3000)),
        "x" * 50_000,
        "&<>" * 20_000,
        "\n\n".join("p" for _ in range(2000)),
    ):
        slack = SlackStandIn()
        assert sent(slack, message(markdown=markdown)).verdict == "succeeded"
        (call,) = slack.posted
        text = shown(call)
        assert len(text) < 40_000
        assert text.count("<") == len(LINK.findall(text))
        assert re.search(r"&(?!amp;|lt;|gt;)", text) is None
    assert "|The report goes on>" in text or len(markdown) < 10_000


@given(st.text(max_size=3000), st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_whatever_is_written_the_vendor_takes_it(markdown: str, name: str) -> None:
    call = dict(call_of(SlackTarget("#a", TOKEN), message(markdown=markdown, action_name=name, scanner_name=name)))
    assert invalid_blocks(call["blocks"]) is None
    assert call["text"]


@given(st.lists(st.sampled_from(["<https://a.b/c|d e>", "&amp;", "&lt;", "word", " ", "\n", "x" * 45]), max_size=80))
def test_nothing_is_lost_or_broken_by_cutting(units: list[str]) -> None:
    text = "".join(units)
    parts = list(cut(text, 40))
    assert all(0 < len(part) <= 40 for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    for part in parts:
        assert part.count("<") == part.count(">")
        assert re.search(r"&(?!amp;|lt;)", part) is None


def test_code_that_is_cut_is_code_in_every_section() -> None:
    lines = "\n".join(f"*{number}* _line_ of code" for number in range(400))
    sections, whole = packed([f"```\n{lines}\n```", "after"])
    assert whole
    assert len(sections) > 2
    assert all(len(section) <= 3000 for section in sections)
    found = re.findall(r"```\n([^`]+)\n```", "\n".join(sections))
    assert "\n".join(found) == lines
    assert "".join(sections).endswith("```\n\nafter")


def test_more_sections_than_there_may_be() -> None:
    sections, whole = packed(["x" * 2999] * 20)
    assert (len(sections), whole) == (12, False)
    sections, whole = packed(["a" * 1600] * 10)
    assert (len(sections), whole) == (10, True)


@pytest.mark.parametrize(
    ("token", "channel", "code"),
    [("xoxb-wrong-token", "#checkout", "invalid_auth"), (TOKEN, "#gone", "channel_not_found")],
)
def test_what_the_vendor_refuses_for_good(token: str, channel: str, code: str) -> None:
    attempt = sent(SlackStandIn(), channel=channel, token=token)
    assert (attempt.verdict, attempt.status_code) == ("abandon", 200)
    assert attempt.error == f"Slack refused the message: {code}."


@pytest.mark.parametrize(
    ("reply", "verdict", "retry_after"),
    [
        (Reply({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "30"}), "again", 30),
        (Reply({"ok": False, "error": "ratelimited"}, status=429), "again", 60),
        (Reply({"ok": False, "error": "internal_error"}), "again", None),
        (Reply({"ok": False, "error": "fatal_error"}), "again", None),
        (Reply({"ok": False, "error": "service_unavailable"}), "again", None),
        (Reply({"ok": False, "error": "request_timeout"}), "again", None),
        (Reply({"ok": False, "error": "is_archived"}), "abandon", None),
        (Reply({"ok": False, "error": "not_in_channel"}), "abandon", None),
        (Reply({"ok": False, "error": "token_revoked"}), "abandon", None),
        (Reply({"ok": False, "error": "account_inactive"}), "abandon", None),
        (Reply({"ok": False, "error": "msg_too_long"}), "abandon", None),
        (Reply({"ok": False, "error": {"x": "<!channel>"}}), "abandon", None),
        (Reply({"ok": "true"}), "abandon", None),
        (Reply([]), "again", None),
        (Reply(body=b"<html>"), "again", None),
        (Reply({"ok": True}, status=500), "again", None),
        (Reply({}, status=302, headers={"Location": "http://127.0.0.1:1/"}), "again", None),
        (Reply({"ok": True}, cut_at=0), "again", None),
    ],
)
def test_what_an_answer_means(reply: Reply, verdict: str, retry_after: float | None) -> None:
    attempt = sent(reply)
    assert (attempt.verdict, attempt.retry_after) == (verdict, retry_after)
    assert attempt.error is not None


def test_an_answer_that_echoes_the_token_keeps_it_nowhere() -> None:
    attempt = sent(Reply({"ok": False, "error": "invalid_auth", "token": TOKEN}))
    assert TOKEN not in attempt.response_excerpt
    assert TOKEN not in repr(SlackTarget("#a", TOKEN))
