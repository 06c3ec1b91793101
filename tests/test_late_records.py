"""`benchmarks/coverage.py` on a small county: late records against whole ones, table stated and withheld."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "coverage.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_coverage", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its module up there
    spec.loader.exec_module(module)
    return module


def test_late_records_never_make_a_prompt_verdict_wrong(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "OFFICES", ("default",))
    monkeypatch.setattr(benchmark, "DATES", ("2018-12-31", "2019-08-15"))
    cases = list(benchmark.measure(400, 36, 0))
    verdicts = pd.concat([case.verdicts for case in cases])
    benchmark.check(verdicts)  # lag 0, sums, news after the period, letting go
    by = verdicts.groupby("statement")
    # Three quarters of the months come on their day.
    prompt = by["lag"].apply(lambda lags: (lags == "0").mean())
    assert 0.6 < prompt["stated"] < 0.85
    # A promise of 120 days is longer than the allowed lag: without the table nothing can be judged.
    assert by["verdict"].apply(lambda v: (v == "unknown").all())["withheld"]
    assert not by["wrong_sum"].any()["stated"]
    # Holes between two rows read as zero where nobody states them: sums are wrong, verdicts hardly ever.
    assert 0 < by["wrong_sum"].mean()["withheld, delay not said"] < 0.15
    assert (verdicts["result"] == "wrong").mean() < 0.01
    inferred = pd.concat([case.months for case in cases if case.months is not None])
    assert (inferred["starts"] == inferred["townships"]).all()
    assert inferred["invented"].sum() < 0.01 * inferred["months"].sum()
