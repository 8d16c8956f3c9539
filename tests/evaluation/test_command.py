"""`replay-vision evaluate` as a process: table, JSON, a report that needs nothing, Ctrl-C."""

import gzip
import json
import os
import re
import signal
import stat
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from consumers.evaluation.labelled import Unlabelled, read_session
from consumers.evaluation.questions import questions_in
from tests.evaluation.labelled import FEW, folder
from tests.live import ROOT, wait_until

COMMAND = [sys.executable, "-m", "api.cli.main", "evaluate"]


class _Outside(HTMLParser):
    """What a browser would fetch or run, and how deep elements are left open."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str | None]] = []
        self.drawings = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.drawings += tag == "svg"
        self.found += [(name, value) for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        self.found += [(name, value) for name, value in attrs if name.startswith("on")]
        if tag in ("script", "link", "img", "iframe", "object", "base", "form"):
            self.found.append((tag, None))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    place = folder(tmp_path_factory.mktemp("labelled"))
    home = place / "home"
    run = subprocess.run(
        [*COMMAND, str(place), "--runs", "2", "--home", str(home)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, env=os.environ | {"COLUMNS": "160"},
    )  # fmt: skip
    return run, home / "evaluations"


def stored(place: Path, kind: str) -> Path:
    (path,) = place.glob(f"*.{kind}")
    return path


def test_the_table_is_printed(done: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    run, place = done
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert "3 sessions, 252 of 252 answers" in run.stdout
    assert run.stdout.count("\n saw_error_message  ") == 2, "in both tables, whole"
    assert re.search(r"\d\.\d{3} \(\d\.\d{3}-\d\.\d{3}\)  ", run.stdout)
    assert str(stored(place, "json")) in run.stdout
    (of_scorer,) = [line for line in run.stdout.splitlines() if line.startswith(" scorer ")]
    told = re.split(r"\s{2,}", of_scorer.strip())
    assert (told[1], told[2][:5], told[4], told[5], told[7]) == ("6", "1.000", "1.000", "0.0000", "0")
    assert told[6].endswith(" ms")
    assert "<td>scorer</td>" in stored(place, "html").read_text()


def test_the_figures_are_stored(done: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    path = stored(done[1], "json")
    report: dict[str, Any] = json.loads(path.read_text())
    assert (report["format"], report["ended"], report["sessions"]) == (1, "complete", 3)
    pooled = report["pooled"]
    assert pooled["monitors"]["f1"]["value"] == 1
    assert pooled["agreement"] == 1
    assert pooled["containment"]["leaks"] == 0
    assert pooled["citations"]["inside"]["value"] == 1
    assert set(report["by_site"]) == {"one", "two"}
    assert set(report["by_wording"]) == {"questions", "wordings"}
    assert len(report["trials"]) == report["planned"] == 252
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_report_needs_nothing_from_anywhere(done: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    text = stored(done[1], "html").read_text()
    page = _Outside()
    page.feed(text)
    page.close()
    assert page.found == []
    assert page.drawings >= 3
    assert not re.search(r"url\(|@import|https?://", text)


def test_a_narrow_terminal_shows_names_and_figures_whole(tmp_path: Path) -> None:
    command = [*COMMAND, str(folder(tmp_path, FEW[:1])), "--home", str(tmp_path / "home")]
    environment = os.environ | {"COLUMNS": "80"}
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert run.returncode == 0, run.stderr
    tables = run.stdout.partition("Monitors")[2].partition("95 % intervals")[0]
    assert tables.count("\n saw_error_message  ") == 2
    assert "…" not in tables
    assert max(map(len, tables.splitlines())) <= 80


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["/none/there"], "there is no folder /none/there"),
        ([".", "--provider", "nobody"], "there is no provider 'nobody'"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path: Path, wrong: list[str], said: str) -> None:
    command = [*COMMAND, *wrong, "--home", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 1
    assert run.stderr.startswith("replay-vision: ")
    assert said in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_where_nothing_can_be_stored_nothing_is_asked(tmp_path: Path, option: str) -> None:
    """Answers may have to be paid, and would be lost."""
    command = [*COMMAND, str(folder(tmp_path, FEW[:1])), "--home", str(tmp_path / "home"), option, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == f"replay-vision: {tmp_path} is a folder\n"
    assert not list(tmp_path.glob("**/*.html"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("truth.json", '{"monitors": [1]}'),
        ("truth.json", '{"key_moments": [1]}'),
        ("truth.json", '{"frustration": "much"}'),
        ("truth.json", '{"frustration": NaN}'),
        ("truth.json", '{"name": "\\ud800"}'),
        ("truth.json", "[" * 100_000),
        ("events.jsonl.gz", "[1]"),
        ("events.jsonl.gz", "[" * 100_000),
    ],
)
def test_a_session_of_another_shape_is_told_plainly(tmp_path: Path, name: str, text: str) -> None:
    folder(tmp_path, FEW[:1])
    session = tmp_path / "sessions" / f"told_{FEW[0]}"
    (session / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    with pytest.raises(Unlabelled, match=f"told_{FEW[0]}.* cannot be read"):
        read_session(session)


@pytest.mark.parametrize("given", [{"monitors": [1]}, {"classifier": {"question": "Which?"}}, {"scorer": [1]}])
def test_questions_of_another_shape_are_told_plainly(given: dict[str, Any]) -> None:
    with pytest.raises(Unlabelled, match="cannot be read"):
        questions_in(given)


def test_ctrl_c_leaves_the_report_of_what_was_asked(tmp_path: Path) -> None:
    place = folder(tmp_path / "labelled")
    home = tmp_path / "home"
    asked = tmp_path / "asked"
    # A provider as slow as a vendor's: the built-in one would be done before the signal comes.
    slow = (
        "import time; from consumers.scanning.providers import installed; from api.cli.main import main\n"
        "class Slow(installed.BuiltinProvider):\n"
        "    def analyse(self, question, evidence):\n"
        f"        time.sleep(0.02); open({str(asked)!r}, 'a').write('.')\n"
        "        return super().analyse(question, evidence)\n"
        "installed.BuiltinProvider = Slow\n"
        "main()"
    )
    command = [sys.executable, "-c", slow, "evaluate", str(place), "--runs", "100", "--home", str(home)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: asked.exists() and len(asked.read_text()) > 20, 60, "nothing is asked")
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    report = json.loads(stored(home / "evaluations", "json").read_text())
    assert process.returncode == 130
    assert "interrupted" in output
    assert report["ended"] == "interrupted"
    assert 0 < len(report["trials"]) < report["planned"]
    assert stored(home / "evaluations", "html").exists()
