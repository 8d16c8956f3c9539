"""A message as an e-mail: text and HTML, headers that nothing can be smuggled into, an id that repeats keep."""

from __future__ import annotations

import html
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from uuid import uuid5

from consumers.actions.report.rendering import to_html, to_text
from consumers.delivery.port import Message
from consumers.delivery.wording import hosts_of, title_of, url_of
from domain.ids import NAMESPACE
from domain.plain_text import one_line

SUBJECT_LENGTH = 200

_PAGE = """<!doctype html>
<html><head><meta charset="utf-8"><title>{title}</title></head>
<body style="margin:0 auto;max-width:42em;padding:1em;font:16px/1.5 sans-serif;color:#1a1a1a">
<h1 style="font-size:1.25em">{title}</h1>
{report}
{footer}</body></html>
"""
_FOOTER = '<p style="margin-top:2em"><a href="{url}">Open the report</a></p>\n'


def letter(message: Message, to: str, sender: str) -> EmailMessage:
    """The e-mail of a message to one address. Both addresses are ones that `check_address` takes.

    Date and Message-ID are those of the message and not of the attempt: a second copy is the same letter, and mailboxes
    that look for it show one.
    """
    mail = EmailMessage(policy=SMTP.clone(utf8=not (to + sender).isascii()))
    title = title_of(message)
    mail["From"] = _address(sender)
    mail["To"] = _address(to)
    mail["Subject"] = _unencoded(one_line(title))[:SUBJECT_LENGTH]
    mail["Date"] = message.at.astimezone(UTC)
    mail["Message-ID"] = message_id(message, to, sender)
    mail["X-Replay-Vision-Run"] = str(message.id)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(_text(message, title), cte="quoted-printable")
    mail.add_alternative(_html(message, title), subtype="html", cte="quoted-printable")
    return mail


def message_id(message: Message, to: str, sender: str) -> str:
    """The same for every attempt of a run at one address, and another for every other address."""
    domain = sender.rpartition("@")[2]
    # Short enough for one line with most domains: some readers do not unfold it.
    return f"<{uuid5(NAMESPACE, f'letter/{message.id}/{to}').hex}@{domain}>"


def _unencoded(text: str) -> str:
    """Without what begins an encoded word (RFC 2047): the library decodes it, line breaks and all, and writes it so."""
    return text.replace("=?", "= ?")


def _address(text: str) -> Address:
    local, _, domain = text.rpartition("@")
    return Address(username=local, domain=domain)


def _text(message: Message, title: str) -> str:
    url = url_of(message)
    return "\n\n".join([title, to_text(message.markdown).strip(), *([f"Open the report: {url}"] if url else [])]) + "\n"


def _html(message: Message, title: str) -> str:
    url = url_of(message)
    footer = _FOOTER.format(url=html.escape(url)) if url else ""
    report = to_html(message.markdown, hosts_of(message))
    return _PAGE.format(title=html.escape(title), report=report, footer=footer)
