"""Bytes of strangers as JSON values and rrweb events, within limits, or a refusal."""
