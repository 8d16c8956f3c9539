"""Reports by a model: one request for up to a hundred observations, else notes on each hundred and one on the notes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import orjson
import psycopg

from consumers.actions.report.citations import checked, cited
from consumers.actions.report.claims import clean
from consumers.actions.report.port import Material, Noted, NothingToSay
from consumers.actions.report.prompts import (
    digest_instructions,
    digest_message,
    lines,
    report_instructions,
    report_message,
)
from consumers.scanning.providers import calls
from consumers.scanning.providers.calls import GivenUp
from consumers.scanning.providers.models.catalogue import CatalogueModel
from consumers.scanning.providers.models.exchange import Exchange
from consumers.scanning.providers.models.fence import Fence
from consumers.scanning.providers.port import ProviderError, Used

if TYPE_CHECKING:
    from pydantic_ai.models import Model

CHUNK: Final = 100
"""Observations of one request (engine 7.4)."""
AT_ONCE: Final = 4
"""Requests for notes at the same time (engine 7.4)."""
TRY_SECONDS: Final = 600.0
"""All requests of a report together (engine 7.2)."""
FORM: Final = 1
"""Of the notes and the key that they are kept by: a release that asks for other notes in other words raises it."""

_LATE: Final = "The model did not finish the report in time."
_UNCITED: Final = "The model's text cites no observation."
_EMPTY: Final = "The model wrote no notes on some of the observations."
_IMPLAUSIBLE: Final = "The model provider's count of tokens cannot be right."


class Kept(Protocol):
    """Notes that were paid for, of one run."""

    def find(self, keys: Sequence[bytes]) -> Mapping[bytes, str]: ...
    def keep(self, key: bytes, notes: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Written:
    """A model's text with the citations that hold, what it took, and how many chunks were digested for it."""

    text: str
    used: Used
    digests: int


class Synthesis:
    """Asks one model for one report. For one use."""

    def __init__(
        self,
        entry: CatalogueModel,
        model: Callable[[CatalogueModel], Model],
        material: Material,
        figures: str,
        kept: Kept,
        server: str = "",
    ) -> None:
        """`figures`: the counted ones, as text. `server`: an address of the operator's own, as others answer there."""
        self._entry = entry
        self._model = model
        self._material = material
        self._figures = figures
        self._kept = kept
        self._server = server
        self._exchange = Exchange()
        self._chunks = _chunks(material.observations)

    def write(self) -> Written:
        """One paid try. Raises NothingToSay, ProviderError and GivenUp, each with what was used; psycopg's outages."""
        from consumers.scanning.providers.models.failures import provider_error  # noqa: PLC0415 - takes seconds

        try:
            text = calls.run(self._asked(), TRY_SECONDS)
        except GivenUp as given_up:
            given_up.used = self.used
            raise
        except (psycopg.OperationalError, psycopg.InterfaceError):
            raise  # before anything was paid
        except Exception as error:
            late = isinstance(error, TimeoutError)
            failure = ProviderError("provider_transient", _LATE) if late else provider_error(error)
            failure.used = self.used
            raise failure from error
        if not self._exchange.plausible:
            raise ProviderError("provider_rejected", _IMPLAUSIBLE, used=self.used)
        used = self.used
        if not text:
            raise NothingToSay(used.input_tokens, used.output_tokens, used.cost_usd)
        text = self._held(text, self._material.observations)
        if not cited(text):
            raise ProviderError("validation_failed", _UNCITED, used=used)
        return Written(text, used, len(self._chunks) if len(self._chunks) > 1 else 0)

    async def _asked(self) -> str:
        model = self._model(self._entry)
        if len(self._chunks) == 1:
            data = lines(self._material, self._chunks[0], self._entry.context)
        else:
            data = await self._notes(model)
        mark = Fence.drawn().mark
        message = report_message(self._material, data, self._figures, mark)
        return _unfenced(await self._ask(model, report_instructions(self._material), message), mark)

    async def _notes(self, model: Model) -> str:
        """On every chunk. Those that are there are not paid again, and of a failure the others are kept."""
        keys = [self._key(chunk) for chunk in self._chunks]
        found = dict(await asyncio.to_thread(self._kept.find, keys))
        room = asyncio.Semaphore(AT_ONCE)
        missing = [place for place, key in enumerate(keys) if key not in found]

        async def note(place: int) -> None:
            async with room:
                notes = await self._noted(model, self._chunks[place])
            found[keys[place]] = notes
            await asyncio.to_thread(self._kept.keep, keys[place], notes)

        ended = await asyncio.gather(*map(note, missing), return_exceptions=True)
        for failure in ended:
            if isinstance(failure, BaseException):
                raise failure
        return "\n\n".join(
            f"Notes on observations {chunk[0].index} to {chunk[-1].index}:\n{found[key]}"
            for chunk, key in zip(self._chunks, keys, strict=True)
        )

    async def _noted(self, model: Model, chunk: Sequence[Noted]) -> str:
        """Raises ProviderError (``validation_failed``) for notes that are empty or cite nothing of the chunk."""
        mark = Fence.drawn().mark
        message = digest_message(self._material, lines(self._material, chunk, self._entry.context), mark)
        notes = _unfenced(await self._ask(model, digest_instructions(self._material), message), mark)
        if not notes:
            raise ProviderError("validation_failed", _EMPTY)
        notes = self._held(notes, chunk)
        if not cited(notes):
            raise ProviderError("validation_failed", _UNCITED)
        return notes

    async def _ask(self, model: Model, instructions: str, message: str) -> str:
        from consumers.actions.report.asking import ask  # noqa: PLC0415 - takes seconds

        return await ask(model, instructions, message, self._exchange)

    @staticmethod
    def _held(text: str, noted: Sequence[Noted]) -> str:
        """With the citations that hold."""
        known = {one.index for one in noted}
        return checked(text, known, {one.index for one in noted if clean(one.model_output)})

    def _key(self, chunk: Sequence[Noted]) -> bytes:
        """SHA-256 of who is asked what."""
        asked = [
            FORM,
            self._entry.provider,
            self._entry.id,
            self._server,
            digest_instructions(self._material),
            lines(self._material, chunk, self._entry.context),
        ]
        return hashlib.sha256(orjson.dumps(asked)).digest()

    @property
    def used(self) -> Used:
        """What was taken until now."""
        return self._exchange.used(self._entry, "")


def _chunks(noted: Sequence[Noted]) -> list[Sequence[Noted]]:
    return [noted[start : start + CHUNK] for start in range(0, len(noted), CHUNK)]


def _unfenced(text: str, mark: str) -> str:
    """Without lines in which a model repeats the fence."""
    return "\n".join(line for line in text.split("\n") if mark not in line).strip()
