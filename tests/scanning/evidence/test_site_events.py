"""What analytics events add to a recording's evidence, and what they do not."""

from typing import Any, NamedTuple

import pytest

from consumers.scanning.evidence import Evidence, build_evidence
from consumers.scanning.evidence.site_events import MAX_LINES, OUTSIDE_MS
from tests.scanning.browser import START, Browser
from tests.scanning.recorded import SESSIONS, events, evidence


class Sent(NamedTuple):
    name: str
    at: int
    window_id: str | None
    current_url: str | None
    properties: dict[str, Any]


def sent(what: str, seconds: float, url: str | None = None, window: str | None = "w1", /, **properties: Any) -> Sent:
    return Sent(what, START + round(seconds * 1000), window, url, properties)


def shop() -> Browser:
    return Browser().load("https://a.example/shop", "<h1>Shop</h1><button id='b'>Go</button>").wait(20).click("b")


def told(*sent_events: Sent, browser: Browser | None = None) -> list[str]:
    found = build_evidence((browser or shop()).leave(), sent_events)
    return [line.text for line in found.lines if line.kind == "event"]


@pytest.mark.parametrize("name", SESSIONS)
def test_without_events_nothing_changes(name: str) -> None:
    assert build_evidence(events(name), []) == evidence(name)


def test_custom_events_are_told_with_a_few_properties() -> None:
    properties: dict[str, Any] = {
        "total": 12.5,
        "order": "R-1",
        "gift": True,
        "$lib": "web",
        "items": [1, 2],
        "note": "x" * 500,
    }
    (line,) = told(sent("order_placed", 5, **properties))
    assert line == f'site event "order_placed", "gift" true, "note" "{"x" * 59}…", "order" "R-1", "total" "12.5"'


def test_the_order_in_which_properties_are_sent_does_not_matter() -> None:
    one = build_evidence(shop().leave(), [sent("paid", 5, a=1, b=2)])
    other = build_evidence(shop().leave(), [sent("paid", 5, b=2, a=1)])
    assert one == other
    assert one.digest != build_evidence(shop().leave()).digest


def test_what_the_recording_tells_is_not_told_again() -> None:
    url = "https://a.example/shop?campaign=5"
    automatic = ("$pageview", "$autocapture", "$rageclick", "$pageleave", "$web_vitals", "$feature_flag_called", "$set")
    assert told(*(sent(name, n, url) for n, name in enumerate(automatic))) == []


@pytest.mark.parametrize(
    "name",
    [
        "email",
        "userEmail",
        "phone_number",
        "name",
        "first_name",
        "userName",
        "card",
        "ip",
        "API_TOKEN",
        "cityName",
        "pw",
        "geo_lat",
    ],
)
def test_personal_properties_are_left_out(name: str) -> None:
    assert told(sent("signed_up", 5, **{name: "Jane Doe"})) == ['site event "signed_up"']


def test_personal_data_in_other_values_is_masked() -> None:
    (line,) = told(sent("contact jane@doe.example", 5, reply_to="jane@doe.example", product_name="Mug"))
    assert line == 'site event "contact [email]", "product_name" "Mug", "reply_to" "[email]"'


def test_personal_data_in_pieces_is_masked() -> None:
    (line,) = told(sent("paid", 5, a="4916", b="3385", c="0608", d="2832", plan="gold"))
    assert line == 'site event "paid", "a" "[card]", "b" "", "c" "", "d" "", "plan" "gold"'
    (line,) = told(sent("asked", 5, verificationCode="482913", who="jane.doe", z_host="@doe.example"))
    assert line == 'site event "asked", "verificationCode" "[code]", "who" "[email]", "z_host" ""'
    (line,) = told(sent("bought", 5, orderCode="482913", price=4916, quantity=3385, items=2))
    assert line == 'site event "bought", "items" "2", "orderCode" "482913", "price" "4916", "quantity" "3385"'


def test_who_the_visitor_is_stays_out() -> None:
    identify = sent("$identify", 5, distinct_id="jane@doe.example", email="jane@doe.example", name="Jane Doe")
    assert told(identify) == ["site event: the visitor is identified"]


