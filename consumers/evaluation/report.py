"""The report of an evaluation as a JSON document, the same from run to run, so that two can be compared."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import orjson

from consumers.evaluation.figures import figures_of, grouped
from consumers.evaluation.labelled import Session
from consumers.evaluation.questions import AS_WRITTEN, Asked
from consumers.evaluation.trials import Trial

FORMAT: Final = 1
METHOD: Final = (
    "95 % intervals: Wilson for shares; for F1 the wider, on each side, of Wilson's (by way of TP / (TP + FP + FN)) "
    "and of a bootstrap over sessions; for the scorer's error that bootstrap (1,000 resamples, fixed seed)."
)

Report = dict[str, Any]


def report_of(
    trials: Sequence[Trial],
    sessions: Sequence[Session],
    asked: Sequence[Asked],
    *,
    provider: str,
    model: str,
    runs: int,
    planned: int,
    made_at: datetime,
    seconds: float,
    ended: str,
) -> Report:
    """``ended`` is "complete", "interrupted" or "max_cost"; ``seconds`` how long the asking took.

    Two reports can be compared where ``evidence_digest`` and ``questions_digest`` are the same.
    """
    trials = sorted(trials, key=lambda t: (t.session, t.question, t.wording, t.run))
    return {
        "format": FORMAT,
        "made_at": made_at.isoformat(timespec="seconds"),
        "provider": provider,
        "model": model,
        "runs": runs,
        "ended": ended,
        "planned": planned,
        "seconds": round(seconds, 3),
        "sessions": len(sessions),
        "questions": len(asked),
        "evidence_digest": _digest(sorted([session.name, session.evidence.digest] for session in sessions)),
        "questions_digest": _digest([[a.name, a.wording, a.scanner_type, a.config] for a in asked]),
        "method": METHOD,
        "pooled": figures_of(trials, runs),
        "by_wording": grouped(trials, lambda trial: _source(trial.wording), runs),
        "by_site": grouped(trials, lambda trial: trial.site or "unnamed", runs),
        "by_site_and_wording": grouped(trials, lambda t: f"{t.site or 'unnamed'}, {_source(t.wording)}", runs),
        "by_question": grouped(trials, lambda trial: trial.question, runs),
        "by_question_and_wording": grouped(trials, lambda trial: f"{trial.question}, {trial.wording}", runs),
        "prompts": {f"{a.name}, {a.wording}": a.config["prompt"] for a in asked},
        "trials": [asdict(trial) for trial in trials],
    }


def _source(wording: str) -> str:
    """Wordings are pooled: what counts is whether a question was asked as written."""
    return wording if wording == AS_WRITTEN else "wordings"


def _digest(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
