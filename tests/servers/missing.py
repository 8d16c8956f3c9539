"""A server that this machine cannot have, or recordings: a reason to skip where allowed, else a failure."""

import os
from typing import NoReturn

import pytest

REQUIRE_VARIABLE = "REPLAY_VISION_TEST_REQUIRE"
"""Markers, separated by commas, whose tests have to run (`broker,s3,browser` in `.ci/run`)."""


class ServerUnavailable(Exception):
    """Java or Maven is missing, or the jars cannot be fetched. Its text is one line."""


def give_up(marker: str, reason: str) -> NoReturn:
    """Skips the running test for `reason`, or fails it when tests of this marker are required."""
    required = {name.strip() for name in os.environ.get(REQUIRE_VARIABLE, "").split(",")}
    if marker in required:
        pytest.fail(f"required by {REQUIRE_VARIABLE}, and not there: {reason}", pytrace=False)
    pytest.skip(reason)
