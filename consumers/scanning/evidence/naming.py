"""Naming the element a person touched, and telling what kind of thing it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

from consumers.scanning.evidence.languages import words
from consumers.scanning.evidence.masking import clean, clean_url
from consumers.scanning.evidence.mirror import ELEMENT, Node, Room, walk
from consumers.scanning.evidence.neighbours import masked_beside
from consumers.scanning.evidence.reading import FIELDS, editable, text_of, tokens

NAME_CHARS: Final = 60
"""Of a name: longer ones are texts of what an element contains."""
OWNER_LEVELS: Final = 9
CLASS_LEVELS: Final = 3
PANEL_LEVELS: Final = 11
POINTER_LEVELS: Final = 100
"""How far above what was hit its control, a class that names one, the panel around it, and what a style sheet gives a
pointer are looked for: controls hold a few wrappers, panels some more; a pointer is inherited from anywhere. Ours."""
MAX_NAMED: Final = 500
"""Nodes looked at for one name, one label, or one panel: every click asks for all of them, on pages of 50,000."""
MAX_SIBLINGS: Final = 200
MAX_SELECTORS: Final = 400
MAX_CSS_CHARS: Final = 500_000
"""Elements before a field that may be its label, and what is read of style sheets: bounded work, however large the page
is. Ours."""

BUTTON_INPUTS: Final = frozenset({"submit", "button", "reset", "image"})
FIELD_ROLES: Final = ("field", "file", "select", "checkbox")
CHECKS: Final = frozenset({"checkbox", "radio"})
_OPAQUE: Final = frozenset({"canvas", "video", "audio", "iframe", "embed", "object"})
"""What is in these is not recorded."""
_ROLES: Final = frozenset(
    {"button", "link", "tab", "menuitem", "option", "switch", "checkbox", "radio", "menuitemcheckbox", "treeitem"}
)
_CLICKABLE_WORDS: Final = frozenset(
    {
        "btn",
        "button",
        "link",
        "clickable",
        "cta",
        "tab",
        "chip",
        "toggle",
        "dropdown",
        "menu",
        "accordion",
        "pill",
        "pointer",
    }
)
_NOT_OF_ID: Final = re.compile(r"[^\w.:\[\]-]+")
_FILE: Final = re.compile(
    r"\.(?:pdf|csv|zip|xlsx?|docx?|pptx?|png|jpe?g|svg|mp[34]|ics|dmg|exe|apk|txt|json|xml)$", re.IGNORECASE
)
_SEARCH_WORDS: Final = re.compile(
    rf"\b(?:search|find|filter|query|look ?up|keywords?|{words('search')})\b|^q$", re.IGNORECASE
)
_SUBMIT_WORDS: Final = re.compile(
    r"\b(?:submit|save|send|create|confirm|continue|next|finish|done|apply|update|add|place|pay|buy|order|book|reserve|"
    r"sign|log ?in|register|join|upgrade|subscribe|start|checkout|check out|complete|publish|post|invite|request|"
    r"donate|export|download|import|upload|delete|remove|archive|share|accept|agree|activate|verify|proceed|go|copy|duplicate|rename|change|edit|assign|approve|reject|move|restore|print|generate|connect|enable|disable|cancel|"
    rf"{words('submit')})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Target:
    """The element of a click or an input.

    ``role`` is button, link, field, file, checkbox, select, row or text; ``group`` the id of the form, or what stands
    for one; ``search`` whether it looks for or filters something; ``clickable`` whether it looks as if a click did
    something; ``opaque`` whether what is in it is not recorded, so that nobody can say whether it reacted.
    """

    node: int
    name: str
    role: str
    group: int
    clickable: bool
    search: bool
    submit: bool
    href: str = ""
    leaves: bool = False
    opaque: bool = False

    @property
    def label(self) -> str:
        kind = "file field" if self.role == "file" else self.role
        return f"{self.name} {kind}" if self.name else kind

    @property
    def field(self) -> bool:
        return self.role in FIELD_ROLES


def describe(node: Node, pointers: "Pointers") -> Target:
    """Name the nearest meaningful element at or above ``node``."""
    owner, role = _owner(node, pointers)
    name = _field_name(owner) if role in FIELD_ROLES else _control_name(owner)
    form = _form(owner)
    group = form or _panel(owner)
    href = owner.attribute("href")
    clickable = role in ("button", "link") or any(map(pointers.match, islice(node.ancestors(), POINTER_LEVELS)))
    search = _is_search(owner, form, name) if role != "text" else False
    return Target(
        node=owner.id,
        name=name,
        role=role,
        group=group.id if group is not None else 0,
        clickable=clickable,
        search=search,
        submit=role == "button" and (_submits(owner, form) or _sends(name)),
        href=clean_url(href) if href and not href.startswith("#") else href[:1],
        leaves=bool(_FILE.search(href))
        or owner.attribute("target") == "_blank"
        or "download" in owner.attributes
        or href.startswith(("mailto", "tel")),
        opaque=owner.tag in _OPAQUE,
    )


class Pointers:
    """Which elements the page's own style sheets give a pointer cursor: what looks clickable without being a link.

    Only the last part of each selector is looked at (tag, class, id), which is enough for what pages write.
    """

    def __init__(self) -> None:
        self._selectors: set[_Selector] = set()

    def read(self, css: str) -> None:
        if "pointer" in css and len(self._selectors) < MAX_SELECTORS:
            self._selectors |= _pointing(css[:MAX_CSS_CHARS])

    def match(self, node: Node) -> bool:
        if node.type != ELEMENT or not self._selectors:
            return False
        classes, node_id = set(node.attribute("class").split()), node.attribute("id")
        return any(
            (not tag or tag == node.tag) and wanted <= classes and (not wanted_id or wanted_id == node_id)
            for tag, wanted, wanted_id in self._selectors
        )


_Selector = tuple[str, frozenset[str], str]
_CURSOR = re.compile(r"cursor\s*:\s*pointer", re.IGNORECASE)
_PART = re.compile(r"^([a-z][a-z0-9]*)?((?:[.#][\w-]+)*)(?:\[.*\])?(?::{1,2}[\w-]+(?:\(.*\))?)*$", re.IGNORECASE)


@lru_cache(maxsize=64)
def _pointing(css: str) -> frozenset[_Selector]:
    """The last parts of the selectors of every rule with a pointer cursor. Pages of a site share their style sheet."""
    found: set[_Selector] = set()
    for match in _CURSOR.finditer(css):
        opening = css.rfind("{", 0, match.start())
        start = max(css.rfind("}", 0, opening), css.rfind("{", 0, opening), css.rfind(";", 0, opening)) + 1
        for selector in css[start:opening][:1_000].split(","):
            part = _PART.match(re.split(r"[\s>+~]+", selector.strip())[-1])
            pieces = re.findall(r"[.#][\w-]+", part.group(2) or "") if part else []
            if part and (part.group(1) or pieces) and len(found) < MAX_SELECTORS:
                ids = [piece[1:] for piece in pieces if piece[0] == "#"]
                classes = frozenset(piece[1:] for piece in pieces if piece[0] == ".")
                found.add(((part.group(1) or "").lower(), classes, ids[0] if ids else ""))
    return frozenset(found)


def _owner(node: Node, pointers: Pointers) -> tuple[Node, str]:
    """The element that takes the click, and its role; the node itself with role text where nothing does."""
    for height, above in enumerate(islice(node.ancestors(), OWNER_LEVELS)):
        role = _own_role(above, height) if above.type == ELEMENT else ""
        if role == "label":
            inner = next((below for below in islice(walk(above), MAX_NAMED) if below.tag in FIELDS), None)
            return (inner or above), _field_role(inner)
        if above.tag == "option":
            return next((up for up in above.ancestors() if up.tag == "select"), above), "select"
        if role:
            return above, role
    element = node if node.type == ELEMENT or node.parent is None else node.parent
    near = islice(element.ancestors(), POINTER_LEVELS)
    row = next((above for above in near if above.tag != "body" and pointers.match(above)), None)
    if row is not None:
        return row, "button" if row.tag not in ("tr", "td", "li", "article") else "row"
    return element, "text"


def _own_role(node: Node, height: int) -> str:
    """What an element is by itself; classes that name a control count up to two levels above the click."""
    kind, role = node.attribute("type").lower(), node.attribute("role")
    if node.tag == "input":
        return "button" if kind in BUTTON_INPUTS else _field_role(node)
    if node.tag in ("select", "option") or role in ("combobox", "listbox"):
        return "select"
    if node.tag == "textarea" or editable(node):
        return "field"
    if node.tag == "label" or (node.tag == "a" and "href" in node.attributes):
        return "label" if node.tag == "label" else "link"
    named = height < CLASS_LEVELS and not _CLICKABLE_WORDS.isdisjoint(tokens(node))
    return "button" if node.tag in ("button", "summary") or role in _ROLES or named else ""


def _field_role(field: Node | None) -> str:
    if field is None:
        return "field"
    if field.tag == "select":
        return "select"
    kind = field.attribute("type").lower()
    return "checkbox" if kind in CHECKS else "file" if kind == "file" else "field"


def _control_name(node: Node) -> str:
    """aria-label, text, title, alt, value, then id or tag; capture 6 lists what others use."""
    if node.attribute("aria-label"):
        return _quote(node.attribute("aria-label"))
    text = _text(node)
    if text:
        return _quote(text)
    for name in ("title", "alt", "value", "placeholder"):
        if node.attribute(name):
            return _quote(node.attribute(name))
    images = (below.attribute("alt") for below in islice(walk(node), MAX_NAMED) if below.tag == "img")
    image = next(filter(None, images), "")
    if image:
        return _quote(image)
    return _by_id(node)


def _text(node: Node) -> str:
    """What is in it, without a piece of personal data that goes on beside it."""
    text = text_of(node, NAME_CHARS, Room(MAX_NAMED))
    return masked_beside(node, text, inside=False).get(node.id, text) if text else ""


def _field_name(node: Node) -> str:
    for above in node.ancestors():
        if above.tag == "label":
            text = _text(above)
            if text:
                return _quote(text)
    label = _label_before(node)
    for candidate in (node.attribute("aria-label"), label, node.attribute("placeholder"), node.attribute("name")):
        if candidate:
            return _quote(candidate)
    return _by_id(node)


def _by_id(node: Node) -> str:
    """Tag and id, which stand without quotation marks and so hold nothing that could be read as words of ours."""
    name = _NOT_OF_ID.sub("-", clean(node.attribute("id"), 30))
    return f"{node.tag}#{name}" if name else node.tag


def _label_before(node: Node) -> str:
    """Text of the nearest label that stands before the field, up to two levels out."""
    current: Node | None = node
    for _ in range(2):
        for sibling in islice(_before(current), MAX_SIBLINGS):
            if sibling.tag == "label":
                return _text(sibling)
            if sibling.tag in FIELDS:
                return ""
        current = current.parent if current is not None else None
    return ""


def _before(node: Node | None) -> Iterator[Node]:
    """The siblings before it, the nearest first."""
    sibling = node.previous if node is not None else None
    while sibling is not None:
        yield sibling
        sibling = sibling.previous


def _form(node: Node) -> Node | None:
    return next((above for above in node.ancestors() if above.tag == "form" or above.attribute("role") == "form"), None)


def _panel(node: Node) -> Node | None:
    """What stands for a form where there is none: the nearest part above that holds both a field and a button.

    One with more than MAX_NAMED nodes stands for it too, whatever it holds: it is as large as pages are.
    """
    tags: set[str] = set()
    left = MAX_NAMED
    for height, above in enumerate(islice(node.ancestors(), PANEL_LEVELS)):
        if height == PANEL_LEVELS - 1 or above.tag == "body":
            return above
        if above.tag in ("main", "dialog", "section", "article", "fieldset") or above.attribute("role") in (
            "dialog",
            "main",
        ):
            return above
        # What lies below the part that was looked at last is known.
        for below in islice(_new_below(above, node if height else None), left + 1):
            tags.add(below.tag)
            left -= 1
        node = above
        if height and above.type == ELEMENT and (left < 0 or ("button" in tags and not tags.isdisjoint(FIELDS))):
            return above
    return None


def _new_below(above: Node, known: Node | None) -> Iterator[Node]:
    """A node and all below it, without its child that is known already."""
    yield above
    for child in above.children():
        if child is not known:
            yield from walk(child)


def _is_search(node: Node, form: Node | None, name: str) -> bool:
    if node.attribute("type").lower() == "search" or node.attribute("role") in ("search", "searchbox"):
        return True
    own = " ".join((node.attribute("name"), name, node.attribute("placeholder"), node.attribute("id")))
    if any(map(_searches, (*own.replace('"', "").split(), *tokens(node)))):
        return True
    return form is not None and (form.attribute("role") == "search" or "search" in form.attribute("action").lower())


@lru_cache(maxsize=2_048)
def _searches(word: str) -> bool:
    return bool(_SEARCH_WORDS.search(word))


@lru_cache(maxsize=2_048)
def _sends(name: str) -> bool:
    return bool(_SUBMIT_WORDS.search(name))


def _submits(node: Node, form: Node | None) -> bool:
    kind = node.attribute("type").lower()
    return kind in ("submit", "image") or (node.tag == "button" and not kind and form is not None)


def _quote(text: str) -> str:
    safe = clean(text, NAME_CHARS)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"' if safe else ""
