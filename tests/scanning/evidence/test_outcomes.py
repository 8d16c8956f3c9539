"""What a session came to: conversions, tasks, checkouts given up, goals missed. The sites exist nowhere."""

from consumers.scanning.evidence import Evidence, Signal, build_evidence
from tests.scanning.browser import Browser


def page(body: str, url: str = "https://a.example/", *, network: bool = True) -> Browser:
    return Browser(network=network).load(url, body).wait(3, moving=True)


def evidence(browser: Browser) -> Evidence:
    return build_evidence(browser.leave())


def found(browser: Browser, kind: str) -> list[Signal]:
    return [signal for signal in evidence(browser).signals if signal.kind == kind]


def kinds(browser: Browser) -> set[str]:
    return {signal.kind for signal in evidence(browser).signals}


BOOKING = (
    "<main><h1>Guest details</h1><form><label>Guest<input id='guest'></label>"
    "<button id='go'>Confirm reservation</button></form>"
    "<div id='note'></div></main>"
)


def booking() -> Browser:
    return page(BOOKING, url="https://stay.example/booking/guest").type("guest", "Ann Example").wait(1).click("go")


def test_a_booking_that_went_through_is_a_conversion() -> None:
    browser = booking().request("POST", "https://stay.example/api/bookings", 201).wait(0.4)
    browser.load(
        "https://stay.example/booking/81", "<main><h1>See you soon!</h1><p>Your reservation is confirmed.</p></main>"
    )
    signals = evidence(browser).signals
    assert "conversion" in {s.kind for s in signals}
    assert not {"checkout_given_up", "abandoned_form", "goal_missed"} & {s.kind for s in signals}


def test_a_booking_refused_is_given_up() -> None:
    browser = (
        booking()
        .request("POST", "https://stay.example/api/bookings", 402)
        .wait(0.3)
        .fill("note", "<p>Card declined</p>")
        .wait(4)
    )
    kinds = {s.kind for s in evidence(browser).signals}
    assert {"checkout_given_up", "goal_missed", "abandoned_form"} <= kinds
    assert "conversion" not in kinds


def test_success_that_nobody_asked_for_is_no_task_and_no_conversion() -> None:
    for text in ("Welcome back", "Your order was placed on Monday", "Saved searches"):
        quiet = Browser().load("https://a.example/", f"<main><h1>Home</h1><p>{text}</p></main>").wait(20, moving=True)
        assert not {s.kind for s in build_evidence(quiet.leave()).signals} & {"task_completed", "conversion"}, text


def test_an_order_that_is_not_confirmed_is_no_conversion() -> None:
    form = "<form><label>Name<input id='f'></label><button id='b'>Place order</button></form><div id='n'></div>"
    browser = Browser().load("https://a.example/checkout", f"<main>{form}</main>").wait(2).type("f", "abc").click("b")
    browser.wait(0.5).fill("n", "<p role='alert'>Your order could not be placed, payment not confirmed</p>").wait(5)
    kinds = {s.kind for s in build_evidence(browser.leave()).signals}
    assert "conversion" not in kinds
    assert "checkout_given_up" in kinds


def test_looking_at_plans_and_orders_gives_nothing_up() -> None:
    plans = "<a id='plans' href='https://a.example/plans'>Plans</a>"
    nav = f"<nav>{plans}<a id='past' href='https://a.example/orders'>Purchase history</a></nav>"
    browser = (
        page(nav)
        .click("plans")
        .wait(0.2)
        .load("https://a.example/plans", nav + "<h1>Plans</h1><button>Upgrade</button>")
        .wait(3)
    )
    browser.click("past").wait(0.2).load("https://a.example/orders", nav + "<h1>Your orders</h1>").wait(3)
    assert not found(browser, "checkout_given_up")
    assert not found(browser, "conversion")


def test_signing_up_and_finishing_onboarding_is_a_conversion() -> None:
    browser = page(
        "<div id='root'><h1>Start your free account</h1><div><input id='mail' placeholder='Work email'>"
        "<button id='go'>Get started</button></div></div>",
        url="https://crm.example/register",
    )
    browser.type("mail", "a@b.example").click("go").request("POST", "https://crm.example/api/users", 201).wait(0.3)
    browser.go("https://crm.example/setup/invite").fill(
        "root", "<h1>Invite colleagues</h1><button id='skip'>Skip for now</button>"
    ).wait(2)
    assert not found(browser, "conversion")
    browser.click("skip").wait(0.2).go("https://crm.example/dashboard").fill("root", "<h1>Good morning</h1>")
    assert found(browser, "conversion")


