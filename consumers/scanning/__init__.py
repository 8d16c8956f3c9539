"""Scanning: evidence of a recorded session, providers that answer questions about it, leased jobs."""