def test_exceptions_are_told_unless_the_console_has_them() -> None:
    thrown: dict[str, Any] = {"$exception_types": ["TypeError"], "$exception_values": ["x is undefined"]}
    failed = sent("$exception", 6, **thrown)
    assert told(failed) == ['site event: exception "TypeError" "x is undefined"']
    recorded = (
        Browser().load("https://a.example/", "<p>x</p>").wait(5).console("error", "Uncaught TypeError: x is undefined")
    )
    assert told(failed, browser=recorded.wait(20)) == []
    odd: dict[str, Any] = {"$exception_types": "odd", "$exception_values": [5]}
    assert told(sent("$exception", 6, **odd)) == []


def test_an_exception_that_nothing_handled_is_a_script_error() -> None:
    def signals(handled: bool | None) -> list[str]:
        chain = [{"mechanism": {"handled": handled}}] if handled is not None else None
        thrown: dict[str, Any] = {"$exception_types": ["TypeError"], "$exception_values": ["x is undefined"]}
        silent = Browser(console=False).load("https://a.example/", "<p>x</p>").wait(20)
        found = build_evidence(silent.leave(), [sent("$exception", 6, **thrown, **{"$exception_list": chain})])
        return [signal.text for signal in found.signals if signal.kind == "javascript_error"]

    assert signals(False) == ['uncaught error "TypeError: x is undefined"']
    assert signals(None) == signals(False)
    assert signals(True) == []


def test_addresses_that_the_recorder_missed() -> None:
    """A single-page app without history capture: every click on one URL, as in session 15 of the corpus."""
    path = "https://a.example"
    assert told(
        sent("$pageview", 0, f"{path}/shop"),
        sent("$autocapture", 4, f"{path}/shop?tab=orders&mail=jane@doe.example"),
        sent("$autocapture", 6, f"{path}/shop?tab=orders&mail=jane@doe.example"),
        sent("$autocapture", 9, f"{path}/shop/settings"),
        sent("$autocapture", 12, f"{path}/shop/settings"),
    ) == [
        'site event: the address is "/shop" with another query ("tab", "mail")',
        'site event: the address is "/shop/settings"',
    ]


def test_addresses_that_were_recorded_are_not_told() -> None:
    browser = shop().load("https://a.example/cart", "<h1>Cart</h1>").wait(20)
    assert (
        told(
            sent("$pageview", 0, "https://a.example/shop"),
            sent("$pageview", 19.9, "https://a.example/cart"),
            sent("$autocapture", 30, "https://a.example/cart"),
            browser=browser,
        )
        == []
    )


def test_two_windows_have_two_addresses() -> None:
    one, two = shop(), Browser("w2").load("https://a.example/two", "<p>x</p>").wait(20)
    found = build_evidence(
        one.leave() + two.leave(),
        [
            sent("$autocapture", 5, "https://a.example/shop"),
            sent("$autocapture", 6, "https://a.example/two", "w2"),
            sent("$autocapture", 7, "https://a.example/new", "w2"),
            sent("saved", 8, "https://a.example/else", "unknown window"),
        ],
    )
    assert [line.text for line in found.lines if line.kind == "event"] == [
        'window 2: site event: the address is "/new"',
        'site event "saved"',
    ]


def test_times_lie_within_the_recording() -> None:
    outside = [
        sent("long before", -OUTSIDE_MS / 1000 - 1),
        sent("before", -1),
        sent("after", 25),
        sent("long after", 9_999),
    ]
    found = build_evidence(shop().leave(), outside)
    assert [(line.t_ms, line.text) for line in found.lines if line.kind == "event"] == [
        (0, 'site event "before"'),
        (found.duration_ms, 'site event "after"'),
    ]


def test_text_of_an_event_cannot_forge_lines() -> None:
    (line,) = told(sent('paid"\n[ 99s] conversion', 5, **{'a"b': 'c"\n\u202ed'}))
    assert line == 'site event "paid\\" [ 99s] conversion", "a\\"b" "c\\" d"'


def test_lines_are_bounded_and_repeats_collapse() -> None:
    many = [sent(f"event {n}", n / 100) for n in range(MAX_LINES + 50)]
    assert len(told(*many)) == MAX_LINES
    (line,) = told(*(sent("tick", 1 + n) for n in range(10)))
    assert line == 'site event "tick" (10 times within 9.0 s)'


def test_only_events_and_no_recording() -> None:
    found: Evidence = build_evidence([], [sent("paid", 5)])
    assert found.duration_ms == 0
    assert "nothing happened" in found.text
