"""From a browser's POST to a recording that can be read: decode, count, store, settle."""

from consumers.capture.store.blobs import Blobs, FolderBlobs, MissingBlob
from consumers.capture.wire.inflate import inflate_event

__all__ = ["Blobs", "FolderBlobs", "MissingBlob", "inflate_event"]
