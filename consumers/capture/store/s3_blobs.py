"""Recordings in an S3-compatible store, so that roles on several machines share them.

Where the store is and who we are there, the usual variables say, as with every client of S3: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION or AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL.
Without keys the machine's role is asked. Rights needed: s3:GetObject, s3:PutObject, s3:DeleteObject on the objects and
s3:ListBucket on the bucket, without which S3 answers "denied" instead of "not there".
"""

import os
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from consumers.capture.store.blobs import REFRESHED_AFTER, MissingBlob, checked, folder_of, is_key, key_of
from consumers.capture.store.s3_errors import code_of, reason_of, status_of
from consumers.capture.store.s3_place import S3Place

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import S3Config

CONNECT_SECONDS = 2.0
REQUEST_SECONDS = 30.0
"""From the start of a request to the last byte of its answer."""

TRIES = 3
RETRY_SECONDS = 10.0
"""No further try is begun after this time: with the last one, a request ends within RETRY_SECONDS + REQUEST_SECONDS."""

SINGLE_BYTES = 16 * 1024 * 1024
"""What is larger is sent in parts, each a request with its own time and tries."""

PART_BYTES = 8 * 1024 * 1024
PARTS_AT_ONCE = 3
"""Parts under way of one blob; that many are in memory beside the blob itself."""

NOT_SATISFIABLE = 416

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ENDPOINT = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._-]+)*/?")


class S3Blobs:
    """Blobs below the place's prefix of its bucket, which somebody else has made.

    The store keeps a blob whole or not at all, and durably once it has said so. Safe to share between threads: every
    call is a request or a few of its own, each ended by the times above. Every outage is an OSError of one line that
    names the store and the reason, and no secret: no answer, no such bucket, credentials or rights that do not do. A
    multipart upload that breaks off may leave parts that no list shows; a rule of the bucket can drop them.
    """

    def __init__(self, place: S3Place) -> None:
        """Reads the variables and asks nobody yet. Raises ValueError, for the operator, when they make no sense."""
        endpoint = _endpoint()
        region = _first(_REGIONS) or "us-east-1"
        self._name = f"S3 bucket {place.bucket}{f' at {endpoint}' if endpoint else ''}"
        # Under this name, as the store would prefer its variable to an endpoint that it is given.
        config = {"region": region, **({"aws_endpoint_url_s3": endpoint} if endpoint else {})}
        try:
            self._store = S3Store(
                place.bucket,
                prefix=place.prefix or None,
                config=cast("S3Config", config),
                # One at a time is what every S3-compatible store can do.
                disable_bulk_delete=True,
                client_options={
                    # Who writes http:// means it.
                    "allow_http": endpoint is not None and endpoint.startswith("http://"),
                    "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                    "timeout": timedelta(seconds=REQUEST_SECONDS),
                },
                retry_config={
                    "max_retries": TRIES - 1,
                    "retry_timeout": timedelta(seconds=RETRY_SECONDS),
                    "backoff": {
                        "init_backoff": timedelta(seconds=0.2),
                        "max_backoff": timedelta(seconds=2),
                        "base": 2,
                    },
                },
            )
        except BaseError as error:
            raise ValueError(f"{self._name}: {reason_of(error)}") from error

    def put(self, environment_id: int, session_id: str, data: bytes) -> str:
        key = key_of(environment_id, session_id, data)
        with self._reached():
            if not self._is_there(key, len(data)):
                obstore.put(
                    self._store,
                    key,
                    data,
                    use_multipart=len(data) > SINGLE_BYTES,
                    chunk_size=PART_BYTES,
                    max_concurrency=PARTS_AT_ONCE,
                )
        return key

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        options: GetOptions = {}
        if length is not None:
            # No request can ask for no bytes, and whether there is a blob has to be known even so.
            options["range"] = (offset, offset + max(length, 1))
        elif offset:
            options["range"] = {"offset": offset}
        with self._reached():
            try:
                found = obstore.get(self._store, checked(key), options=options).bytes().to_bytes()
            except FileNotFoundError as error:
                # Not any 404: a wrong address or a missing bucket says nothing about the blob.
                if code_of(error) != "NoSuchKey":
                    raise
                raise MissingBlob(key) from error
            except BaseError as error:
                if status_of(error) != NOT_SATISFIABLE:
                    raise
                return b""  # it ends before the offset
        return b"" if length == 0 else found

    def delete(self, key: str) -> None:
        with self._reached():
            try:
                obstore.delete(self._store, checked(key))
            except FileNotFoundError as error:
                if code_of(error) != "NoSuchKey":
                    raise

    def list(self, environment_id: int, session_id: str) -> Iterator[str]:
        """Raises OSError when the iterator is used."""
        pages = obstore.list(self._store, folder_of(environment_id, session_id))
        while True:
            with self._reached():
                page = next(pages, None)
            if page is None:
                return
            yield from (meta["path"] for meta in page if is_key(meta["path"]))

    def page(self, environment_id: int, after: str, limit: int) -> Sequence[tuple[str, datetime]]:
        with self._reached():
            pages = obstore.list(self._store, f"{environment_id:d}", offset=after or None, chunk_size=limit)
            found = next(pages, None) or []
        # Compatible stores begin at the offset or behind it, and give keys in their order.
        keys = ((meta["path"], meta["last_modified"]) for meta in found)
        return [(key, changed) for key, changed in keys if is_key(key) and key > after]

    def _is_there(self, key: str, size: int) -> bool:
        """Whether there is such a blob, of so many bytes, and young enough not to be put again."""
        try:
            found = obstore.head(self._store, key)
        except FileNotFoundError:
            return False  # or no such bucket: then putting it will say so
        return found["size"] == size and found["last_modified"] > datetime.now(UTC) - REFRESHED_AFTER

    @contextmanager
    def _reached(self) -> Generator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            raise OSError(f"{self._name}: {reason_of(error)}") from error


def _endpoint() -> str | None:
    """None for the vendor's own. Raises ValueError for what is no address: the library would panic at it."""
    endpoint = _first(_ENDPOINTS)
    if endpoint is not None and not _ENDPOINT.fullmatch(endpoint):
        raise ValueError(f"{' or '.join(_ENDPOINTS[:2])} is not of the form http://host:port or https://host:port")
    empty = [name for name in _ENDPOINTS if name in os.environ]
    if endpoint is None and empty:
        raise ValueError(f"{empty[0]} is empty: unset it, or give the address of the store")
    return endpoint


def _first(names: tuple[str, ...]) -> str | None:
    """The value of the first of these variables that is set and not empty."""
    return next((value for name in names if (value := os.environ.get(name))), None)
