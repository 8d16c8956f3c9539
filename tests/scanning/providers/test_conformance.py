"""A provider is supported when it passes this: its own SDK, for real, against a server that speaks its protocol."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import UsageLimitExceeded
from pydantic_ai.usage import UsageLimits

from consumers.scanning.providers.models import vendors
from consumers.scanning.providers.models.access import Access
from consumers.scanning.providers.models.failures import provider_error
from consumers.scanning.providers.models.prices import cost_usd
from consumers.scanning.providers.models.wire import trusted
from consumers.scanning.providers.port import ProviderError
from tests.scanning.providers.asked import GOOD, ask, asked, failure
from tests.servers.vendors.all import KEY, PROTOCOLS, access, entry
from tests.servers.vendors.gemini import GenerateContent
from tests.servers.vendors.protocol import Protocol, Tokens
from tests.servers.vendors.server import Reply, Script, VendorServer

CANARY = "canary-0451"
"""Stands for the prompt, which vendors quote in what they say."""

every_provider = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)

TRANSIENT = (408, 409, 429, 500, 502, 503, 504, 529)
REJECTED = (400, 401, 403, 404, 413, 422)

UNREADABLE = "The model provider's answer could not be read."
BROKEN = "The connection to the model provider failed."
LATE = "The model provider did not answer in time."


def failed(protocol: Protocol, script: Script | Reply, way: str = "tool") -> ProviderError:
    """What a failure comes to; it must have cost one request, and say nothing of what the vendor said."""
    with VendorServer([script]) as server:
        error = failure(entry(protocol), access(protocol, server), way)
        assert len(server.requests) == 1, "retries are ours alone"
    assert CANARY not in f"{error}{error.message}{error!r}"
    return error


@every_provider
@pytest.mark.parametrize("way", ["tool", "schema"])
def test_an_answer(protocol: Protocol, way: str) -> None:
    model = entry(protocol)
    with VendorServer([protocol.answer(GOOD, Tokens(input=1200, output=80, cached=200))]) as server:
        answered = ask(model, access(protocol, server), way)
        (seen,) = server.requests
    assert answered.output.model_dump() == GOOD
    (usage,) = answered.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) == (1200, 80, 200)
    assert cost_usd(model, usage) == Decimal("0.00182")
    assert (seen.method, seen.path) == ("POST", protocol.path)
    assert seen.headers[protocol.key_header].removeprefix("Bearer ") == KEY
    assert [name for name, value in seen.headers.items() if KEY in value] == [protocol.key_header]
    assert KEY.encode() not in seen.body
    assert seen.headers["accept-encoding"] == "identity"
    assert (protocol.output_tool(seen.document) is not None) == (way == "tool")


@every_provider
def test_what_an_answer_may_cost_is_bounded(protocol: Protocol) -> None:
    """But for a server of one's own, which may have less room for an answer than that, and would refuse."""

    def sent(context: int | None) -> bytes:
        with VendorServer([protocol.answer(GOOD)]) as server:
            ask(entry(protocol, context=context), access(protocol, server))
            return server.requests[0].body

    assert (b"16384" in sent(None)) == (protocol.name in {"google", "anthropic"})
    assert b"16384" in sent(1_000_000)
    assert b"8000" in sent(32_000)


@every_provider
def test_a_look_up_on_the_way(protocol: Protocol) -> None:
    asked: list[int] = []

    def look_up(second: int) -> str:
        """What happened then."""
        asked.append(second)
        return "A button was pressed."

    script = [protocol.call("look_up", {"second": 7}), protocol.answer(GOOD, Tokens(input=2000))]
    with VendorServer(script) as server:
        answered = ask(entry(protocol), access(protocol, server), tools=[look_up])
        assert len(server.requests) == 2
        assert b"A button was pressed." in server.requests[1].body
    assert (asked, answered.output.verdict) == ([7], "yes")
    assert [usage.input_tokens for usage in answered.usage] == [1200, 2000]


@every_provider
@pytest.mark.parametrize("status", [*TRANSIENT, *REJECTED])
def test_a_status(protocol: Protocol, status: int) -> None:
    """Engine 1.6, also when the vendor asks its SDK to try again."""
    error = failed(protocol, protocol.error(status, CANARY, protocol.retry_hint))
    kind = "provider_transient" if status in TRANSIENT else "provider_rejected"
    assert (error.kind, error.message) == (kind, f"The model provider answered with HTTP status {status}.")
    assert error.retry_after is None


