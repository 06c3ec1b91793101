"""Lead time: Kaplan–Meier against published figures and statsmodels, and a county where the lead is known."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from riskmodel import evaluation
from riskmodel.errors import InputRefused

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


MONTHS = 31
END = pd.Timestamp(2019, 12, 31)


def day(month):
    return END + pd.offsets.MonthEnd(month + 1)


def followed(lead, *, months=MONTHS, rules_late=2, flag=True):
    """A county whose lead is known: forty households at risk, monthly lists of four, one fall a month.

    Household i of the twenty that fall does so in month 9 + i. The model lists it from `lead` months before
    the fall until the fall; the rules' list never does. At the fall it leaves the cohort, and the verdict
    flags it `rules_late` months after the fall, where nobody but the verdict still looks at it.
    """
    rows, flags, falls = [], [], []
    for i in range(40):
        # Those who fall come last by id, so that ties fill lists with the others.
        fall = 9 + i - 20 if i >= 20 else None
        name = f"h{i:02d}"
        for m in range(months):
            if fall is None or m < fall:
                ours = float(fall is not None and m >= fall - lead)
                rows.append([name, day(m), "t", f"v{i % 8}", False, i + 1.0, ours])
            if flag and fall is not None and m >= fall + rules_late:
                flags.append([name, day(m)])
        if fall is not None:
            falls.append([name, day(fall)])
    key = ["household_id", "as_of"]
    columns = [*key, "township", "village", "flagged", "rule_rank", "score:m"]
    tables = (
        pd.DataFrame(rows, columns=columns),
        pd.DataFrame(flags, columns=key),
        pd.DataFrame(falls, columns=key),
    )
    return evaluation.first_listings(*tables, {"visits": min(lead, 20)}, 12)


def test_the_rules_flag_that_ends_membership_is_seen():
    # Listed four months before the fall, flagged two months after it: a lead of six for every one of them,
    # though the flag comes when the household is no longer in the cohort, and none is censored.
    made = evaluation.lead_time(followed(4), "m", replicates=100)
    assert made.shares["n"] == 20
    assert made.shares["before"] == 1.0
    assert (made.median_months, made.restricted_mean_months, made.censored) == (6, 6.0, 0)
    assert made.warning_months == 4
    # Counting only rows of the cohort, as the flag never stands there, would have censored all of them.


def test_a_lead_may_be_longer_than_six_months_and_only_the_end_of_the_records_censors():
    # Eight months before and two after; whoever is flagged after month 29 is not seen to be: falls of months
    # 28 and 29 are known, their flags of months 30 and 31 are not.
    made = evaluation.lead_time(followed(8, months=30), "m", replicates=50)
    assert made.median_months == 10
    cut = evaluation.lead_time(followed(8, months=28, rules_late=2), "m", replicates=50)
    assert cut.censored == 2
    # Those two were followed for less than ten months: the curve of the others is not bent by them.
    assert cut.curve["time"].tolist() == [10]
    assert cut.curve["survival"].iloc[-1] == 0


def test_a_list_that_holds_a_household_after_its_fall_only_has_not_seen_it():
    at, fallen = day(5), pd.DataFrame({"household_id": ["a"], "as_of": [day(3)]})
    rows = pd.DataFrame({
        "household_id": ["a", "b"] * 8, "as_of": np.repeat([day(m) for m in range(8)], 2), "township": "t",
        "village": "v", "flagged": False, "rule_rank": [2.0, 1.0] * 8,
    })  # fmt: skip
    # The model prefers `a` from the month of its fall on; the rules never list or flag it.
    rows["score:m"] = ((rows["household_id"] == "a") == (rows["as_of"] >= day(3))).astype(float)
    nobody = rows.loc[[], ["household_id", "as_of"]]
    seen = evaluation.first_listings(rows, nobody, fallen, {"visits": 1}, 12)
    assert seen[["rules", "list:m"]].isna().all(axis=None)
    made = evaluation.lead_time(seen, "m", replicates=20)
    assert made.shares["neither"] == made.shares["never"] == 1.0
    # The same flag of the rules counts, before the fall or after.
    flagged = evaluation.first_listings(
        rows, nobody.assign().reindex([0]).assign(household_id="a", as_of=at), fallen, {"visits": 1}, 12
    )
    assert evaluation.lead_time(flagged, "m", replicates=20).shares["after"] == 1.0


def test_a_list_older_than_the_horizon_was_a_false_alarm():
    # Listed from the first month on, but the label looks twelve months ahead: counted from twelve before.
    made = evaluation.lead_time(followed(30), "m", replicates=20)
    late = made.curve["time"].max()
    assert late == 12 + 2
    assert made.shares["from_start"] > 0


def test_shares_add_up_and_an_unknown_model_is_refused():
    s = evaluation.lead_time(followed(3, flag=False, months=20), "m", replicates=50).shares
    assert s["before"] + s["same_date"] + s["after"] + s["neither"] == pytest.approx(1.0)
    assert s["low"] <= s["before"] <= s["high"]
    with pytest.raises(InputRefused, match="there are: m"):
        evaluation.lead_time(followed(3), "forest")
