"""The bench: every model and rule set on simulated and real panels, under one declaration."""

from riskmodel.bench.assess import evaluate, further
from riskmodel.bench.declared import Bench, Panel, load
from riskmodel.bench.found import findings, lead, worth
from riskmodel.bench.matrix import predict
from riskmodel.bench.page import write
from riskmodel.bench.run import BenchRun, PanelRun, run

__all__ = [
    "Bench",
    "BenchRun",
    "Panel",
    "PanelRun",
    "evaluate",
    "findings",
    "further",
    "lead",
    "load",
    "predict",
    "run",
    "worth",
    "write",
]
