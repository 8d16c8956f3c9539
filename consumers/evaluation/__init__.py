"""Measuring a provider's answers against recordings whose truth is known (`replay-vision evaluate`)."""
