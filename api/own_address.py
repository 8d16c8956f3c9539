"""Calls of this installation's own address, which no proxy of the environment has any part in."""

import urllib.request

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy would be shown the API key, and does not reach the loopback address of this machine."""
