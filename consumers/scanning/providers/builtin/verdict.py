"""Monitor: yes or no from the concept a prompt is about, or from what the timeline says where it is about none."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.builtin.alternatives import alternatives
from consumers.scanning.providers.builtin.concepts import CLEAR, LEAST, Match, matches
from consumers.scanning.providers.builtin.finding import WORDS, Found, find, lines_about, stems
from consumers.scanning.providers.builtin.prompt import Ask, negated, read
from consumers.scanning.providers.builtin.scope import scope_of, visited
from consumers.scanning.providers.builtin.wording import cite, end_of, told

PAIR: Final = 2
UNSEEN: Final = 0.3
"""At most this much where the session never shows what is asked about (engine 4.3), or the prompt is a riddle."""
WHOLE: Final = 0.75
"""Share of a prompt's content words one timeline line must hold to be what the prompt asks for."""


def monitor(config: Mapping[str, Any], evidence: Evidence) -> dict[str, Any]:
    ask = read(config["prompt"])
    found = matches(ask)
    if found and found[0].score >= LEAST:
        answer = _from_concept(found, evidence, ask)
    else:
        answer = _from_timeline(ask, evidence)
        if answer["verdict"] == "inconclusive" and found:
            answer = _from_concept(found, evidence, ask)
    if answer["verdict"] == "inconclusive" and not config.get("allow_inconclusive", False):
        answer["verdict"] = "no"
        answer["confidence"] = min(answer["confidence"], 0.2)
    return answer


def _from_concept(found: Sequence[Match], evidence: Evidence, ask: Ask) -> dict[str, Any]:
    best = found[0]
    either = alternatives(ask) if best.score >= LEAST else ()
    concepts = either if best.concept in either else (best.concept,)
    finding = _any_of([find(concept, evidence, ask) for concept in concepts])
    words = " or ".join(WORDS[concept] for concept in concepts)
    doubt = 0.0 if best.score >= CLEAR else 0.3 if best.score >= LEAST else 0.5
    if len(concepts) == 1 and len(found) > 1 and best.score - found[1].score < 1:
        other = find(found[1].concept, evidence, ask)
        doubt += 0.15 if other.present != finding.present else 0.0
    verdict = "yes" if finding.present != (best.denied != ask.fewer) else "no"
    scope = scope_of(ask, evidence)
    if not finding.present and not visited(scope, evidence):
        text = (
            f"The session never gets to a page for {scope.place}, from its start (t 0) to its end {end_of(evidence)}."
        )
        return _answer(text, verdict, UNSEEN)
    if not finding.known and not finding.present:
        return _answer(
            f"The recording holds nothing that could show {words}, up to its end {end_of(evidence)}.",
            "inconclusive",
            0.2,
        )
    sure = _confidence(finding) - doubt
    if best.score < LEAST:
        text = f"The question is not clear to the built-in analyser; it was taken to be about {words}."
        return _answer(f"{text} {_reasoning(finding, words, evidence)}", verdict, min(UNSEEN, sure))
    return _answer(_reasoning(finding, words, evidence), verdict, sure)


def _any_of(findings: Sequence[Found]) -> Found:
    """One finding for things of which one is enough: known to be absent only where each could be known."""
    moments = sorted((moment for one in findings for moment in one.moments), key=lambda moment: moment.t_ms)
    too_few = tuple(moment for one in findings for moment in one.too_few) if not moments else ()
    return Found(findings[0].concept, tuple(moments), all(one.known for one in findings), too_few)


def _reasoning(finding: Found, words: str, evidence: Evidence) -> str:
    if finding.present:
        return told(finding.moments)
    if finding.too_few:
        return f"{told(finding.too_few)} That is less than the question asks for."
    return f"Nothing in the session shows {words}, from its start (t 0) to its end {end_of(evidence)}."


def _confidence(finding: Found) -> float:
    """0.9 needs two independent moments, one allows at most 0.8 (engine 4.3)."""
    several = len(finding.moments) > 1 or any(moment.count > PAIR for moment in finding.moments)
    return 0.9 if several else 0.8


def _from_timeline(ask: Ask, evidence: Evidence) -> dict[str, Any]:
    """The prompt is about no known concept: look for its own words in what happened."""
    wanted = stems(ask.main) or stems(ask.asides)
    if not wanted:
        return _answer(
            f"The question names nothing to look for; the session ends {end_of(evidence)}.", "inconclusive", 0.1
        )
    acts = ("page", "click", "input", "screen", "console", "network", "event")
    best = lines_about(evidence, wanted, acts)
    if best and best[0][0] >= WHOLE:
        share, line = best[0]
        denied = any(negated(ask.main, ask.main.find(word)) for word in wanted if word in ask.main)
        text = f"The words of the question stand in what happened {cite(line.t_ms)}, {_place(line.kind)}."
        return _answer(text, "no" if denied else "yes", 0.45 + 0.1 * (share - WHOLE))
    if best:
        _, line = best[0]
        text = (
            f"Only part of what is asked for turns up, {_place(line.kind)} {cite(line.t_ms)}; the signals do not tell."
        )
        return _answer(text, "inconclusive", 0.2)
    text = f"The session, from (t 0) to {end_of(evidence)}, never shows what the question is about."
    return _answer(text, "inconclusive", 0.25)


def _place(kind: str) -> str:
    return {
        "page": "on a page that was opened",
        "click": "on an element that was clicked",
        "input": "on a field that was filled in",
        "screen": "in a text the page showed",
        "console": "in the console",
        "network": "in a request",
        "event": "in an event that the site reported",
    }[kind]


def _answer(reasoning: str, verdict: str, confidence: float) -> dict[str, Any]:
    return {"reasoning": reasoning, "verdict": verdict, "confidence": round(min(0.95, max(0.05, confidence)), 2)}
