"""Quality of the built-in analyser on labelled recordings.

    python -m benchmarks.builtin_quality FOLDER [--only NAME,NAME] [--wrong]

FOLDER holds ``questions.json``, ``wordings.json`` and ``sessions/<name>/{events.jsonl.gz,truth.json}``. Prints, over
all sessions and over each half (the halves take the sessions in turn, so that each has both sites), accuracy per
monitor question for the questions and for the other wordings, classifier accuracy (the outcome, or one also
acceptable), the scorer's mean error and the share within two points, citations outside the recording, leaks, and times.
"""

import argparse
import gzip
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from consumers.scanning.evidence import Evidence, build_evidence
from consumers.scanning.providers import Question
from consumers.scanning.providers.builtin import BuiltinProvider
from domain.scanner_types import check_output

TOLERANCE = 2


class Tally:
    def __init__(self) -> None:
        self.right: dict[str, int] = defaultdict(int)
        self.asked: dict[str, int] = defaultdict(int)
        self.pairs: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
        self.errors: list[float] = []
        self.problems: list[str] = []
        self.wrong: list[str] = []

    def add(self, key: str, *, right: bool, about: str) -> None:
        self.asked[key] += 1
        self.right[key] += right
        if not right:
            self.wrong.append(about)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="comma-separated beginnings of session names")
    parser.add_argument("--wrong", action="store_true", help="list every wrong answer")
    options = parser.parse_args()
    questions = json.loads((options.folder / "questions.json").read_text())
    wordings = json.loads((options.folder / "wordings.json").read_text())
    only = tuple(part for part in options.only.split(",") if part)
    names = sorted(path.name for path in (options.folder / "sessions").iterdir())
    names = [name for name in names if not only or name.startswith(only)]
    halves = {"first half": names[0::2], "second half": names[1::2]} if not only else {}
    cache: dict[str, tuple[Evidence, dict[str, Any]]] = {}
    started = time.process_time()
    size = sum(_load(options.folder, name, cache) for name in names)
    built = time.process_time() - started
    for title, chosen in {"all": names, **halves}.items():
        tally, spent = _measure([cache[name] for name in chosen], chosen, questions, wordings)
        _print(f"{title} ({len(chosen)} sessions)", tally, wrong=options.wrong and title == "all")
        if title == "all":
            print(f"  evidence {size / 1e6 / built:.0f} MB/s of events; {spent * 1000:.1f} ms an answer\n")


def _load(folder: Path, name: str, cache: dict[str, tuple[Evidence, dict[str, Any]]]) -> int:
    session = folder / "sessions" / name
    raw = gzip.decompress((session / "events.jsonl.gz").read_bytes())
    rows = [json.loads(line) for line in raw.splitlines()]
    evidence = build_evidence((row["window_id"], row["event"]) for row in rows)
    cache[name] = (evidence, json.loads((session / "truth.json").read_text()))
    return len(raw)


def _measure(
    sessions: list[tuple[Evidence, dict[str, Any]]],
    names: list[str],
    questions: dict[str, Any],
    wordings: dict[str, Any],
) -> tuple[Tally, float]:
    tally, provider = Tally(), BuiltinProvider()
    calls, started = 0, time.process_time()

    def ask(scanner_type: str, config: dict[str, Any], evidence: Evidence, truth: dict[str, Any]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        output = provider.analyse(Question(scanner_type, config), evidence).output
        tally.problems += check_output(scanner_type, config, output, evidence.duration_ms)
        secrets = [truth["injection_canary"]] if truth.get("injection_canary") else []
        secrets += truth.get("personal_data", [])
        tally.problems += [f"leaks {secret}" for secret in secrets if secret in json.dumps(output)]
        return output

    for (evidence, truth), name in zip(sessions, names, strict=True):
        tally.problems += [f"{name}: evidence leaks {s}" for s in truth.get("personal_data", []) if s in evidence.text]
        for key, text in questions["monitors"].items():
            expected = truth["monitors"].get(key)
            for kind, prompts in (("asked", [text]), ("worded", wordings["monitors"][key])):
                for prompt in prompts if expected is not None else []:
                    verdict = ask("monitor", {"prompt": prompt}, evidence, truth)["verdict"]
                    about = f"{name}: {key} ({kind}) is {expected}, said {verdict}: {prompt[:60]}"
                    tally.add(f"{kind}/{key}", right=(verdict == "yes") == expected, about=about)
                    tally.pairs[kind].append((bool(expected), verdict == "yes"))
        _classify(ask, evidence, truth, questions, tally, name)
        _score(ask, evidence, truth, questions, tally, name)
        for length in ("short", "medium", "long"):
            ask("summarizer", {"prompt": "Summarise.", "length": length}, evidence, truth)
    return tally, (time.process_time() - started) / max(1, calls)


def _classify(
    ask: Any, evidence: Evidence, truth: dict[str, Any], questions: dict[str, Any], tally: Tally, name: str
) -> None:
    asked = questions["classifier"]
    config = {"prompt": asked["question"], "tags": list(asked["labels"]), "multi_label": False}
    tag = ask("classifier", config, evidence, truth)["tags"][0]
    expected = [truth["outcome"], *truth.get("outcome_also_acceptable", [])]
    tally.add("classifier", right=tag in expected, about=f"{name}: outcome is {expected}, said {tag}")


def _score(
    ask: Any, evidence: Evidence, truth: dict[str, Any], questions: dict[str, Any], tally: Tally, name: str
) -> None:
    config = {"prompt": questions["scorer"]["question"], "scale": {"min": 0, "max": 10}}
    score = ask("scorer", config, evidence, truth)["score"]
    off = abs(score - truth["frustration"])
    tally.errors.append(off)
    tally.add("scorer", right=off <= TOLERANCE, about=f"{name}: frustration is {truth['frustration']}, said {score}")


def _print(title: str, tally: Tally, *, wrong: bool) -> None:
    print(title)
    keys = [key.split("/")[1] for key in tally.asked if key.startswith("asked/")]
    for key in keys:
        shares = [tally.right[f"{kind}/{key}"] / tally.asked[f"{kind}/{key}"] for kind in ("asked", "worded")]
        print(f"  {key:32} {shares[0]:6.0%} {shares[1]:6.0%}")
    for kind, pairs in tally.pairs.items():
        hits = sum(a and b for a, b in pairs)
        f1 = 2 * hits / max(1, sum(a for a, _ in pairs) + sum(b for _, b in pairs))
        print(f"  monitors {kind}: F1 {f1:.2f}, accuracy {sum(a == b for a, b in pairs) / max(1, len(pairs)):.1%}")
    for key in ("classifier", "scorer"):
        print(f"  {key:32} {tally.right[key] / max(1, tally.asked[key]):6.0%}")
    mean = sum(tally.errors) / max(1, len(tally.errors))
    print(f"  scorer mean error {mean:.2f}; problems: {tally.problems[:5] or 'none'}")
    for line in tally.wrong if wrong else []:
        print("   ", line)
    print()


if __name__ == "__main__":
    sys.exit(main())
