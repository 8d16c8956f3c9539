"""What a sentence claims of trouble, and which observations say that there was none (engine 7.4).

Words of English: a report in another language keeps its citations as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from domain.plain_text import one_line

_TROUBLE: Final = (
    r"(?:friction|troubles?|troubled|errors?|issues?|problems?|bugs?|bugg(?:y|ed)|defects?|broken?|broke"
    r"|crash(?:e[sd]|ing)?|fail(?:s|ed|ing|ures?)?|frustrat\w*|confus\w*|stuck|stumbl\w*|struggl\w*|abandon\w*"
    r"|g[ia]ve up|rage\w*|unable|unresponsive|dead clicks?|dead ends?|blocked|blockers?|declin\w*|reject\w*|refused"
    r"|timeouts?|timed out|slow\w*|lost|complain\w*|obstacles?|hindr\w*|prevented|difficult\w*|annoy\w*"
    r"|impatien\w*)"
)
_SAID: Final = re.compile(
    rf"\b{_TROUBLE}\b|\b(?:could|can|did|does|do|was|were|would)(?:n['\u2019]t| not)\b"
    r"|\b(?:nobody|no one|none)\s+(?:could|can|managed)\b",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(
    r"\b(?:no|not any|without(?: any)?|never (?:met|saw|hit|had)(?: an?y?)?|free (?:of|from)"
    r"|nothing(?:\s+\w+){0,4}?\s+shows(?:\s+an?)?)"
    rf"\s+(?:\w+,?\s+){{0,2}}?{_TROUBLE}(?:(?:\s*,|\s+or|\s+and|\s+nor)\s+(?:\w+\s+){{0,2}}?{_TROUBLE})*",
    re.IGNORECASE,
)


def negative(sentence: str) -> bool:
    """Whether a sentence tells of trouble rather than of its absence."""
    return bool(_SAID.search(_DENIED.sub("", sentence)))


def clean(output: Mapping[str, Any]) -> bool:
    """Whether an observation says itself that nothing went wrong, and nothing else that speaks of trouble.

    A verdict, a tag or a score alone says nothing of the kind: it depends on the question.
    """
    texts = [output.get(key) for key in ("title", "reasoning", "summary", "outcome")]
    told = one_line(" ".join(text for text in texts if isinstance(text, str)))
    denied = bool(_DENIED.search(told)) or output.get("friction_points") == []
    return bool(told) and denied and not output.get("friction_points") and not negative(told)
