"""Every rule of the contract has a test that names it, and every test that names one names a rule there is."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "tests" / "contract" / "rules"
LEFT_OUT = "left_out"


def sentences(*, left_out: bool) -> dict[str, str]:
    """Rules by id, or what has no test and why. Fails for an id that stands twice."""
    found: dict[str, str] = {}
    for path in sorted(RULES.glob("*.toml")):
        if (path.stem == LEFT_OUT) is left_out:
            listed = tomllib.loads(path.read_text(encoding="utf-8"))
            assert not found.keys() & listed.keys(), path
            found |= listed
    return found


def marked(tree: ast.Module) -> Iterator[str]:
    """The ids in the `rule` marks of a module's tests. Fails for a mark that stands anywhere but at a test."""
    for node in ast.walk(tree):
        for mark in getattr(node, "decorator_list", []):
            if _is_mark(mark):
                assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef), ast.dump(node)
                assert node.name.startswith("test_"), node.name
                yield from _ids(mark)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "param":
            yield from (identifier for word in node.keywords if _is_mark(word.value) for identifier in _ids(word.value))


def _is_mark(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.rule"


def _ids(mark: ast.expr) -> Iterator[str]:
    assert isinstance(mark, ast.Call)
    assert mark.args, "a rule mark names no rule"
    for argument in mark.args:
        assert isinstance(argument, ast.Constant), "ids of rules are written out"
        yield str(argument.value)


@pytest.fixture(scope="module")
def proven() -> set[str]:
    """Ids of all marks of all tests."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return {identifier for path in paths for identifier in marked(ast.parse(path.read_text(encoding="utf-8")))}


def test_every_rule_has_a_test(proven: set[str]) -> None:
    assert sorted(sentences(left_out=False).keys() - proven) == []


def test_every_mark_names_a_rule(proven: set[str]) -> None:
    assert sorted(proven - sentences(left_out=False).keys()) == []


def test_what_is_left_out_is_no_rule_and_says_why() -> None:
    reasons = sentences(left_out=True)
    assert sorted(reasons.keys() & sentences(left_out=False).keys()) == []
    assert all(reason.endswith(".") for reason in reasons.values())


def test_the_check_finds_what_it_looks_for() -> None:
    source = """
@pytest.mark.rule("1/slash", "1/put")
@pytest.mark.parametrize("path", [pytest.param("x", marks=pytest.mark.rule("1/head"))])
def test_something(path): ...
"""
    assert list(marked(ast.parse(source))) == ["1/slash", "1/put", "1/head"]
    for wrong in ("@pytest.mark.rule(ID)\ndef test_a(): ...", "@pytest.mark.rule('1/put')\ndef helper(): ..."):
        with pytest.raises(AssertionError):
            list(marked(ast.parse(wrong)))
