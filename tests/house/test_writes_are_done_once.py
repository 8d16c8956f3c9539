"""No command forgets the key of a request that must not be done twice, and no route that writes is without one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.http.app import NOUNS
from api.http.calls import Operation

COMMANDS = Path(__file__).resolve().parents[2] / "commands"
FILES = sorted(path for path in COMMANDS.glob("*.py") if path.name not in ("accounts.py", "integrations.py"))
"""Those two are written by administrators on the command line, never by a route."""

READING = frozenset({"scanners_estimate_create"})
"""Operations that change nothing although their method is not GET."""

SAVING = ("save", "save_each")

OPERATIONS = [operation for noun in NOUNS for operation in noun.OPERATIONS]


def saves(tree: ast.Module) -> Iterator[ast.Call]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    yield from (call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in SAVING)


def forgetful(source: str) -> list[int]:
    """Lines of saves without the context's `once`."""
    return [
        call.lineno
        for call in saves(ast.parse(source))
        if not any(word.arg == "once" and ast.unparse(word.value) == "context.once" for word in call.keywords)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_save_of_a_command_takes_the_key_along(path: Path) -> None:
    assert forgetful(path.read_text(encoding="utf-8")) == []


def test_the_check_finds_what_it_looks_for() -> None:
    assert forgetful("self._store.save(scanner)\nself._store.save_each(x, once=None)") == [1, 2]
    assert forgetful("self._store.save(scanner, once=context.once)") == []
    assert {"scanners.py", "observations.py"} <= {path.name for path in FILES}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_that_writes_can_be_sent_again(operation: Operation) -> None:
    writes = operation.method != "GET" and operation.name not in READING
    assert (operation.again is not None) == writes
