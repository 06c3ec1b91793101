"""The bench: every model and rule set on simulated and real panels, under one declaration."""

from riskmodel.benchmark.findings import benchmark_findings, lead_time_message, visits_message
from riskmodel.benchmark.page import write_benchmark_page
from riskmodel.benchmark.panels import Benchmark, Panel, fit_and_predict, load_benchmark
from riskmodel.benchmark.run import BenchmarkResult, PanelResult, run_benchmark

__all__ = [
    "Benchmark",
    "BenchmarkResult",
    "Panel",
    "PanelResult",
    "benchmark_findings",
    "fit_and_predict",
    "lead_time_message",
    "load_benchmark",
    "run_benchmark",
    "visits_message",
    "write_benchmark_page",
]
