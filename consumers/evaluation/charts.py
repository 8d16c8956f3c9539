"""Charts of the report as inline SVG: bars with intervals, a scatter of scores, a histogram of times."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

WIDTH: Final = 760
LABELS: Final = 230
VALUES: Final = 60
ROW: Final = 26
PLOT: Final = WIDTH - LABELS - VALUES
SIDE: Final = 300
MARGIN: Final = 34
BINS: Final = 24


def bars(rows: Sequence[tuple[str, Mapping[str, Any]]], title: str, target: float | None = None) -> str:
    """One bar of 0 to 1 a row, from ``{value, low, high}``, with its interval as a whisker; ``target`` as a line."""
    height = ROW * len(rows) + 24
    parts = [_grid(height)]
    if target is not None:
        x = LABELS + PLOT * target
        parts.append(f'<line class="target" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height - 20}"/>')
    for number, (name, figure) in enumerate(rows):
        y = number * ROW
        parts.append(f'<text class="name" x="{LABELS - 8}" y="{y + 17}">{escape(name)}</text>')
        value = figure["value"]
        if value is None:
            parts.append(f'<text class="value" x="{LABELS + 6}" y="{y + 17}">no case</text>')
            continue
        parts.append(
            f'<rect class="bar" x="{LABELS}" y="{y + 5}" width="{PLOT * value:.1f}" height="{ROW - 10}" rx="2"/>'
        )
        if figure["low"] is not None:
            low, high = LABELS + PLOT * figure["low"], LABELS + PLOT * figure["high"]
            parts.append(
                f'<path class="whisker" d="M{low:.1f} {y + 13}H{high:.1f}M{low:.1f} {y + 9}v8M{high:.1f} {y + 9}v8"/>'
            )
        parts.append(f'<text class="value" x="{WIDTH - VALUES + 8}" y="{y + 17}">{value:.3f}</text>')
    return _svg(WIDTH, height, title, parts)


def scatter(points: Sequence[tuple[float, float]], title: str) -> str:
    """Answered against expected scores of 0 to 10; a larger dot stands for several."""
    inner = SIDE - 2 * MARGIN

    def place(expected: float, answered: float) -> tuple[float, float]:
        return MARGIN + inner * expected / 10, SIDE - MARGIN - inner * answered / 10

    parts = [
        f'<path class="axis" d="M{MARGIN} {MARGIN}V{SIDE - MARGIN}H{SIDE - MARGIN}"/>',
        f'<line class="target" x1="{MARGIN}" y1="{SIDE - MARGIN}" x2="{SIDE - MARGIN}" y2="{MARGIN}"/>',
        f'<text class="tick" x="{SIDE / 2}" y="{SIDE - 6}">truth</text>',
        f'<text class="tick" x="12" y="{SIDE / 2}" transform="rotate(-90 12 {SIDE / 2})">answer</text>',
    ]
    for tick in (0, 5, 10):
        x, y = place(tick, tick)
        parts.append(f'<text class="tick" x="{x:.1f}" y="{SIDE - MARGIN + 14}">{tick}</text>')
        parts.append(f'<text class="tick" x="{MARGIN - 12}" y="{y + 4:.1f}">{tick}</text>')
    for (expected, answered), count in sorted(Counter(points).items()):
        x, y = place(expected, answered)
        parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{3 + 1.5 * math.sqrt(count):.1f}"/>')
    return _svg(SIDE, SIDE, title, parts)


def histogram(seconds: Sequence[float], title: str) -> str:
    """Times to an answer on a logarithmic scale."""
    logs = [math.log10(max(second, 1e-6)) for second in seconds]
    low, high = math.floor(min(logs)), max(math.ceil(max(logs)), math.floor(min(logs)) + 1)
    counts = Counter(min(BINS - 1, int((value - low) / (high - low) * BINS)) for value in logs)
    tallest = max(counts.values())
    height, step = 140, (WIDTH - 40) / BINS
    parts = [f'<path class="axis" d="M20 {height - 20}H{WIDTH - 20}"/>']
    for at, count in sorted(counts.items()):
        tall = (height - 30) * count / tallest
        x, y = 20 + at * step, height - 20 - tall
        parts.append(f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{step - 1:.1f}" height="{tall:.1f}"/>')
    for power in range(low, high + 1):
        x = 20 + (power - low) / (high - low) * (WIDTH - 40)
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 5}">{_time(10.0**power)}</text>')
    return _svg(WIDTH, height, title, parts)


def _grid(height: int) -> str:
    lines: list[str] = []
    for tenth in (0, 5, 10):
        x = LABELS + PLOT * tenth / 10
        lines.append(f'<line class="grid" x1="{x}" y1="0" x2="{x}" y2="{height - 20}"/>')
        lines.append(f'<text class="tick" x="{x}" y="{height - 5}">{tenth / 10:g}</text>')
    return "".join(lines)


def _time(seconds: float) -> str:
    """In a unit that leaves a number of 1 to 999."""
    for name, unit in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= unit * 0.999:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
