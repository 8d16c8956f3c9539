"""`health`: what a container's health check asks."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Annotated

import typer

from api.cli.opening import Home, settings_for
from api.failures import Failure
from api.heartbeat import LATE_SECONDS, NoHeartbeat, signs

app = typer.Typer(help="Exit status 0 when the processes of this home are alive, 1 when not.", no_args_is_help=True)

ANSWER_SECONDS = 4.0


@app.command("serve")
def serve(home: Home = None) -> None:
    """Asks GET /healthz of the server on this machine."""
    address = settings_for(home).address
    # The environment's proxies are for other machines.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(f"{address}/healthz", timeout=ANSWER_SECONDS).close()
    except (urllib.error.URLError, OSError) as error:
        raise Failure(f"{address}/healthz does not answer: {error}") from error
    print(f"{address} answers")


@app.command("worker")
def worker(
    role: Annotated[list[str] | None, typer.Option(help="Ask for this role only. Repeat for several.")] = None,
    home: Home = None,
) -> None:
    """Looks at the heartbeats that the workers of this home and host keep: each wanted role, and none that hangs."""
    settings = settings_for(home)
    try:
        found = signs(settings.home)
    except NoHeartbeat as error:
        raise Failure(str(error)) from error
    wanted = set(role or ())
    if wanted:
        found = [sign for sign in found if wanted.intersection(sign.roles)]
    missing = wanted.difference(*(sign.roles for sign in found))
    if not found or missing:
        what = f"for {', '.join(sorted(missing))} " if missing else ""
        raise Failure(f"no worker {what}keeps a heartbeat in {settings.home}")
    for sign in found:
        if sign.late:
            problem = f"has not been heard of for {sign.age:.0f} s; {LATE_SECONDS:.0f} s are allowed"
            raise Failure(f"the worker {sign.pid} ({' '.join(sign.roles)}) {problem}")
        print(f"worker {sign.pid}: {' '.join(sign.roles)}")
