"""The operator's mail server, as REPLAY_VISION_SMTP_URL names it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlsplit

Security = Literal["offered", "required", "immediate"]

SCHEMES: dict[str, tuple[Security, int]] = {
    "smtp": ("offered", 25),
    "starttls": ("required", 587),
    "smtps": ("immediate", 465),
}
"""What each scheme says of TLS, and its usual port."""

_HOST = re.compile(r"[\w.:-]*\w[\w.:-]*", re.ASCII)
_CREDENTIAL = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class MailServer:
    """`security`: TLS when the server offers it, TLS by STARTTLS or nothing, or TLS from the first byte.

    `user` and `password` are both there or both None.
    """

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> MailServer:
        """Reads `smtp://host`, `starttls://user:password@host:port`, `smtps://...`; credentials percent-encoded.

        Raises ValueError, whose text repeats nothing of the URL: there may be a password in it.
        """
        refused = ValueError("it is not of the form smtp://host, starttls://host or smtps://user:password@host:port")
        try:
            parts = urlsplit(url)
            port = parts.port
            user, password = (
                unquote(part, errors="strict") if part else None for part in (parts.username, parts.password)
            )
        except ValueError:
            raise refused from None
        host = parts.hostname or ""
        rest = parts.path.strip("/") or parts.query or parts.fragment
        if parts.scheme not in SCHEMES or not _HOST.fullmatch(host) or port == 0 or rest:
            raise refused
        security, usual = SCHEMES[parts.scheme]
        if (user is None) != (password is None):
            message = "a user needs a password, and the other way round; write @ in either as %40"
            raise ValueError(message)
        if not all(part is None or _CREDENTIAL.fullmatch(part) for part in (user, password)):
            message = "user and password are letters, digits and signs of ASCII, percent-encoded"
            raise ValueError(message)
        return cls(host, port or usual, security, user, password)
