"""What an error of the S3 client is about, in one line.

The client tells causes apart in its text only: first a sentence that ends in the store's answer (XML with a code),
then, over many lines, where it comes from.
"""

import re

MAX_CHARACTERS = 400

_CODE = re.compile(r"<Code>(\w{1,100})</Code>")
_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CAUSES = (
    re.compile(r'(?:message|error): "([^"]+)"'),
    re.compile(r"(InvalidCertificate\(\w+)"),
)
_REFUSED = ("401", "403")
_ROLE = "169.254."
"""The address at which machines in a cloud are told who they are."""


def code_of(error: Exception) -> str | None:
    """The code of the store's answer (`NoSuchKey`); None when there was none."""
    found = _CODE.search(str(error))
    return found[1] if found else None


def status_of(error: Exception) -> int | None:
    """The HTTP status of the store's answer; None when there was no answer."""
    found = _STATUS.search(str(error))
    return int(found[1]) if found else None


def reason_of(error: Exception) -> str:
    """One line of at most MAX_CHARACTERS, without credentials."""
    text = str(error)
    if _ROLE in text:
        reason = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and this machine has no role"
    elif status := _STATUS.search(text):
        answer = f"the answer is {status[1]}"
        code = code_of(error)
        reason = f"{answer} {code}" if code else answer
        if status[1] in _REFUSED:
            reason += " (check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the rights of that key)"
    else:
        first, _, rest = text.partition("\n")
        causes = [found[1] for cause in _CAUSES if (found := cause.search(rest))]
        if "TimedOut" in rest:
            causes.append("no answer in time")
        # Before the last dash stands which request it was, with a key that tells nobody anything.
        reason = ": ".join([first.removeprefix("Generic S3 error: ").rpartition(" - ")[2], *causes])
    return " ".join(reason.split())[:MAX_CHARACTERS]
