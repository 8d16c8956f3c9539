"""Asking: nothing but evidence is shown, a cost limit holds, one failure stops nothing."""

from decimal import Decimal
from pathlib import Path

import pytest

from consumers.evaluation.asking import Asking, Plan
from consumers.evaluation.figures import figures_of
from consumers.evaluation.labelled import Session, Unlabelled, folders_of, read_json, read_session
from consumers.evaluation.questions import Asked, questions_in
from consumers.scanning.providers.port import Answer, Provider, ProviderError, Used
from tests.evaluation.labelled import Noting, folder
from tests.scanning.answering import Answering
from tests.scanning.recorded import evidence


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("labelled"))


@pytest.fixture(scope="module")
def sessions(recordings: Path) -> list[Session]:
    return [read_session(path) for path in folders_of(recordings)]


@pytest.fixture(scope="module")
def asked(recordings: Path) -> list[Asked]:
    return questions_in(read_json(recordings / "questions.json"))


def asking(provider: Provider, sessions: list[Session], asked: list[Asked], **plan: int | Decimal) -> Asking:
    found = Asking(provider, sessions, asked, Plan("m", **plan))  # type: ignore[arg-type]
    found.run(lambda _: None)
    return found


def test_recordings_give_the_evidence_that_scans_have(sessions: list[Session]) -> None:
    assert [session.evidence.digest for session in sessions] == [
        evidence(name).digest for name in ("card_declined", "personal_data_on_page", "refused_then_bought")
    ]


def test_the_analyser_sees_neither_names_nor_truth(sessions: list[Session], asked: list[Asked]) -> None:
    provider = Noting()
    asking(provider, sessions, asked)
    shown = " ".join(f"{question} {given}" for question, given in provider.shown)
    for hidden in ("told_", "known_", "key_moments"):
        assert hidden not in shown


def test_every_question_is_asked_of_every_session_in_every_run(sessions: list[Session], asked: list[Asked]) -> None:
    found = asking(Noting(), sessions, asked, runs=2, workers=3)
    trials = {(trial.session, trial.question, trial.run) for trial in found.trials}
    assert len(trials) == len(found.trials) == found.planned == 2 * len(sessions) * len(asked)


def test_a_failure_is_counted_and_the_rest_is_asked(sessions: list[Session], asked: list[Asked]) -> None:
    answer = Answer({"reasoning": "So (t 1).", "verdict": "no", "confidence": 0.5}, "p", "m")
    failures = [ProviderError("provider_transient", "away"), RuntimeError("broken"), answer]
    found = asking(Answering(failures), sessions, asked[:4])
    errors = [trial.error for trial in found.trials]
    assert len(errors) == found.planned
    assert errors[:3] == ["provider_transient", "internal_error", None]


@pytest.mark.parametrize("workers", [1, 8])
def test_a_cost_limit_is_not_passed(sessions: list[Session], asked: list[Asked], workers: int) -> None:
    found = asking(Noting(cost="0.30"), sessions, asked, workers=workers, max_cost=Decimal(1))
    assert found.spent_out
    assert found.cost_usd == Decimal("0.90")
    assert len(found.trials) == 3


def test_failures_that_were_paid_for_count(sessions: list[Session], asked: list[Asked]) -> None:
    failure = ProviderError("validation_failed", "wrong, twice")
    failure.used = Used(1000, 100, Decimal("0.30"))
    found = asking(Answering([failure]), sessions, asked, workers=2, max_cost=Decimal(1))
    assert found.spent_out
    assert found.cost_usd == Decimal("0.90")
    spent = figures_of(found.trials, runs=1)["spent"]
    assert (spent["cost_usd"], spent["input_tokens"], spent["output_tokens"]) == (0.9, 3000, 300)


def test_free_answers_are_within_every_limit(sessions: list[Session], asked: list[Asked]) -> None:
    found = asking(Noting(), sessions, asked, workers=4, max_cost=Decimal(0))
    assert not found.spent_out
    assert len(found.trials) == found.planned


@pytest.mark.parametrize(
    ("file", "content"), [("truth.json", "[]"), ("truth.json", "{"), ("events.jsonl.gz", "no gzip")]
)
def test_what_cannot_be_read_is_named(tmp_path: Path, file: str, content: str) -> None:
    broken = folder(tmp_path, ["card_declined"]) / "sessions" / "told_card_declined"
    (broken / file).write_text(content)
    with pytest.raises(Unlabelled, match=r"told_card_declined"):
        read_session(broken)


def test_a_folder_without_sessions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unlabelled):
        folders_of(tmp_path)
    with pytest.raises(Unlabelled):
        folders_of(tmp_path / "none")