@every_provider
def test_a_status_without_a_body_of_the_vendors_form(protocol: Protocol) -> None:
    """Of a proxy in between."""
    for body in (b"", b"<html>", f"[{CANARY!r}".encode(), b"\xff" * 9, b'{"error": "e"}', b'{"error": [7]}', b"7"):
        error = failed(protocol, Reply(status=503, body=body, headers={"Content-Type": "text/html"}))
        assert (error.kind, error.message) == (
            "provider_transient",
            "The model provider answered with HTTP status 503.",
        )


@every_provider
def test_a_redirect_is_not_followed(protocol: Protocol) -> None:
    with VendorServer([protocol.answer(GOOD)]) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            error = failed(protocol, Reply({"error": CANARY}, status, {"Location": f"{elsewhere.url}{protocol.path}"}))
            assert (error.kind, error.message) == (
                "provider_rejected",
                "The model provider redirects to another address.",
            )
        assert elsewhere.requests == []


def shown(delay: timedelta) -> str:
    return format_datetime(datetime.now(UTC) + delay, usegmt=True)


@every_provider
def test_a_wait_that_the_vendor_asks_for(protocol: Protocol) -> None:
    for value, wait in (("7", 7.0), ("0", 0.0), (shown(timedelta(seconds=90)), 90.0), (shown(timedelta(days=-1)), 0.0)):
        found = failed(protocol, protocol.error(429, CANARY, {"Retry-After": value})).retry_after
        assert found == pytest.approx(wait, abs=3), value
    for value in ("soon", "-5", "", "1e9", "١٢٣x"):
        assert (
            failed(protocol, protocol.error(429, CANARY, {"Retry-After": value.encode().decode("latin-1")})).retry_after
            is None
        ), value
    assert failed(protocol, protocol.error(503, CANARY, {"retry-after-ms": "1500"})).retry_after == 1.5


def test_a_wait_in_googles_way() -> None:
    google = GenerateContent()
    for value, wait in (("14s", 14.0), ("0.5s", 0.5), ("soon", None), ("-3s", None)):
        assert failed(google, google.retry_info(429, value)).retry_after == wait


@every_provider
@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(cut_at=0), BROKEN),
        (Reply({"a": "b" * 1000}, cut_at=500), BROKEN),
        (Reply(body=b"<html>"), UNREADABLE),
        (Reply(body=b"<html>", headers={"Content-Type": "text/html"}), UNREADABLE),
        (Reply(body=b""), UNREADABLE),
        (Reply(body=b'{"a": \xff}'), UNREADABLE),
        (Reply([{}]), UNREADABLE),
        (Reply(body=b"[" * 100_000), UNREADABLE),
        (Reply({}, headers={"Content-Encoding": "gzip"}), UNREADABLE),
    ],
    ids=lambda value: "" if isinstance(value, Reply) else None,
)
def test_what_is_no_answer(protocol: Protocol, reply: Reply, told: str) -> None:
    error = failed(protocol, reply)
    assert (error.kind, error.message, error.retry_after) == ("provider_transient", told, None)


@every_provider
@pytest.mark.parametrize(
    "document", [{}, {"a": CANARY}, {"candidates": 3}, {"choices": None, "output": 7, "content": "x"}]
)
def test_a_document_of_another_protocol(protocol: Protocol, document: object) -> None:
    assert failed(protocol, Reply(document)).kind in {"provider_transient", "validation_failed"}


@every_provider
@pytest.mark.parametrize("way", ["tool", "schema"])
def test_an_answer_that_cannot_be_used(protocol: Protocol, way: str) -> None:
    for script in (
        protocol.text(f'{{"verdict": "{CANARY}'),
        protocol.answer({"verdikt": CANARY}),
        protocol.answer({"reasoning": 7, "verdict": [CANARY]}),
        protocol.empty(),
    ):
        error = failed(protocol, script, way)
        assert (error.kind, error.message) == ("validation_failed", "The model's answers had no form that can be read.")


