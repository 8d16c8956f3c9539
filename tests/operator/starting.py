"""Starts that are refused because of what the operator has set."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from api.failures import settings_problem
from api.settings import PREFIX, Settings
from tests.live import ROOT


def refused(**settings: object) -> str:
    """What the operator is told of settings that make no sense."""
    with pytest.raises(ValidationError) as raised:
        Settings(**settings)  # type: ignore[arg-type]
    told = settings_problem(raised.value)
    assert len(told.splitlines()) == 1
    return told


def started(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself, with these settings (without the prefix)."""
    return subprocess.run(
        [sys.executable, "-m", "api.cli.main", *command],
        cwd=ROOT,
        env={**os.environ, **{f"{PREFIX}{name}": value for name, value in settings.items()}},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
