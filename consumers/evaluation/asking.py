"""Asking a provider everything about every session, K times, by several threads, within a budget."""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from time import perf_counter
from typing import Final

from consumers.evaluation.budget import Budget, Spent
from consumers.evaluation.labelled import Session
from consumers.evaluation.questions import Asked
from consumers.evaluation.trials import Trial, failed, judged
from consumers.scanning.providers.port import Provider, ProviderError, Question, Used

log = logging.getLogger("replay_vision.evaluation")

INTERNAL: Final = "internal_error"
_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """``max_cost`` in US dollars, None for no limit."""

    model: str
    runs: int = 1
    workers: int = 1
    max_cost: Decimal | None = None


class Asking:
    """One evaluation. ``trials`` grows while ``run`` works, in any order; with ``spent_out`` the budget ended it."""

    def __init__(self, provider: Provider, sessions: Sequence[Session], asked: Sequence[Asked], plan: Plan) -> None:
        self._provider = provider
        self._plan = plan
        self._budget = Budget(plan.max_cost)
        self._stop = Event()
        self._lock = Lock()
        self._left: SimpleQueue[tuple[Session, Asked, int]] = SimpleQueue()
        self.planned = len(sessions) * len(asked) * plan.runs
        self.trials: list[Trial] = []
        self.spent_out = False
        for run in range(1, plan.runs + 1):
            # In no order, the same each time: an evaluation that ends early is about everything a little.
            pairs = [(session, question) for session in sessions for question in asked]
            random.Random(run).shuffle(pairs)  # noqa: S311 - an order, not a secret
            for session, question in pairs:
                self._left.put((session, question, run))

    @property
    def cost_usd(self) -> Decimal:
        return self._budget.spent

    def run(self, told: Callable[[int], None]) -> None:
        """Returns when everything is asked or the budget is spent; ``told`` hears how many trials there are.

        KeyboardInterrupt passes through and asks nothing further: answers still under way are not waited for, and
        ``trials`` keeps what came until then.
        """
        threads = [
            Thread(target=self._work, name=f"evaluation-{n}", daemon=True) for n in range(max(1, self._plan.workers))
        ]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(_LOOK_SECONDS)
                    told(len(self.trials))
        finally:
            self._stop.set()
        told(len(self.trials))

    def _work(self) -> None:
        for session, asked, run in self._taken():
            try:
                trial = self._one(session, asked, run)
            except Spent:
                self.spent_out = True
                self._stop.set()
                return
            with self._lock:
                if not self._stop.is_set() or self.spent_out:
                    self.trials.append(trial)

    def _taken(self) -> Iterator[tuple[Session, Asked, int]]:
        while not self._stop.is_set():
            try:
                yield self._left.get_nowait()
            except Empty:
                return

    def _one(self, session: Session, asked: Asked, run: int) -> Trial:
        """Whatever breaks is counted and stops nothing: one bad answer says something about the provider too."""
        question = Question(asked.scanner_type, asked.config, model=self._plan.model)
        with self._budget.answer() as bill:
            began = perf_counter()
            try:
                answer = self._provider.analyse(question, session.evidence)
            except ProviderError as error:
                bill.price = error.used.cost_usd or None
                return failed(session, asked, run, error.kind, perf_counter() - began, error.used)
            except Exception:
                log.exception("an answer could not be had")
                return failed(session, asked, run, INTERNAL, perf_counter() - began, Used())
            took = perf_counter() - began
            bill.price = answer.cost_usd
        return judged(
            session,
            asked,
            run,
            answer.output,
            latency_s=took,
            cost_usd=float(answer.cost_usd),
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
        )
