"""Prompts that ask for one thing or another: any one of them is enough."""

from itertools import combinations
from typing import Any

import pytest

from consumers.scanning.evidence import Evidence, build_evidence
from consumers.scanning.providers import Question
from consumers.scanning.providers.builtin import BuiltinProvider
from tests.scanning.browser import Browser
from tests.scanning.recorded import SESSIONS, TRUTH, evidence

README = "Did a request fail or a payment get declined?"
CLAUSES = {
    "rage_clicked": "did the visitor rage click",
    "javascript_error": "was there an uncaught JavaScript error",
    "network_failure": "did a request fail",
    "search_failed": "did a search return no results",
    "form_abandoned": "was a form abandoned",
    "purchased_or_converted": "did they buy something",
}


def answer(prompt: str, about: Evidence) -> dict[str, Any]:
    config = {"prompt": prompt, "allow_inconclusive": True}
    return BuiltinProvider().analyse(Question("monitor", config), about).output


def checkout(said: str, status: int = 200, *, network: bool = True) -> Evidence:
    """A card is paid with; the site answers and says something."""
    form = "<form><input id='c' name='card'><button id='p'>Pay now</button></form><div id='n'></div>"
    browser = (
        Browser(network=network).load("https://a.example/checkout", f"<main><h1>Checkout</h1>{form}</main>").wait(3)
    )
    browser.type("c", "4111").click("p")
    if network:
        browser.request("POST", "https://a.example/api/pay", status)
    return build_evidence(browser.wait(0.5).fill("n", f"<p role='alert'>{said}</p>").wait(6).leave())


@pytest.mark.parametrize(
    ("about", "verdict"),
    [
        (checkout("Your card was declined. Try another card.", 402), "yes"),
        (checkout("Your card was declined. Try another card."), "yes"),
        (checkout("Your card was declined. Try another card.", network=False), "yes"),
        (checkout("Something went wrong. Try again later.", 500), "yes"),
        (checkout("Thank you for your order."), "no"),
        (checkout("Thank you for your order.", network=False), "inconclusive"),
    ],
    ids=["declined", "declined with 200", "declined, no network log", "failed", "paid", "paid, no network log"],
)
@pytest.mark.parametrize("prompt", [README, "Was a payment refused, or did a call to the server fail?"])
def test_a_request_or_a_payment(prompt: str, about: Evidence, verdict: str) -> None:
    assert answer(prompt, about)["verdict"] == verdict


def test_an_answer_tells_of_both() -> None:
    both = answer(README, checkout("Your card was declined. Try another card.", 402))
    assert 'Request "POST /api/pay" failed: 402' in both["reasoning"]
    assert "Your card was declined" in both["reasoning"]
    neither = answer(README, checkout("Thank you for your order."))
    assert neither["reasoning"].startswith("Nothing in the session shows a failed request or a declined payment")
    assert neither["confidence"] == 0.8


@pytest.mark.parametrize("name", SESSIONS)
def test_any_two_questions_in_one(name: str) -> None:
    truth = TRUTH["sessions"][name]["monitors"]
    known = [question for question in CLAUSES if truth.get(question) is not None]
    assert len(known) > 1
    for one, other in combinations(known, 2):
        for first, second in ((one, other), (other, one)):
            prompt = f"{CLAUSES[first]} or {CLAUSES[second]}?".capitalize()
            expected = "yes" if truth[one] or truth[other] else "no"
            assert answer(prompt, evidence(name))["verdict"] == expected, prompt


@pytest.mark.parametrize(
    ("prompt", "verdict"),
    [
        ("Was there a rage click, a declined card or a JavaScript error?", "yes"),
        ("Did no request fail and was no payment declined?", "no"),
        (
            "Did the visitor see a message saying that a field is invalid, rights are missing, or a payment failed?",
            "yes",
        ),
        ("Did the visitor rage click or get lost?", "no"),
    ],
)
def test_what_is_and_what_is_no_choice(prompt: str, verdict: str) -> None:
    assert answer(prompt, checkout("Your card was declined. Try another card.", 402))["verdict"] == verdict
