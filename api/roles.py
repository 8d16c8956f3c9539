"""What each role runs. A role is a set of named loops; every loop runs in a thread until it is told to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from threading import Event

from api.bootstrap import Runtime
from commands.sealing import Seal
from commands.store import once
from commands.store.event_log import EventLog
from commands.store.recorder import CHANNEL
from consumers import rate_limits
from consumers.actions import due
from consumers.actions.delivering import Delivering
from consumers.actions.due import DueActions
from consumers.actions.report import digests
from consumers.actions.report.writer import ReportWriter
from consumers.actions.requests import GROUP as ACTIONS_GROUP
from consumers.actions.requests import JobMaker as ActionJobMaker
from consumers.actions.running import Running
from consumers.actions.worker import Reaper as ActionReaper
from consumers.actions.worker import Worker as ActionWorker
from consumers.capture.analytics.handler import GROUP as ANALYTICS_GROUP
from consumers.capture.analytics.handler import AnalyticsHandler
from consumers.capture.digest.deletions import GROUP as ERASER_GROUP
from consumers.capture.digest.deletions import DeletionHandler
from consumers.capture.digest.handler import BATCH_RECORDS, SnapshotHandler
from consumers.capture.digest.handler import GROUP as CAPTURE_GROUP
from consumers.capture.ending import retention
from consumers.capture.ending.erasing import Eraser
from consumers.capture.ending.settler import GROUP as SETTLER_GROUP
from consumers.capture.ending.settler import SettleHandler, capture_lag
from consumers.capture.messages.existing_topic import GROUP as EXISTING_GROUP
from consumers.capture.messages.existing_topic import ExistingTopicHandler
from consumers.delivery.sending import Sending
from consumers.delivery.targets import Targets
from consumers.expiry import Expiry
from consumers.on_tick import OnTick
from consumers.relay import Relay
from consumers.scanning import answers
from consumers.scanning.answers import Answers
from consumers.scanning.collector import collect_less
from consumers.scanning.model_calls import counted
from consumers.scanning.providers.installed import providers
from consumers.scanning.requests import GROUP as SCANNING_GROUP
from consumers.scanning.requests import JobMaker
from consumers.scanning.scan import Scanning
from consumers.scanning.worker import Reaper, ScanWorker
from consumers.scheduler import Ticker
from consumers.selection.estimate import GROUP as ESTIMATOR_GROUP
from consumers.selection.estimate import Estimates, Refresh
from consumers.selection.sweep import Sweep, SweepRules
from consumers.selection.watermarks import GROUP as SELECTION_GROUP
from consumers.selection.watermarks import WatermarkKeeper
from consumers.signals import GROUP as SIGNALS_GROUP
from consumers.signals import Signals
from consumers.transports.port import MAX_BATCH_RECORDS
from projections.catalogue import PROJECTIONS
from projections.engine.runner import Runner
from projections.queries.accounts import environment_of_token

log = logging.getLogger("replay_vision.roles")

Loop = tuple[str, Callable[[Event], None]]

STOP_SECONDS = 10.0
"""A process exits within this time of SIGTERM; the batch in hand is finished (architecture 9)."""

BEAT_SECONDS = 1.0

REAPER_GROUP = "reaper"
SWEEPER_GROUP = "sweeper"
ACTION_REAPER_GROUP = "action-reaper"

TOPIC_OF = {
    CAPTURE_GROUP: "snapshots",
    ANALYTICS_GROUP: "analytics",
    SETTLER_GROUP: "ticks",
    ERASER_GROUP: "events",
    retention.GROUP: "ticks",
    SCANNING_GROUP: "events",
    REAPER_GROUP: "ticks",
    SELECTION_GROUP: "events",
    SWEEPER_GROUP: "ticks",
    ESTIMATOR_GROUP: "ticks",
    SIGNALS_GROUP: "events",
    ACTIONS_GROUP: "events",
    due.GROUP: "ticks",
    ACTION_REAPER_GROUP: "ticks",
}
"""Every consumer group of the product, and what it consumes. A topic of others has a group of its own besides."""

SCAN_WORKERS = 4
"""Scans at a time in one process: model calls mostly wait, the built-in analyser is bound by one core anyway."""

RUN_WORKERS = 2
DELIVERY_WORKERS = 4
"""Reports and deliveries at a time in one process: both mostly wait for others."""

ACTIONS_TICK_SECONDS = 10.0
SETTLE_TICK_SECONDS = 30.0
REAP_TICK_SECONDS = 15.0
ESTIMATE_TICK_SECONDS = 900.0
RETENTION_TICK_SECONDS = 900.0


def ticks(settle_seconds: float, sweep_seconds: float) -> dict[str, float]:
    """Names and lengths of the ticks. Short intervals (tests, demos) are followed at their own pace, 1 s at least."""
    return {
        "settle": max(1.0, min(SETTLE_TICK_SECONDS, settle_seconds / 4, sweep_seconds)),
        "sweep": max(1.0, sweep_seconds),
        "reap": REAP_TICK_SECONDS,
        due.TICK: min(ACTIONS_TICK_SECONDS, max(1.0, sweep_seconds)),
        "retention": RETENTION_TICK_SECONDS,
        "estimate": max(1.0, min(ESTIMATE_TICK_SECONDS, 3 * sweep_seconds)),
    }


def _relay(running: Runtime) -> Iterator[Loop]:
    yield "relay", Relay(running.database_url, EventLog(), running.transport).run


def _projections(running: Runtime) -> Iterator[Loop]:
    runner = Runner(running.database_url, PROJECTIONS, EventLog(), CHANNEL)
    yield "projections", partial(_run_projections, runner)


def _run_projections(runner: Runner, stop: Event) -> None:
    feeding = threading.Thread(target=runner.run, name="projection runner", daemon=True)
    feeding.start()
    while not stop.wait(BEAT_SECONDS):
        if not feeding.is_alive():
            raise RuntimeError("the projection runner has ended by itself; what it said is above")
    runner.stop()
    feeding.join()


def _capture(running: Runtime) -> Iterator[Loop]:
    limits = running.settings.capture_limits
    snapshots = SnapshotHandler(running.blobs, running.pool, environment_of_token, running.clock, limits)
    yield "capture", _consume(running, CAPTURE_GROUP, snapshots, max_records=BATCH_RECORDS)
    if (topic := running.settings.kafka_snapshots_topic) is not None:
        existing = ExistingTopicHandler(snapshots)
        yield (
            "existing snapshots",
            _consume(running, EXISTING_GROUP, existing, topic=topic, max_records=BATCH_RECORDS),
        )
    events = AnalyticsHandler(running.blobs, environment_of_token, running.clock, limits)
    yield "analytics", _consume(running, ANALYTICS_GROUP, events)
    settle = SettleHandler(running.settings.settle_seconds, running.clock, capture_lag(running.transport))
    yield "settler", _consume(running, SETTLER_GROUP, settle)
    deletions = DeletionHandler()
    yield "deletions", _consume(running, ERASER_GROUP, deletions, park_keys=True)
    eraser = Eraser(running.pool, running.blobs, deletions.due, running.clock)
    yield "eraser", eraser.run
    yield from _retention(running, eraser)


def _retention(running: Runtime, eraser: Eraser) -> Iterator[Loop]:
    keeping = retention.Retention(running.pool, running.blobs, running.clock)

    def run() -> float | None:
        with running.pool.connection() as connection:
            retention.note_default(connection, running.settings.retention_days)
        eraser.look_again()
        return keeping.run()

    over = OnTick("retention", run)
    yield "retention ticks", _consume(running, retention.GROUP, over.handle)
    yield "retention", over.run


def _scanning(running: Runtime) -> Iterator[Loop]:
    collect_less()
    yield "scan requests", _consume(running, SCANNING_GROUP, JobMaker().handle, park_keys=True)
    scanning = Scanning(
        running.pool,
        running.observations,
        running.blobs,
        counted(providers(running.models, running.settings.vendors), running.models.ids, running.pool),
        running.settings.eligibility,
        running.clock,
        masked=running.settings.masked,
        answers=_answers(running),
    )
    for number in range(SCAN_WORKERS):
        name = f"scan worker {number}"
        yield name, ScanWorker(running.pool, scanning, name).run
    signals = Signals(running.pool, running.transport, running.clock)
    yield "signals", _consume(running, SIGNALS_GROUP, signals.handle)
    reaper = Reaper(running.pool, running.observations, running.clock)
    reap = OnTick("reap", reaper.run)
    yield "reap ticks", _consume(running, REAPER_GROUP, reap.handle)
    yield "reaper", reap.run


def _answers(running: Runtime) -> Answers | None:
    settings = running.settings
    if settings.answer_cache == "off":
        return None
    servers = {name: access.base_url for name, access in settings.vendors.items() if access.base_url}
    return Answers(running.pool, Seal(running.secret), running.clock, servers=servers)


def _actions(running: Runtime) -> Iterator[Loop]:
    yield "action jobs", _consume(running, ACTIONS_GROUP, ActionJobMaker().handle, park_keys=True)
    claiming = OnTick(due.TICK, DueActions(running.pool, running.action_runs, running.clock).run)
    yield "action ticks", _consume(running, due.GROUP, claiming.handle)
    yield "due actions", claiming.run
    settings = running.settings
    writer = ReportWriter(
        running.models, settings.vendors, running.pool, Seal(running.secret), running.clock, settings.links
    )
    most = settings.report_observations
    work = Running(running.pool, running.action_runs, writer, running.clock, most=most).work
    for number in range(RUN_WORKERS):
        name = f"run worker {number}"
        yield name, ActionWorker(running.pool, "run", work, name).run
    reap = OnTick("reap", ActionReaper(running.pool, running.action_runs, running.clock).run)
    yield "action reap ticks", _consume(running, ACTION_REAPER_GROUP, reap.handle)
    yield "action reaper", reap.run


def _delivery(running: Runtime) -> Iterator[Loop]:
    delivering = Delivering(
        running.pool,
        running.action_runs,
        Targets(running.integrations, running.webhook_secrets, running.endpoints),
        running.endpoints,
        Sending(running.settings.delivery),
        running.clock,
        public_url=running.settings.links,
    )
    for number in range(DELIVERY_WORKERS):
        name = f"delivery worker {number}"
        yield name, ActionWorker(running.pool, "delivery", delivering.work, name).run


def _scheduler(running: Runtime) -> Iterator[Loop]:
    settings = running.settings
    lengths = ticks(settings.settle_seconds, settings.sweep_seconds)
    yield "ticker", Ticker(running.database_url, running.transport, lengths).run
    interval = timedelta(seconds=settings.settle_seconds)
    yield "watermarks", _consume(running, SELECTION_GROUP, WatermarkKeeper(interval).handle, park_keys=True)
    rules = SweepRules(settings.eligibility, interval, settings.on_exhausted)
    sweep = Sweep(running.pool, running.scanners, running.observations, rules, running.clock)
    due = OnTick("sweep", sweep.run)
    yield "sweep ticks", _consume(running, SWEEPER_GROUP, due.handle)
    yield "sweep", due.run
    expired = {
        "keys of repeated requests": once.forget,
        "rates of requests": rate_limits.forget,
        "answers of models": answers.forget,
        "notes of reports": digests.forget,
    }
    yield "expiry", Expiry(running.pool, expired, running.clock).run
    refresh = Refresh(running.pool, Estimates(running.pool, settings.eligibility, running.clock))
    aging = OnTick("estimate", refresh.run)
    yield "estimate ticks", _consume(running, ESTIMATOR_GROUP, aging.handle)
    yield "estimates", aging.run


ROLES: dict[str, Callable[[Runtime], Iterator[Loop]]] = {
    "relay": _relay,
    "projections": _projections,
    "capture": _capture,
    "scanning": _scanning,
    "actions": _actions,
    "delivery": _delivery,
    "scheduler": _scheduler,
}


def run_roles(running: Runtime, names: Sequence[str], stop: Event, beat: Callable[[], None]) -> bool:
    """Runs the loops of the named roles until `stop` is set, or one of them ends by itself: then all are stopped.

    `beat` is called every BEAT_SECONDS while all loops are there. Returns False when a loop failed or did not end
    within STOP_SECONDS; the process should then end with an error.
    """
    failed = Event()
    loops = [loop for name in names for loop in ROLES[name](running)]
    threads = [
        threading.Thread(target=_guarded, args=(name, run, stop, failed), name=name, daemon=True) for name, run in loops
    ]
    for thread in threads:
        thread.start()
    while not stop.wait(BEAT_SECONDS):
        if all(thread.is_alive() for thread in threads):
            beat()
    deadline = threading.Event()
    timer = threading.Timer(STOP_SECONDS - 1, deadline.set)
    timer.daemon = True
    timer.start()
    for thread in threads:
        while thread.is_alive() and not deadline.is_set():
            thread.join(0.1)
    late = [thread.name for thread in threads if thread.is_alive()]
    if late:
        log.error("these did not end in time: %s", ", ".join(late))
    return not failed.is_set() and not late


def _guarded(name: str, run: Callable[[Event], None], stop: Event, failed: Event) -> None:
    try:
        run(stop)
    except Exception:
        log.exception("%s failed", name)
    if not stop.is_set():
        failed.set()
        stop.set()


def _consume(
    running: Runtime,
    group: str,
    handler: Callable[..., None],
    *,
    park_keys: bool = False,
    topic: str = "",
    max_records: int = MAX_BATCH_RECORDS,
) -> Callable[[Event], None]:
    """A stream's events are handled in order; batches of a recording and ticks need none."""

    def run(stop: Event) -> None:
        topics = [topic or TOPIC_OF[group]]
        running.transport.consume(group, topics, handler, stop=stop, max_records=max_records, park_keys=park_keys)

    return run
