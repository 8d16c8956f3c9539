"""Patterns that are accepted mean in PostgreSQL what they mean in Python; the others are refused with a reason."""

from __future__ import annotations

import re

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import TupleRow

from projections.queries.matching.regexes import LONGEST, translated
from projections.queries.matching.terms import Unanswered

ALPHABET = "abAB01_-./ \n\\é^$[]*x%'"

atoms = st.sampled_from(
    ["a", "b", "B", "0", "_", "é", "-", " ", "/", "%", "'", ".", r"\.", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\\",
     r"\[", r"\*", r"\$", r"\n", r"\x41", "[ab]", "[^ab]", "[a-c_]", r"[\d.]", r"[^\w]", r"[\]\-\\]", "[-a]", "[a-]",
     r"[\s\S]", "[.*$]", "[A-Zé]"]
)  # fmt: skip
edges = st.sampled_from(["^", "$", r"\b"])
quantifiers = st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?", "??", "{1,2}?"])
pieces = edges | atoms | st.builds("{}{}".format, atoms, quantifiers)
plain = st.lists(edges | atoms, max_size=3).map("".join)
alternatives = st.lists(plain, max_size=3).map("|".join)
groups = st.builds("({}{}){}".format, st.sampled_from(["", "?:"]), alternatives, quantifiers)
branches = st.lists(pieces | groups, max_size=4).map("".join)
patterns = st.builds("{}{}".format, st.sampled_from(["", "", "(?i)"]), st.lists(branches, max_size=3).map("|".join))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patterns, st.lists(st.text(ALPHABET, max_size=8), min_size=20, max_size=20))
def test_an_accepted_pattern_means_the_same_in_python(
    connection: psycopg.Connection[TupleRow], pattern: str, texts: list[str]
) -> None:
    """Python's `$` also stands before a closing line break; ours does not."""
    compiled = re.compile(re.sub(r"(?<!\\)\$(?![^\[]*\])", r"\\Z", pattern), re.ASCII)
    rows = connection.execute(
        'SELECT u.t COLLATE "C" ~ %s::text FROM unnest(%s::text[]) WITH ORDINALITY u(t, n) ORDER BY n',
        (translated(pattern), texts),
    )
    assert [row[0] for row in rows] == [compiled.search(text) is not None for text in texts], pattern


REFUSED = [
    (r"(a)\1", "back-reference"),
    (r"(?P<x>a)(?P=x)", "question mark"),
    ("(?=a)", "question mark"),
    ("(?!a)", "question mark"),
    ("(?<=a)b", "question mark"),
    ("(a+)+", "inside a repetition"),
    ("(a*b?)*", "inside a repetition"),
    ("((a{2}){2}){2}", "inside a repetition"),
    ("a**", "inside a repetition"),
    ("a*+", "inside a repetition"),
    ("a{2}{3}", "inside a repetition"),
    ("a{256}", "too large"),
    ("a{1,99999}", "too large"),
    ("(abcdefghij){250}", "too large"),
    ("(?:a?b?c?d?e?f?g?){255}", "may be empty"),
    ("(?:a?){255}(?:b?){255}", "may be empty"),
    (r"(?:\w?\d?\s?){255}", "may be empty"),
    (r"(?:|a|\b){61}", "may be empty"),
    ("(?:a{0,3}|b){2}", "inside a repetition"),
    ("((?:(?:a?)?)){10}" * 7, "may be empty"),
    ("a{3,2}", "ends before"),
    ("a{,2}", "without a beginning"),
    ("(", "not closed"),
    ("(a", "not closed"),
    (")", "nothing opens"),
    ("a)", "nothing opens"),
    ("[a", "breaks off"),
    ("[]", "empty set"),
    ("[b-a]", "ends before"),
    ("[[:alpha:]]", "bracket inside"),
    (r"[a\D]", "opposite"),
    (r"[a-\d]", "range"),
    ("\\", "breaks off"),
    ("*a", "of nothing"),
    ("^*", "an edge"),
    (r"\p{L}", "p"),
    (r"\B", "B"),
    (r"\x0", "breaks off"),
    (r"\xzz", "escape"),
    ("a" * (LONGEST + 1), "500"),
    ("(" * 25 + ")" * 25, "too deep"),
    ("a(?i)b", "question mark"),
]


@pytest.mark.parametrize(("pattern", "reason"), REFUSED, ids=[ascii(pattern)[:30] for pattern, _ in REFUSED])
def test_what_costs_too_much_or_is_not_understood_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(Unanswered, match=reason):
        translated(pattern)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("ab(|)[]{}*+?^$\\.,-1d") | st.characters(exclude_categories=["Cs"]), max_size=12))
def test_whatever_is_accepted_is_a_pattern_for_postgresql(
    connection: psycopg.Connection[TupleRow], pattern: str
) -> None:
    try:
        accepted = translated(pattern.replace("\x00", ""))
    except Unanswered:
        return
    connection.execute("SELECT 'ab' COLLATE \"C\" ~ %s::text", (accepted,))


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:a|b){250}c$",
        "(a|a|a|a)*$b",
        ".*.*.*.*.*.*x",
        "[ab]?" * 90 + "[ab]{90}",
        "(?:ab?){200}c",
        r"(?:\w?\d?\s?){20}x",
        "(?:a?){10}(?:b?){10}" * 3,
        "a?" * 249,
    ],
)
def test_the_worst_that_is_accepted_costs_a_bounded_time(
    connection: psycopg.Connection[TupleRow], pattern: str
) -> None:
    """200,000 characters: a backtracking engine would not come back."""
    connection.execute("SET statement_timeout = '20s'")
    connection.execute("SELECT repeat('ab', 100000) COLLATE \"C\" ~ %s::text", (translated(pattern),))
    connection.execute("RESET statement_timeout")
