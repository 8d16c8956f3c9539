"""Keys and addresses of model providers, and the file of models: what is taken, refused, and not told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from api.settings import PREFIX, Settings
from tests.operator.starting import refused, started

VENDORS = ("google", "openai", "anthropic")
CANARY = "sk-canary-0451"


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_key_is_shown_nowhere(vendor: str) -> None:
    settings = Settings.model_validate({f"{vendor}_api_key": CANARY})
    access = settings.vendors[vendor]
    assert (access.key(), access.missing) == (CANARY, None)
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(access), repr(settings.vendors)):
        assert CANARY not in shown


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("key", ["with blank", "two\nlines", "ключ", "\t", "k" * 4097])
def test_what_cannot_be_a_key(vendor: str, key: str) -> None:
    told = refused(**{f"{vendor}_api_key": key + CANARY})
    assert told.startswith(f"{PREFIX}{vendor.upper()}_API_KEY: it is no key")
    assert CANARY not in told


@pytest.mark.parametrize("vendor", VENDORS)
def test_addresses(vendor: str) -> None:
    for given, kept in (
        ("https://llm.example.org/v1/", "https://llm.example.org/v1"),
        ("http://[::1]:8", "http://[::1]:8"),
    ):
        assert Settings.model_validate({f"{vendor}_base_url": given}).vendors[vendor].base_url == kept
    assert Settings().vendors[vendor].base_url is None


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://x",
            "x:80",
            "http://",
            "http:///v1",
            "http://x:0",
            "http://x:99999",
            f"http://u:{CANARY}@x",
            "http://x y",
        ),
        *(f"http://x/?key={CANARY}", f"http://x/#{CANARY}", "http://x\\v1", " http://x", "http://x\n"),
    ],
)
def test_what_cannot_be_an_address(url: str) -> None:
    told = refused(openai_base_url=url)
    assert told.startswith(f"{PREFIX}OPENAI_BASE_URL: it is not of the form")
    assert CANARY not in told


def test_what_is_missing() -> None:
    def missing(**given: str) -> list[str | None]:
        return [access.missing for access in Settings.model_validate(given).vendors.values()]

    assert missing() == [f"{PREFIX}{vendor.upper()}_API_KEY" for vendor in VENDORS]
    addresses = {f"{vendor}_base_url": "http://127.0.0.1:1" for vendor in VENDORS}
    own_server = [f"{PREFIX}GOOGLE_API_KEY", None, f"{PREFIX}ANTHROPIC_API_KEY"]
    assert missing(**addresses) == own_server, "a server of one's own that speaks OpenAI's protocol may want none"
    assert missing(**{f"{vendor}_api_key": "k" for vendor in VENDORS}) == [None] * 3


@pytest.mark.parametrize("command", ["worker", "up"])
def test_a_faulty_file_of_models_stops_the_start(command: str, tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text("[[model]]\nprovider = 'openai'\nid = 'm'\nprices = []\npriced_on = 2026-11-27\n")
    done = started(command, HOME=str(tmp_path / "home"), MODELS_FILE=str(file))
    told = "model 1 (m): prices: Tuple should have at least 1 item after validation, not 0; "
    told += "model 1 (m): source: Field required"
    assert (done.returncode, done.stderr) == (1, f"replay-vision: {PREFIX}MODELS_FILE: {file}: {told}\n")


def test_the_file_of_models_is_what_scanners_may_name(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    listed = "provider = 'openai'\nid = 'qwen/own'\nprices = [{ input = '0', output = '0' }]\n"
    file.write_text(f"[[model]]\n{listed}priced_on = 2026-11-27\nsource = 'our own machine'\n")
    assert Settings(models_file=file).models().ids == {"openai": ("qwen/own",), "builtin": ("builtin",)}
    assert refused(models_file=tmp_path / "gone") == f"{PREFIX}MODELS_FILE: {tmp_path}/gone: No such file or directory"
    assert Settings(google_api_key=SecretStr("k")).models().find("google", "gemini-3-flash-preview") is not None
