"""A small folder of labelled sessions, made of the recordings of tests/scanning."""

import gzip
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.port import Answer, Question
from tests.scanning.recorded import TRUTH, events

FEW = ("card_declined", "personal_data_on_page", "refused_then_bought")


def folder(place: Path, names: Iterable[str] = FEW, **truth: Any) -> Path:
    """Sessions in folders named after what they show, as nobody may see it, with the questions beside them."""
    for name in names:
        session = place / "sessions" / f"told_{name}"
        session.mkdir(parents=True)
        known = TRUTH["sessions"][name]
        moments = [{"t_s": t, "kind": kind} for t, kind in known["key_moments"]]
        labels = {
            "name": f"known_{name}",
            "site": "one" if name == "card_declined" else "two",
            "monitors": known["monitors"],
            "outcome": known["outcome"][0],
            "outcome_also_acceptable": known["outcome"][1:],
            "frustration": known["frustration"],
            "key_moments": moments,
            "personal_data": known["must_not_appear"],
        }
        (session / "truth.json").write_text(json.dumps(labels | truth))
        lines = [{"session_id": "s1", "window_id": window, "event": event} for window, event in events(name)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (session / "events.jsonl.gz").write_bytes(gzip.compress(text.encode(), compresslevel=1))
    first = {name: prompts[0] for name, prompts in TRUTH["monitors"].items()}
    rest = {name: prompts[1:] for name, prompts in TRUTH["monitors"].items()}
    questions: Mapping[str, Any] = {
        "monitors": first,
        "classifier": {"question": "What was the outcome of the session?", "labels": TRUTH["labels"]},
        "scorer": {"question": "How frustrated was the user, 0 to 10?"},
    }
    (place / "questions.json").write_text(json.dumps(questions))
    (place / "wordings.json").write_text(json.dumps({"monitors": rest}))
    return place


class Noting:
    """A provider that says yes to everything, in its own words, and notes what it was shown."""

    def __init__(self, *, says: str = "It did (t 3).", cost: str = "0") -> None:
        self.says = says
        self.cost = cost
        self.shown: list[tuple[Question, Evidence]] = []

    def analyse(self, question: Question, evidence: Evidence) -> Answer:
        self.shown.append((question, evidence))
        outputs: dict[str, dict[str, Any]] = {
            "monitor": {"reasoning": self.says, "verdict": "yes"},
            "classifier": {"reasoning": self.says, "tags": [question.scanner_config.get("tags", [""])[0]]},
            "scorer": {"reasoning": self.says, "score": 10.0},
            "summarizer": {"summary": self.says, "title": "A visit"},
        }
        output = outputs[question.scanner_type] | {"confidence": 0.5}
        return Answer(output=output, provider="p", model="m", cost_usd=Decimal(self.cost))
