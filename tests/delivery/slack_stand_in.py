"""chat.postMessage as the vendor describes it: the limits of blocks, the codes of its errors, its mark-up."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.servers.vendors.server import Reply, Seen

TOKEN = "xoxb-canary-1234567890"
CHANNELS = {"C0123", "#checkout", "D42"}
MENTION = re.compile(r"<[!@#][^>]*>")


@dataclass
class SlackStandIn:
    """A script of `VendorServer`. `limits`: how many calls are answered 429 first."""

    limits: int = 0
    posted: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, seen: Seen) -> Reply:
        if (seen.method, seen.path) != ("POST", "/api/chat.postMessage"):
            return Reply({"ok": False, "error": "unknown_method"})
        if self.limits > 0:
            self.limits -= 1
            return Reply({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "30"})
        error = self._error(seen)
        if error:
            return Reply({"ok": False, "error": error, "response_metadata": {"messages": [f"[ERROR] {error}"]}})
        self.posted.append(seen.document)
        return Reply({"ok": True, "channel": "C0123", "ts": f"1503435956.00{len(self.posted)}"})

    def _error(self, seen: Seen) -> str | None:
        if seen.headers.get("authorization") != f"Bearer {TOKEN}":
            return "invalid_auth" if seen.headers.get("authorization") else "not_authed"
        if not seen.headers["content-type"].startswith("application/json"):
            return "invalid_form_data"
        call = seen.document
        if call["channel"] not in CHANNELS:
            return "channel_not_found"
        if not call.get("text") or len(call["text"]) > 40_000:
            return "no_text" if not call.get("text") else "msg_too_long"
        return invalid_blocks(call["blocks"])


def invalid_blocks(blocks: list[dict[str, Any]]) -> str | None:
    """By the description of blocks: 50 of them, 3,000 characters a section's text, 150 a header's."""
    if not 1 <= len(blocks) <= 50:
        return "invalid_blocks"
    for block in blocks:
        match block:
            case {"type": "header", "text": {"type": "plain_text", "text": str(text)}}:
                good = 1 <= len(text) <= 150
            case {"type": "section", "text": {"type": "mrkdwn", "text": str(text)}}:
                good = 1 <= len(text) <= 3_000
            case {"type": "context", "elements": [{"type": "mrkdwn", "text": str(text)}]}:
                good = 1 <= len(text) <= 3_000
            case _:
                good = False
        if not good:
            return "invalid_blocks"
    return None


def shown(call: dict[str, Any]) -> str:
    """All text of a message that mark-up is read in."""
    texts = [call["text"]]
    for block in call["blocks"]:
        texts += [part["text"] for part in (block.get("text"), *block.get("elements", [])) if part]
    return "\n".join(texts)
