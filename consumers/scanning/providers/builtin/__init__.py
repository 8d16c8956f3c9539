"""The built-in analyser: answers operators' free-text prompts from signals and timeline facts, without any model."""

from consumers.scanning.providers.builtin.analyser import BuiltinProvider

__all__ = ["BuiltinProvider"]
