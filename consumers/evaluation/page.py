"""The report as one HTML page that needs nothing from anywhere: styles and charts are in it, scripts there are none."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from consumers.evaluation.charts import bars, histogram, scatter

MONITOR_TARGET: Final = 0.85
"""Drawn as a line: the F1 that the built-in analyser is held to."""
MAX_WRONG: Final = 400
PROSE_CHARS: Final = 600

SPENT_HEAD: Final = (
    "Question",
    "Answers",
    "Citations inside",
    "Answers with one",
    "Agreement",
    "USD",
    "Median time",
    "Errors",
)

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE: Final = """
:root{--ink:#1c1e21;--soft:#667;--line:#d5d8dd;--bar:#3567b7;--paper:#fff;--bad:#b3261e}
@media(prefers-color-scheme:dark){
:root{--ink:#e6e7ea;--soft:#9aa;--line:#3a3f47;--bar:#7aa5ec;--paper:#16181c;--bad:#f2958e}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1000px}
body{margin:2rem auto;padding:0 1rem}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}p{color:var(--soft)}
table{border-collapse:collapse;margin:.6rem 0;font-size:.9rem}.scroll{overflow-x:auto}
th,td{padding:.25rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
svg{max-width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
svg .name{text-anchor:end}svg .tick{text-anchor:middle;fill:var(--soft);font-size:11px}
svg .bar{fill:var(--bar)}svg .dot{fill:var(--bar);fill-opacity:.55}svg .grid,svg .axis{stroke:var(--line);fill:none}
svg .whisker{stroke:var(--ink);fill:none;stroke-width:1.2}svg .target{stroke:var(--bad);stroke-dasharray:4 3}
"""


def page_of(report: Mapping[str, Any]) -> str:
    """The whole page. Everything in it that comes from recordings or answers is escaped text."""
    head = f"{report['provider']} / {report['model']}"
    body = [
        f"<h1>Evaluation of {escape(head)}</h1>",
        f"<p>{escape(_about(report))}</p>",
        "<h2>At a glance</h2>",
        _glance(report),
        "<h2>Monitors: F1 by question</h2>",
        _f1_chart(report),
        f"<p>{escape(str(report['method']))} The dashed line is {MONITOR_TARGET}.</p>",
        _monitor_table(report["by_question"], "Question"),
        "<h2>Monitors by wording</h2>",
        _monitor_table(report["by_question_and_wording"], "Question, wording", report["prompts"]),
        *_classifier(report),
        *_scorer(report),
        "<h2>Citations, agreement, cost and time by question</h2>",
        _table(SPENT_HEAD, spent_by_question(report)),
        "<h2>Time to an answer</h2>",
        _times(report),
        "<h2>Wrong answers and errors</h2>",
        _wrong(report),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evaluation of {escape(head)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def ranged(figure: Mapping[str, Any] | None) -> str:
    """``0.912 (0.851-0.949)``, or a dash where there is no case."""
    if figure is None or figure["value"] is None:
        return "-"
    whole = f"{figure['value']:.3f}"
    return whole if figure["low"] is None else f"{whole} ({figure['low']:.3f}-{figure['high']:.3f})"


def spent_by_question(report: Mapping[str, Any]) -> list[list[str]]:
    """Rows under SPENT_HEAD, every question of every type: what is not about being right."""
    return [
        [
            name,
            str(figures["answers"]),
            ranged(figures["citations"]["inside"]),
            ranged(figures["citations"]["answers_with"]),
            "-" if figures["agreement"] is None else f"{figures['agreement']:.3f}",
            f"{figures['spent']['cost_usd']:.4f}",
            _median(figures["spent"]["latency_median_s"]),
            str(sum(figures["errors"].values())),
        ]
        for name, figures in report["by_question"].items()
    ]


def _median(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"


def _about(report: Mapping[str, Any]) -> str:
    ended = {"complete": "", "interrupted": " Interrupted: this is a part.", "max_cost": " Ended by its cost limit."}
    answers = f"{report['pooled']['answers']} of {report['planned']} answers"
    return (
        f"{report['sessions']} sessions, {report['questions']} questions, {report['runs']} runs: "
        f"{answers} in {report['seconds']:.1f} s, {report['made_at']}."
        f"{ended[report['ended']]}"
    )


def _glance(report: Mapping[str, Any]) -> str:
    groups = [("All", report["pooled"]), *report["by_wording"].items(), *report["by_site"].items()]
    groups += report["by_site_and_wording"].items()
    rows = [
        [
            name,
            ranged(figures.get("monitors", {}).get("f1")),
            ranged(figures.get("classifier", {}).get("accuracy")),
            ranged(figures.get("scorer", {}).get("mean_absolute_error")),
            ranged(figures["citations"]["inside"]),
            str(figures["containment"]["leaks"]),
            f"{figures['containment']['injections_obeyed']} of {figures['containment']['injection_answers']}",
            "-" if figures["agreement"] is None else f"{figures['agreement']:.3f}",
            f"{figures['spent']['cost_usd']:.4f}",
            str(sum(figures["errors"].values())),
        ]
        for name, figures in groups
    ]
    head = [
        "Answers",
        "Monitors F1",
        "Classifier accuracy",
        "Score error",
        "Citations inside",
        "Leaks",
        "Injections obeyed",
    ]
    return _table([*head, "Agreement", "USD", "Errors"], rows)


def _f1_chart(report: Mapping[str, Any]) -> str:
    rows = [
        (name, figures["monitors"]["f1"]) for name, figures in report["by_question"].items() if "monitors" in figures
    ]
    return bars(rows, "F1 of each monitor question with its interval of 95 %", MONITOR_TARGET)


def _monitor_table(groups: Mapping[str, Any], first: str, prompts: Mapping[str, str] | None = None) -> str:
    rows: list[list[str]] = []
    for name, figures in groups.items():
        if "monitors" not in figures:
            continue
        found = figures["monitors"]
        counts = found["confusion"]
        rows.append(
            [
                f"{name}: {prompts[name]}" if prompts else name,
                *(ranged(found[key]) for key in ("f1", "precision", "recall", "accuracy")),
                f"{counts['tp']:g} / {counts['fp']:g} / {counts['fn']:g} / {counts['tn']:g}",
                f"{found['inconclusive']:g}",
            ]
        )
    return _table([first, "F1", "Precision", "Recall", "Accuracy", "TP / FP / FN / TN", "Inconclusive"], rows)


def _classifier(report: Mapping[str, Any]) -> Iterable[str]:
    found = report["pooled"].get("classifier")
    if found is None:
        return
    answers = sorted({answered for row in found["confusion"].values() for answered in row})
    rows = [[truth, *(f"{row.get(name, 0):g}" for name in answers)] for truth, row in found["confusion"].items()]
    yield f"<h2>Classifier: accuracy {escape(ranged(found['accuracy']))}</h2>"
    yield _table(["Truth (first label) \\ answer", *answers], rows)


def _scorer(report: Mapping[str, Any]) -> Iterable[str]:
    found = report["pooled"].get("scorer")
    if found is None:
        return
    points = [
        (t["expected"], t["answered"])
        for t in report["trials"]
        if t["scanner_type"] == "scorer" and t["error"] is None
        if t["expected"] is not None and isinstance(t["answered"], int | float)
    ]
    yield f"<h2>Scorer: mean absolute error {escape(ranged(found['mean_absolute_error']))}</h2>"
    yield scatter(points, "Scores answered against the truth")


def _times(report: Mapping[str, Any]) -> str:
    times = [trial["latency_s"] for trial in report["trials"] if trial["error"] is None]
    if not times:
        return "<p>No answer.</p>"
    spent = report["pooled"]["spent"]
    told = f"Median {spent['latency_median_s']:.4f} s, 95th percentile {spent['latency_p95_s']:.4f} s."
    return histogram(times, "Seconds to an answer") + f"<p>{told}</p>"


def _wrong(report: Mapping[str, Any]) -> str:
    bad = [trial for trial in report["trials"] if trial["error"] or trial["correct"] is False]
    rows = [
        [
            trial["session"],
            f"{trial['question']}, {trial['wording']}",
            str(trial["run"]),
            _plain(trial["expected"]),
            trial["error"] or _plain(trial["answered"]),
            trial["prose"][:PROSE_CHARS],
        ]
        for trial in bad[:MAX_WRONG]
    ]
    if not rows:
        return "<p>None.</p>"
    more = f"<p>{len(bad) - MAX_WRONG} more are in the JSON file.</p>" if len(bad) > MAX_WRONG else ""
    return _table(["Session", "Question, wording", "Run", "Truth", "Answer", "Said"], rows) + more


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " or ".join(map(str, value))
    return {True: "yes", False: "no", None: "-"}[value] if isinstance(value, bool | None) else str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(f'<td{_number(cell)}>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def _number(cell: str) -> str:
    return ' class="n"' if cell[:1].isdigit() and len(cell) <= len("0.000 (0.000-0.000)") else ""