@every_provider
def test_an_answer_that_was_cut_off(protocol: Protocol) -> None:
    error = failed(protocol, protocol.truncated(f'{{"verdict": "{CANARY}'), "schema")
    assert (error.kind, error.message) == (
        "validation_failed",
        "The answer was cut off at the model's limit of output.",
    )


@every_provider
def test_a_model_that_looks_things_up_for_ever(protocol: Protocol) -> None:
    """Bounded by whoever asks, and no reason to pay for it once more."""
    limits = UsageLimits(request_limit=3)
    with VendorServer([protocol.call("look_up", {})]) as server:
        model = vendors.model(entry(protocol), access(protocol, server))
        with pytest.raises(UsageLimitExceeded) as caught:
            Agent(model, tools=[look_up]).run_sync("Did it work?", usage_limits=limits)
        assert len(server.requests) == 3
    assert provider_error(caught.value).kind == "validation_failed"


def look_up() -> str:
    return "Nothing."


@every_provider
def test_a_refusal(protocol: Protocol) -> None:
    error = failed(protocol, protocol.refusal(CANARY))
    told = "The model provider refused to answer: its content filter."
    assert (error.kind, error.message) == ("provider_rejected", told)


@every_provider
@pytest.mark.parametrize("reply", [Reply({}, after=30), Reply({"a": "b" * 1000}, between=0.1)], ids=["silent", "slow"])
def test_an_answer_that_takes_too_long(protocol: Protocol, reply: Reply) -> None:
    with VendorServer([reply]) as server:
        error = failure(entry(protocol), access(protocol, server, seconds=1.0))
        assert server.gone.wait(5), "the connection must not outlive the call"
        assert len(server.requests) == 1
    assert (error.kind, error.message) == ("provider_transient", LATE)


@every_provider
def test_an_answer_without_an_end(protocol: Protocol) -> None:
    with VendorServer([Reply(size=10**9)]) as server:
        error = failure(entry(protocol), access(protocol, server, answer_bytes=1_000_000))
        assert server.gone.wait(5)
        assert len(server.requests) == 1
    told = "The model provider's answer was longer than an answer may be."
    assert (error.kind, error.message) == ("provider_rejected", told)


@every_provider
def test_nobody_there(protocol: Protocol) -> None:
    with VendorServer([protocol.answer(GOOD)]) as server:
        pass
    error = failure(entry(protocol), access(protocol, server))
    assert (error.kind, error.message) == ("provider_transient", BROKEN)


@every_provider
def test_the_environment_changes_nothing(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "http://127.0.0.1:9"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, nowhere)
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.setenv(name, nowhere)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, CANARY)
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    with VendorServer([protocol.answer(GOOD)]) as server:
        assert ask(entry(protocol), access(protocol, server)).output.verdict == "yes"
        (seen,) = server.requests
    assert CANARY not in f"{seen.headers}{seen.body}"


@every_provider
def test_a_certificate_that_nobody_vouches_for(
    protocol: Protocol, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever answers is not told the key, until the machine trusts the certificate."""
    with VendorServer([protocol.answer(GOOD)], certificate) as server:
        error = failure(entry(protocol), access(protocol, server))
        assert server.requests == []
        assert (error.kind, error.message) == ("provider_transient", BROKEN)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        trusted.cache_clear()
        try:
            assert ask(entry(protocol), access(protocol, server)).output.verdict == "yes"
        finally:
            trusted.cache_clear()


@every_provider
def test_a_model_is_anybodys(protocol: Protocol) -> None:
    """Made once, asked by several threads at a time, each with a loop of its own."""
    with VendorServer([protocol.answer(GOOD)]) as server, ThreadPoolExecutor(4) as threads:
        model = vendors.model(entry(protocol), access(protocol, server))
        assert list(threads.map(lambda _: asked(model).output.verdict, range(8))) == ["yes"] * 8
        assert len(server.requests) == 8


@every_provider
def test_a_missing_key(protocol: Protocol) -> None:
    with pytest.raises(ProviderError) as refused:
        vendors.model(entry(protocol), Access(protocol.provider))
    setting = f"REPLAY_VISION_{protocol.provider.upper()}_API_KEY"
    assert (refused.value.kind, refused.value.message) == ("provider_rejected", f"{setting} is not set on this server.")
