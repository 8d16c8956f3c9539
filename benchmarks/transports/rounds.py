"""All variants of a question in turn, several times over, so that a slow minute of the machine meets all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.transports.site import Broker, Missing


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to do it. ``run`` measures once and gives the question's figures; without it there is the reason."""

    name: str
    run: Callable[[], Sequence[float]] | None
    against: Sequence[str] = ()
    """Names of the variants whose medians this one's are divided by."""
    missing: str = ""

    @classmethod
    def on(
        cls,
        broker: Broker | Missing,
        name: str,
        run: Callable[[Broker], Sequence[float]],
        *,
        against: Sequence[str] = (),
    ) -> Self:
        """One that needs a broker."""
        if isinstance(broker, Missing):
            return cls(name, None, against, broker.reason)
        return cls(name, partial(run, broker), against)


@dataclass(frozen=True, slots=True)
class Question:
    title: str
    figures: Sequence[str]
    """What the numbers of a run are, in order."""
    variants: Sequence[Variant]
    measured: dict[str, list[Sequence[float]]] = field(default_factory=dict[str, list[Sequence[float]]])
    """By variant, the figures of each round."""

    def measure(self) -> None:
        for variant in self.variants:
            if variant.run is not None:
                self.measured.setdefault(variant.name, []).append(variant.run())

    def last_round(self) -> str:
        taken = {name: " / ".join(map(_number, rounds[-1])) for name, rounds in self.measured.items()}
        return f"{self.title}: " + ", ".join(f"{name} {figures}" for name, figures in taken.items())

    def median(self, name: str, figure: int) -> float | None:
        """None when the variant was not measured."""
        rounds = self.measured.get(name)
        return None if rounds is None else statistics.median(figures[figure] for figures in rounds)

    def add_to(self, table: Table) -> None:
        for number, figure in enumerate(self.figures):
            for variant in self.variants:
                first = variant is self.variants[0]
                table.add_row(f"{self.title}, {figure}" if first else "", variant.name, *self._row(variant, number))
            table.add_section()

    def _row(self, variant: Variant, figure: int) -> tuple[str, str, str]:
        median = self.median(variant.name, figure)
        if median is None:
            return "-", "-", f"NOT MEASURED: {variant.missing}"
        values = [figures[figure] for figures in self.measured[variant.name]]
        bases = [(name, self.median(name, figure)) for name in variant.against]
        ratios = [f"{median / base:.2f} of {name}" for name, base in bases if base]
        return _number(median), f"{_number(min(values))} to {_number(max(values))}", "\n".join(ratios)


def measure(questions: Sequence[Question], rounds: int, console: Console) -> Table:
    """Runs every question's variants in each round, says what came out, and gives all of it as a table."""
    for number in range(rounds):
        for question in questions:
            question.measure()
            told = f"round {number + 1} of {rounds}  {question.last_round()}"
            console.print(told, highlight=False, soft_wrap=True)
    table = Table("measure", "variant", "median", "range", "ratio of the medians", box=SIMPLE_HEAD)
    for question in questions:
        question.add_to(table)
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
