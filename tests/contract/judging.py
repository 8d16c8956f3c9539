"""An observation that rests on evidence, as a scan leaves it."""

from __future__ import annotations

from typing import Any, cast

from consumers.scanning.kept_evidence import KeptEvidence
from tests.contract.site import Site


def judge(
    site: Site, observation_id: str, session_id: str, scanner_type: str, config: dict[str, Any], answer: dict[str, Any]
) -> None:
    """What a scan worker does with a recorded session, when this is what a provider answers."""
    evidence = site.services.timelines.of(site.tenant, session_id)
    assert evidence is not None
    kept = KeptEvidence(cast("Any", site.services.pool), site.blobs, site.services.clock)
    kept.keep(site.tenant, session_id, evidence)
    site.succeed(observation_id, scanner_type, config, answer, evidence_digest=evidence.digest)
