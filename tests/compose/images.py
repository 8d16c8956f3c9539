"""What stands in for the images: the same programs, from where this machine has them.

The scripts in `images/` do what the images' own entry points do with the variables of compose.yaml. The paths of an
image that compose.yaml names are there as well.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api.embedded_postgres.account import Account, current_account, server_account
from api.embedded_postgres.binaries import copied_below, installed
from tests.compose import dockerfile
from tests.compose.reading import ROOT
from tests.servers.java import SMALL, java
from tests.servers.kafka import KafkaServer
from tests.servers.maven import class_path
from tests.servers.s3 import S3Server

SCRIPTS = Path(__file__).with_name("images")


@dataclass(frozen=True)
class Image:
    """How a container of the image is run here."""

    scripts: Path
    """Folder of the stand-ins, first in PATH."""
    entry_point: list[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """The image's own variables."""
    here: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the stand-in needs besides."""
    programs: Path | None = None
    """Another folder in PATH."""
    paths: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """Folders of the image, and where they are here."""
    account: Account = field(default_factory=current_account)


def image(name: str, below: Path) -> Image:
    """The stand-in for an image as compose.yaml names it; what it needs is put into the folder `below`.

    Raises ServerUnavailable when Java, Maven or the jars are missing, KeyError for an image that has no stand-in.
    """
    repository, _, tag = name.partition(":")
    return _IMAGES[repository](below / repository.replace("/", "-"), tag)


def _ours(folder: Path, _: str) -> Image:
    python = {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    # The launcher of the image is found by its PATH, here by the PATH of the stand-in.
    of_the_image = {key: value for key, value in dockerfile.environment().items() if key != "PATH"}
    scripts = _copied("replay-vision", folder)
    return Image(scripts, dockerfile.entry_point(), of_the_image, here=python)


def _postgres(folder: Path, tag: str) -> Image:
    scripts = _copied("postgres", folder)
    binaries = installed(int(tag.partition(".")[0]))
    account = current_account()
    if os.geteuid() == 0:
        account = server_account()
        # The user that it runs as need not be able to enter the folder of our virtual environment.
        binaries = copied_below(folder / "programs", binaries)
    return Image(
        scripts,
        ["docker-entrypoint.sh"],
        {"PGDATA": "/var/lib/postgresql/data", "LC_ALL": "C", "TZ": "UTC"},
        programs=binaries.program("postgres").parent,
        account=account,
    )


def _kafka(folder: Path, _: str) -> Image:
    scripts = _copied("kafka", folder)
    shutil.copy(KafkaServer.project / "log4j2.properties", scripts)
    return Image(
        scripts,
        ["/etc/kafka/docker/run"],
        here=_java(KafkaServer.project),
        programs=Path(java()).parent,
        paths={"/etc/kafka/docker": scripts},
    )


def _s3(folder: Path, _: str) -> Image:
    scripts = _copied("s3", folder)
    shutil.copy(S3Server.project / "logback.xml", scripts)
    return Image(
        scripts,
        ["/opt/s3proxy/run-docker-container.sh"],
        here=_java(S3Server.project),
        programs=Path(java()).parent,
        paths={"/opt/s3proxy": scripts},
    )


def _java(project: Path) -> dict[str, str]:
    return {"JARS": class_path(project), "JAVA_SMALL": " ".join(SMALL)}


def _copied(name: str, folder: Path) -> Path:
    """Where another user can run them, wherever the checkout is."""
    target = folder / "scripts"
    if not target.exists():
        shutil.copytree(SCRIPTS / name, target)
        for path in (folder, target, *target.iterdir()):
            path.chmod(0o755)
    return target


_IMAGES: dict[str, Callable[[Path, str], Image]] = {
    "replay-vision": _ours,
    "postgres": _postgres,
    "apache/kafka": _kafka,
    "andrewgaul/s3proxy": _s3,
}
