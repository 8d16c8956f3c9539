"""One example of every operation of the route table, so that a proof over all of them covers a new one by itself.

An operation that takes a body or needs a query has its example in EXAMPLES; an object that a path or a body names is
made by `tests.contract.tenants.fill`. What is missing fails `test_2_1_tenants.py`, which says where to add it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import Any
from uuid import uuid4

import api.http.routes
from api.http.calls import Operation
from api.http.openapi import PREFIXES

Ids = Mapping[str, str]
"""Name of a path parameter to the id of an object; what queries of examples need stands there too."""


@dataclass(frozen=True)
class Example:
    """A request that succeeds for the owner of `ids`. `refers`: fields of the body that name an object, and which."""

    body: Callable[[Ids], dict[str, Any] | None] = lambda _: None
    query: Callable[[Ids], str] = lambda _: ""
    refers: Mapping[str, str] = field(default_factory=dict[str, str])


def _scanner(_: Ids) -> dict[str, Any]:
    return {
        "name": f"example {uuid4()}",
        "scanner_type": "monitor",
        "scanner_config": {"prompt": "Did the visitor give up?"},
        "provider": "builtin",
        "model": "builtin",
    }


EXAMPLES = {
    "scanners_create": Example(_scanner),
    "scanners_partial_update": Example(lambda _: {"description": f"edited {uuid4()}"}),
    "scanners_observe_create": Example(lambda _: {"session_id": f"example {uuid4()}"}),
    "scanners_bulk_observe_create": Example(lambda _: {"session_ids": [f"example {uuid4()}"]}),
    "scanners_estimate_create": Example(
        lambda ids: {"sampling_rate": 0.5, "scanner_id": ids["scanner_id"]}, refers={"scanner_id": "scanner_id"}
    ),
    "actions_create": Example(
        lambda ids: {"name": f"example {uuid4()}", "scanner": ids["scanner_id"]}, refers={"scanner": "scanner_id"}
    ),
    "actions_partial_update": Example(
        lambda ids: {"name": f"edited {uuid4()}", "scanner": ids["scanner_id"]}, refers={"scanner": "scanner_id"}
    ),
    "observations_list": Example(query=lambda ids: "session_id=" + ids["session_id"]),
}


def _operations() -> list[Operation]:
    folder = api.http.routes
    modules = [import_module(f"{folder.__name__}.{found.name}") for found in iter_modules(folder.__path__)]
    return [operation for module in modules for operation in getattr(module, "OPERATIONS", ())]


OPERATIONS = _operations()
BASES = [re.sub("{.*}", "{environment_id}", prefix) + "/" for prefix, _ in PREFIXES]
READS = [operation for operation in OPERATIONS if operation.method == "GET"]


def parameters(operation: Operation) -> list[str]:
    """The path parameters that name objects."""
    return [name.partition(":")[0] for name in re.findall(r"{(.*?)}", operation.path)]


def example(operation: Operation) -> Example:
    """Fails for an operation that cannot be asked without an example."""
    needs_query = any(parameter.describe().get("required") for parameter in operation.parameters)
    missing = (operation.body is not None or needs_query) and operation.name not in EXAMPLES
    assert not missing, f"no example of {operation.name}: add one to EXAMPLES in {__name__}"
    return EXAMPLES.get(operation.name, Example())


def address(operation: Operation, environment: int | str, ids: Ids, base: str = BASES[0]) -> str:
    """The path of an operation, with the query of its example."""
    unknown = [name for name in parameters(operation) if name not in ids]
    assert not unknown, f"no object for {unknown} of {operation.name}: make one in tests.contract.tenants.fill"
    path = re.sub(r"{(\w+)(:\w+)?}", lambda found: ids[found.group(1)], operation.address)
    query = example(operation).query(ids)
    return base.replace("{environment_id}", str(environment)) + path + (f"?{query}" if query else "")
