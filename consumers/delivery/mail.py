"""E-mail over SMTP: one letter to one address, and what the server's replies mean."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from threading import Timer

from consumers.delivery.excerpts import excerpt
from consumers.delivery.letters import letter
from consumers.delivery.mail_server import MailServer
from consumers.delivery.port import Attempt, EmailTarget, Message, Verdict

SECONDS = 45.0
"""For a whole conversation; a single reply may take as long as that."""
CONNECT_SECONDS = 15.0
"""For each address of the server, its greeting included."""

_OK = 250
_PERMANENT = 500


class _Refused(Exception):
    """It ends here. `code` is what the server said no with, None for a no of our own; `step` in our words what to.

    `permanent`: it would be so again. What is wrong between the server and us (a password, TLS) can be mended.
    """

    def __init__(self, code: int | None, said: bytes | str, step: str, *, permanent: bool) -> None:
        super().__init__(step)
        self.code = code
        self.said = said
        self.step = step
        self.permanent = permanent


class Mail:
    """Safe to use from several threads: every letter has a connection of its own."""

    def __init__(
        self,
        server: MailServer,
        sender: str,
        *,
        seconds: float = SECONDS,
        trusted: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`sender` is the address that letters come from; `trusted` as in `consumers.delivery.http.Poster`."""
        self._server = server
        self._sender = sender
        self._seconds = seconds
        self._trusted = trusted
        self._monotonic = monotonic

    def send(self, target: EmailTarget, message: Message) -> Attempt:
        """One attempt: 4xx and a server that is away are worth another, 5xx about the letter ends it (RFC 5321).

        A connection that breaks after the letter was sent leaves open whether it arrived; it is sent again, and is the
        same letter by its Message-ID.
        """
        began = self._monotonic()
        code, error, said, verdict = self._said(target, message)
        kept = excerpt(said, self._secrets())
        return Attempt(code, round((self._monotonic() - began) * 1000), error, kept, verdict)

    def _secrets(self) -> list[str]:
        """Password and user as AUTH LOGIN sends them, and both as AUTH PLAIN does (RFC 4616)."""
        user, password = self._server.user, self._server.password
        return [] if user is None or password is None else [user, password, f"\0{user}\0{password}"]

    def _said(self, target: EmailTarget, message: Message) -> tuple[int | None, str | None, bytes | str, Verdict]:
        try:
            said = self._deliver(target, message)
        except _Refused as refused:
            verdict: Verdict = "abandon" if refused.permanent else "again"
            why = refused.step if refused.code is None else f"The mail server refused {refused.step}: {refused.code}."
            return refused.code, why, refused.said, verdict
        except smtplib.SMTPNotSupportedError:
            return None, "The mail server lacks what this letter or its safety needs.", "", "again"
        except ssl.SSLError:
            return None, "The mail server failed the TLS handshake.", "", "again"
        except (OSError, smtplib.SMTPException) as error:
            return None, f"The mail server did not answer as it should: {type(error).__name__}.", "", "again"
        return _OK, None, said, "succeeded"

    def _deliver(self, target: EmailTarget, message: Message) -> bytes:
        mail = letter(message, target.to, self._sender)
        options = [] if (target.to + self._sender).isascii() else ["SMTPUTF8"]
        with self._connected() as smtp:
            if options and not smtp.has_extn("smtputf8"):
                raise _Refused(None, "", "The mail server takes no address beyond ASCII.", permanent=True)
            _expect(*smtp.mail(self._sender, options), step="the sender", about_the_letter=True)
            _expect(*smtp.rcpt(target.to), step="the recipient", about_the_letter=True)
            try:
                code, said = smtp.data(mail.as_bytes())
            except smtplib.SMTPDataError as error:
                code, said = error.smtp_code, _bytes(error.smtp_error)
            _expect(code, said, step="the letter", about_the_letter=True)
            return said

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """A connection that is closed after so many seconds, whatever it is about: timeouts are of single replies."""
        smtp = self._smtp()
        timer = Timer(self._seconds, _break, [smtp])
        timer.daemon = True
        timer.start()
        try:
            _expect(*smtp.connect(self._server.host, self._server.port), step="the connection")
            if smtp.sock is not None:
                smtp.sock.settimeout(self._seconds)
            self._greet(smtp)
            yield smtp
            _leave(smtp)
        finally:
            timer.cancel()
            smtp.close()

    def _smtp(self) -> smtplib.SMTP:
        # Not the name of this machine, which concerns nobody.
        first = min(CONNECT_SECONDS, self._seconds)
        named = self._sender.rpartition("@")[2] if self._sender.isascii() else "localhost"
        if self._server.security == "immediate":
            smtp = smtplib.SMTP_SSL(local_hostname=named, timeout=first, context=self._authorities())
        else:
            smtp = smtplib.SMTP(local_hostname=named, timeout=first)
        # What a certificate must name. Given to the constructor it would connect there, before it can be stopped.
        smtp._host = self._server.host  # noqa: SLF001 # pyright: ignore[reportAttributeAccessIssue]
        return smtp

    def _greet(self, smtp: smtplib.SMTP) -> None:
        server = self._server
        smtp.ehlo_or_helo_if_needed()
        if server.security == "required" or (server.security == "offered" and smtp.has_extn("starttls")):
            careful = server.security == "required" or server.user is not None
            _expect(*smtp.starttls(context=self._authorities() if careful else _unverified()), step="TLS")
            smtp.ehlo_or_helo_if_needed()
        elif server.security == "offered" and server.user is not None and not _on_this_machine(server.host):
            raise _Refused(None, "", "The mail server offers no TLS, and the password is not sent.", permanent=False)
        if server.user is not None and server.password is not None:
            try:
                smtp.login(server.user, server.password)
            except smtplib.SMTPAuthenticationError as error:
                raise _Refused(error.smtp_code, error.smtp_error, "the password", permanent=False) from error

    def _authorities(self) -> ssl.SSLContext:
        return self._trusted or ssl.create_default_context()


def _expect(code: int, said: bytes, *, step: str, about_the_letter: bool = False) -> None:
    if not 200 <= code < 300:  # noqa: PLR2004 - the class of SMTP's successes
        raise _Refused(code, said, step, permanent=about_the_letter and code >= _PERMANENT)


def _unverified() -> ssl.SSLContext:
    """For a server that offers TLS and is sent no password (RFC 7435).

    Whoever could pretend to be it could as well hide the offer: asking for a certificate would only lose encryption.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _break(smtp: smtplib.SMTP) -> None:
    sock = smtp.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it was closed in the meantime


def _leave(smtp: smtplib.SMTP) -> None:
    """The letter is delivered: how the server takes its leave changes nothing."""
    try:
        smtp.quit()
    except (OSError, smtplib.SMTPException):
        return


def _bytes(said: bytes | str) -> bytes:
    return said if isinstance(said, bytes) else said.encode()
