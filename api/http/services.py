"""Everything the HTTP room needs from the rooms beneath. `api.bootstrap` builds it; nothing is looked up elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from starlette.requests import Request

from api.http.tokens import Tokens
from commands.action_runs import ActionRuns
from commands.actions import Actions
from commands.observations import ObservationLimits, Observations
from commands.recordings import Recordings
from commands.scanners import Scanners
from consumers.capture.posting.allowance import Allowance
from consumers.capture.posting.at_once import NotAtOnce
from consumers.capture.store.blobs import Blobs
from consumers.key_use import KeyUse
from consumers.rate_limits import RateLimits
from consumers.scanning.kept_evidence import PastEvidence
from consumers.scanning.timelines import Timelines
from consumers.selection.estimate import Estimates
from consumers.transports.port import Transport


class Connections(Protocol):
    """A pool of database connections in autocommit (psycopg_pool.ConnectionPool)."""

    @property
    def max_size(self) -> int:
        """The most connections it lends at once."""
        ...

    def connection(self) -> AbstractContextManager[Any]:
        """Lends a connection; the `with` block gives it back."""
        ...


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests can be served well, and if not, why. `warnings` do not make a server unready."""

    ready: bool
    reasons: Sequence[str] = ()
    warnings: Sequence[str] = ()


class Waiting(Protocol):
    """Read-your-writes (architecture 6)."""

    def __call__(self, position: int, projections: Sequence[str]) -> bool:
        """Whether the named projections passed the log position before the time was over."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Built once per process, shared by all threads."""

    pool: Connections
    scanners: Scanners
    actions: Actions
    action_runs: ActionRuns
    observations: Observations
    recordings: Recordings
    timelines: Timelines
    past_evidence: PastEvidence
    limits: ObservationLimits
    estimates: Estimates
    transport: Transport
    blobs: Blobs
    tokens: Tokens
    allowance: Allowance
    wait: Waiting
    clock: Callable[[], datetime]
    """The time now, with a zone."""
    settle: timedelta
    """The settle interval: a new scanner's schedule begins that long before its creation (contract 3.4)."""
    key_use: KeyUse
    hash_key: Callable[[str], str]
    """The keyed hash under which an API key is stored."""
    readiness: Callable[[], Readiness]
    catalogue: Mapping[str, Sequence[str]]
    """Provider to the ids of its models (contract 3.1)."""
    providers: Mapping[str, str | None]
    """The installation's providers, each with the setting that is missing before it can be asked."""
    patience: timedelta
    """How long a session may wait for the schedule before a scanner no longer counts as healthy."""
    public_url: str
    """Where clients reach this server, without a trailing slash. Links come from it, never from a Host header."""
    outages: tuple[type[Exception], ...]
    """Exceptions that mean "not now" (database or transport is away, the read side is behind) and become 503."""
    rates: RateLimits | None = None
    """How many requests a project may make; None for any number."""
    capture_prefix: str = ""
    """Path before a second copy of the capture routes, for sites whose visitors block the plain ones; "" for none."""
    capture_origins: Sequence[str] = ()
    """Origins whose pages may post recordings; empty means any."""
    capture_sdk_folder: Path | None = None
    """Where files of the browser SDK lie that are served; None for none."""

    def sure_of(self, token: str) -> int:
        """The environment that a browser's token belongs to and that may take in more today, asking nobody.

        Raises NotAtOnce when only the database can tell.
        """
        environment_id = self.tokens.known(token)
        if environment_id is None or not self.allowance.sure(environment_id):
            raise NotAtOnce(token)
        return environment_id


def services_of(request: Request) -> "Services":
    """The services of the application that serves this request."""
    found: Services = request.app.state.services
    return found
