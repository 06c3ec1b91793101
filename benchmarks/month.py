"""The office's month on a large county: seconds of every step, and the most memory held.

The model is trained on a small county (its rows are not what is measured) and used on a large one,
simulated with the same law. ``python benchmarks/month.py --households 100000`` is the aim: under 300 s
and 6 GiB on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from memory import peak
from riskmodel import data, month, simulate
from riskmodel.runs import load_experiment, train

TRAINED_ON = 450  # households; enough events for every fold
MONTHS = 48


def main() -> int:
    """Simulate, train, run a month, and print seconds by step as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--households", type=int, default=20_000)
    parser.add_argument("--visits", type=int, default=0, help="by default one household in twenty")
    parser.add_argument("--model", default="logit", choices=["logit", "boosting"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        work = Path(home)
        small = simulate.simulate_county(households=TRAINED_ON, months=MONTHS, seed=1, truth_at=[])
        about = data.About.model_validate(small.about)
        exp = load_experiment("county")
        exp = exp.model_copy(
            update={
                "models": ("rule", given.model),
                "champion": given.model,
                "model_params": {},
                "bootstrap": 20,
                "split": exp.split.model_copy(update={"folds": 1}),
            }
        )
        train(exp, data.from_frames(small.frames, about), work / "mlflow.db")
        large = simulate.simulate_county(households=given.households, months=MONTHS, seed=2, truth_at=[])
        simulate.write_simulated_county(large, work / "county")
        rows = {name: len(frame) for name, frame in large.frames.items()}
        del large, small
        began, steps = time.monotonic(), dict[str, float]()

        def lap(text: str) -> None:
            now = time.monotonic() - began
            sys.stderr.write(f"[{now:6.1f} s] {text}\n")
            steps[text] = now

        options = month.MonthOptions(visits=given.visits or given.households // 20)
        made = month.run_month(
            work / "county", "2020-12-31", work / "months", store=work / "mlflow.db", options=options, say=lap
        )
        whole = time.monotonic() - began
        names = list(steps)
        ends = [*list(steps.values())[1:], whole]
        seconds = {n: round(e - steps[n], 1) for n, e in zip(names, ends, strict=True) if "/" in n}
        told = {
            "households": given.households,
            "rows": rows,
            "planned": made.summaries["worklist"]["planned"],
            "seconds": round(whole, 1),
            "by_step": seconds,
            "peak_gib": round(peak(), 2),
        }
        sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
