"""`admin`: organizations, environments, users and keys."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from api import bootstrap
from api.bootstrap import Runtime, choose_transport, prepare, runtime
from api.cli import definitions, deliveries, delivery_endpoints, integrations, webhook_secrets
from api.cli.leaving import leave_kafka_command
from api.cli.opening import AsJson, Home, database, opened, settings_for
from commands.context import Context
from domain.errors import Conflict, Invalid
from projections.engine.waiting import wait_for
from projections.queries.accounts import list_keys
from projections.queries.quota import quota_with_grants

app = typer.Typer(help="Administration. Works while the server runs.", no_args_is_help=True)
organization = typer.Typer(help="Organizations and their quota.", no_args_is_help=True)
environment = typer.Typer(help="Environments and their project tokens.", no_args_is_help=True)
user = typer.Typer(help="Users.", no_args_is_help=True)
key = typer.Typer(help="API keys.", no_args_is_help=True)
app.add_typer(organization, name="organization")
app.add_typer(environment, name="environment")
app.add_typer(user, name="user")
app.add_typer(key, name="key")
app.add_typer(integrations.app, name="integration")
app.add_typer(webhook_secrets.app, name="webhook-secret")
app.add_typer(delivery_endpoints.app, name="endpoint")
app.add_typer(deliveries.app, name="delivery")

app.command("leave-kafka")(leave_kafka_command)
environment.command("set-test-accounts")(definitions.set_test_accounts)
environment.command("set-actions")(definitions.set_actions)
environment.command("show")(definitions.show)

SHORT_WAIT_SECONDS = 2.0


def _context(running: Runtime) -> Context:
    return running.context("cli")


def _print(
    values: dict[str, Any], position: int | None = None, running: Runtime | None = None, *, as_json: bool
) -> None:
    """Prints once the read side has the change too (when a server runs), so that the next request sees it."""
    if position is not None and running is not None:
        wait_for(running.pool, ["accounts", "quota"], position, SHORT_WAIT_SECONDS)
    if as_json:
        print(json.dumps(values, default=str))
    else:
        print("\n".join(f"{name}: {value}" for name, value in values.items()))


@app.command("bootstrap")
def bootstrap_command(home: Home = None, as_json: AsJson = False) -> None:
    """Sets up an empty database and writes credentials.json; refuses when it is set up already."""
    settings = settings_for(home)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = settings.secret(create=True)
    with database(settings, create=True) as url, runtime(settings, url, secret, connections=4) as running:
        first, credentials = prepare(running)
        if not first or credentials is None:
            message = "This database is already set up."
            raise Conflict(message)
        choose_transport(running)
        _print({"credentials": str(settings.home / "credentials.json"), "url": credentials.url}, as_json=as_json)


@app.command("migrate")
def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Run them in a transaction and roll it back.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Applies the database migrations that are missing; `up` and `admin bootstrap` do it by themselves."""
    with database(settings_for(home)) as url:
        applied = bootstrap.migrate(url, dry_run=dry_run)
    _print({"dry_run": dry_run, "migrations": [str(migration) for migration in applied]}, as_json=as_json)


