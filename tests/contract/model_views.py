"""What lists and stats should show of the model's rows: filters, orders, pages and sums (contract 2.3, 3.5, 3.6, 4)."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from math import ceil, floor
from typing import Any, TypeVar

from tests.contract.model import TYPES, Acting, Observed, Scanned, User

Row = TypeVar("Row", Acting, Observed, Scanned)
Query = Mapping[str, str]
DEFAULT_LIMIT = 100


def _values(query: Query, name: str) -> list[str]:
    return [part.strip() for part in query.get(name, "").split(",") if part.strip()]


def ordered(rows: Iterable[Row], key: Callable[[Row], Any], *, descending: bool) -> list[Row]:
    """Ties by id ascending, rows without the value last, both whatever the direction."""
    rows = sorted(rows, key=lambda row: row.id)
    # A reversed sort keeps equal rows in their order.
    valued = sorted((row for row in rows if key(row) is not None), key=key, reverse=descending)
    return valued + [row for row in rows if key(row) is None]


def paged(rows: Sequence[Row], query: Query) -> list[Row]:
    limit = int(query.get("limit", "0")) or DEFAULT_LIMIT
    offset = int(query.get("offset", "0"))
    return list(rows[offset : offset + limit])


# --- scanners -------------------------------------------------------------------------------------------------------

_SCANNER_KEYS: dict[str, Callable[[Scanned], Any]] = {
    "created_at": lambda row: row.times["created_at"],
    "updated_at": lambda row: row.times["updated_at"],
    "created_by": lambda row: row.user.label,
    **{
        name: (lambda row, name=name: row.fields[name]) for name in ("name", "scanner_type", "enabled", "sampling_rate")
    },
}

SCANNER_ORDERS = [sign + key for key in _SCANNER_KEYS for sign in ("", "-")]


def scanners(rows: Iterable[Scanned], query: Query) -> list[Scanned]:
    """The rows of a list without its paging (contract 3.5)."""
    order_by = query.get("order_by") or "name"
    wanted = [row for row in rows if _wanted(row, query)]
    return ordered(wanted, _SCANNER_KEYS[order_by.removeprefix("-")], descending=order_by.startswith("-"))


def _wanted(row: Scanned, query: Query) -> bool:
    search = query.get("search", "").strip().lower()
    texts = (row.fields["name"], row.fields["description"], row.fields["scanner_config"]["prompt"])
    enabled = {"enabled": True, "disabled": False}
    signals = {"true": True, "false": False}.get(query.get("emits_signals", ""))
    return (
        any(search in text.lower() for text in texts)
        and row.fields["enabled"] in ([enabled[value] for value in _values(query, "enabled")] or [True, False])
        and row.fields["scanner_type"] in (_values(query, "scanner_type") or TYPES)
        and row.fields["emits_signals"] in ([True, False] if signals is None else [signals])
        and str(row.user.id) in (_values(query, "created_by") or [str(row.user.id)])
    )


def scanner_stats(rows: Sequence[Scanned]) -> dict[str, Any]:
    """Contract 3.6."""

    def counted(some: Sequence[Scanned]) -> dict[str, int]:
        return {"enabled": sum(row.fields["enabled"] for row in some), "total": len(some)}

    by_type = {kind: counted([row for row in rows if row.fields["scanner_type"] == kind]) for kind in TYPES}
    return {**counted(rows), "by_type": by_type}


def creators(rows: Iterable[Scanned]) -> list[int]:
    """Ids of the users, in the order of contract 3.6."""
    found: set[User] = {row.user for row in rows}
    return [user.id for user in sorted(found, key=lambda user: (user.first_name, user.last_name, user.email, user.id))]


def actions(rows: Iterable[Acting], scanner: str = "") -> list[Acting]:
    """The rows of a list without its paging (contract 8.2)."""
    return ordered(
        [row for row in rows if scanner in ("", row.scanner.id)], lambda row: row.fields["name"], descending=False
    )


# --- observations ---------------------------------------------------------------------------------------------------

_OBSERVATION_KEYS: dict[str, Callable[[Observed], Any]] = {
    "status": lambda row: row.status,
    "result_score": lambda row: row.output.get("score"),
    "result_verdict": lambda row: row.output.get("verdict"),
    "scanner_version": lambda row: row.snapshot["scanner_version"],
    **{name: (lambda row, name=name: row.times[name]) for name in ("created_at", "started_at", "completed_at")},
}

OBSERVATION_ORDERS = [sign + key for key in _OBSERVATION_KEYS for sign in ("", "-")]


def observations(rows: Iterable[Observed], query: Query) -> list[Observed]:
    """The rows of a list without its paging (contract 4.3)."""
    order_by = query.get("order_by") or "-created_at"
    return ordered(
        filtered(rows, query), _OBSERVATION_KEYS[order_by.removeprefix("-")], descending=order_by.startswith("-")
    )


def filtered(rows: Iterable[Observed], query: Query) -> list[Observed]:
    def chosen(name: str, *held: str | None) -> bool:
        values = _values(query, name)
        return not values or bool(set(values).intersection(held))

    return [
        row
        for row in rows
        if chosen("status", row.status)
        and chosen("triggered_by", "on_demand")
        and chosen("verdict", row.output.get("verdict"))
        and chosen("tags", *_tags(row))
        and chosen("session_id", row.session_id)
    ]


def _tags(row: Observed) -> list[str]:
    return [*row.output.get("tags", ()), *row.output.get("tags_freeform", ())]


def neighbours(row: Observed) -> tuple[str | None, str | None]:
    """(previous, next): the newer and the older one of the same scanner (contract 4.1)."""
    ids = [one.id for one in observations(row.scanner.observations.values(), {})]
    at = ids.index(row.id)
    return (ids[at - 1] if at else None), (ids[at + 1] if at + 1 < len(ids) else None)


def observation_stats(scanned: Scanned, query: Query, recent: datetime) -> dict[str, Any]:
    """Contract 4.5."""
    rows = filtered(scanned.observations.values(), query)
    counts = Counter("in_flight" if row.in_flight else row.status for row in rows)
    ended = counts["succeeded"] + counts["failed"]
    done = [row for row in rows if row.status == "succeeded"]
    kind = scanned.fields["scanner_type"]
    verdicts = Counter(row.output.get("verdict") for row in done)
    return {
        "status_counts": {
            "total": len(rows),
            **{name: counts[name] for name in ("succeeded", "failed", "ineligible", "in_flight")},
            "success_rate": round(100 * counts["succeeded"] / ended) if ended else None,
        },
        "coverage": {
            "recent_sessions": len({row.session_id for row in rows if (row.times["created_at"] or recent) >= recent}),
            "total_sessions": len({row.session_id for row in rows}),
            "recent_days": 14,
        },
        "available_tags": sorted({tag for row in done for tag in _tags(row)}) if kind == "classifier" else [],
        "monitor": (
            {f"{verdict}_total": verdicts[verdict] for verdict in ("yes", "no", "inconclusive")}
            if kind == "monitor"
            else None
        ),
        "classifier": _ranked(done) if kind == "classifier" else None,
        "scorer": _scored(done, scanned.fields["scanner_config"]) if kind == "scorer" else None,
    }


def _ranked(done: Sequence[Observed]) -> dict[str, Any]:
    def ranking(name: str) -> list[dict[str, Any]]:
        counts = Counter(tag for row in done for tag in row.output[name])
        best = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:10]
        return [{"tag": tag, "count": count} for tag, count in best]

    return {
        "fixed_ranked": ranking("tags"),
        "freeform_ranked": ranking("tags_freeform"),
        "total_with_tags": sum(bool(_tags(row)) for row in done),
    }


def _scored(done: Sequence[Observed], config: Mapping[str, Any]) -> dict[str, Any]:
    scores = sorted(float(row.output["score"]) for row in done)
    if not scores:
        return {"summary": None, "histogram": None}

    def quantile(part: float) -> float:
        at = part * (len(scores) - 1)
        low, high = scores[floor(at)], scores[ceil(at)]
        return low + (high - low) * (at - floor(at))

    low, high = floor(config["scale"]["min"]), ceil(config["scale"]["max"])
    width = max(1, ceil((high - low + 1) / 21))
    starts = list(range(low, high + 1, width))
    counts = [0] * len(starts)
    for score in scores:
        counts[min(len(starts) - 1, max(0, floor((round(score) - low) / width)))] += 1
    labels = [str(start) if width == 1 else f"{start}\u2013{min(start + width - 1, high)}" for start in starts]
    quantiles = {"min": 0, "p25": 0.25, "median": 0.5, "p75": 0.75, "max": 1}
    summary = {name: quantile(part) for name, part in quantiles.items()}
    return {
        "summary": {**summary, "mean": sum(scores) / len(scores), "count": len(scores)},
        "histogram": {"labels": labels, "counts": counts},
    }
