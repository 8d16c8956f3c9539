"""From a browser's POST to a recording that can be read: decode, count, store, settle."""

from consumers.capture.blobs import Blobs, FolderBlobs, MissingBlob
from consumers.capture.inflate import inflate_event

__all__ = ["Blobs", "FolderBlobs", "MissingBlob", "inflate_event"]