def test_a_defect_in_the_way_is_a_goal_missed_and_a_decoration_is_not() -> None:
    [signal] = found(page("<button id='b'>Send invoice</button>").click("b").wait(5).click("b").wait(5), "goal_missed")
    assert signal.note == "defect"
    assert not found(
        page("<button id='b'>View size guide</button>").click("b").wait(5).click("b").wait(5), "goal_missed"
    )


LOGIN = (
    "<main><h1>Welcome back</h1><form><input id='user' placeholder='Username'><input id='word' type='password'>"
    "<button id='go'>Log in</button></form><div id='note'></div></main>"
)


def test_a_login_refused_and_then_accepted() -> None:
    browser = (
        page(LOGIN).type("user", "ann").type("word", "bad").click("go").request("POST", "https://a.example/in", 401)
    )
    browser.wait(0.3).fill("note", "<p>Those details don't look right. Please check them.</p>").wait(2)
    assert {"validation_error", "goal_missed", "abandoned_form"} <= kinds(browser)
    browser = (
        page(LOGIN).type("user", "ann").type("word", "good").click("go").request("POST", "https://a.example/in", 200)
    )
    assert kinds(browser.wait(0.3).load("https://a.example/home", "<h1>Hello Ann</h1>")) == {"task_completed"}


def test_an_upgrade_without_a_form_is_a_conversion() -> None:
    browser = page("<h1>Your plan</h1><button id='up'>Upgrade to Pro</button><div id='t'></div>").click("up")
    browser.request("POST", "https://a.example/api/plan", 200).wait(0.5).fill(
        "t", "<p class='snackbar'>You are now on Pro</p>"
    )
    assert kinds(browser) == {"conversion"}


def test_closing_a_dialog_accepts_nothing() -> None:
    browser = page("<h1>Your plan</h1><button id='up'>Upgrade to Pro</button><div id='t'></div>").click("up").wait(0.1)
    fields = (
        "<label>Card number<input id='card'></label><button id='pay'>Subscribe</button><button id='x'>Close</button>"
    )
    browser.fill("t", f"<div role='dialog'><h2>Pay for Pro</h2>{fields}</div>").wait(2).type("card", "41111").click("x")
    assert {"checkout_given_up", "abandoned_form", "goal_missed"} <= kinds(browser.wait(0.1).fill("t", ""))
    assert "task_completed" not in kinds(browser)


def test_a_list_that_gets_an_entry_has_accepted_the_form_and_its_entries_are_no_messages() -> None:
    browser = page("<h1>Today</h1><input id='n' placeholder='New task'><button id='add'>Add</button><ul id='l'></ul>")
    browser.type("n", "fix problem with door").click("add").wait(0.1).fill(
        "l", "<li>fix problem with door, failed twice</li>"
    )
    assert kinds(browser) == {"task_completed"}


def test_a_field_that_a_script_empties_after_a_submit_was_accepted() -> None:
    browser = (
        page("<h1>Chat</h1><textarea id='n'></textarea><button id='go'>Send</button>").type("n", "hello").click("go")
    )
    browser.wait(0.1).scripted("n", "")
    assert "abandoned_form" not in kinds(browser)


def test_ordinary_reading_has_no_signals() -> None:
    tabs = (
        "<div id='one' role='tab'>One</div><div id='two' role='tab'>Two</div><section id='panel'><p>First</p></section>"
    )
    browser = page(
        f"<div id='c' role='dialog'>We use cookies <button id='ok'>Accept</button></div><h1>Guide</h1>{tabs}"
    )
    browser.click("ok").attribute("c", style="display:none").wait(2).click("two")
    browser.fill("panel", "<p>Second: what to do when a payment failed with an error</p>").wait(5, moving=True)
    assert kinds(browser) == set()


def test_an_article_about_errors_is_no_error() -> None:
    browser = page("<a id='a' href='https://a.example/n'>Bank system failed for hours</a>").click("a").wait(0.3)
    browser.load("https://a.example/n", "<h1>Bank system failed for hours</h1><p>The problem was a server error.</p>")
    assert kinds(browser.wait(6, moving=True)) == set()
