"""REPLAY_VISION_BLOBS_URL: what may be said there, and what the composition root makes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pytest
from pydantic import ValidationError

from api.bootstrap import runtime
from api.failures import Failure, settings_problem
from api.roles import ROLES
from api.settings import Settings
from consumers.capture.importing.importer import import_files
from consumers.capture.store.blobs import FolderBlobs
from consumers.capture.store.s3_blobs import S3Blobs
from consumers.capture.store.s3_place import S3Place
from tests.capture.arrival import recording
from tests.capture.buckets import Bucket
from tests.live import RECORDINGS, ROOT, wait_until
from tests.servers.s3 import S3Server

SECRET = b"of this test"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("s3://bucket-1", S3Place("bucket-1", "")),
        ("s3://bucket-1/", S3Place("bucket-1", "")),
        ("s3://bucket-1/recordings", S3Place("bucket-1", "recordings")),
        ("s3://my.bucket/a/b.c/d=e/", S3Place("my.bucket", "a/b.c/d=e")),
    ],
)
def test_a_bucket_may_be_named(address: str, place: S3Place) -> None:
    assert Settings(blobs_url=address).blobs_bucket == place


@pytest.mark.parametrize("address", [None, "/var/blobs", "file:///var/blobs"])
def test_a_folder_is_no_bucket(address: str | None, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, blobs_url=address)
    assert settings.blobs_bucket is None
    assert settings.blobs_folder == (Path("/var/blobs") if address else tmp_path / "blobs")


@pytest.mark.parametrize(
    "address",
    [
        *("s3://", "s3:///prefix", "s3:bucket", "s3:/bucket", "s3://ab", "s3://-bucket", "s3://key:secret@bucket"),
        *(
            "s3://bucket/../other",
            "s3://bucket/./x",
            "s3://bucket//x",
            "s3://bucket/a b",
            "s3://bucket/x?y",
            "s3://bu\n",
        ),
        *("gs://bucket", "http://127.0.0.1/bucket", "S3://bucket"),
    ],
)
def test_anything_else_is_refused_in_one_line(address: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(blobs_url=address)
    told = settings_problem(raised.value)
    assert told.startswith("REPLAY_VISION_BLOBS_URL: ")
    assert "s3://bucket/prefix" in told
    assert len(told.splitlines()) == 1
    assert "secret" not in told


def test_the_client_of_s3_is_not_loaded_for_a_folder(database_url: str, tmp_path: Path) -> None:
    code = (
        "import sys; from api.bootstrap import runtime; from api.settings import Settings\n"
        "settings = Settings()\n"
        "with runtime(settings, settings.database_url, b''): print('obstore' in sys.modules)"
    )
    ours = {"REPLAY_VISION_HOME": str(tmp_path), "REPLAY_VISION_DATABASE_URL": database_url}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**ours, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "False\n"


def test_a_store_that_cannot_be_addressed_ends_the_start(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "store:9000")
    settings = Settings(home=tmp_path, blobs_url="s3://bucket-1")
    with pytest.raises(Failure, match="AWS_ENDPOINT_URL"), runtime(settings, database_url, SECRET):
        pytest.fail("it was started")


def test_an_imported_session_is_kept_in_the_bucket(
    s3_server: S3Server, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket.made(s3_server)
    for name, value in bucket.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REPLAY_VISION_BLOBS_URL", f"s3://{bucket.name}/kept/here")
    stop, sample = Event(), min(RECORDINGS)
    session_id = sample.name.removesuffix(".jsonl.gz")
    with runtime(Settings(home=tmp_path), database_url, SECRET) as running:
        assert isinstance(running.blobs, S3Blobs)
        capture = dict(ROLES["capture"](running))["capture"]
        consuming = Thread(target=capture, args=(stop,))
        consuming.start()
        try:
            (imported,) = import_files([sample], running.transport, 1, running.clock())
            assert imported.error is None
            expected = sum(session.events for session in imported.sessions)

            def kept() -> int:
                with running.pool.connection() as connection:
                    return sum(1 for _ in recording(connection, running.blobs, 1, session_id))

            wait_until(lambda: kept() == expected, 60, "not captured")
        finally:
            stop.set()
            consuming.join()
    keys = set(bucket.blobs("kept/here").list(1, session_id))
    assert keys
    assert {str(path) for path in bucket.files()} == {f"kept/here/{key}" for key in keys}
    assert not (tmp_path / "blobs").exists()


def test_without_a_bucket_blobs_are_kept_at_home(database_url: str, tmp_path: Path) -> None:
    with runtime(Settings(home=tmp_path), database_url, SECRET) as running:
        assert isinstance(running.blobs, FolderBlobs)
        running.blobs.put(1, "s-1", b"x")
    assert (tmp_path / "blobs" / "1").is_dir()
