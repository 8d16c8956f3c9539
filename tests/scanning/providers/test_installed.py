"""An installation has all providers, and imports no vendor's SDK before one is asked."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from consumers.scanning.providers.installed import lacking, providers
from consumers.scanning.providers.models.access import Access
from consumers.scanning.providers.models.catalogue import SHIPPED, VENDORS, Catalogue
from tests.live import ROOT

SDKS = "anthropic google.genai openai pydantic_ai"


def test_every_provider_is_there() -> None:
    """Also without a key, so that an observation can say what is missing."""
    accesses = {name: Access(name) for name in VENDORS}
    assert providers(Catalogue.read(SHIPPED), accesses).keys() == {"builtin", *VENDORS}
    assert lacking(accesses) == {"builtin": None, **{name: access.missing for name, access in accesses.items()}}


def test_no_sdk_is_imported_before_it_is_asked() -> None:
    """They take seconds and a hundred megabytes, in every process."""
    script = f"""
import sys
import api.roles, api.wiring, api.http.app, api.cli.program
from api.settings import Settings
from consumers.scanning.providers.installed import providers
providers(Settings().models(), Settings().vendors)
print([name for name in "{SDKS}".split() if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_what_nobody_has_thought_of_is_told_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    from consumers.scanning.providers.models.failures import provider_error  # noqa: PLC0415 - takes seconds

    with pytest.raises(KeyError) as caught:
        {"a": "b"}.pop("canary-0451")
    with caplog.at_level(logging.WARNING):
        found = provider_error(caught.value)
    assert (found.kind, found.message) == ("internal_error", "Asking the model broke with KeyError.")
    assert f"KeyError at {__name__}" in caplog.text
    assert "canary" not in caplog.messages[0]
