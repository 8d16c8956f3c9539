"""OpenAI's two protocols: Chat Completions, which most other servers speak as well, and Responses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.servers.vendors.protocol import Protocol, Tokens
from tests.servers.vendors.server import Reply, Script


def failure(status: int, text: str, headers: Mapping[str, str] | None) -> Reply:
    kind = "invalid_request_error" if status < 500 else "server_error"
    document = {"error": {"message": text, "type": kind, "param": None, "code": None}}
    return Reply(document, status, {"x-request-id": "req_1", **(headers or {})})


class ChatCompletions(Protocol):
    """A server of somebody's own, under a base URL."""

    name = "openai-compatible"
    provider = "openai"
    model = "own-model"
    key_header = "authorization"
    path = "/v1/chat/completions"
    below = "/v1"
    retry_hint: ClassVar[dict[str, str]] = {"x-should-retry": "true"}

    def tools(self, request: Any) -> list[str]:
        return [tool["function"]["name"] for tool in request.get("tools") or ()]

    def said(self, text: str, tokens: Tokens, request: Any, *, finish: str = "stop") -> Any:
        return self._completion({"content": text}, finish, tokens, request)

    def called(self, tool: str, arguments: dict[str, Any], tokens: Tokens, request: Any) -> Any:
        function = {"name": tool, "arguments": json.dumps(arguments)}
        called = {"id": f"call_{len(request['messages'])}", "type": "function", "function": function}
        return self._completion({"content": None, "tool_calls": [called]}, "tool_calls", tokens, request)

    def empty(self) -> Script:
        return lambda seen: Reply(self._completion({"content": None}, "stop", Tokens(output=0), seen.document))

    def refusal(self, text: str) -> Script:
        refused = {"content": None, "refusal": text}
        return lambda seen: Reply(self._completion(refused, "content_filter", Tokens(), seen.document))

    def error(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
        return failure(status, text, headers)

    @staticmethod
    def _completion(message: dict[str, Any], finish: str, tokens: Tokens, request: Any) -> Any:
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_795_000_000,
            "model": request["model"],
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", **message},
                    "finish_reason": {"filter": "content_filter"}.get(finish, finish),
                    "logprobs": None,
                }
            ],
            "usage": {
                "prompt_tokens": tokens.input,
                "completion_tokens": tokens.output,
                "total_tokens": tokens.input + tokens.output,
                "prompt_tokens_details": {"cached_tokens": tokens.cached},
            },
        }


class Responses(Protocol):
    """OpenAI itself."""

    name = "openai"
    provider = "openai"
    model = "gpt-6-luna"
    key_header = "authorization"
    path = "/v1/responses"
    below = "/v1"
    retry_hint: ClassVar[dict[str, str]] = {"x-should-retry": "true"}

    def tools(self, request: Any) -> list[str]:
        return [tool["name"] for tool in request.get("tools") or () if tool["type"] == "function"]

    def said(self, text: str, tokens: Tokens, request: Any, *, finish: str = "stop") -> Any:
        content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
        return self._response([self._message(content)], tokens, request, finish)

    def called(self, tool: str, arguments: dict[str, Any], tokens: Tokens, request: Any) -> Any:
        called = {
            "type": "function_call",
            "id": "fc_1",
            "call_id": f"call_{len(request['input'])}",
            "name": tool,
            "arguments": json.dumps(arguments),
            "status": "completed",
        }
        return self._response([called], tokens, request)

    def empty(self) -> Script:
        return lambda seen: Reply(self._response([], Tokens(output=0), seen.document))

    def refusal(self, text: str) -> Script:
        content = [{"type": "refusal", "refusal": text}]
        return lambda seen: Reply(self._response([self._message(content)], Tokens(), seen.document))

    def error(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
        return failure(status, text, headers)

    @staticmethod
    def _message(content: list[dict[str, Any]]) -> dict[str, Any]:
        return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}

    @staticmethod
    def _response(output: list[dict[str, Any]], tokens: Tokens, request: Any, finish: str = "stop") -> Any:
        reasons = {"length": "max_output_tokens", "filter": "content_filter"}
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1_795_000_000,
            "status": "completed" if finish == "stop" else "incomplete",
            "incomplete_details": None if finish == "stop" else {"reason": reasons[finish]},
            "error": None,
            "model": request["model"],
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {
                "input_tokens": tokens.input,
                "input_tokens_details": {"cached_tokens": tokens.cached},
                "output_tokens": tokens.output,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": tokens.input + tokens.output,
            },
        }
