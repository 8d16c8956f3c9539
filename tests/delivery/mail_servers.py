"""A mail server on the loopback address, by aiosmtpd, that keeps what it is given and refuses what it is told to."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as RULES
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from consumers.delivery.mail_server import MailServer, Security
from tests.servers.ports import free_ports

USER, PASSWORD = "vision@mail.example.org", "can:ary/pass%word"


@dataclass
class Mailbox:
    """`refusing`: by step (`MAIL`, an address, `DATA`) the replies that come first, one an attempt."""

    refusing: dict[str, list[str]] = field(default_factory=dict)
    letters: list[tuple[str, EmailMessage]] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    port: int = 0

    def _next(self, step: str) -> str | None:
        replies = self.refusing.get(step, [])
        return replies.pop(0) if replies else None

    async def handle_MAIL(  # noqa: N802 - a name of the library
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refused := self._next("MAIL"):
            return refused
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if refused := self._next(address):
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if refused := self._next("DATA"):
            return refused
        content = envelope.content
        assert isinstance(content, bytes)
        letter = message_from_bytes(content, policy=RULES)
        assert isinstance(letter, EmailMessage)
        self.letters.append((envelope.rcpt_tos[0], letter))
        self.envelopes.append(envelope)
        self.secured.append(session.ssl is not None)
        if self._next("LOST"):
            assert server.transport is not None
            server.transport.close()
        return "250 queued as 1"


def _check(_server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    assert mechanism in ("LOGIN", "PLAIN")
    assert isinstance(data, LoginPassword)
    good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


@contextmanager
def mail_server(
    mailbox: Mailbox,
    certificate: Path | None = None,
    *,
    immediate: bool = False,
    password: bool = False,
    utf8: bool = True,
) -> Iterator[Mailbox]:
    """Listens while the block runs. With a certificate it offers STARTTLS, or speaks TLS from the first byte."""
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    asks: dict[str, Any] = {"authenticator": _check, "auth_require_tls": False} if password else {}
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=free_ports(1)[0],
        ssl_context=tls if immediate else None,
        tls_context=None if immediate else tls,
        enable_SMTPUTF8=utf8,
        **asks,
    )
    controller.start()
    mailbox.port = controller.port
    try:
        yield mailbox
    finally:
        controller.stop()


def server_of(mailbox: Mailbox, security: Security = "offered", *, password: str | None = None) -> MailServer:
    user = USER if password is not None else None
    return MailServer("127.0.0.1", mailbox.port, security, user, password)
