"""The Dockerfile keeps the promises that can be read from it."""

from __future__ import annotations

import re

from tests.compose import dockerfile
from tests.compose.dockerfile import instructions, last
from tests.compose.reading import ROOT, written

ROOMS = {"api", "commands", "consumers", "domain", "projections"}


def copied() -> set[str]:
    """What comes from the checkout."""
    sources = (arguments.split()[:-1] for word, arguments in instructions() if word == "COPY")
    return {source.removesuffix("/") for each in sources if not each[0].startswith("--from") for source in each}


def sent_to_the_builder() -> set[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return {line.removeprefix("!") for line in lines if line.startswith("!")}


def test_the_base_is_pinned_and_new_enough() -> None:
    [base] = [arguments for word, arguments in instructions() if word == "ARG"]
    found = re.fullmatch(r"PYTHON=python:3\.(\d+)\.\d+-slim-\w+", base)
    assert found is not None
    assert int(found[1]) >= 11
    assert {arguments.split()[0] for word, arguments in instructions() if word == "FROM"} == {"${PYTHON}"}


def test_what_is_copied_is_there_and_is_all_that_is_sent() -> None:
    assert copied() == sent_to_the_builder()
    assert copied() == ROOMS | {".ci/install", "LICENSE", "recordings", "requirements.lock"}
    for source in copied():
        assert (ROOT / source).exists(), source


def test_packages_are_exactly_those_of_the_lock() -> None:
    [install] = [arguments for word, arguments in instructions() if word == "RUN" and "pip install" in arguments]
    assert "--require-hashes --no-deps --only-binary :all: --requirement requirements.lock" in install


def test_it_runs_as_nobody_in_particular() -> None:
    assert last("USER") == written()["services"]["serve"]["user"]
    uid, gid = last("USER").split(":")
    assert int(uid) > 0
    assert int(gid) > 0
    words = [word for word, _ in instructions()]
    assert words.index("USER") > max(index for index, word in enumerate(words) if word in {"RUN", "COPY"})


def test_the_command_is_ours() -> None:
    assert dockerfile.entry_point() == ["replay-vision"]
    assert dockerfile.environment()["REPLAY_VISION_HOME"] == "/data"
    assert dockerfile.environment()["PYTHONUNBUFFERED"] == "1"
    assert last("VOLUME") == '["/data"]'
