"""The values that steps of `test_stateful.py` draw from: few, so that they meet again, and awkward."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.contract.model import TYPES
from tests.contract.model_views import OBSERVATION_ORDERS, SCANNER_ORDERS

CONFIGS: dict[str, list[dict[str, Any]]] = {
    "monitor": [{"prompt": "Did they give up?"}, {"prompt": "100% lost?", "allow_inconclusive": True}],
    "classifier": [
        {"prompt": "Which step?", "tags": ["pay", "Ship it"], "allow_freeform_tags": True},
        {"prompt": "which one", "tags": ["pay", "other"], "multi_label": False},
    ],
    "scorer": [
        {"prompt": "How hard?", "scale": {"min": 0, "max": 10}},
        {"prompt": "HOW hard", "scale": {"min": 0, "max": 100, "label": "pain"}},
    ],
    "summarizer": [{"prompt": "What happened?"}, {"prompt": "Tell me", "length": "long"}],
}
QUERIES: list[dict[str, Any]] = [{}, {"operand": "OR"}]
MODELS = [("builtin", "builtin"), ("google", "gemini-3-flash-preview")]

number = st.integers(0, 11)
"""Which of several; they are counted round."""

BURIED = 7
"""The number that stands for something deleted."""

place = st.integers(0, 1)
kind = st.sampled_from(TYPES)
name = st.sampled_from(["A", "a", " A ", "100%", "Éa", "monitor to begin with", " "])
text = st.sampled_from(["", "give", "100%"])
session = st.sampled_from(["s1", "s2", "s3", "日本 s4"])
limits = st.fixed_dictionaries({}, optional={"limit": st.sampled_from("0123"), "offset": st.sampled_from("0123")})
scanner_queries = st.fixed_dictionaries(
    {},
    optional={
        "search": st.sampled_from(["", " GIVE", "100%", "a", "é", "_"]),
        "enabled": st.sampled_from(["enabled", "disabled", "enabled,disabled"]),
        "scanner_type": st.sampled_from(["monitor", "scorer, classifier", ","]),
        "emits_signals": st.sampled_from(["true", "false", "maybe"]),
        "order_by": st.sampled_from(SCANNER_ORDERS),
    },
)
observation_queries = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["pending,running", "succeeded", "failed,ineligible", ""]),
        "triggered_by": st.sampled_from(["on_demand", "schedule"]),
        "verdict": st.sampled_from(["yes", "no,inconclusive"]),
        "tags": st.sampled_from(["pay", "late_night,other", "none"]),
        "session_id": st.sampled_from(["s1", "s2,日本 s4,s9"]),
        "order_by": st.sampled_from(OBSERVATION_ORDERS),
    },
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "name": name,
        "description": text,
        "scanner_type": st.integers(0, 3),
        "scanner_config": place,
        "query": place,
        "sampling_rate": st.sampled_from([0.0, 0.5, 1.0]),
        "models": place,
        "enabled": st.booleans(),
        "emits_signals": st.booleans(),
    },
)


DAILY = {"rrule": "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0"}
trigger = st.sampled_from(
    [{}, DAILY, {**DAILY, "timezone": "UTC"}, {**DAILY, "timezone": "Asia/Tokyo"}, {"timezone": "Asia/Tokyo"}]
)
selection = st.sampled_from([{}, {"window_days": 1}, {"tags": ["pay"], "scanner_ids": []}])
action_name = st.sampled_from(["A", "a", " A ", "é", "0 to begin with", " "])
action_fields = st.fixed_dictionaries(
    {}, optional={"enabled": st.booleans(), "trigger_config": trigger, "selection": selection}
)
action_changes = st.fixed_dictionaries(
    {},
    optional={
        "name": action_name,
        "scanner": number,
        "enabled": st.booleans(),
        "trigger_config": trigger,
        "selection": selection,
    },
)
mostly_not = st.sampled_from([False, False, False, True])


def fields_of(scanner_type: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a body from the numbers that were drawn for some of them."""
    fields = dict(chosen)
    if "scanner_type" in fields:  # mostly the scanner's own: another is refused whatever else there is
        other = TYPES[(TYPES.index(scanner_type) + 1) % len(TYPES)]
        fields["scanner_type"] = other if fields["scanner_type"] == 0 else scanner_type
    if "scanner_config" in fields:
        fields["scanner_config"] = CONFIGS[scanner_type][fields["scanner_config"]]
    if "query" in fields:
        fields["query"] = QUERIES[fields["query"]]
    if "models" in fields:
        fields["provider"], fields["model"] = MODELS[fields.pop("models")]
    return fields


def answer_of(snapshot: Mapping[str, Any], which: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """(a provider's answer, what of it the model keeps)."""
    config = snapshot["scanner_config"]
    prose: dict[str, Any] = {"reasoning": "r", "confidence": 0.5}
    match snapshot["scanner_type"]:
        case "monitor":
            verdicts = ["yes", "no", *(["inconclusive"] if config.get("allow_inconclusive") else [])]
            kept: dict[str, Any] = {"verdict": verdicts[which % len(verdicts)]}
            return {**prose, **kept}, kept
        case "classifier":
            several = config.get("multi_label", True) and which % 3 == 2
            tags = config["tags"] if several else [config["tags"][which % 2]]
            freeform = ["Late night", "fee"][: which % 3] if config.get("allow_freeform_tags") else []
            kept = {"tags": tags, "tags_freeform": ["late_night", "fee"][: len(freeform)]}
            return {**prose, "tags": tags, "tags_freeform": freeform}, kept
        case "scorer":
            top = config["scale"]["max"]
            kept = {"score": [0, top, top / 4, 6.5, 3][which % 5]}
            return {**prose, **kept}, kept
        case _:
            kept = {"title": f"Title {which}"}
            return {**kept, "summary": "s", "confidence": 1}, kept
