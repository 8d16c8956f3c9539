"""The committed document, made exact for one site: what a schema for clients leaves to prose is put into schemas.

Nothing that is checked is taken away; each change lets the generator say more of what the server takes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"

CATALOGUE = {"provider": "builtin", "model": "builtin"}
"""Which models there are is configuration; this site has one that needs no network."""

SHORT_QUERY = {
    "type": "object",
    "properties": {"kind": {"const": "RecordingsQuery"}, "filter_test_accounts": {"type": ["boolean", "null"]}},
    "additionalProperties": False,
}


def exact_document() -> dict[str, Any]:
    """The document that the server is held against."""
    document: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    schemas: dict[str, Any] = document["components"]["schemas"]
    sent = _sent(document)
    for name, schema in schemas.items():
        if name in sent:
            _name_the_catalogue(schema)
        elif "properties" in schema and not name.endswith("Body"):
            # Answers may have no field that the document does not name, though clients are told to expect new ones.
            schema.setdefault("additionalProperties", False)
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation["parameters"]:
                if parameter["name"] == "If-Match":
                    # The generator knows this header by name, and takes the quotes off what it makes by a pattern.
                    del parameter["schema"]["pattern"]
                    parameter["example"] = "*"
                elif parameter["name"] == "Idempotency-Key":
                    # An example is used again and again, and a key is for one request.
                    parameter.pop("example", None)
    for name in ("EditScanner", "EstimateBody"):
        schemas[name]["properties"]["query"] = SHORT_QUERY
    schemas["CreateScanner"] = _one_for_each_type(schemas["CreateScanner"])
    return document


def _sent(document: dict[str, Any]) -> set[str]:
    """Names of the schemas of request bodies."""
    return {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    }


def _name_the_catalogue(schema: dict[str, Any]) -> None:
    for name, value in CATALOGUE.items():
        if name in schema["properties"]:
            schema["properties"][name] = {"type": "string", "enum": [value]}
    if "model" in schema.get("required", ()):
        # The default of the other is a provider that this site lacks.
        schema["required"] = [*schema["required"], "provider"]


def _one_for_each_type(schema: dict[str, Any]) -> dict[str, Any]:
    """The choice of a configuration by type, as a choice of bodies: the generator does not follow if and then.

    A filter in all its detail goes with the first type only: it is the same everywhere, and has many details.
    """
    conditions = schema.pop("allOf")
    bodies: list[dict[str, Any]] = []
    for condition in conditions:
        fixed = {**condition["if"]["properties"], **condition["then"]["properties"]}
        properties = {**schema["properties"], **fixed, **({"query": SHORT_QUERY} if bodies else {})}
        bodies.append({**schema, "properties": properties})
    return {"oneOf": bodies}
