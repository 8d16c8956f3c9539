"""What import-linter cannot say: which modules the domain may import at all, and that it has no clock and no chance."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = ("domain", "pydantic", "dateutil", "eventsourcing.domain", "eventsourcing.utils")
"""Besides the standard library. `eventsourcing.utils` has the registry of topics that its domain module uses."""
IMPURE = frozenset(
    {"asyncio", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil", "socket",
     "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib.request"}
)  # fmt: skip
CLOCK_AND_CHANCE = frozenset({"now", "utcnow", "today", "uuid1", "uuid4", "urandom"})

FILES = sorted((ROOT / "domain").rglob("*.py"))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module


def below(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def allowed(module: str) -> bool:
    if any(below(module, package) for package in ALLOWED):
        return True
    return module.partition(".")[0] in sys.stdlib_module_names and not any(below(module, impure) for impure in IMPURE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_domain_has_no_contact_with_the_world(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [module for module in imports(tree) if not allowed(module)] == []
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls]
    assert [name for name in named if name in CLOCK_AND_CHANCE] == []


def test_the_check_finds_what_it_looks_for() -> None:
    assert not allowed("os.path")
    assert not allowed("psycopg")
    assert not allowed("eventsourcing.persistence")
    assert allowed("datetime")
    assert FILES
