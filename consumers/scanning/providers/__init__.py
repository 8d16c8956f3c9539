"""Providers: whoever answers a scanner's question from a session's evidence, behind one port."""

from consumers.scanning.providers.port import Answer, Provider, ProviderError, Question

__all__ = ["Answer", "Provider", "ProviderError", "Question"]
