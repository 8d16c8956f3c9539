"""Reports without a model: what can be counted, compared and quoted. The same material always gives the same report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Final

from consumers.actions.report.citations import citing
from consumers.actions.report.figures import (
    Figures,
    ScannerFigures,
    figures,
    friction_of,
    score_of,
    tags_of,
)
from consumers.actions.report.markdown import coded, escaped
from consumers.actions.report.port import Material, Noted
from consumers.actions.report.quotes import Saying, confidence, first_moment, indexes, quote, sayings
from consumers.actions.report.wording import name, number, observations, percent, share, when, zone_of

MOST_LISTED: Final = 8
"""Tags or kinds of friction that are told of one scanner."""
MOST_QUOTED: Final = 5
MOST_TO_WATCH: Final = 5
FEW: Final = 5
"""Observations of a window from which on a share is compared with another's: one of three is no trend."""
POINTS: Final = 5
"""Percentage points that a share must have moved for the summary to call it a move."""
UNSURE: Final = 0.5
"""Confidence below which an answer counts as unsure."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The observations of one scanner. `before` is None where the window before is not known."""

    name: str
    noted: Sequence[Noted]
    now: ScannerFigures
    before: ScannerFigures | None


def body(material: Material) -> str:
    """The report below its header."""
    parts = _parts(material)
    if len(parts) == 1:
        told = [f"**TL;DR** {_gist(parts[0])}", *_figures(parts[0], "## Figures", material), *_quotes(parts[0], "##")]
    else:
        told = [f"**TL;DR** {_together(parts, material)}", "\n".join(_line(part) for part in parts)]
        for part in parts:
            told += [*_figures(part, f"## {name(part.name)}", material), *_quotes(part, "###")]
    return "\n\n".join([*told, *_to_watch(parts, material)])


def figures_of(material: Material) -> str:
    """The counted figures alone, each with the observations that it is from."""
    parts = _parts(material)
    if len(parts) == 1:
        return "\n\n".join(_figures(parts[0], "## Figures", material))
    told = [section for part in parts for section in _figures(part, f"### {name(part.name)}", material)]
    return "\n\n".join(["## Figures", *told])


def _parts(material: Material) -> list[_Part]:
    """By scanner, the one with most observations first. Figures are of all that matched, where they are known."""
    now = material.current or figures((one.scanner, one.model_output) for one in material.observations)
    found: dict[str, list[Noted]] = {}
    for one in material.observations:
        found.setdefault(one.scanner, []).append(one)
    parts = [
        _Part(
            scanner or material.scanner_name,
            noted,
            now.scanners.get(scanner) or ScannerFigures(len(noted)),
            _of(material.previous, scanner),
        )
        for scanner, noted in found.items()
    ]
    return sorted(parts, key=lambda part: (-part.now.count, part.name))


def _of(previous: Figures | None, scanner: str) -> ScannerFigures | None:
    return None if previous is None else previous.scanners.get(scanner, ScannerFigures())


# --- the summary ----------------------------------------------------------------------------------------------------


def _together(parts: Sequence[_Part], material: Material) -> str:
    count = sum(part.now.count for part in parts)
    before = material.previous.count if material.previous else None
    return f"{observations(count)} of {len(parts)} scanners{_against(count, before)}."


def _line(part: _Part) -> str:
    return f"- **{name(part.name)}**: {_gist(part)}"


def _gist(part: _Part) -> str:
    """One or two sentences."""
    now, before = part.now, part.before
    if now.verdicts:
        return f"Yes in {share(now.verdicts.get('yes', 0), now.count)}{_moved(part, 'yes', lambda of: of.verdicts)}."
    if now.scores:
        label = _label(part)
        shift = _shift(now, before)
        ends = f"from {number(min(now.scores))} to {number(max(now.scores))}"
        return f"{label} is {number(mean(now.scores))} on average, {ends}{shift}."
    if now.tags:
        ranked = _ranked(now.tags)
        then = f", then {_named(ranked[1:3])}" if len(ranked) > 1 else ""
        first = ranked[0][0]
        told = f"Most often {escaped(first)}: {share(ranked[0][1], now.count)}"
        return f"{told}{_moved(part, first, lambda of: of.tags)}{then}."
    if now.friction or now.smooth:
        common = f" Most common: {_named(_ranked(now.friction)[:3])}." if now.friction else ""
        return f"{share(now.count - now.smooth, now.count)} met friction.{common}"
    return f"{observations(now.count)}{_against(now.count, before.count if before else None)}."


