"""`/docs/`: the OpenAPI document as a page to read. It loads nothing: it works without a network, and tells nobody."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from fastapi import FastAPI, Request, Response

PATH = "/docs/"

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}

_SHOWN = "/api/environments/"
"""Every operation exists below `/api/projects/` too, and is shown once."""

_METHODS = ("get", "post", "put", "patch", "delete")
_CODE = re.compile(r"`([^`]*)`")
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
summary { cursor: pointer; padding: .3rem 0 } summary b { display: inline-block; min-width: 4.5rem }
details > div { margin: 0 0 1.5rem 1rem } code, pre, summary { font-family: ui-monospace, monospace; font-size: .9rem }
pre { background: #f4f4f4; padding: .7rem; overflow-x: auto } td { vertical-align: top; padding: .1rem 1rem .1rem 0 }
summary span { font-family: system-ui, sans-serif; color: #666 }
"""

Json = Mapping[str, Any]


def mount(app: FastAPI) -> None:
    """Registers the page. Call it when the application's document is there: the page tells what that tells."""
    content = page(app.openapi()).encode()

    async def answer(_: Request) -> Response:
        return Response(content, media_type="text/html", headers=HEADERS)

    app.add_route(PATH, answer, methods=["GET"], include_in_schema=False)


def page(document: Json) -> str:
    """All operations of an OpenAPI document, by tag."""
    title = html.escape(f"{document['info']['title']} {document['info']['version']}")
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>"
        f"</head><body><h1>{title}</h1><p>For machines: <a href='/api/schema/'>/api/schema/</a> (OpenAPI 3.1)."
        " What is below <code>/api/environments/</code> is below <code>/api/projects/</code> too."
        " Requests carry the header <code>Authorization: Bearer KEY</code>.</p>"
        f"{''.join(_tags(document))}</body></html>\n"
    )


def _tags(document: Json) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"<h2>{html.escape(tag['name'])}</h2><p>{html.escape(tag['description'])}</p>"
        for path, operations in document["paths"].items():
            for method in _METHODS:
                operation = operations.get(method)
                if operation and path.startswith(_SHOWN) and tag["name"] in operation["tags"]:
                    yield _operation(document, method, path, operation)


def _operation(document: Json, method: str, path: str, operation: Json) -> str:
    parts = [f"<p>{_text(paragraph)}</p>" for paragraph in operation.get("description", "").split("\n\n")]
    if parameters := [_named(document, each) for each in operation.get("parameters", ())]:
        parts.append(f"<h4>Parameters</h4><table>{''.join(map(_parameter, parameters))}</table>")
    if "requestBody" in operation:
        parts += ["<h4>Body</h4>", *_examples(_named(document, operation["requestBody"]))]
    parts.append("<h4>Answers</h4>")
    for status, given in operation["responses"].items():
        response = _named(document, given)
        parts.append(f"<p><code>{html.escape(status)}</code> {_text(response['description'])}</p>")
        if status.startswith("2"):
            parts += _examples(response)
    summary = f"<b>{method.upper()}</b> {html.escape(path)} <span>{html.escape(operation['summary'])}</span>"
    anchor = html.escape(operation["operationId"])
    return f"<details id='{anchor}'><summary>{summary}</summary><div>{''.join(parts)}</div></details>"


def _parameter(parameter: Json) -> str:
    needed = "" if parameter.get("required") else ", optional"
    where = html.escape(f"{parameter['in']}{needed}")
    return (
        f"<tr><td><code>{html.escape(parameter['name'])}</code></td><td>{where}</td>"
        f"<td>{_text(parameter.get('description', ''))}</td></tr>"
    )


def _examples(holder: Json) -> list[str]:
    """The first example of each kind of content."""
    found: list[str] = []
    for content in holder.get("content", {}).values():
        for example in list(content.get("examples", {}).values())[:1]:
            text = json.dumps(example.get("value"), indent=2, ensure_ascii=False)
            found.append(f"<pre>{html.escape(text)}</pre>")
    return found


def _named(document: Json, given: Json) -> Json:
    """What stands there, or what it refers to in the document."""
    found: Any = given
    while "$ref" in found:
        reference = cast("str", found["$ref"])
        found = document
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
    return found


def _text(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", html.escape(text, quote=False))
