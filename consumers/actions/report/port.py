"""The seam between a run and whoever writes its report (engine 7.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from consumers.actions.report.figures import Figures
from domain.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Noted:
    """One succeeded observation of a run. `index` counts from 1: it is the N of `[obs N]`.

    `model_output` is joined with its private text (`domain.scanner_types.join_private`), and has no free text where
    that was erased. `scanner` is the name of the observation's own scanner, for runs over several; empty: the
    material's. `title` may be empty; nothing of the report depends on it.
    """

    index: int
    id: UUID
    session_id: str
    created_at: datetime
    title: str
    model_output: Mapping[str, Any]
    scanner: str = ""


@dataclass(frozen=True, slots=True)
class Material:
    """What a report is written of.

    The window is half-open; `timezone` is an IANA name, in which its times are told. `matched` observations fell into
    it, of which `observations` are those that were taken, in the order of their indexes. `current` are the figures of
    all that matched, None when none were left out; `previous` those of the window before, None when it is not known.
    """

    action_name: str
    scanner_name: str
    scanner_type: str
    timezone: str
    prompt_guide: str
    window_start: datetime
    window_end: datetime
    matched: int
    observations: Sequence[Noted]
    current: Figures | None = None
    previous: Figures | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """`cited` are the indexes in the order in which the text first cites them.

    `digests` is how many chunks were digested on the way, kept ones included. Tokens and US dollars are those of this
    call alone: what a failed one took is in its ProviderError's `used`.
    """

    markdown: str
    cited: tuple[int, ...]
    provider: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = field(default=Decimal(0))
    digests: int = 0


class NothingToSay(Exception):
    """There is nothing to write a report of, or the model wrote none: the run is skipped as empty (engine 7.4)."""

    def __init__(self, input_tokens: int = 0, output_tokens: int = 0, cost_usd: Decimal = Decimal(0)) -> None:
        super().__init__("There is nothing to report.")
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.cost_usd = cost_usd


class Writer(Protocol):
    """Writes reports. One call is one paid attempt: retries are the caller's alone."""

    def write(self, tenant: Tenant, run_id: UUID, material: Material, provider: str, model: str) -> Report:
        """The report of a run. Raises NothingToSay, and ``ProviderError`` (of the providers' port).

        `provider` and `model` are the scanner's own; `builtin` asks no model. Of a set that is digested in chunks, the
        digests are kept under `run_id`: the next call for the same run asks for those only that are missing.
        """
        ...
