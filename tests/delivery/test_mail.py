"""E-mail through a real server on the loopback address."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from consumers.delivery.letters import letter
from consumers.delivery.mail import Mail
from consumers.delivery.mail_server import MailServer
from consumers.delivery.port import Attempt, EmailTarget, Message
from tests.delivery.mail_servers import PASSWORD, USER, Mailbox, mail_server, server_of
from tests.delivery.messages import NOW, RUN, message

SENDER = "reports@vision.example.org"
HOSTILE = "a\r\nBcc: evil@example.org\r\n\r\n<script>\u2028Bcc: evil@example.org\x00\x85"


def sent(mailbox: Mailbox, said: Message | None = None, to: str = "ann@example.org", sender: str = SENDER) -> Attempt:
    return Mail(server_of(mailbox), sender).send(EmailTarget(to), said or message())


def test_a_report_arrives_as_text_and_html() -> None:
    with mail_server(Mailbox()) as mailbox:
        attempt = sent(mailbox)
    assert (attempt.verdict, attempt.status_code, attempt.error) == ("succeeded", 250, None)
    assert attempt.response_excerpt == "queued as 1"
    ((to, mail),) = mailbox.letters
    assert to == "ann@example.org"
    assert (mail["To"], mail["From"], mail["Subject"]) == ("ann@example.org", SENDER, "Morning digest: Checkout")
    assert parsedate_to_datetime(mail["Date"]) == NOW.replace(microsecond=0)
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = (mail.get_body([kind]) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert "The payment failed in 3 sessions" in text.get_content()
    assert "<strong>3</strong>" in html.get_content()
    link = f"https://vision.example.org/runs/{RUN}"
    assert link in text.get_content()
    assert f'<a href="{link}">' in html.get_content()


def test_a_repeat_is_the_same_letter_and_another_address_another() -> None:
    with mail_server(Mailbox()) as mailbox:
        for to in ("ann@example.org", "ann@example.org", "bob@example.org"):
            assert sent(mailbox, to=to).verdict == "succeeded"
        assert sent(mailbox, message(run=uuid4())).verdict == "succeeded"
    ids = [mail["Message-ID"] for _, mail in mailbox.letters]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert mailbox.letters[0][1]["X-Replay-Vision-Run"] == str(RUN)
    assert mailbox.letters[0][1]["Date"] == mailbox.letters[1][1]["Date"]


def test_no_header_can_be_smuggled_in() -> None:
    with mail_server(Mailbox()) as mailbox:
        said = message(markdown=HOSTILE, action_name=HOSTILE, scanner_name=HOSTILE, run_url="https://x/\r\nBcc: a@b.c")
        assert sent(mailbox, said).verdict == "succeeded"
    ((_, mail),) = mailbox.letters
    assert mail["Bcc"] is None
    assert mailbox.envelopes[0].rcpt_tos == ["ann@example.org"]
    assert set(mail.keys()) == set(letter(message(), "ann@example.org", SENDER).keys())
    assert len(mail["Subject"].splitlines()) == 1
    html = mail.get_body(["html"])
    assert html is not None
    assert "<script" not in html.get_content()


@pytest.mark.parametrize(
    "word",
    [
        "=?utf-8?q?=0D=0ABcc:_evil=40example.org?=",
        "=?utf-8?b?DQpCY2M6IGFAYg==?=",
        "\uff1d\u200b?us-ascii?q?=0D=0ABcc:a?=",
    ],
)
def test_an_encoded_word_in_a_name_stays_text(word: str) -> None:
    """RFC 2047: the library decodes such words of a header's value and would write their line breaks."""
    with mail_server(Mailbox()) as mailbox:
        assert sent(mailbox, message(action_name=word, scanner_name=word)).verdict == "succeeded"
    ((_, mail),) = mailbox.letters
    assert set(mail.keys()) == set(letter(message(), "ann@example.org", SENDER).keys())
    assert "= ?u" in mail["Subject"]


