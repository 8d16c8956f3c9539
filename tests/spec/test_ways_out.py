"""Webhook secrets and endpoints."""

from typing import Any

from domain.endpoint import Endpoint, EndpointDisabled, EndpointEnabled, EndpointRegistered, endpoint_id
from domain.errors import NotFound
from domain.event import TextRef
from domain.ids import webhook_secret_stream
from domain.webhook_secret import WebhookSecret, WebhookSecretCreated, WebhookSecretRetired
from tests.spec.given import NOW, STAMP, STREAM, fact, given

TEXT = TextRef(id=STREAM, digest="d" * 64)
HOOK: dict[str, Any] = {"type": "webhook", "url": "https://hooks.example.org/x"}

CREATED = fact(WebhookSecretCreated, secret_id=3, secret=TEXT)
RETIRED = fact(WebhookSecretRetired, secret_id=3)
REGISTERED = fact(EndpointRegistered, type="webhook", target=TEXT)
DISABLED = fact(EndpointDisabled, reason="It is gone.", failing_since=NOW)
ENABLED = fact(EndpointEnabled)


def test_a_secret_retires_once() -> None:
    secret = given(WebhookSecret).when(lambda _: WebhookSecret.create(3, STAMP, secret=TEXT)).then(CREATED)
    assert secret.id == webhook_secret_stream(3)
    given(WebhookSecret, CREATED).when(lambda s: s.retire(STAMP)).then(RETIRED)
    given(WebhookSecret, CREATED, RETIRED).when(lambda s: s.retire(STAMP)).then_refused(NotFound)


def test_an_endpoint_is_switched_off_and_on() -> None:
    endpoint = given(Endpoint).when(lambda _: Endpoint.register(7, HOOK, STAMP, target=TEXT)).then(REGISTERED)
    assert endpoint.id == endpoint_id(7, HOOK)
    off: Any = {"reason": "It is gone.", "failing_since": NOW}
    given(Endpoint, REGISTERED).when(lambda e: e.disable(STAMP, **off)).then(DISABLED)
    given(Endpoint, REGISTERED, DISABLED).when(lambda e: e.disable(STAMP, **off)).then()
    given(Endpoint, REGISTERED, DISABLED).when(lambda e: e.enable(STAMP)).then(ENABLED)
    given(Endpoint, REGISTERED).when(lambda e: e.enable(STAMP)).then()
    given(Endpoint, REGISTERED, DISABLED, ENABLED).when(lambda e: e.disable(STAMP, **off)).then(DISABLED)


def test_the_same_place_of_another_environment_or_kind_is_another_endpoint() -> None:
    slack: dict[str, Any] = {"type": "slack", "integration_id": 1, "channel": "#a"}
    mail: dict[str, Any] = {"type": "email", "to": ["1 #a"]}
    assert len({endpoint_id(7, HOOK), endpoint_id(8, HOOK), endpoint_id(7, slack), endpoint_id(7, mail)}) == 4
