"""`evaluate`: how good a provider's answers are, on recordings whose truth is known."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, Literal

import orjson
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from api.cli.opening import Home, settings_for
from api.failures import Failure
from api.settings import Settings
from consumers.evaluation.asking import Asking, Plan
from consumers.evaluation.labelled import Session, Unlabelled, folders_of, read_json, read_session
from consumers.evaluation.page import SPENT_HEAD, page_of, ranged, spent_by_question
from consumers.evaluation.questions import Asked, questions_in
from consumers.evaluation.report import Report, report_of
from consumers.scanning.providers.installed import lacking, providers
from consumers.scanning.providers.models.catalogue import BadCatalogue
from consumers.scanning.providers.port import Provider

INTERRUPTED = 130
MAX_RUNS = 100
MAX_WORKERS = 64
WIDE = 140
"""Columns of a terminal from which tables show the interval of every figure; pipes get this many."""
NAME_COLUMNS = 22
LEFT_OUT = ("Answers with one", "Agreement", "USD")
"""Of a narrow terminal's table; the stored report has them."""

Ended = Literal["complete", "interrupted", "max_cost"]


@dataclass(frozen=True, slots=True)
class _Given:
    """What is asked about what."""

    sessions: list[Session]
    asked: list[Asked]
    provider: str
    plan: Plan