def test_no_spelling_of_the_password_comes_back_with_a_reply() -> None:
    plain, login = (base64.b64encode(text.encode()).decode() for text in (f"\0{USER}\0{PASSWORD}", PASSWORD))
    with mail_server(
        Mailbox({"DATA": [f"554 unknown: AUTH PLAIN {plain} {login} {PASSWORD}"]}), password=True
    ) as mailbox:
        attempt = Mail(server_of(mailbox, password=PASSWORD), SENDER).send(EmailTarget("a@b.org"), message())
    assert attempt.response_excerpt == "unknown: AUTH PLAIN *** *** ***"


def test_a_line_that_is_a_dot_ends_nothing() -> None:
    with mail_server(Mailbox()) as mailbox:
        assert sent(mailbox, message(markdown="a\n\n.\n\nMAIL FROM:<evil@example.org>\n\nlast")).verdict == "succeeded"
    text = mailbox.letters[0][1].get_body(["plain"])
    assert text is not None
    assert "last" in text.get_content()
    assert len(mailbox.letters) == 1


@pytest.mark.parametrize(
    ("step", "reply", "verdict", "code"),
    [
        ("MAIL", "451 later", "again", 451),
        ("MAIL", "553 not you", "abandon", 553),
        ("ann@example.org", "450 greylisted", "again", 450),
        ("ann@example.org", "452 full", "again", 452),
        ("ann@example.org", "550 no such user", "abandon", 550),
        ("DATA", "421 closing", "again", 421),
        ("DATA", "554 spam", "abandon", 554),
    ],
)
def test_what_a_reply_means(step: str, reply: str, verdict: str, code: int) -> None:
    with mail_server(Mailbox({step: [reply]})) as mailbox:
        attempt = sent(mailbox)
        assert (attempt.verdict, attempt.status_code) == (verdict, code)
        assert attempt.response_excerpt == reply.partition(" ")[2]
        assert str(code) in (attempt.error or "")
        assert mailbox.letters == []
        # It concerned that letter and that address alone.
        assert sent(mailbox, to="bob@example.org").verdict == "succeeded"


def test_a_connection_that_is_lost_before_the_last_reply_is_worth_another_attempt() -> None:
    with mail_server(Mailbox({"LOST": ["yes"]})) as mailbox:
        attempts = [sent(mailbox), sent(mailbox)]
    assert [attempt.verdict for attempt in attempts] == ["again", "succeeded"]
    first, second = (mail for _, mail in mailbox.letters)
    assert first["Message-ID"] == second["Message-ID"]


def test_a_server_that_is_away() -> None:
    attempt = Mail(MailServer("127.0.0.1", 9, "offered"), SENDER).send(EmailTarget("a@b.org"), message())
    assert (attempt.verdict, attempt.status_code) == ("again", None)
    assert "ConnectionRefusedError" in (attempt.error or "")


def test_the_time_of_a_whole_conversation_is_bounded() -> None:
    """A server that always says something and never comes to an end."""

    def talk(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            try:
                while True:
                    peer.sendall(b"220-still greeting\r\n")
                    time.sleep(0.05)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=talk, args=[listener], daemon=True)
        thread.start()
        began = time.monotonic()
        server = MailServer("127.0.0.1", listener.getsockname()[1], "offered")
        attempt = Mail(server, SENDER, seconds=0.5).send(EmailTarget("a@b.org"), message())
        assert attempt.verdict == "again"
        assert time.monotonic() - began < 5
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize("security", ["required", "immediate"])
def test_tls_with_a_password(security: str, certificate: Path, trusted: ssl.SSLContext) -> None:
    assert security in ("required", "immediate")
    immediate = security == "immediate"
    with mail_server(Mailbox(), certificate, immediate=immediate, password=True) as mailbox:
        url = f"{'smtps' if immediate else 'starttls'}://{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
        server = MailServer.parse(f"{url}@127.0.0.1:{mailbox.port}")
        assert PASSWORD not in repr(server)
        good = Mail(server, SENDER, trusted=trusted).send(EmailTarget("a@b.org"), message())
        assert good.verdict == "succeeded"
        assert immediate or mailbox.secured == [True]
        wrong = MailServer(server.host, server.port, server.security, USER, "wrong-password")
        refused = Mail(wrong, SENDER, trusted=trusted).send(EmailTarget("a@b.org"), message())
        assert (refused.verdict, refused.status_code) == ("again", 535)
        assert "wrong-password" not in f"{refused}"
        # An authority that this machine does not trust: the password stays here.
        unknown = Mail(server, SENDER).send(EmailTarget("a@b.org"), message())
        assert (unknown.verdict, unknown.error) == ("again", "The mail server failed the TLS handshake.")
        assert len(mailbox.letters) == 1


