"""Anthropic's Messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tests.servers.vendors.protocol import Protocol, Tokens
from tests.servers.vendors.server import Reply, Script

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
REASONS = {"stop": "end_turn", "length": "max_tokens", "filter": "refusal"}


class Messages(Protocol):
    name = "anthropic"
    provider = "anthropic"
    model = "claude-haiku-4-5"
    key_header = "authorization"
    path = "/v1/messages"
    retry_hint: ClassVar[dict[str, str]] = {"x-should-retry": "true"}

    def tools(self, request: Any) -> list[str]:
        return [tool["name"] for tool in request.get("tools") or ()]

    def said(self, text: str, tokens: Tokens, request: Any, *, finish: str = "stop") -> Any:
        return self._message([{"type": "text", "text": text}], REASONS[finish], tokens, request)

    def called(self, tool: str, arguments: dict[str, Any], tokens: Tokens, request: Any) -> Any:
        called = {"type": "tool_use", "id": f"toolu_{len(request['messages'])}", "name": tool, "input": arguments}
        return self._message([called], "tool_use", tokens, request)

    def empty(self) -> Script:
        return lambda seen: Reply(self._message([], "end_turn", Tokens(output=0), seen.document))

    def refusal(self, text: str) -> Script:
        del text
        return lambda seen: Reply(self._message([], "refusal", Tokens(), seen.document))

    def error(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
        kind = KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
        document = {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}
        return Reply(document, status, {"request-id": "req_1", **(headers or {})})

    @staticmethod
    def _message(content: list[dict[str, Any]], reason: str, tokens: Tokens, request: Any) -> Any:
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": request["model"],
            "content": content,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": {
                "input_tokens": tokens.input - tokens.cached,
                "cache_read_input_tokens": tokens.cached,
                "cache_creation_input_tokens": 0,
                "output_tokens": tokens.output,
            },
        }
