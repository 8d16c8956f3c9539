"""Settings that make no sense are refused at the start, in one line that names the setting."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from api.settings import PREFIX, Settings
from tests.operator.starting import refused, started

NUMBERS = [name for name, field in Settings.model_fields.items() if "float" in str(field.annotation)]


def test_sessions_that_nobody_could_have_are_not_asked_for() -> None:
    told = f"{PREFIX}MAX_ACTIVE_SECONDS is below {PREFIX}MIN_ACTIVE_SECONDS, so that no session would be scanned"
    assert refused(min_active_seconds=10, max_active_seconds=9.5) == told
    assert refused(min_active_seconds=4000) == told
    assert refused(max_active_seconds=5) == told
    assert Settings(min_active_seconds=10, max_active_seconds=10).max_active_seconds == 10


@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "Infinity", "1e999"])
@pytest.mark.parametrize("setting", NUMBERS)
def test_numbers_without_an_end_are_refused(setting: str, number: str) -> None:
    assert refused(**{setting: number}).startswith(f"{PREFIX}{setting.upper()}: Input should be ")


def test_which_settings_are_such_numbers() -> None:
    eligibility = {"min_duration_seconds", "min_active_seconds", "max_active_seconds"}
    assert set(NUMBERS) == {"settle_seconds", "sweep_seconds", "model_seconds"} | eligibility


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "https://replay.example.org:8443/below/",
        "http://[2001:db8::1]:8000",
        "http://10.0.0.1",
        "https://bücher.example",
        "https://my_host-1",
    ],
)
def test_public_addresses(url: str) -> None:
    assert Settings(public_url=url).links == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        *("http://[", "http://]", "http://[::1", "http://[zz]", "http://[::1]x", "http:///path", "http://:8000"),
        *("http://?x", "http://#", "http://user:the-secret@", "http://.", "http://-", "http://%", "http://${HOST}"),
        *("http://a:port", "http://a:65536", "http://1.2.3.999", "http://a\\b", "http://a,b", "http://*"),
    ],
)
def test_a_public_address_without_a_host_is_refused(url: str) -> None:
    told = refused(public_url=url)
    assert told.startswith(f"{PREFIX}PUBLIC_URL: it is not of the form http://host or https://host:port")
    assert "the-secret" not in told


@pytest.mark.parametrize("below", ["", "home", "further/down"])
def test_a_home_that_is_a_file_is_refused(below: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    assert refused(home=file / below) == f"{PREFIX}HOME: {file} is not a folder"


def test_a_home_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone")
    assert refused(home=link) == f"{PREFIX}HOME: {link} is not a folder"


def test_homes(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path, target_is_directory=True)
    for home in (tmp_path, tmp_path / "not" / "yet", link):
        assert Settings(home=home).home == home


@pytest.mark.parametrize("blanks", [" ", "\t", " \n ", "\u00a0"])
def test_a_secret_of_blanks_is_refused(blanks: str) -> None:
    told = refused(secret_key=blanks)
    assert told == f"{PREFIX}SECRET_KEY: there are only blanks in it; unset it for the one in the home folder"


@pytest.mark.parametrize("command", ["serve", "worker", "up"])
def test_the_start_ends_with_one_line(command: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    done = started(command, HOME=str(file), SECRET_KEY="the-secret")
    assert (done.returncode, done.stderr) == (1, f"replay-vision: {PREFIX}HOME: {file} is not a folder\n")
    assert file.read_text() == "precious"


def test_mail_needs_a_server_and_a_sender() -> None:
    both = f"{PREFIX}SMTP_URL and {PREFIX}MAIL_FROM must be set together"
    assert refused(smtp_url="smtp://localhost:25") == both
    assert refused(mail_from="reports@example.org") == both
    assert not Settings().mail
    assert Settings(smtp_url=SecretStr("smtps://user:p@mail.example.org"), mail_from="reports@example.org").mail
    for url in ("http://u:canary@x", "smtp://", "smtp://u:canary@", "smtp://u:canary@x:port", "smtp://u:canary@x:0"):
        told = refused(smtp_url=url, mail_from="reports@example.org")
        assert told.startswith(f"{PREFIX}SMTP_URL: it is not of the form smtp://host")
        assert "canary" not in told
    assert "canary" not in repr(Settings(smtp_url=SecretStr("smtp://u:canary@x"), mail_from="a@b.org"))
    assert refused(smtp_url="smtp://x", mail_from="Reports").startswith(f"{PREFIX}MAIL_FROM: it is not one e-mail")


def test_where_reports_may_go() -> None:
    assert Settings().delivery.slack_base_url == "https://slack.com/api"
    given = Settings(
        slack_base_url="http://127.0.0.1:9/api/", webhook_allowed_hosts=["hooks.internal:9000", "10.0.0.0/8"]
    )
    assert given.delivery.slack_base_url == "http://127.0.0.1:9/api"
    assert given.delivery.allowed_hosts.check_url("http://hooks.internal:9000/x").path == "/x"
    told = refused(webhook_allowed_hosts="10.0.0.1/8, x")
    assert told.startswith(f"{PREFIX}WEBHOOK_ALLOWED_HOSTS: '10.0.0.1/8' is no name, address or CIDR")
    for url in ("slack.com", "ftp://slack.com", "https://u:canary@slack.com/api", "https://slack.com/api?x=1"):
        told = refused(slack_base_url=url)
        assert told.startswith(f"{PREFIX}SLACK_BASE_URL: it is not of the form https://host")
        assert "canary" not in told
