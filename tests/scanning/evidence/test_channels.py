"""What was not captured is told apart from what did not happen, channel by channel, also where it was in part."""

from consumers.scanning.evidence import build_evidence
from tests.scanning.browser import Browser

PAGE = "<button id='b'>Go</button>"


def test_a_channel_that_one_of_two_windows_has_is_captured_in_part() -> None:
    one = Browser("w1").load("https://a.example/", PAGE).wait(2).click("b")
    two = Browser("w2", console=False, network=False).load("https://a.example/", PAGE).wait(3).click("b")
    result = build_evidence(one.leave() + two.leave())
    assert result.captured.console
    assert result.captured.partly == {"console", "network"}
    assert "Console: captured in part only" in result.text
    assert "Network: captured in part only" in result.text
    assert "Page content: captured." in result.text


def test_a_window_without_a_snapshot_has_no_page_content() -> None:
    bare = Browser("w2")
    for _ in range(3):
        bare.wait(1).emit(3, {"source": 2, "type": 2, "id": 7, "x": 5, "y": 5})
    alone = build_evidence(bare.leave())
    assert not alone.captured.pages
    assert "Page content: not captured" in alone.text
    assert "3 clicks on elements that were not recorded." in alone.text
    beside = build_evidence(Browser("w1").load("https://a.example/", PAGE).leave() + bare.events)
    assert beside.captured.pages
    assert beside.captured.partly == {"pages"}


def test_a_recorder_that_was_idle_or_paused_saw_a_part_of_the_page() -> None:
    browser = Browser().load("https://a.example/", PAGE).wait(5)
    browser.emit(5, {"tag": "recording paused", "payload": {}})
    assert build_evidence(browser.leave()).captured.partly == {"pages"}


def test_frames_of_other_sites_and_canvases_are_named_as_not_captured() -> None:
    def said(body: str) -> bool:
        text = build_evidence(Browser().load("https://a.example/", body).wait(2).leave()).text
        return "what they show is not captured" in text

    assert said("<p>Map</p><canvas width='600' height='400'></canvas>")
    assert said("<p>Pay here</p><iframe src='https://pay.example/f'></iframe>")
    assert not said("<p>Plain page</p>")
    assert not said("<p>Counted</p><iframe width='1' height='1'></iframe>")
    assert not said("<p>Counted</p><iframe style='display:none'></iframe>")


def test_nothing_happened_is_said_only_of_what_was_captured() -> None:
    text = build_evidence(Browser().load("https://a.example/", "<p>x</p>").leave()).text
    for channel in ("Page content", "Console", "Network"):
        assert f"{channel}: captured." in text
    assert "Signals:\nnone" in text
