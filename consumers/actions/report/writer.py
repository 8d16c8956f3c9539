"""Whoever writes reports: without a model, or by the scanner's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
from psycopg_pool import ConnectionPool

from commands.sealing import Seal
from consumers.actions.report import builtin
from consumers.actions.report.citations import cited
from consumers.actions.report.digests import Digests
from consumers.actions.report.markdown import shortened
from consumers.actions.report.port import Material, NothingToSay, Report
from consumers.actions.report.synthesis import Synthesis, Written
from consumers.actions.report.wording import header
from consumers.scanning.model_calls import GIVEN_UP, OK, REPORT, Tally
from consumers.scanning.providers.calls import GivenUp
from consumers.scanning.providers.models.access import Access
from consumers.scanning.providers.models.catalogue import BUILTIN, Catalogue, CatalogueModel
from consumers.scanning.providers.port import ProviderError
from domain.tenant import Tenant

if TYPE_CHECKING:
    from pydantic_ai.models import Model

MAX_CHARS: Final = 30_000
"""Of a report: Slack takes 38,000 (engine 7.5), and a reader less."""


@dataclass(frozen=True, slots=True)
class ReportWriter:
    """Thread-safe. `public_url`: where this installation is reached; links lead there or nowhere."""

    models: Catalogue
    vendors: Mapping[str, Access]
    pool: ConnectionPool[psycopg.Connection[Any]]
    seal: Seal
    clock: Callable[[], datetime]
    public_url: str
    _made: dict[tuple[str, str], Model] = field(default_factory=dict[tuple[str, str], "Model"])
    _lock: Lock = field(default_factory=Lock)

    def write(self, tenant: Tenant, run_id: UUID, material: Material, provider: str, model: str) -> Report:
        """As `consumers.actions.report.port.Writer`."""
        if not material.observations:
            raise NothingToSay
        if provider == BUILTIN:
            return self._report(f"{header(material)}\n\n{builtin.body(material)}", provider, model)
        entry = self.models.find(provider, model)
        access = self.vendors.get(provider)
        if entry is None or access is None:
            raise ProviderError("provider_rejected", "The scanner's model is not, or no longer, in the catalogue.")
        access.key()  # before seconds are spent on imports
        digests = Digests(self.pool, self.seal, self.clock, tenant, run_id)
        figures = builtin.figures_of(material)
        synthesis = Synthesis(entry, self._ready, material, figures, digests, access.base_url or "")
        written = self._counted(synthesis, provider, model)
        room = MAX_CHARS - len(header(material)) - len(figures) - len("\n\n\n\n")
        text = shortened(written.text, room, self._hosts, highest=2)
        report = self._report(f"{header(material)}\n\n{text}\n\n{figures}", provider, model)
        if written.digests:
            digests.drop()
        return replace(
            report,
            input_tokens=written.used.input_tokens,
            output_tokens=written.used.output_tokens,
            cost_usd=written.used.cost_usd,
            digests=written.digests,
        )

    def _counted(self, synthesis: Synthesis, provider: str, model: str) -> Written:
        """What is written, and the call counted for metrics."""
        began, outcome = monotonic(), "internal_error"
        try:
            written = synthesis.write()
            outcome = OK
        except NothingToSay:
            outcome = OK
            raise
        except ProviderError as error:
            outcome = error.kind
            raise
        except GivenUp:
            outcome = GIVEN_UP
            raise
        finally:
            tally = Tally(self.models.ids, self.pool)
            tally.note(provider, model, REPORT, outcome, synthesis.used, monotonic() - began)
        return written

    def _report(self, markdown: str, provider: str, model: str) -> Report:
        # Once more as a whole (engine 7.5).
        short = shortened(markdown, MAX_CHARS, self._hosts)
        return Report(short, cited(short), provider, model)

    @property
    def _hosts(self) -> list[str]:
        host = urlsplit(self.public_url).hostname
        return [host] if host else []

    def _ready(self, entry: CatalogueModel) -> Model:
        """A model that may be asked. An SDK is imported when the first is asked, and models are kept."""
        from consumers.scanning.providers.models import vendors  # noqa: PLC0415 - takes seconds

        with self._lock:
            key = (entry.provider, entry.id)
            if key not in self._made:
                self._made[key] = vendors.model(entry, self.vendors[entry.provider])
            return self._made[key]
