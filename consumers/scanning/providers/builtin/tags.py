# ruff: noqa: E501 - a table of patterns: each row is one way to say it
"""Classifier: which labels fit, by what their names mean."""

import re
from collections.abc import Mapping
from typing import Any, Final

from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.builtin.concepts import LEAST, matches
from consumers.scanning.providers.builtin.finding import find, lines_about, stems
from consumers.scanning.providers.builtin.outcome import CLASSES, outcomes
from consumers.scanning.providers.builtin.prompt import read
from consumers.scanning.providers.builtin.wording import cite, end_of, told

CLEARLY_OUTCOMES: Final = 2
"""A vocabulary with more classes of outcome than this is about outcomes, whatever the prompt says."""
WHOLE: Final = 0.6
"""Share of a label's words one line must hold."""

_CLASS_WORDS: Final = (
    ("abandoned", r"\babandon|\bdrop|\b(?:gave|given|giving) up (?:at|on|during|in) (?:the )?(?:checkout|cart|basket|payment|purchase|upgrade|order)|\bleft (?:\w+ )?(?:cart|checkout)|\b(?:cart|basket|checkout|payment|upgrade|purchase|order)\b.*\b(?:left|quit|incomplete|lost|not|un\w+|stopped|never)|\b(?:left|quit|lost|stopped|leav\w+|bail\w*|exit\w*|unfinished|incomplete|interrupted)\b.*\b(?:cart|basket|checkout|pay\w*|upgrad\w*|purchas\w*|order\w*|buy\w*)|\bincomplete|\b(?:almost|nearly|would ?be|potential|not quite)\b"),
    ("blocked", r"\bblock|\bbugs?\b|\bbuggy|\bdefect|\bbroken|\bcrash|\btechnical|\bprevented|\bstuck|\bfault|\berror|\bmalfunction|\bglitch|\boutage|\bhindered|\bstopped by"),
    ("failed", r"\bfail|\bunsuccess|\bnot (?:\w+ )?(?:achiev\w*|accomplish\w*|ok|okay|complet\w*|done|do|found|find|finish\w*|succe\w*|reach\w*|get|got|manag\w*|solved|resolved|satisfied|helped|able|met|possible)|\bgave up|\bgiv\w+ up|\bunresolved|\bunsolved|\bunmet|\bmissed|\bunable|\bno (?:success|luck|solution)|\bfrustrat|\bunhappy|\bunsatisf|\bdissatisf|\bdisappoint|\bin vain|\bempty handed|\blost\b|\bstruggl"),
    ("converted", r"\bconver|\bpurchas|\bbought|\border(?:ed|_placed|s)?\b|\bsales?\b|\bsubscribed|\bsigned up|\bsign ?up|\bpaid|\bbuyer|\bcustomer\b|\bwon\b|\bdeal|\brevenue|\bpaying|\bupgraded|\bpaying"),
    ("completed", r"\bcomplet|\bachiev|\bdone\b|\bsuccess|\bresolved|\bfinish|\baccomplish|\bgoal (?:reached|met)|\bsolved|\b(?:did|got|found|does|gets) what|\bhappy|\bsatisf|\bhelped|\bok\b|\bokay\b|\bsucceed|\bself serv"),
    ("browsing", r"\bbrows|\blook|\bexplor|\bwindow ?shop|\bcasual|\bno (?:clear )?(?:goal|intent|task|purpose|aim)|\bneutral|\bread|\bvisit|\bwander|\bresearch|\bbounce|\bidl|\bpassive|\bcurious|\bnothing"),
)  # fmt: skip
_NEAR: Final[dict[str, tuple[str, ...]]] = {
    "converted": ("completed",),
    "completed": ("converted",),
    "blocked": ("failed", "abandoned"),
    "abandoned": ("failed", "blocked"),
    "failed": ("abandoned", "blocked", "browsing"),
    "browsing": ("failed", "completed"),
}
_NONE: Final = re.compile(
    r"\b(?:none|other|ok|okay|fine|smooth|normal|clean|no \w+|nothing|healthy|good|neutral|unknown|unclear|n a)\b"
)
_ABOUT_OUTCOME: Final = re.compile(r"\boutcomes?\b|\bresults?\b|\bend(?:ed)?\b|\bachiev|\bgoal|\bconver|\bhow did\b")


def classifier(config: Mapping[str, Any], evidence: Evidence) -> dict[str, Any]:
    tags: list[str] = list(config["tags"])
    meanings = {tag: _meaning(tag) for tag in tags}
    classes = _classes(meanings)
    enough = len(set(classes.values())) > 1 and len(classes) * 2 >= len(tags)
    if enough and (_ABOUT_OUTCOME.search(config["prompt"].lower()) or len(set(classes.values())) > CLEARLY_OUTCOMES):
        return _by_outcome(classes, evidence)
    return _by_meaning(config, tags, meanings, evidence)


