"""Every rule of the contract has a test that names it, and every test that names one names a rule there is."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "tests" / "contract" / "rules"
LEFT_OUT = "left_out"

BEING_BUILT = frozenset(
    {
        "1/op-14", "1/op-16", "1/op-17", "1/op-18", "1/op-19", "1/op-20", "1/precedence-estimate", "1/prefixes-actions",
        "10/10", "10/13", "10/16", "10/3", "10/9",
        "2.1/rate-limit-429", "2.1/rate-limits",
        "3.4/delete-actions", "3.4/estimate-create", "3.4/estimate-failure", "3.4/estimate-reenable",
        "3.4/estimate-refresh", "3.4/estimate-update",
        "6/eligible", "6/empty-body", "6/matched", "6/monthly", "6/others", "6/query-dates", "6/query-null",
        "6/query-omitted", "6/rate", "6/rate-echoed", "6/rate-tiny", "6/scanner-id", "6/shape", "6/window",
        "6/writes-nothing",
        "7/projected",
        "8.1/delete", "8.1/delivery-default", "8.1/delivery-type", "8.1/enabled", "8.1/hog-flow", "8.1/keys",
        "8.1/last-run", "8.1/mode", "8.1/moments", "8.1/name", "8.1/next-run-after-now", "8.1/next-run-kept",
        "8.1/next-run-local", "8.1/next-run-null", "8.1/next-run-read-only", "8.1/next-run-recomputed", "8.1/null",
        "8.1/patch-whole", "8.1/prompt-guide", "8.1/rrule-blank", "8.1/rrule-dtstart", "8.1/rrule-effective",
        "8.1/rrule-interval", "8.1/rrule-parse", "8.1/rrule-prefix", "8.1/scanner-foreign", "8.1/scanner-malformed",
        "8.1/scanner-patch", "8.1/scanner-required", "8.1/selection-default", "8.1/selection-own-default",
        "8.1/selection-types", "8.1/selection-values", "8.1/slack-channel", "8.1/slack-integration", "8.1/slack-keys",
        "8.1/timezone", "8.1/timezone-invalid", "8.1/trigger-config-default", "8.1/trigger-type",
        "8.2/no-other", "8.2/order", "8.2/pages", "8.2/scanner", "8.2/scanner-malformed",
        "trap/63", "trap/64", "trap/65", "trap/66", "trap/67", "trap/76",
    }
)  # fmt: skip
"""Rules of estimates, actions, rate limits and the health of a scanner, whose tests come with them."""

BY_PROOF = frozenset({"2.1/tenant-matrix"})
"""Rules whose tests come with the proofs of tenancy and concurrency."""


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
    assert sorted(sentences(left_out=False).keys() - proven - BEING_BUILT - BY_PROOF) == []


def test_every_mark_names_a_rule(proven: set[str]) -> None:
    assert sorted(proven - sentences(left_out=False).keys()) == []


def test_what_is_pending_is_a_rule_and_has_no_test_yet(proven: set[str]) -> None:
    pending = BEING_BUILT | BY_PROOF
    assert sorted(pending - sentences(left_out=False).keys()) == []
    assert sorted(pending & proven) == []


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
