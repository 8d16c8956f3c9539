"""The benchmark of large recordings, in small: what it needs does not grow with the recording."""

from benchmarks.large_recording import measure

MEGABYTES = 16
PEAK_MB = 130
"""Of a process with the whole product loaded, 65 MB; read into objects at once, the recording alone takes 160 MB."""


def test_taking_in_and_reading_a_recording_needs_little_memory(database_url: str) -> None:
    _, ingested, read = measure(database_url, MEGABYTES, windows=3)
    assert ingested["size"] >= MEGABYTES * 1_000_000
    assert ingested["peak_mb"] < PEAK_MB
    assert ingested["state_length"] < 10_000
    assert read["windows"] == 3
    assert read["skipped_events"] == 0
    assert read["dropped_lines"] > 0
    assert read["peak_mb"] < PEAK_MB
