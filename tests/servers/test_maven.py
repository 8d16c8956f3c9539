"""Jars are collected once, whole, and in bounded time; `mvn` is a script here that tells what it was asked."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.live import wait_until
from tests.servers.java import java
from tests.servers.maven import class_path
from tests.servers.missing import REQUIRE_VARIABLE, ServerUnavailable, give_up

FETCH = """
for word; do case $word in -Dservers.lib=*) lib=${word#*=};; esac; done
mkdir -p "$lib" && echo "$lib" >>"$HOME/calls" && echo jar >"$lib/one.jar"
"""


class Bench:
    """A home for a `mvn` that is the given script, a project with a pom, and the folder for what is collected."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.project = home / "project"
        self.project.mkdir()
        self.pom = self.project / "pom.xml"
        self.pom.write_text("<project/>")

    def mvn(self, script: str) -> None:
        command = self.home / "mvn"
        command.write_text(f"#!/bin/sh\n{script}")
        command.chmod(0o755)

    def collect(self, seconds: float = 20) -> list[str]:
        """The names of the jars that a class path has in the end."""
        path = Path(class_path(self.project, seconds, self.home / "collected"))
        return [jar.name for jar in path.parent.glob("*.jar")]

    def calls(self) -> int:
        return len((self.home / "calls").read_text().splitlines())


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    try:
        java()
    except ServerUnavailable as error:
        give_up("broker", str(error))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    made = Bench(tmp_path)
    made.mvn(FETCH)
    return made


def test_all_who_ask_at_once_share_one_fetch(bench: Bench) -> None:
    with ThreadPoolExecutor(4) as workers:
        found = list(workers.map(lambda _: bench.collect(), range(4)))
    assert found == [["one.jar"]] * 4
    assert bench.calls() == 1


def test_a_changed_pom_is_fetched_anew(bench: Bench) -> None:
    bench.collect()
    bench.pom.write_text("<project></project>")
    bench.mvn(FETCH.replace("one.jar", "two.jar"))
    assert bench.collect() == ["two.jar"]
    assert bench.calls() == 2


def test_a_fetch_that_fails_says_why_in_a_line_and_leaves_nothing_that_counts(bench: Bench) -> None:
    bench.mvn(f"{FETCH}\necho '[INFO] well'; echo '[ERROR] no route to anywhere'; echo '[ERROR] more'; exit 1")
    with pytest.raises(ServerUnavailable, match=r"^Maven cannot fetch project's jars: no route to anywhere$"):
        bench.collect()
    bench.mvn(FETCH)
    assert bench.collect() == ["one.jar"]
    assert bench.calls() == 2


def test_a_fetch_ends_in_time_with_all_its_processes(bench: Bench) -> None:
    bench.mvn('sleep 97 & echo $! >"$HOME/child"; wait')
    began = time.monotonic()
    with pytest.raises(ServerUnavailable, match=r"^Maven had not fetched project's jars after 2 s$"):
        bench.collect(2)
    assert time.monotonic() - began < 10
    child = int((bench.home / "child").read_text())
    wait_until(lambda: is_gone(child), 10, "the child of `mvn` lives on")


def test_a_machine_without_maven_is_told_what_to_install(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(bench.project))
    with pytest.raises(ServerUnavailable, match=r"no `mvn` on this machine .*apt install maven"):
        bench.collect()


def test_an_old_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ServerUnavailable, match=r"^Java 17 or newer is needed, and .*/bin/java says: openjdk version "):
        java.__wrapped__()


def test_what_is_missing_skips_a_test_unless_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRE_VARIABLE, "s3")
    with pytest.raises(pytest.skip.Exception, match="no Java"):
        give_up("broker", "no Java")
    monkeypatch.setenv(REQUIRE_VARIABLE, "broker, s3")
    with pytest.raises(pytest.fail.Exception, match="no Java"):
        give_up("broker", "no Java")
