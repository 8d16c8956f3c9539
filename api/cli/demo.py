"""The demo: sample sessions, one scanner of each type on the built-in analyser, and what they found."""

from __future__ import annotations

from datetime import timedelta
from threading import Event
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from api.bootstrap import OUTAGES, ROOT, Runtime
from api.cli.client import Client
from api.credentials import Credentials
from api.failures import Failure
from consumers.capture.importing.importer import import_files
from domain.tenant import Tenant
from projections.queries.sessions import sessions_facts

RECORDINGS = ROOT / "recordings"
PATIENCE = timedelta(seconds=120)
WIDE = 120
"""Columns of a terminal in which whole session ids leave the findings room."""
_POLL_SECONDS = 0.1
_ENDED = ("succeeded", "failed", "ineligible")

SCANNERS: tuple[dict[str, Any], ...] = (
    {
        "name": "Demo: did an error stop somebody?",
        "scanner_type": "monitor",
        "scanner_config": {"prompt": "Was the visitor shown an error message?", "allow_inconclusive": True},
    },
    {
        "name": "Demo: how did the visit end?",
        "scanner_type": "classifier",
        "scanner_config": {
            "prompt": "What was the outcome of the session?",
            "tags": ["converted", "abandoned checkout", "blocked by bug", "task failed", "browsing only"],
            "multi_label": False,
        },
    },
    {
        "name": "Demo: how frustrated was the visitor?",
        "scanner_type": "scorer",
        "scanner_config": {
            "prompt": "How frustrated was the user?",
            "scale": {"min": 0, "max": 10, "label": "frustration"},
        },
    },
    {
        "name": "Demo: what happened?",
        "scanner_type": "summarizer",
        "scanner_config": {"prompt": "Summarize the session and its friction.", "length": "short"},
    },
)


def run_demo(running: Runtime, credentials: Credentials, console: Console, stop: Event) -> None:
    """Imports, scans and prints. A demo that cannot finish says so and leaves the server running."""
    client = Client(running.settings.address, credentials)
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console, transient=False
    )
    try:
        with progress:
            sessions = _import(running, credentials, progress, stop)
            scanners = [_scanner(client, body) for body in SCANNERS]
            found = _scan(client, scanners, sessions, progress, stop)
        if not stop.is_set():
            console.print(_table(scanners, found, whole_ids=console.width >= WIDE))
    except (Failure, *OUTAGES) as failure:
        if not stop.is_set():
            console.print(f"The demo could not finish: {failure}", style="red")


def _import(running: Runtime, credentials: Credentials, progress: Progress, stop: Event) -> list[str]:
    """Publishes the samples as browsers would and waits until capture has stored them. Returns their session ids."""
    files = sorted(RECORDINGS.glob("*.jsonl.gz"))
    task = progress.add_task("Importing sample sessions", total=len(files))
    now = running.clock()
    sessions: list[str] = []
    for imported in import_files(files, running.sender, credentials.environment_id, now, ending=now):
        if imported.error is not None:
            message = f"{imported.path.name}: {imported.error}"
            raise Failure(message)
        sessions += [session.session_id for session in imported.sessions]
        progress.advance(task)
    tenant = Tenant(credentials.environment_id, credentials.organization)
    expected = len(set(sessions))
    group = "capture"
    deadline = running.clock() + PATIENCE
    while not stop.wait(_POLL_SECONDS):
        with running.pool.connection() as connection:
            stored = len(sessions_facts(connection, tenant, sessions, running.clock()))
        if stored == expected and not any(running.transport.lag(group).values()):
            break
        if running.clock() > deadline:
            message = f"only {stored} of {expected} sample sessions arrived"
            raise Failure(message)
    return sessions


def _scanner(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    """The demo scanner of this name, created when there is none yet."""
    for existing in client.get("scanners/?limit=1000")["results"]:
        if existing["name"] == body["name"]:
            return existing
    return client.post("scanners/", {**body, "provider": "builtin", "model": "builtin"})


def _scan(
    client: Client, scanners: list[dict[str, Any]], sessions: list[str], progress: Progress, stop: Event
) -> dict[tuple[str, str], dict[str, Any]]:
    """Asks every scanner about every session and waits. Returns ended observations by (scanner id, session id)."""
    tasks = {s["id"]: progress.add_task(f"{s['scanner_type']:<11}", total=len(sessions)) for s in scanners}
    for scanner in scanners:
        for session_id in sessions:
            client.post(f"scanners/{scanner['id']}/observe/", {"session_id": session_id})
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for _ in range(round(PATIENCE.total_seconds() / _POLL_SECONDS)):
        for scanner in scanners:
            page = client.get(f"scanners/{scanner['id']}/observations/?limit=1000")
            ended = [o for o in page["results"] if o["status"] in _ENDED and o["session_id"] in sessions]
            found.update({(scanner["id"], observation["session_id"]): observation for observation in ended})
            progress.update(tasks[scanner["id"]], completed=len(ended))
        if len(found) == len(scanners) * len(sessions) or stop.wait(_POLL_SECONDS):
            return found
    message = f"{len(scanners) * len(sessions) - len(found)} scans are still running; look at the API later"
    raise Failure(message)


def _table(scanners: list[dict[str, Any]], found: dict[tuple[str, str], dict[str, Any]], *, whole_ids: bool) -> Table:
    table = Table(title="What the scanners found", show_lines=True)
    table.add_column("Session", no_wrap=True)
    for name in ("Error shown?", "Outcome", "Frustration 0-10", "Summary"):
        table.add_column(name)
    sessions = dict.fromkeys(session_id for _, session_id in found)
    for session_id in sessions:
        cells = [_finding(found.get((scanner["id"], session_id))) for scanner in scanners]
        table.add_row(session_id if whole_ids else f"...{session_id[-8:]}", *cells)
    return table


def _finding(observation: dict[str, Any] | None) -> str:
    """The answer and the moments it cites; the reason when there is none."""
    if observation is None:
        return "-"
    if observation["status"] != "succeeded":
        return str(observation["error_reason"])
    output = observation["scanner_result"]["model_output"]
    match output["scanner_type"]:
        case "monitor":
            answer, segments = output["verdict"], output["reasoning_segments"]
        case "classifier":
            answer, segments = ", ".join(output["tags"] + output["tags_freeform"]), output["reasoning_segments"]
        case "scorer":
            answer, segments = f"{output['score']:g}", output["reasoning_segments"]
        case _:
            answer, segments = output["title"], output["summary_segments"]
    seconds = list(dict.fromkeys(s["timestamp_ms"] // 1000 for s in segments if s["kind"] == "chip"))[:3]
    marks = ", ".join(f"{second // 60}:{second % 60:02d}" for second in sorted(seconds))
    return f"{answer} ({marks})" if marks else str(answer)
