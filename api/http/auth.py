"""Who calls and what they may do, checked in the contract's order: key, scope, project (contract 2.1)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from starlette.requests import Request

from api.http import errors
from api.http.body import Payload
from api.http.entrance import visit
from api.http.negotiation import check_acceptable
from api.http.services import Services
from commands.context import Context
from domain.accounts import satisfies
from domain.event import Actor
from domain.tenant import Tenant
from projections.queries.accounts import KeyHolder, check_accounts, environments_of, is_member, key_holder, tenant_of

CURRENT = "@current"
KEY_LENGTH = 256
"""Characters; a longer key is not one of ours and is not worth hashing."""

LARGEST_ENVIRONMENT = 2**31 - 1

_BEARER = re.compile(r"Bearer\s+(\S.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """A request that may go ahead: whose data, and who asks."""

    tenant: Tenant
    user_id: int
    key_prefix: str
    correlation_id: UUID

    def context(self, now: datetime) -> Context:
        """What a command is told about this request."""
        actor = Actor(type="key", user_id=self.user_id, key_prefix=self.key_prefix)
        return Context(actor, now, self.correlation_id, self.tenant)


def admit(
    request: Request,
    body: Payload,
    services: Services,
    scopes: Sequence[str],
    *,
    analytics: bool,
    texts: Iterable[str] = (),
) -> Caller:
    """Lets a caller in who holds every one of `scopes` in the project of the path.

    Raises Refusal 406 (neither JSON wanted nor one of `texts`), 401 (no key, unknown key), 403 (the first missing
    scope, a confined key, not a member), 404 (no such project); Throttled, over the project's rate limit for its kind
    of request; Behind, an outage, when the read tables may lack what would let the caller in.
    """
    check_acceptable(request, texts)
    key, source = _presented_key(request, body)
    asked = request.path_params["environment_id"]
    with services.pool.connection() as conn:
        try:
            holder, tenant = _known(conn, key, source, services, scopes, asked)
        except errors.Refusal:
            check_accounts(conn)
            # What would let the caller in may have come in between.
            holder, tenant = _known(conn, key, source, services, scopes, asked)
        services.key_use.note(conn, holder.prefix, services.clock())
        if services.rates is not None:
            services.rates.count(conn, tenant.environment_id, analytics=analytics)
    return Caller(tenant, holder.user_id, holder.prefix, visit(request.scope).correlation_id)


def _presented_key(request: Request, body: Payload) -> tuple[str, str]:
    """The key and where it stood. The first candidate wins, even a wrong one (contract 2.1).

    Raises Refusal 401, also for what cannot be a key of ours.
    """
    if matched := _BEARER.fullmatch(request.headers.get("authorization", "").strip()):
        key, source = matched.group(1), "Authorization header"
    elif key := body.key():
        source = "body"
    elif key := visit(request.scope).query_key:
        source = "query string"
    else:
        raise errors.not_authenticated()
    if len(key) > KEY_LENGTH or not (key.isascii() and key.isprintable()):
        raise errors.invalid_key(source)
    return key, source


def _known(
    conn: Any, key: str, source: str, services: Services, scopes: Sequence[str], asked: str
) -> tuple[KeyHolder, Tenant]:
    """Who the read tables say it is, and where they let it in. Raises Refusal."""
    holder = _holder(conn, key, source, services)
    for scope in scopes:
        if not satisfies(holder.scopes, scope):
            raise errors.missing_scope(scope)
    return holder, _enter(conn, asked, holder)


def _holder(conn: Any, key: str, source: str, services: Services) -> KeyHolder:
    holder = key_holder(conn, services.hash_key(key))
    if holder is None or (holder.expires_at is not None and holder.expires_at <= services.clock()):
        raise errors.invalid_key(source)
    return holder


def _enter(conn: Any, asked: str, holder: KeyHolder) -> Tenant:
    if asked == CURRENT:
        usable = [number for number in environments_of(conn, holder.user_id) if _covers(holder, number)]
        environment_id = usable[0] if usable else None
    else:
        environment_id = _environment_id(asked)
    tenant = None if environment_id is None else tenant_of(conn, environment_id)
    if tenant is None:
        raise errors.not_found("Project not found.")
    if not _covers(holder, tenant.environment_id):
        raise errors.confined(tenant.environment_id)
    if not is_member(conn, holder.user_id, tenant.organization_id):
        raise errors.not_a_member()
    return tenant


def _covers(holder: KeyHolder, environment_id: int) -> bool:
    return not holder.environment_ids or environment_id in holder.environment_ids


def _environment_id(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(LARGEST_ENVIRONMENT)):
        return None
    number = int(text)
    return number if number <= LARGEST_ENVIRONMENT else None
