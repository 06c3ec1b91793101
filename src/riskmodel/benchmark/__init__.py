"""The bench: every model and rule set on simulated and real panels, under one declaration."""

from riskmodel.benchmark.declared import Bench, Panel, load
from riskmodel.benchmark.found import findings, lead, worth
from riskmodel.benchmark.matrix import predict
from riskmodel.benchmark.page import write
from riskmodel.benchmark.run import BenchRun, PanelRun, run

__all__ = [
    "Bench",
    "BenchRun",
    "Panel",
    "PanelRun",
    "findings",
    "lead",
    "load",
    "predict",
    "run",
    "worth",
    "write",
]
