"""Google's generateContent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.servers.vendors.protocol import Protocol, Tokens
from tests.servers.vendors.server import Reply, Script

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY"}


class GenerateContent(Protocol):
    name = "google"
    provider = "google"
    model = "gemini-3-flash-preview"
    key_header = "x-goog-api-key"
    path = "/v1beta/models/gemini-3-flash-preview:generateContent"

    def tools(self, request: Any) -> list[str]:
        declared = [tool.get("functionDeclarations") or () for tool in request.get("tools") or ()]
        return [function["name"] for functions in declared for function in functions]

    def said(self, text: str, tokens: Tokens, request: Any, *, finish: str = "stop") -> Any:
        return self._content([{"text": text}], REASONS[finish], tokens)

    def called(self, tool: str, arguments: dict[str, Any], tokens: Tokens, request: Any) -> Any:
        return self._content([{"functionCall": {"name": tool, "args": arguments}}], "STOP", tokens)

    def empty(self) -> Script:
        usage = {"promptTokenCount": 1200, "totalTokenCount": 1200}
        return lambda seen: Reply({"candidates": [], "usageMetadata": usage, "modelVersion": self.model})

    def refusal(self, text: str) -> Script:
        blocked = {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": text}
        usage = {"promptTokenCount": 1200, "totalTokenCount": 1200}
        return lambda seen: Reply({"promptFeedback": blocked, "usageMetadata": usage, "modelVersion": self.model})

    def error(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
        document = {"error": {"code": status, "message": text, "status": STATUSES.get(status, "UNKNOWN")}}
        return Reply(document, status, dict(headers or {}))

    def retry_info(self, status: int, delay: str) -> Reply:
        """A failure that names a wait in its body, as Google does instead of a header."""
        detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
        document = {"error": {"code": status, "message": "m", "status": STATUSES[status], "details": [detail]}}
        return Reply(document, status)

    def _content(self, parts: list[dict[str, Any]], reason: str, tokens: Tokens) -> Any:
        return {
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": reason, "index": 0}],
            "usageMetadata": {
                "promptTokenCount": tokens.input,
                "cachedContentTokenCount": tokens.cached,
                "candidatesTokenCount": tokens.output,
                "totalTokenCount": tokens.input + tokens.output,
            },
            "modelVersion": self.model,
            "responseId": "r1",
        }
