"""compose.yaml keeps the promises that can be read from it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest

from api.roles import ROLES
from api.settings import PREFIX, Settings
from tests.compose import reading
from tests.compose.reading import ROOT, VariableMissing, example, is_ours, variables_of, written
from tests.servers.kafka import KafkaServer
from tests.servers.s3 import S3Server

REQUIRED = {"REPLAY_VISION_SECRET_KEY", "POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"}
GIVEN = dict.fromkeys(REQUIRED, "given")
SERVICES: dict[str, dict[str, Any]] = written()["services"]
OURS = {name: service for name, service in SERVICES.items() if is_ours(service)}
MOUNTED = {"serve": {"/sdk", "/models"}, "scanning": {"/models"}, "actions": {"/models"}}
"""Folders of the operator's."""
THEIRS = {name: service for name, service in SERVICES.items() if not is_ours(service)}


def version_in_tests(server: type[KafkaServer | S3Server], artifact: str) -> str:
    pom = (server.project / "pom.xml").read_text()
    return re.findall(rf"<artifactId>{re.escape(artifact)}</artifactId>\s*<version>(.*?)</version>", pom)[0]


def check_schema(text: str) -> subprocess.CompletedProcess[str]:
    """By the schema of the Compose specification that comes with the checker: no network."""
    options = ["--builtin-schema", "vendor.compose-spec", "--force-filetype", "yaml"]
    command = [sys.executable, "-m", "check_jsonschema", *options, "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def test_the_file_is_valid_by_the_schema_of_the_compose_specification() -> None:
    checked = check_schema(reading.FILE.read_text())
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_check_finds_what_is_wrong() -> None:
    checked = check_schema(reading.FILE.read_text().replace("stop_grace_period:", "stop_grace_periods:", 1))
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "stop_grace_periods" in checked.stdout


def test_every_role_is_a_service_and_nothing_else_is() -> None:
    commands = {name: service.get("command") for name, service in OURS.items() if name != "bootstrap"}
    assert commands == {"serve": ["serve"], **{role: ["worker", "--role", role] for role in ROLES}}


@pytest.mark.parametrize("name", [*ROLES])
def test_the_number_of_copies_of_a_role_is_a_variable(name: str) -> None:
    assert SERVICES[name]["deploy"]["replicas"] == f"${{{name.upper()}_REPLICAS:-1}}"


@pytest.mark.parametrize("name", [*OURS])
def test_our_services_are_confined(name: str) -> None:
    service = reading.services(GIVEN)[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["stop_grace_period"] == "15s"
    assert "privileged" not in service
    assert "/tmp" in service["tmpfs"]
    mounted = {each.split(":")[0] for each in service["tmpfs"]} | {
        each.split(":")[1] for each in service.get("volumes", [])
    }
    assert mounted == {"/tmp", "/data"} | MOUNTED.get(name, set())


@pytest.mark.parametrize(("given", "mounted"), [({}, "sdk"), ({"SDK_FOLDER": "./dist"}, "./dist")])
def test_a_folder_of_the_sdk_is_where_the_server_looks_for_it(given: dict[str, str], mounted: str) -> None:
    """Settings refuses a folder that is not there, so a role without the mount must not be told of it."""
    services = reading.services(GIVEN | given)
    folders = {name: services[name]["environment"].get(f"{PREFIX}CAPTURE_SDK_FOLDER") for name in OURS}
    assert {name: folder for name, folder in folders.items() if folder is not None} == {"serve": "/sdk"}
    assert f"{mounted}:/sdk:ro" in services["serve"]["volumes"]
    assert "sdk" in written()["volumes"]


def test_a_catalogue_of_models_is_where_those_look_for_it_who_are_told_of_it() -> None:
    services = reading.services(GIVEN | {"MODELS_FOLDER": "./own", f"{PREFIX}MODELS_FILE": "/models/own.toml"})
    told = {name for name in OURS if services[name]["environment"].get(f"{PREFIX}MODELS_FILE")}
    assert told == {name for name in OURS if "./own:/models:ro" in services[name].get("volumes", [])}
    assert told == {"serve", "scanning", "actions"}
    assert "models" in written()["volumes"]


@pytest.mark.parametrize("name", [*THEIRS])
def test_the_services_of_others_have_no_rights_that_they_do_not_need(name: str) -> None:
    service = THEIRS[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["networks"] == ["data"]
    assert written()["networks"]["data"] == {"internal": True}


@pytest.mark.parametrize("name", [*SERVICES])
def test_every_service_is_limited_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["restart"] == ("no" if name == "bootstrap" else "unless-stopped")


@pytest.mark.parametrize("name", [*SERVICES])
def test_every_service_that_stays_has_a_health_check(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    if name == "bootstrap":
        assert check == {"disable": True}
    else:
        assert check["test"][0] in {"CMD", "CMD-SHELL"}
        assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


def test_services_wait_for_what_they_need() -> None:
    stores = {name: {"condition": "service_healthy"} for name in THEIRS}
    assert OURS["bootstrap"]["depends_on"] == stores
    set_up = {"bootstrap": {"condition": "service_completed_successfully"}, **stores}
    for name in OURS.keys() - {"bootstrap"}:
        assert OURS[name]["depends_on"] == set_up, name


def test_only_the_server_is_published_and_only_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in reading.services(GIVEN).items() if "ports" in service}
    assert published == {"serve": ["127.0.0.1:8000:8000"]}


@pytest.mark.parametrize("name", [*SERVICES])
def test_images_are_pinned(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].partition(":")
    assert tag[:1].isdigit(), SERVICES[name]["image"]


def test_the_images_are_what_the_tests_run() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert OURS["serve"]["image"] == f"replay-vision:{project['version']}"
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version_in_tests(KafkaServer, 'kafka_2.13')}"
    # Patch releases of this one are not published everywhere at the same time.
    minor = version_in_tests(S3Server, "s3proxy").rpartition(".")[0]
    assert SERVICES["s3"]["image"].startswith(f"andrewgaul/s3proxy:{minor}.")


def test_every_variable_is_described_and_none_besides() -> None:
    used = {found["name"]: found for found in variables_of(written())}
    assert used.keys() == example().keys()
    for name, found in used.items():
        value, optional = example()[name]
        assert optional == (found["operator"] == ":-"), name
        if found["argument"] and optional:
            assert value == found["argument"], name


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_missing_secret_is_asked_for(name: str) -> None:
    reading.services(GIVEN)
    with pytest.raises(VariableMissing, match=name):
        reading.services(GIVEN | {name: ""})


@pytest.mark.parametrize("name", [*OURS])
def test_settings_are_settings(name: str) -> None:
    set_here = {key for key in OURS[name]["environment"] if key.startswith(PREFIX)}
    fields = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    assert set_here <= fields
    assert set_here >= {f"{PREFIX}{each}" for each in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "SECRET_KEY")}


def test_described_defaults_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """What .env.example shows as default is what counts when nothing is set."""
    for name, (value, optional) in example().items():
        field = name.removeprefix(PREFIX).lower()
        if optional and name.startswith(PREFIX) and field != "public_url":
            monkeypatch.delenv(name, raising=False)
            by_default = getattr(Settings(), field)
            monkeypatch.setenv(name, value)
            assert getattr(Settings(), field) == by_default, name
