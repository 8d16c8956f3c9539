"""A process that starts while the database dies waits for it, as one that runs does."""

import threading
from collections.abc import Callable
from pathlib import Path
from threading import Event

import psycopg
import pytest

from api import bootstrap
from api.bootstrap import NotSetUp, Runtime, prepare, runtime, runtime_when_up
from api.settings import Settings

SECRET = b"of this test"
CONNECTIONS = 2


def cut_off_all(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def cutting_off_first(check: Callable[[Runtime], None]) -> Callable[[Runtime], None]:
    """The check, before which the database loses all its connections; once."""
    left = [True]

    def cutting_off(running: Runtime) -> None:
        if left:
            left.clear()
            cut_off_all(running.database_url)
        check(running)

    return cutting_off


def test_a_database_that_dies_while_it_is_looked_at(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path)
    with runtime(settings, database_url, SECRET) as running:
        prepare(running)
    before = threading.active_count()
    monkeypatch.setattr(bootstrap, "refuse_empty", cutting_off_first(bootstrap.refuse_empty))
    with runtime_when_up(settings, database_url, SECRET, Event(), CONNECTIONS) as running:
        assert running is not None
        assert running.accounts.is_set_up
    assert threading.active_count() == before, "what was opened in vain is closed"


def test_an_empty_database_is_not_waited_for(database_url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(NotSetUp), runtime_when_up(settings, database_url, SECRET, Event(), CONNECTIONS):
        pytest.fail("it is empty")


def test_who_is_to_stop_does_not_wait(tmp_path: Path) -> None:
    away = "postgresql://127.0.0.1:1/nothing"
    stop = Event()
    threading.Timer(0.2, stop.set).start()
    with runtime_when_up(Settings(home=tmp_path), away, SECRET, stop, CONNECTIONS) as running:
        assert running is None
