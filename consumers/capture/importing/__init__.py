"""Recordings from files, which go the way of a browser's."""