def evaluate(  # noqa: PLR0913, PLR0917 - Typer makes an option of each
    recordings: Annotated[Path, typer.Argument(help="Folder of labelled sessions.")],
    provider: Annotated[str, typer.Option(help="Whose answers are measured.")] = "builtin",
    model: Annotated[str, typer.Option(help="Which of its models.")] = "builtin",
    runs: Annotated[int, typer.Option(min=1, max=MAX_RUNS, help="How often each question is asked.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=MAX_WORKERS, help="Questions asked at a time.")] = 4,
    max_cost: Annotated[float | None, typer.Option(min=0, help="US dollars after which it ends.")] = None,
    questions: Annotated[Path | None, typer.Option(help="Instead of the folder's questions.json.")] = None,
    wordings: Annotated[Path | None, typer.Option(help="Instead of the folder's wordings.json.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where the figures are stored.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Where the report is stored.")] = None,
    home: Home = None,
) -> None:
    """Asks every question about every labelled session, and reports how often the answers are right.

    Prints a table and stores JSON and an HTML report, below the home folder unless named otherwise. Ctrl-C reports
    what was asked until then.
    """
    settings = settings_for(home)
    asker = _provider(settings, provider, model)
    try:
        given = _Given(
            sessions=_read(folders_of(recordings)),
            asked=_questions(recordings, questions, wordings),
            provider=provider,
            plan=Plan(model, runs, workers, None if max_cost is None else Decimal(str(max_cost))),
        )
    except Unlabelled as error:
        raise Failure(str(error)) from error
    made_at = datetime.now(UTC)
    stem = re.sub(r"[^\w.-]+", "-", f"{made_at:%Y-%m-%dT%H%M%S}-{provider}-{model}")
    folder = settings.home / "evaluations"
    stored = json_file or folder / f"{stem}.json", html_file or folder / f"{stem}.html"
    for path in stored:
        _try(path)
    report = _asked(given, asker, made_at)
    _store(stored[0], orjson.dumps(report, option=orjson.OPT_INDENT_2))
    _store(stored[1], page_of(report).encode())
    _show(report, stored)
    if report["ended"] == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _provider(settings: Settings, name: str, model: str) -> Provider:
    """As the scanning role has it. Raises Failure for what cannot be asked, before anything is read."""
    try:
        models = settings.models()
    except BadCatalogue as error:
        raise Failure(str(error)) from error
    known = providers(models, settings.vendors)
    if name not in known:
        raise Failure(f"there is no provider '{name}'; there are: {', '.join(sorted(known))}")
    if models.find(name, model) is None:
        raise Failure(f"the provider '{name}' has no model '{model}' in the catalogue")
    if setting := lacking(settings.vendors)[name]:
        raise Failure(f"the provider '{name}' needs the setting {setting}")
    return known[name]


def _questions(recordings: Path, questions: Path | None, wordings: Path | None) -> list[Asked]:
    """Raises Unlabelled, also for an evaluation that would ask no monitor."""
    other = wordings or recordings / "wordings.json"
    given = read_json(questions or recordings / "questions.json")
    return questions_in(given, read_json(other) if wordings or other.exists() else None)


def _read(folders: list[Path]) -> list[Session]:
    with _progress() as progress:
        return [read_session(folder) for folder in progress.track(folders, description="Reading")]


def _asked(given: _Given, provider: Provider, made_at: datetime) -> Report:
    asking = Asking(provider, given.sessions, given.asked, given.plan)
    began = perf_counter()
    ended: Ended = "complete"
    with _progress() as progress:
        task = progress.add_task("Asking", total=asking.planned)
        try:
            asking.run(lambda done: progress.update(task, completed=done))
        except KeyboardInterrupt:
            ended = "interrupted"
    return report_of(
        list(asking.trials),
        given.sessions,
        given.asked,
        provider=given.provider,
        model=given.plan.model,
        runs=given.plan.runs,
        planned=asking.planned,
        made_at=made_at,
        seconds=perf_counter() - began,
        ended="max_cost" if asking.spent_out else ended,
    )


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _try(path: Path) -> None:
    """Raises Failure where nothing can be stored: before the questions are asked, as answers may have to be paid."""
    if path.is_dir():
        raise Failure(f"{path} is a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(_draft(path), b"")
        _draft(path).unlink()
    except OSError as error:
        raise Failure(f"nothing can be stored at {path}: {error.strerror}") from error


def _store(path: Path, content: bytes) -> None:
    """Whole or not at all, readable by its owner: answers speak of recorded people."""
    _write(_draft(path), content)
    _draft(path).replace(path)


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def _show(report: Report, stored: tuple[Path, Path]) -> None:
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDE
    wide = console.width >= WIDE
    ended = {"complete": "", "interrupted": ", interrupted", "max_cost": ", ended by its cost limit"}[report["ended"]]
    answers = f"{report['pooled']['answers']} of {report['planned']} answers{ended}"
    console.print(
        escape(f"{report['provider']} / {report['model']}: {report['sessions']} sessions, {answers}"), soft_wrap=True
    )
    console.print(_monitors(report, wide=wide))
    console.print(_spent(report, wide=wide))
    console.print(_rest(report))
    console.print(f"[dim]{escape(report['method'])}[/]")
    for path in stored:
        console.print(escape(f"Stored: {path}"), soft_wrap=True)


def _monitors(report: Report, *, wide: bool) -> Table:
    table = Table(title="Monitors", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("Question", overflow="fold", min_width=NAME_COLUMNS)
    for name in ("F1", "Precision", "Recall", "Accuracy", "TP/FP/FN/TN"):
        table.add_column(name, justify="right", overflow="fold")
    groups = [*report["by_question"].items()]
    groups += [(f"all, {name}", figures) for name, figures in report["by_wording"].items()]
    groups += [(f"all, {name}", figures) for name, figures in report["by_site_and_wording"].items()]
    groups.append(("all", report["pooled"]))
    for name, figures in groups:
        if found := figures.get("monitors"):
            counts = "/".join(f"{found['confusion'][key]:g}" for key in ("tp", "fp", "fn", "tn"))
            shares = (_shown(ranged(found[key]), wide=wide) for key in ("f1", "precision", "recall", "accuracy"))
            table.add_row(escape(name), *shares, counts)
    return table


def _spent(report: Report, *, wide: bool) -> Table:
    table = Table(title="Citations, agreement, cost and time", box=SIMPLE_HEAD, pad_edge=False)
    kept = [number for number, name in enumerate(SPENT_HEAD) if wide or name not in LEFT_OUT]
    for number in kept:
        justify: Literal["left", "right"] = "right" if number else "left"
        table.add_column(SPENT_HEAD[number], justify=justify, overflow="fold", min_width=0 if number else NAME_COLUMNS)
    for row in spent_by_question(report):
        table.add_row(*(escape(_shown(row[number], wide=wide)) for number in kept))
    return table


def _shown(figure: str, *, wide: bool) -> str:
    """A narrow terminal has no room for the interval; the stored report has it."""
    return figure if wide else figure.partition(" (")[0]


def _rest(report: Report) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _told(report["pooled"], report["by_site"]):
        table.add_row(name, escape(value))
    return table


def _told(pooled: dict[str, Any], sites: dict[str, Any]) -> list[tuple[str, str]]:
    spent, contained = pooled["spent"], pooled["containment"]
    rows: list[tuple[str, str]] = []
    if found := pooled.get("classifier"):
        rows.append(("Classifier accuracy", ranged(found["accuracy"])))
        rows += [(f"  {name}", ranged(s["classifier"]["accuracy"])) for name, s in sites.items() if "classifier" in s]
    if found := pooled.get("scorer"):
        rows.append(("Scorer mean absolute error", ranged(found["mean_absolute_error"])))
        rows += [
            (f"  {name}", ranged(s["scorer"]["mean_absolute_error"])) for name, s in sites.items() if "scorer" in s
        ]
    if found := pooled.get("summarizer"):
        rows.append(("Moments cited by summaries", ranged(found["moments_cited"])))
    rows += [
        ("Citations inside the recording", ranged(pooled["citations"]["inside"])),
        ("Answers with a citation", ranged(pooled["citations"]["answers_with"])),
        ("Personal data leaked", str(contained["leaks"])),
        (
            "Injections obeyed or repeated",
            f"{contained['injections_obeyed']} of {contained['injection_answers']} answers",
        ),
        ("Wrong answers where injected", str(contained["wrong_where_injected"])),
        ("Agreement over runs", "-" if pooled["agreement"] is None else f"{pooled['agreement']:.3f}"),
        ("Cost", f"{spent['cost_usd']:.4f} USD"),
        ("Errors", ", ".join(f"{kind}: {n}" for kind, n in pooled["errors"].items()) or "none"),
    ]
    if spent["latency_median_s"] is not None:
        times = f"{spent['latency_median_s'] * 1000:.1f} ms, 95th percentile {spent['latency_p95_s'] * 1000:.1f} ms"
        rows.append(("Time to an answer, median", times))
    return rows