def test_tls_that_is_offered_is_used_and_one_that_is_required_must_be_there(certificate: Path) -> None:
    with mail_server(Mailbox(), certificate) as mailbox:
        assert sent(mailbox).verdict == "succeeded"
        assert mailbox.secured == [True]
    with mail_server(Mailbox()) as mailbox:
        plain = Mail(server_of(mailbox, "required"), SENDER).send(EmailTarget("a@b.org"), message())
        assert (plain.verdict, mailbox.letters) == ("again", [])
        assert "lacks" in (plain.error or "")


def test_a_password_without_tls_goes_to_this_machine_only() -> None:
    with mail_server(Mailbox(), password=True) as mailbox:
        here = Mail(server_of(mailbox, password=PASSWORD), SENDER).send(EmailTarget("a@b.org"), message())
        assert here.verdict == "succeeded"
        # A spelling that leads here without being the name or an address of this machine.
        elsewhere = MailServer("127.1", mailbox.port, "offered", USER, PASSWORD)
        kept = Mail(elsewhere, SENDER).send(EmailTarget("a@b.org"), message())
        assert (kept.verdict, kept.status_code) == ("again", None)
        assert kept.error == "The mail server offers no TLS, and the password is not sent."
        assert len(mailbox.letters) == 1


def test_addresses_beyond_ascii() -> None:
    with mail_server(Mailbox()) as mailbox:
        assert sent(mailbox, to="jürgen@example.org").verdict == "succeeded"
    assert mailbox.letters[0][0] == "jürgen@example.org"
    assert mailbox.letters[0][1]["To"] == "jürgen@example.org"
    with mail_server(Mailbox(), utf8=False) as mailbox:
        attempt = sent(mailbox, to="jürgen@example.org")
        assert (attempt.verdict, attempt.status_code, mailbox.letters) == ("abandon", None, [])


@pytest.mark.parametrize(
    "url",
    ["http://x", "smtp://", "smtp://u@x", "smtp://:p@x", "smtp://u:p%0d%0a@x", "smtp://u:%ff@x", "smtp://x/path",
     "smtp://x?tls=no", "smtp://x:0", "smtp://x:port", "smtp://u:pä@x"],
)  # fmt: skip
def test_what_is_no_mail_server(url: str) -> None:
    with pytest.raises(ValueError, match=r"of the form|a user needs|of ASCII") as refused:
        MailServer.parse(url)
    assert not any(part in str(refused.value) for part in ("u:", "%0d", "%ff", "tls=no", "pä"))


def test_mail_servers() -> None:
    assert MailServer.parse("smtp://mail.example.org") == MailServer("mail.example.org", 25, "offered")
    found = MailServer.parse("smtps://a%40b.org:p%2Fq%25@mail.example.org")
    assert (found.port, found.security, found.user, found.password) == (465, "immediate", "a@b.org", "p/q%")
    assert MailServer.parse("starttls://u:p@h:2525/") == MailServer("h", 2525, "required", "u", "p")
