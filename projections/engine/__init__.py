"""Feeds projections from the log: batches, positions, parking, replay, rebuild beside live."""
