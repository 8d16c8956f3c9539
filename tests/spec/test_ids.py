"""Deterministic identities. The literal ids are frozen: another value would orphan everything stored."""

from uuid import UUID

import pytest

from domain.ids import environment_stream, observation_id, user_stream, workflow_id

SCANNER = UUID("0197a3c0-52f1-7e0a-8f0b-6f1f2d9c1a44")


def test_ids_never_change() -> None:
    assert str(observation_id(7, SCANNER, "s-1")) == "2f44c311-d230-55fa-adf3-0d807c5802d8"
    assert str(environment_stream(1)) == "509ee1f7-a84f-5384-aabf-3d9f3b3fce3f"
    assert str(user_stream(1)) == "67599d72-491a-5c26-9e7e-043dcea00752"


@pytest.mark.parametrize(
    ("environment", "scanner", "session"),
    [(8, SCANNER, "s-1"), (7, UUID(int=1), "s-1"), (7, SCANNER, "s-2"), (7, SCANNER, "S-1")],
)
def test_every_part_of_a_pair_counts(environment: int, scanner: UUID, session: str) -> None:
    assert observation_id(environment, scanner, session) != observation_id(7, SCANNER, "s-1")


def test_the_slash_in_a_session_id_cannot_make_two_pairs_one() -> None:
    ids = {observation_id(7, SCANNER, session) for session in ("a", "/a", "a/", f"{SCANNER}/a", "")}
    assert len(ids) == 5


def test_numbers_of_environments_and_users_do_not_meet() -> None:
    assert environment_stream(1) != user_stream(1)


@pytest.mark.rule("4.1/workflow-id")
def test_the_workflow_id_of_the_contract() -> None:
    assert workflow_id(SCANNER, "s-1") == f"replay-vision-apply-scanner-{SCANNER}-s-1"
