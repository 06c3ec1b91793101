"""The bench: every model and rule set on simulated and real panels, under one declaration."""

from riskmodel.bench.declared import Bench, Panel, load

__all__ = ["Bench", "Panel", "load"]
