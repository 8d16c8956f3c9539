"""What one try has sent to a model and got from it: kept as it comes, since it is to be paid whatever becomes of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal

import orjson

from consumers.scanning.providers.models.catalogue import CatalogueModel
from consumers.scanning.providers.models.prices import Usage, cost_usd, plausible
from consumers.scanning.providers.port import Used


@dataclass(slots=True)
class Exchange:
    """`requests` were sent, answered or not; `usages` and `raw`, the model's words, are those of the answered ones."""

    requests: int = 0
    usages: list[Usage] = field(default_factory=list[Usage])
    raw: list[str] = field(default_factory=list[str])

    @property
    def plausible(self) -> bool:
        """Whether every count of tokens can be one."""
        return all(map(plausible, self.usages))

    def used(self, entry: CatalogueModel, prompt_digest: str) -> Used:
        """By the catalogue's prices of today. Counts that cannot be right are left out."""
        usages = [usage for usage in self.usages if plausible(usage)]
        return Used(
            input_tokens=sum(usage.input_tokens for usage in usages),
            output_tokens=sum(usage.output_tokens for usage in usages),
            cost_usd=sum((cost_usd(entry, usage) for usage in usages), start=Decimal(0)),
            requests=self.requests,
            prompt_digest=prompt_digest,
            answer_digest=hashlib.sha256(orjson.dumps(self.raw)).hexdigest() if self.raw else "",
        )
