"""What the vendors' protocols have in common, so that one test can play all of them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tests.servers.vendors.server import Reply, Script, Seen


@dataclass(frozen=True)
class Tokens:
    """What an answer says it has used; those of the cache are among the input."""

    input: int = 1200
    output: int = 80
    cached: int = 200


class Protocol(ABC):
    """One vendor's, as far as its SDK uses it here. Methods give scripts for a VendorServer."""

    name: ClassVar[str]
    provider: ClassVar[str]
    model: ClassVar[str]
    key_header: ClassVar[str]
    """Lower case."""
    path: ClassVar[str]
    """Of the one request that asks a model."""
    below: ClassVar[str] = ""
    """What comes after the server's address in a base URL."""
    retry_hint: ClassVar[dict[str, str]] = {}
    """What the vendor sends with an error that its SDK should try again after."""

    def answer(self, output: Mapping[str, Any], tokens: Tokens = Tokens()) -> Script:
        """The structured output, in the way the request asks for it: by a tool made for it, or as text."""

        def reply(seen: Seen) -> Reply:
            tool = self.output_tool(seen.document)
            if tool is None:
                return Reply(self.said(json.dumps(output), tokens, seen.document))
            return Reply(self.called(tool, dict(output), tokens, seen.document))

        return reply

    def text(self, text: str, tokens: Tokens = Tokens()) -> Script:
        return lambda seen: Reply(self.said(text, tokens, seen.document))

    def call(self, tool: str, arguments: Mapping[str, Any], tokens: Tokens = Tokens()) -> Script:
        """A call of a tool that is not the output."""
        return lambda seen: Reply(self.called(tool, dict(arguments), tokens, seen.document))

    def output_tool(self, request: Any) -> str | None:
        """The name of the tool that stands for the output, as pydantic-ai calls it; None: it is asked for as text."""
        return next((name for name in self.tools(request) if name.startswith("final_result")), None)

    @abstractmethod
    def tools(self, request: Any) -> list[str]:
        """Names of the functions that the request offers."""

    @abstractmethod
    def said(self, text: str, tokens: Tokens, request: Any, *, finish: str = "stop") -> Any:
        """The document of an answer in words. `finish`: stop, length or filter, spelled the vendor's way in it."""

    @abstractmethod
    def called(self, tool: str, arguments: dict[str, Any], tokens: Tokens, request: Any) -> Any:
        """The document of an answer that calls a function."""

    @abstractmethod
    def empty(self) -> Script:
        """An answer without any content."""

    @abstractmethod
    def refusal(self, text: str) -> Script:
        """The model, or the vendor's filter, does not want to."""

    @abstractmethod
    def error(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
        """A failure in the vendor's form, whose message is `text`."""

    def truncated(self, text: str) -> Script:
        """An answer that ends where the model's output had to."""
        return lambda seen: Reply(self.said(text, Tokens(), seen.document, finish="length"))
