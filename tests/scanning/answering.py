"""A provider for tests of what is done with answers."""

from __future__ import annotations

from dataclasses import dataclass

from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.port import Answer, Question


@dataclass
class Answering:
    """A provider that answers, or fails, as it is told: what a vendor may do."""

    answers: list[Answer | Exception]
    asked: int = 0

    def analyse(self, question: Question, evidence: Evidence) -> Answer:
        del question, evidence
        given = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(given, Exception):
            raise given
        return given
