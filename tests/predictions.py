"""Made-up predictions of models whose noise around the true log-odds is known."""

from pathlib import Path

import numpy as np
import pandas as pd


def noisy_predictions() -> pd.DataFrame:
    """A county's predictions: the rules, past income, a scorecard and two elaborate models of known noise."""
    import importlib.util

    path = Path(__file__).resolve().parent / "evaluation" / "conftest.py"
    spec = importlib.util.spec_from_file_location("made_up_predictions", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    noise = {"rule": 1.5, "past_income": 1.2, "scorecard": 1.0, "logit": 0.3, "boosting": 0.5}
    made = module.county_predictions(noise=noise)
    rng = np.random.default_rng(0)
    half = dict(zip(made["household_id"].unique(), rng.random(1200) < 0.3, strict=True))
    made["group_lifted"] = made["household_id"].map(half).map({True: "yes", False: "no"})
    made["supported_after"] = made["household_id"].map(half)
    return made.assign(as_of=pd.to_datetime(made["as_of"]))


EVENT = {"zh": "返贫", "en": "returns"}
# Twenty households fell in month 12; the logit's list held every second one four months before the rules.
FIRST_SEEN = pd.DataFrame({
    "household_id": [f"h{i}" for i in range(20)], "township": "t",
    "village": [f"v{i % 5}" for i in range(20)],
    "entered": 0.0, "fell": 12.0, "until": 20.0, "rules": 13.0, "list:logit": [9.0, np.nan] * 10,
})  # fmt: skip
