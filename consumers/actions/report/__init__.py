"""Reports of runs: Markdown with numbered citations that resolve to observations (engine 7.4)."""

from consumers.actions.report.figures import Figures, figures
from consumers.actions.report.port import Material, Noted, NothingToSay, Report, Writer

__all__ = ["Figures", "Material", "Noted", "NothingToSay", "Report", "Writer", "figures"]