def _by_outcome(classes: dict[str, str], evidence: Evidence) -> dict[str, Any]:
    ranked = outcomes(evidence)
    for place, outcome in enumerate(ranked):
        for name in (outcome.name, *_NEAR[outcome.name]):
            tag = next((tag for tag, known in classes.items() if known == name), None)
            if tag is not None:
                exact = name == outcome.name
                reasoning = told(outcome.moments, 3) if outcome.moments else _quiet(evidence)
                runner_up = ranked[place + 1].strength if place + 1 < len(ranked) else 0
                confidence = 0.5 + (outcome.strength - runner_up) * 0.5 if exact else 0.3
                return _answer(reasoning, [tag], confidence)
    raise AssertionError("every class is near to some class there is a tag of")


def _quiet(evidence: Evidence) -> str:
    return f"Pages were looked at from (t 0) to the end {end_of(evidence)}; no task, failure or conversion shows."


def _by_meaning(
    config: Mapping[str, Any], tags: list[str], meanings: dict[str, str], evidence: Evidence
) -> dict[str, Any]:
    """Labels that name behaviours are looked up as signals, labels that name anything else in the timeline."""
    scored: list[tuple[float, str, str]] = []
    for tag in tags:
        found = matches(read(meanings[tag]))
        if found and found[0].score >= LEAST and not _NONE.search(meanings[tag]):
            finding = find(found[0].concept, evidence)
            if finding.present:
                scored.append((min(0.9, 0.7 + 0.05 * len(finding.moments)), tag, told(finding.moments, 1)))
            continue
        where = _where(meanings[tag], evidence)
        if where is not None:
            scored.append((where[0], tag, f"{tag}: {where[1]}"))
    scored.sort(key=lambda item: -item[0])
    if not scored:
        tag = next((tag for tag in tags if _NONE.search(meanings[tag])), tags[-1])
        sure = 0.6 if _NONE.search(meanings[tag]) else 0.15
        return _answer(
            f"Nothing in the session, from (t 0) to {end_of(evidence)}, speaks for any of the labels.", [tag], sure
        )
    several = config.get("multi_label", True)
    kept = [item for item in scored if item[0] >= max(0.5, scored[0][0] - 0.2)] if several else scored[:1]
    kept = kept or scored[:1]
    return _answer(" ".join(item[2] for item in kept[:4]), [item[1] for item in kept], kept[0][0])


def _where(meaning: str, evidence: Evidence) -> tuple[float, str] | None:
    """Where the words of a label last turn up; later is stronger, for labels that name steps of a way."""
    wanted = stems(meaning)
    if not wanted:
        return None
    lines = [
        line for share, line in lines_about(evidence, wanted, ("page", "click", "input", "screen")) if share >= WHOLE
    ]
    if not lines:
        return None
    last = max(lines, key=lambda line: line.t_ms)
    late = last.t_ms / max(1, evidence.duration_ms)
    return 0.3 + 0.3 * late, f"last seen {cite(last.t_ms)}."


def _meaning(tag: str) -> str:
    return " ".join(
        re.sub(r"(?<=[a-z])(?=[A-Z])", " ", tag)
        .replace("_", " ")
        .replace("-", " ")
        .lower()
        .replace("n't", " not")
        .split()
    )


def _classes(meanings: dict[str, str]) -> dict[str, str]:
    """Labels with the class of outcome they name. Where one label and one class are left over, they go together."""
    found = {tag: name for tag, meaning in meanings.items() if (name := _class_of(meaning))}
    tags, classes = set(meanings) - set(found), set(CLASSES) - set(found.values())
    if len(tags) == len(classes) == 1 and len(found) > CLEARLY_OUTCOMES:
        found[tags.pop()] = classes.pop()
    return found


def _class_of(meaning: str) -> str:
    """What a label excludes ("success without sale") does not name its class."""
    named = re.sub(
        r"\b(?:without|other than|but no|non|no) (?:an? |the )?(?:sales?|orders?|purchases?|conversions?)\b",
        " ",
        meaning,
    )
    return next((name for name, pattern in _CLASS_WORDS if re.search(pattern, named)), "")


def _answer(reasoning: str, tags: list[str], confidence: float) -> dict[str, Any]:
    return {
        "reasoning": reasoning,
        "tags": tags,
        "tags_freeform": [],
        "confidence": round(min(0.95, max(0.05, confidence)), 2),
    }
