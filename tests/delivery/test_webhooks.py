"""Webhooks, verified by a receiver that uses the standard's own library."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from consumers.delivery.guard import Guard
from consumers.delivery.http import Poster
from consumers.delivery.port import EXCERPT_LENGTH, Attempt, Message, WebhookTarget
from consumers.delivery.webhooks import Webhooks
from domain.outbound import AllowedHosts
from tests.delivery.messages import NOW, RUN, message
from tests.servers.vendors.server import Reply, Script, Seen, VendorServer


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def webhooks(*allowed: str) -> Webhooks:
    guard = Guard(AllowedHosts.parse(allowed))
    return Webhooks(guard, Poster(guard))


def sent(
    script: Sequence[Reply | Script], signing: Sequence[str] = (), said: Message | None = None
) -> tuple[list[Attempt], list[Seen]]:
    """One attempt an entry, a minute apart and ending now: the library refuses what is older than five minutes."""
    with VendorServer(script) as server:
        target = WebhookTarget(f"{server.url}/hook", tuple(signing))
        began = datetime.now(UTC) - timedelta(minutes=len(script) - 1)
        sending = webhooks(server.url.removeprefix("http://"))
        attempts = [
            sending.send(target, said or message(), began + timedelta(minutes=number)) for number in range(len(script))
        ]
        return attempts, list(server.requests)


def verified(seen: Seen, secret: str) -> Any:
    return Webhook(secret).verify(seen.body, seen.headers)


def test_a_receiver_verifies_what_it_gets() -> None:
    secret = new_secret()
    (attempt,), (seen,) = sent([Reply({"ok": True})], [secret])
    assert (attempt.verdict, attempt.status_code, attempt.error) == ("succeeded", 200, None)
    body = verified(seen, secret)
    assert body == {
        "id": str(RUN),
        "type": "replay_vision.digest",
        "timestamp": "2026-11-27T09:00:00.250000Z",
        "data": dict(message().data),
    }
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["webhook-id"] == str(RUN)
    for tampered in (seen.body + b" ", seen.body.replace(b"digest", b"digesT")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(tampered, seen.headers)


def test_a_repeat_has_the_same_id_and_body_and_a_timestamp_of_its_own() -> None:
    secret = new_secret()
    attempts, requests = sent([Reply({}, status=500), Reply({}, status=503), Reply({}, status=204, body=b"")], [secret])
    assert [attempt.verdict for attempt in attempts] == ["again", "again", "succeeded"]
    assert len({seen.headers["webhook-id"] for seen in requests}) == 1
    assert len({seen.body for seen in requests}) == 1
    assert len({seen.headers["webhook-timestamp"] for seen in requests}) == 3
    assert len({seen.headers["webhook-signature"] for seen in requests}) == 3
    for seen in requests:
        assert verified(seen, secret)["id"] == str(RUN)


def test_while_secrets_rotate_a_receiver_of_either_is_satisfied() -> None:
    newest, older, retired = new_secret(), new_secret(), new_secret()
    _, (seen,) = sent([Reply({})], [newest, older])
    assert verified(seen, newest) == verified(seen, older)
    with pytest.raises(WebhookVerificationError):
        verified(seen, retired)


def test_without_a_secret_there_is_no_signature() -> None:
    (attempt,), (seen,) = sent([Reply({})])
    assert attempt.verdict == "succeeded"
    assert "webhook-signature" not in seen.headers
    assert "webhook-id" in seen.headers


@pytest.mark.parametrize(
    ("status", "headers", "verdict", "retry_after"),
    [
        (200, {}, "succeeded", None),
        (299, {"Retry-After": "5"}, "succeeded", None),
        (301, {"Location": "http://127.0.0.1:1/"}, "again", None),
        (400, {}, "again", None),
        (401, {}, "again", None),
        (404, {}, "again", None),
        (410, {}, "gone", None),
        (429, {}, "again", 60),
        (429, {"Retry-After": "240"}, "again", 240),
        (500, {}, "again", None),
        (502, {}, "again", 60),
        (503, {"Retry-After": "30"}, "again", 30),
        (504, {}, "again", 60),
    ],
)
def test_what_an_answer_means(status: int, headers: dict[str, str], verdict: str, retry_after: float | None) -> None:
    (attempt,), _ = sent([Reply({"why": "so"}, status=status, headers=headers)])
    assert (attempt.status_code, attempt.verdict, attempt.retry_after) == (status, verdict, retry_after)
    assert (attempt.error is None) == (verdict == "succeeded")
    assert attempt.error is None or str(status) in attempt.error
    assert attempt.response_excerpt == '{"why": "so"}'
    assert 0 <= attempt.duration_ms < 20_000


def test_what_is_kept_of_an_answer_is_bounded_and_without_secrets() -> None:
    secret = new_secret()
    bare = secret.removeprefix("whsec_")

    def echo(seen: Seen) -> Reply:
        said = f"{secret}\x00\x1b[31m {bare} {seen.headers['webhook-signature']} " + "ä" * 5000
        return Reply(body=said.encode() + b"\xff")

    (attempt,), (seen,) = sent([echo], [secret])
    kept = attempt.response_excerpt
    assert len(kept) == EXCERPT_LENGTH
    assert secret not in kept
    assert bare not in kept
    assert seen.headers["webhook-signature"].partition(",")[2] not in kept
    assert kept.isprintable()
    assert secret not in repr(WebhookTarget("https://a.example/", (secret,)))


def test_what_cannot_be_reached() -> None:
    nothing = webhooks("127.0.0.1:9").send(WebhookTarget("http://127.0.0.1:9/", ()), message(), NOW)
    assert (nothing.verdict, nothing.status_code) == ("again", None)
    assert nothing.error == "127.0.0.1 refused the connection."
    with VendorServer([Reply({})]) as server:
        inside = webhooks().send(WebhookTarget(f"{server.url}/", (new_secret(),)), message(), NOW)
        assert (inside.verdict, inside.status_code, server.requests) == ("abandon", None, [])
        assert "https" in (inside.error or "")
