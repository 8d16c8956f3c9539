"""What a hostile client sends in the place of bodies, values, ids, parameters and headers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from api.http.body import BODY_LIMIT

NESTED = b'{"a":'


def nested(levels: int) -> bytes:
    """`levels` objects inside one another."""
    return NESTED * (levels - 1) + b"{}" + b"}" * (levels - 1)


def padded(size: int) -> bytes:
    """A JSON object of exactly so many bytes."""
    frame = b'{"name": ""}'
    return frame[:-2] + b"x" * (size - len(frame)) + frame[-2:]


BODIES = {
    "none": b"",
    "space": b" \n",
    "a megabyte": padded(BODY_LIMIT),
    "just over": padded(BODY_LIMIT + 1),
    "a byte": b"\x00",
    "nul": b'{"name": "a\\u0000b", "session_id": "\\u0000", "\\u0000": 1}',
    "a nul itself": b'{"name": "a\x00b"}',
    "surrogates": b'{"name": "\\ud800", "session_id": "\\udfff", "\\ud800": {"\\udc00": ["\\ud83d"]}}',
    "100 levels": nested(100),
    "101 levels": nested(101),
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
    "100,000 levels open": NESTED * 100_000,
    "1e400": b'{"sampling_rate": 1e400}',
    "-1e400": b'{"sampling_rate": -1e400}',
    "1e-400": b'{"sampling_rate": 1e-400}',
    "10**400": b'{"sampling_rate": 1%s}' % (b"0" * 400),
    "10**5000": b'{"sampling_rate": 1%s}' % (b"0" * 5000),
    "-10**4000": b'{"enabled": -1%s, "name": -1%s}' % (b"0" * 4000, b"0" * 4000),
    "nan": b'{"sampling_rate": NaN}',
    "bad utf-8": b'{"name": "\xff\xfe"}',
    "encoded surrogate": b'{"name": "\xed\xa0\x80"}',
    "overlong": b'{"name": "\xc0\xaf"}',
    "latin-1": '{"name": "ü"}'.encode("latin-1"),
    "utf-16": '{"name": "x"}'.encode("utf-16"),
    "utf-32": '{"name": "x"}'.encode("utf-32"),
    "bom": b"\xef\xbb\xbf{}",
    "twice": b'{"name": "a", "name": null, "session_id": 1, "session_id": "x"}',
    "two": b"{} {}",
    "cut": b'{"name": "x',
    "null": b"null",
    "true": b"true",
    "a number": b"-0.0",
    "a text": b'"x"',
    "a list": b"[1]",
    "many keys": json.dumps({f"k{number}": number for number in range(40_000)}).encode(),
    "key of others": b'{"personal_api_key": "phx_x"}',
    "key of another kind": b'{"personal_api_key": {"a": [1]}}',
    "form": b"name=x&session_id=y",
    "yaml": b"name: x",
    "pickle": b"\x80\x04\x95.",
    "gzip": b"\x1f\x8b\x08\x00\x00",
}

VALUES: Sequence[Any] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**400,
    -(10**30),
    1e308,
    5e-324,
    "",
    " \t\n",
    "a\x00b",
    "a\ud800b",
    "\U0001f600",
    "\x7f\x1b",
    "\u202e",
    "\u0663",
    "x" * 300_000,
    "'; --",
    "{0}%s%(a)s",
    [],
    [None],
    [[[[]]]],
    ["\x00"],
    ["\udfff"] * 3,
    ["x"] * 1_000,
    [{}],
    {},
    {"": ""},
    {"\x00": "\x00"},
    {"\ud800": 1},
    {"prompt": {"a": 1}},
    {"kind": [], "events": {"a": "\x00"}},
    "2026-13-45T99:99:99Z",
    "FREQ=SECONDLY;COUNT=999999999999",
)
"""Put into each field in turn."""

IDS = (
    *("%00", "%ff%fe", "%ed%a0%80", "a%00b", "%2F", "%2e%2e", "%5c", "%0d%0aX-Injected:%201", "%E2%80%AE", "%25", "%"),
    *("x" * 200, "x" * 20_000, "%F0%9F%98%80" * 100, "%D9%A3", "%D9%A3" * 36, "%EF%BC%91", "%C2%B2", "-1", "0"),
    *("1e3", "0x1", "9" * 30, "9" * 5_000, "null", "None", "undefined", "@current", "*", "{}", "%7B%7D"),
    *("%7Bscanner_id%7D", "+", "00000000-0000-0000-0000-000000000000", "0" * 32, "ffffffff-ffff-ffff-ffff-fffffffffff"),
    *("%20", "urn:uuid:00000000-0000-4000-8000-000000000000", "%7B00000000-0000-4000-8000-000000000000%7D", "'%20--"),
)  # fmt: skip
"""In the place of each id."""

QUERIES = (
    *("", "%00", "%ff%fe", "%ed%a0%80", "a%00b", "-1", "0", "1e9", "9" * 30, "9" * 5_000, "-" + "9" * 5_000, "NaN"),
    *("1.5", "%2B5", "_1", "1_0", "%D9%A3", "%EF%BC%91", "%C2%B2", "true", "null", "[]", "{}", ",", ",,,", "%2C"),
    *("a,b", "x" * 20_000, ",".join("x" * 9 for _ in range(2_000)), "%F0%9F%98%80", "'", '"', "%25", "%5C", "%"),
    *("%zz", "_", "-", "--name", "-created_at", "name,created_at", "2026-13-45", "0001-01-01T00:00:00%2B14:00", "+"),
    *("9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999999Z", "00000000-0000-0000-0000-000000000000"),
    *("@current", "2026-W01-1", "20260101T000000,5", "24:00", "a&a=b", "x;y"),
)  # fmt: skip
"""For each parameter."""

HEADERS: Mapping[str, Sequence[bytes]] = {
    "If-Match": (
        *(b"", b"*", b",", b"," * 20_000, b'"' * 20_000, b'"1",' * 10_000, b'W/"1"', b'"' + b"9" * 5_000 + b'"'),
        *(b'"\xff"', b"\xff", b'"\x80\xff",', b"x" * 60_000, b'"a\tb"'),
    ),
    "Idempotency-Key": (b"", b"\xff", "é".encode(), b"x" * 256, b"x" * 60_000, b"a\tb", b'"', b"%00", b"',--"),
    "Authorization": (
        *(
            b"",
            b"Bearer",
            b"Bearer ",
            b"Bearer \xff\xfe",
            "Bearer é".encode(),
            b"Bearer " + b"x" * 60_000,
            b"Basic eDp5",
        ),
        *(b"bearer a b", b"Bearer %00", b"\xff", b"Bearer \xc2\xa0x", b"Token x", b"Bearer\tx"),
    ),
    "Accept": (
        *(
            b"",
            b",",
            b"\xff",
            b"*/*;q=\xff",
            b"a" * 60_000,
            b",".join([b"a/b"] * 9_000),
            b"application/json;q=x",
            b";;;",
        ),
        *(b"application/x-ndjson", b"application/x-ndjson;q=0, application/json", b"*", b"/", b"*/json"),
    ),
    "Content-Type": (
        *(b"", b"application/json; charset=utf-16", b"application/json; charset=\xff", b"application/json;charset"),
        *(
            b"application/x-www-form-urlencoded",
            b"multipart/form-data; boundary=" + b"x" * 5_000,
            b"multipart/form-data",
        ),
        *(b"application/json;" + b"a=b;" * 9_000, b"\xff/\xfe", b"text/json", b"APPLICATION/JSON"),
        *(b"application/xml", b"application/json\xc2\xa0", b"application", b"/", b";", b"application/json, text/plain"),
    ),
    "Content-Encoding": (b"gzip", b"br", b"\xff"),
    "Host": (b"", b"\xff", b"evil.example/%00", b"x" * 20_000, b"[::1", b"a:99999999"),
    "X-Forwarded-For": (b"\xff", b"," * 9_000, b"::1%00"),
    "X-Forwarded-Host": (b"\xff", b"evil.example"),
    "Cookie": (b"\xff", b"a=b; " * 9_000, b"=;=;"),
    "Origin": (b"null", b"\xff", b"https://evil.example"),
    "Range": (b"bytes=0-", b"bytes=99999999999999999999-", b"\xff"),
    "Expect": (b"100-continue", b"\xff"),
    "Upgrade": (b"websocket", b"h2c", b"\xff"),
    "X-\x7f": (b"x",),
    "X Y": (b"x",),
}
"""One at a time, beside those of an ordinary request."""