def _moved(part: _Part, key: str, counts: Callable[[ScannerFigures], Mapping[str, int]]) -> str:
    """How a share has moved since the window before; nothing where one of the two is too small to tell."""
    before = part.before
    if before is None or min(part.now.count, before.count) < FEW:
        return ""
    was = percent(counts(before).get(key, 0), before.count)
    moved = percent(counts(part.now).get(key, 0), part.now.count) - was
    if abs(moved) < POINTS:
        return f", about as before ({was} %)"
    return f", {'up' if moved > 0 else 'down'} from {was} % in the window before"


def _shift(now: ScannerFigures, before: ScannerFigures | None) -> str:
    if before is None or not before.scores:
        return ""
    moved = round(mean(now.scores) - mean(before.scores), 1)
    was = number(mean(before.scores))
    return (
        f"; {number(abs(moved))} {'higher' if moved > 0 else 'lower'} than before ({was})"
        if moved
        else (f"; the same as before ({was})")
    )


def _named(ranked: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{escaped(key)} ({count})" for key, count in ranked)


def _label(part: _Part) -> str:
    """What the scores are of, by the scale's label."""
    labels = (str(one.model_output["label"]) for one in part.noted if one.model_output.get("label"))
    label = next(labels, "score")
    return escaped(label[:1].upper() + label[1:])


# --- figures --------------------------------------------------------------------------------------------------------


def _figures(part: _Part, heading: str, material: Material) -> list[str]:
    now, before = part.now, part.before
    lines = [f"- {observations(now.count).capitalize()}{_against(now.count, before.count if before else None)}"]
    if now.verdicts:
        lines += [
            f"- {verdict.capitalize()}: {share(now.verdicts.get(verdict, 0), now.count)}"
            f"{_before(before, verdict, lambda of: of.verdicts)}"
            for verdict in ("yes", "no", "inconclusive")
            if now.verdicts.get(verdict) or (before and before.verdicts.get(verdict))
        ]
    if now.scores:
        lines += _scores(part)
    lines += _listed(part, lambda of: of.tags, tags_of)
    lines += _listed(part, lambda of: of.friction, friction_of)
    unsure = sum(confidence(one) < UNSURE for one in part.noted)
    if unsure:
        sampled = " of the sample" if material.matched > len(material.observations) else ""
        lines.append(f"- Unsure (confidence below {UNSURE:g}): {share(unsure, len(part.noted))}{sampled}")
    return [heading, "\n".join(lines)]


def _scores(part: _Part) -> list[str]:
    scores, label = part.now.scores, _label(part)
    middle = f"median {number(median(scores))}, from {number(min(scores))} to {number(max(scores))}"
    lines = [f"- {label}: {number(mean(scores))} on average, {middle}{_shift(part.now, part.before)}"]
    spread = sorted({score: scores.count(score) for score in set(scores)}.items())
    if 1 < len(spread) <= MOST_LISTED:
        lines.append(f"- Spread: {', '.join(f'{number(score)} ({count})' for score, count in spread)}")
    return lines


def _listed(
    part: _Part, counts: Callable[[ScannerFigures], Mapping[str, int]], of: Callable[[Mapping[str, object]], set[str]]
) -> list[str]:
    """The most frequent, each with the observations that it is from; then those that are gone."""
    ranked = _ranked(counts(part.now))
    lines: list[str] = []
    for key, count in ranked[:MOST_LISTED]:
        from_them = citing([one.index for one in part.noted if key in of(one.model_output)])
        was = _before(part.before, key, counts)
        lines.append(f"- {escaped(key)}: {share(count, part.now.count)}{was}{f' {from_them}' if from_them else ''}")
    if len(ranked) > MOST_LISTED:
        lines.append(f"- And {len(ranked) - MOST_LISTED} more")
    gone = [one for one in _ranked(counts(part.before)) if one[0] not in counts(part.now)] if part.before else []
    return lines + ([f"- No longer: {_named(gone[:3])}"] if gone else [])


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def _against(count: int, before: int | None) -> str:
    if before is None:
        return ""
    if before == 0:
        return ", none in the window before"
    if count == before:
        return ", as many as in the window before"
    return f", {abs(count - before)} {'more' if count > before else 'fewer'} than in the window before ({before})"


def _before(before: ScannerFigures | None, key: str, counts: Callable[[ScannerFigures], Mapping[str, int]]) -> str:
    if before is None or before.count == 0:
        return ""
    was = counts(before).get(key, 0)
    return f"; before {share(was, before.count)}" if was else "; not seen before"


# --- words ----------------------------------------------------------------------------------------------------------


def _quotes(part: _Part, level: str) -> list[str]:
    groups = _telling(part)
    lines = [
        f"- {escaped(_lead(group) + quote(group.leader))} {citing(indexes(group.said))}"
        for group in groups[:MOST_QUOTED]
    ]
    return [f"{level} What was seen", "\n".join(lines)] if lines else []


def _telling(part: _Part) -> list[Saying]:
    """What is worth reading: of a monitor its yes, of scores both ends, of tags one for each, of summaries friction.

    The ends come first, and most friction.
    """
    if part.now.verdicts:
        yes = sayings(one for one in part.noted if one.model_output.get("verdict") == "yes")
        unsure = sayings(one for one in part.noted if one.model_output.get("verdict") == "inconclusive")
        return (yes + unsure) or sayings(part.noted)
    scored = sorted({score for one in part.noted if (score := score_of(one.model_output)) is not None})
    if len(scored) > 1:
        middle = (scored[0] + scored[-1]) / 2
        high = sayings(one for one in part.noted if (score_of(one.model_output) or 0) > middle)
        low = sayings(one for one in part.noted if (score_of(one.model_output) or 0) <= middle)
        high.sort(key=lambda group: -(score_of(group.leader.model_output) or 0))
        low.sort(key=lambda group: score_of(group.leader.model_output) or 0)
        return high[: MOST_QUOTED - 2] + low[:2]
    if part.now.tags:
        ranked = [tag for tag, _ in _ranked(part.now.tags)]
        by_tag = [sayings(one for one in part.noted if tag in tags_of(one.model_output)) for tag in ranked]
        return list({group.leader.index: group for groups in by_tag for group in groups[:1]}.values())
    rough = sayings(one for one in part.noted if friction_of(one.model_output))
    rough.sort(key=lambda group: len(friction_of(group.leader.model_output)), reverse=True)
    return rough + sayings(one for one in part.noted if not friction_of(one.model_output))


def _score(group: Saying) -> float:
    return score_of(group.leader.model_output) or 0.0


def _lead(group: Saying) -> str:
    """What the answer was, and for how many."""
    output = group.leader.model_output
    score = score_of(output)
    said = str(output.get("verdict") or "") or ", ".join(sorted(tags_of(output)))
    told = f"{output.get('label') or 'score'} {number(score)}" if score is not None else said
    alike = f"{len(group.said)} alike" if len(group.said) > 1 else ""
    lead = ", ".join(filter(None, (told, alike)))
    return f"{lead[:1].upper()}{lead[1:]}: " if lead else ""


def _to_watch(parts: Sequence[_Part], material: Material) -> list[str]:
    """Recordings that stand for what was seen, one of each group in turn."""
    queues = [[group.leader for group in _telling(part)] for part in parts]
    turns = [queue[turn] for turn in range(MOST_TO_WATCH) for queue in queues if turn < len(queue)]
    chosen = list({one.session_id: one for one in reversed(turns)}.values())[::-1][:MOST_TO_WATCH]
    zone = zone_of(material.timezone)
    lines = [
        f"- Session {coded(one.session_id)}, {when(one.created_at, zone, year=False)}"
        f"{f', from {moment}' if (moment := first_moment(one)) else ''} [obs {one.index}]"
        for one in chosen
    ]
    return ["## Recordings to watch first", "\n".join(lines)] if lines else []
