"""Lead time: Kaplan–Meier against published figures and statsmodels, and a county where the lead is known."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from riskmodel import evaluation

# Freireich et al. 1963, weeks of remission under 6-mercaptopurine (21 patients; 0 = censored): the textbook
# example of the product-limit estimate (Kalbfleisch and Prentice 2002, table 1.1).
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
SEEN = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_kaplan_meier_of_the_textbook_patients():
    curve = evaluation.kaplan_meier(WEEKS, SEEN)
    assert curve["time"].tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve["at_risk"].tolist() == [21, 17, 15, 12, 11, 7, 6]
    # As printed.
    assert curve["survival"].round(3).tolist() == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]


def test_kaplan_meier_and_its_interval_are_statsmodels():
    rng = np.random.default_rng(0)
    time, seen = rng.integers(1, 20, 200), rng.integers(0, 2, 200)
    curve = evaluation.kaplan_meier(time, seen)
    other = SurvfuncRight(time, seen)
    assert curve["survival"].to_numpy() == pytest.approx(np.asarray(other.surv_prob))
    # Greenwood's standard error, back from our log(−log) ends.
    s = curve["survival"].to_numpy()
    reach = np.log(-np.log(curve["low"])) - np.log(-np.log(s))
    se = np.abs(reach / 1.959963985 * s * np.log(s))
    assert se.to_numpy()[:-1] == pytest.approx(np.asarray(other.surv_prob_se)[:-1], rel=1e-6)


def early(months_earlier):
    """Forty households, nine quarters; twenty fall; the model lists each so many months before the rules."""
    rows = []
    for d in range(9):
        for i in range(40):
            # Those who fall come last by id, so that ties fill lists with the others.
            falls, rule_date = i >= 20, 2 + (i - 20) // 4
            flagged, ours = falls and rule_date == d, falls and rule_date - months_earlier // 3 == d
            rows.append(
                {
                    "household_id": f"h{i:02d}",
                    "as_of": pd.Timestamp(2020, 3, 31) + pd.DateOffset(months=3 * d),
                    "fold": "f",
                    "township": "t",
                    "village": f"v{i % 8}",
                    "persons": 3,
                    "y": float(falls and d >= 6),
                    "flagged": flagged,
                    "rule_rank": 1.0 if flagged else i + 2.0,
                    "scores": {"rule": float(flagged), "m": float(ours)},
                }
            )
    parts = [
        pd.DataFrame([{**r, "model": name, "score": r["scores"][name], "probability": 0.5} for r in rows])
        for name in ("rule", "m")
    ]
    return pd.concat(parts, ignore_index=True).drop(columns="scores")


def test_the_known_lead_is_found():
    # Four households a date are flagged; the model is six months earlier for every one of them.
    made = evaluation.lead_time(early(6), {"visits": 4}, "m", replicates=100)
    assert made.shares["n"] == 20
    assert made.shares["before"] == 1.0
    assert made.median_months == 6
    assert made.restricted_mean_months == pytest.approx(6.0)
    assert made.censored == 0
    together = evaluation.lead_time(early(0), {"visits": 4}, "m", replicates=100)
    assert together.shares["same_date"] == 1.0
    assert together.median_months == 0


def test_shares_add_up_and_never_flagged_is_censored(make_predictions):
    made = evaluation.lead_time(make_predictions(), {"share": 0.05}, "logit", replicates=50)
    s = made.shares
    assert s["before"] + s["same_date"] + s["after"] + s["neither"] == pytest.approx(1.0)
    assert s["low"] <= s["before"] <= s["high"]
    assert made.censored > 0
    assert (made.curve["survival"].diff().dropna() <= 0).all()
