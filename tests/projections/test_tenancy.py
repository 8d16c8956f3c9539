"""No read of tenant data without a Tenant: checked in the source, so that it cannot be forgotten."""

import ast
import re
from pathlib import Path

import pytest

import projections.queries

FOLDER = Path(projections.queries.__file__).parent
TENANT_TABLE = re.compile(
    r"\b(read_(scanners|actions|action_runs|integrations|observations|quota|recordings|history)"
    r"|capture|selection)\.\w+"
)
OWNED = re.compile(r"\b(environment_id|organization_id)\b")

OWNING = {"VISIBLE"}
"""Expressions of other modules that name the owner."""

EXEMPT = {
    "integrations.list_integrations": "for the operator, who may name an environment",
    "delivery.list_deliveries": "as integrations.list_integrations",
    "delivery.owner_of_run": "tells the operator's command whose a run is",
    "quota.quota_with_grants": "for the operator, who names the organization",
    "quota._quota": "its two callers say whose",
    "retention.kept_days": "for the sweep that removes what is past it, which goes over all environments",
    "estimates.due": "for the refresh, which goes over all environments",
    "sessions.settled_by": "as last_settle_number",
    "sessions.settle_number_at": "as last_settle_number",
    "sessions.last_settle_number": "a counter over all environments that tells nothing of any",
}


def _strings(node: ast.AST) -> str:
    return "\n".join(
        part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def offences(name: str, source: str) -> list[str]:
    """Functions that reach tenant tables and take no Tenant; statements on tenant tables that name no owner."""
    tree = ast.parse(source)
    touching: set[str] = set()
    found: list[str] = []
    for statement in tree.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        text = _strings(statement.value)
        if TENANT_TABLE.search(text) or _names(statement.value) & touching:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            touching |= {target.id for target in targets if isinstance(target, ast.Name)}
            owned = OWNED.search(text) or _names(statement.value) & (touching | OWNING)
            if TENANT_TABLE.search(text) and not owned:
                found.append(f"{name}:{statement.lineno} no owner in {ast.unparse(statement)[:60]}")
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            takes = any(arg.annotation is not None and ast.unparse(arg.annotation) == "Tenant" for arg in arguments)
            body = ast.Module(body=function.body, type_ignores=[])
            reaches = bool(TENANT_TABLE.search(_strings(body))) or bool(_names(body) & touching)
            if reaches and not takes and f"{name}.{function.name}" not in EXEMPT:
                found.append(f"{name}.{function.name} takes no Tenant")
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_queries_take_a_tenant(path: Path) -> None:
    assert offences(path.stem, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        '_A = "SELECT * FROM read_scanners.scanner WHERE environment_id = 1"\ndef f(c): c.execute(_A)',
        '_A = "read_history.entry, environment_id"\n_B = f"SELECT {_A}"\ndef f(c, tenant: int): c.execute(_B)',
        'def f(c): c.execute("SELECT 1 FROM capture.session WHERE environment_id = 1")',
        'class A:\n    async def f(self, c): return c.execute("SELECT 1 FROM read_observations.observation o")',
    ],
)
def test_the_check_finds_what_it_should(source: str) -> None:
    assert len(offences("x", source)) == 1


def test_exemptions_still_exist() -> None:
    for name in EXEMPT:
        module, _, function = name.partition(".")
        assert f"def {function}(" in (FOLDER / f"{module}.py").read_text(encoding="utf-8")