@organization.command("create")
def create_organization(
    name: str,
    monthly_quota: Annotated[int | None, typer.Option(help="Observations a month; unset: the default.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Creates an organization."""
    with opened(settings_for(home)) as running:
        made = running.accounts.create_organization(_context(running), name, monthly_quota)
        quota = running.settings.monthly_quota if made.monthly_quota is None else made.monthly_quota
        values = {"id": made.id, "name": made.name, "monthly_quota": quota}
        _print(values, made.position, running, as_json=as_json)


@organization.command("set-quota")
def set_quota(organization_id: UUID, monthly_quota: int, home: Home = None, as_json: AsJson = False) -> None:
    """Changes the monthly quota. A limit below present use stops further work and undoes none."""
    with opened(settings_for(home)) as running:
        made = running.accounts.set_quota(_context(running), organization_id, monthly_quota)
        values = {"id": made.id, "name": made.name, "monthly_quota": made.monthly_quota}
        _print(values, made.position, running, as_json=as_json)


@organization.command("grant")
def grant(
    organization_id: UUID,
    amount: int,
    expires: Annotated[str, typer.Option(help="Day (UTC) on which the grant ends, as 2027-01-31.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Adds observations to the monthly quota until a day."""
    with opened(settings_for(home)) as running:
        position = running.accounts.grant_quota(_context(running), organization_id, amount, _day(expires))
        if position is not None:
            wait_for(running.pool, ["quota"], position, SHORT_WAIT_SECONDS)
        with running.pool.connection() as connection:
            quota = quota_with_grants(connection, organization_id, running.clock(), running.settings.monthly_quota)
        _print(quota, as_json=as_json)


@environment.command("create")
def create_environment(
    name: str,
    organization_id: Annotated[UUID, typer.Option("--organization")],
    timezone: str = "UTC",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Creates an environment of an organization."""
    with opened(settings_for(home)) as running:
        made = running.accounts.create_environment(_context(running), organization_id, name, timezone)
        values = {"id": made.id, "name": made.name, "project_token": made.project_token}
        _print(values, made.position, running, as_json=as_json)


@environment.command("rotate-token")
def rotate_token(environment_id: int, home: Home = None, as_json: AsJson = False) -> None:
    """Gives an environment a new project token; the old one stops within a second."""
    with opened(settings_for(home)) as running:
        made = running.accounts.rotate_token(_context(running), environment_id)
        _print({"project_token": made.project_token}, made.position, running, as_json=as_json)


@environment.command("set-retention")
def set_retention(environment_id: int, days: str, home: Home = None, as_json: AsJson = False) -> None:
    """Sets for how many days after their last receipt sessions are kept; `default` for REPLAY_VISION_RETENTION_DAYS."""
    with opened(settings_for(home)) as running:
        position = running.accounts.set_retention(_context(running), environment_id, _days(days))
        kept = running.settings.retention_days if _days(days) is None else _days(days)
        values = {"id": environment_id, "retention_days": kept, "default": _days(days) is None}
        _print(values, position, running, as_json=as_json)


@user.command("create")
def create_user(
    email: str,
    organization_id: Annotated[UUID, typer.Option("--organization")],
    first_name: str = "",
    last_name: str = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Creates a user of an organization."""
    with opened(settings_for(home)) as running:
        made = running.accounts.create_user(_context(running), organization_id, email, first_name, last_name)
        _print({"id": made.id, "email": made.email}, made.position, running, as_json=as_json)


@key.command("create")
def create_key(
    label: str,
    email: Annotated[str, typer.Option("--user", help="E-mail address of the user it acts as.")],
    scope: Annotated[list[str] | None, typer.Option(help="A scope, or * for all; repeat for several.")] = None,
    environment_ids: Annotated[
        list[int] | None, typer.Option("--environment", help="Confine to environments; repeat for several.")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="Day (UTC) on which it ends, as 2027-01-31.")] = None,
    *,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Issues an API key. It is shown once; only a keyed hash is stored."""
    with opened(settings_for(home)) as running:
        issued = running.accounts.issue_key(
            _context(running), email, label, scope or [], environment_ids or [], _day(expires) if expires else None
        )
        _print({"key": issued.key}, issued.position, running, as_json=as_json)


@key.command("list")
def list_all_keys(home: Home = None, as_json: AsJson = False) -> None:
    """Lists keys by prefix with owners, scopes and last use."""
    with opened(settings_for(home)) as running, running.pool.connection() as connection:
        keys = [asdict(found) for found in list_keys(connection)]
    if as_json:
        print(json.dumps(keys, default=str))
        return
    for found in keys:
        print("  ".join(f"{name}={value}" for name, value in found.items() if value not in (None, [], ())))


@key.command("revoke")
def revoke_key(prefix: str, home: Home = None, as_json: AsJson = False) -> None:
    """Ends a key, named by its first 12 characters."""
    with opened(settings_for(home)) as running:
        position = running.accounts.revoke_key(_context(running), prefix)
        _print({"revoked": prefix}, position, running, as_json=as_json)


def _days(text: str) -> int | None:
    if text == "default":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004 - more is no number of days
        raise Invalid("days", "invalid_input", f'"{text}" is neither a number of days nor default.')
    return int(text)


def _day(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise Invalid("expires", "invalid_input", f'"{text}" is not a day such as 2027-01-31.') from error
