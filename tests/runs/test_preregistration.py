"""Test sets and plans: who saw the outcomes before, what is one family, what may be called preregistered."""

import datetime as dt
import json
import shutil

import pandas as pd
import pytest

from riskmodel.errors import UsageError
from riskmodel.runs import preregistration, tracking
from riskmodel.runs.experiment import load_experiment
from riskmodel.runs.preregistration import describe_test_set, key_of, standing

DAY = dt.date(2020, 6, 30)


class Records:
    """As much of a county as a plan asks for: when its records end, and its townships."""

    def __init__(self, through, townships=("t0", "t1")):
        import ibis

        self.data_through = through
        self.households = ibis.memtable(pd.DataFrame({"township": list(townships)}))
        self.about = type("About", (), {"recording_delay_days": 0})()

    def table(self, name):
        return getattr(self, name)

    def once(self, key, make):
        return f"known at {key[1]}"


@pytest.fixture
def exp():
    days = [dt.date(2018, 6, 30), dt.date(2019, 6, 30), DAY]
    made = load_experiment("county")
    as_of = made.as_of.model_copy(update={"dates": tuple(days)})
    split = made.split.model_copy(update={"folds": 1})
    return made.model_copy(update={"as_of": as_of, "split": split})


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "store.db"
    tracking._client(path, create=True).search_experiments()
    return path


@pytest.fixture
def store(empty, tmp_path):
    return shutil.copy(empty, tmp_path / "store.db")


PREDICTIONS = pd.DataFrame({"as_of": [pd.Timestamp(DAY)], "township": ["t1"]})


def run_of(exp, store, data, p=None):
    """Log what a training leaves behind of the test set, and return what it found there."""
    found = standing(exp, PREDICTIONS, data, store)
    with tracking.start_run(exp.id, store, "run", found.tags) as writer:
        writer.metrics(p or {})
    return found


def test_a_plan_is_dated_locked_and_named_by_what_was_on_file(exp, store):
    plan = preregistration.preregister(exp, Records(dt.date(2020, 12, 31)), store)
    assert plan["key"] == key_of(describe_test_set(exp, [DAY]))
    assert (plan["status"], plan["primary"]) == ("preregistered", exp.champion)
    assert plan["fingerprint"] == "known at 2020-06-30"
    with pytest.raises(UsageError, match="is locked already"):
        preregistration.preregister(exp, Records(dt.date(2021, 12, 31)), store)
    # A second plan on the same outcomes is exploratory whatever its file says.
    later = preregistration.preregister(
        exp.model_copy(update={"champion": "boosting"}), Records(dt.date(2020, 12, 31)), store
    )
    assert (later["status"], later["plans_before"]) == ("exploratory", 1)
    # Where the first window was over, outcomes were on file; another county in the store is another test set.
    on_file = preregistration.preregister(exp, Records(dt.date(2021, 6, 30), ("elsewhere",)), store)
    assert on_file["status"] == "plan fixed"
    for one in (plan, later, on_file):
        message = preregistration.plan_message(one)
        assert plan["key"] in message.text("en")
        assert plan["key"] in message.text("zh")


def test_a_run_is_judged_by_the_first_plan_on_its_test_set(exp, store):
    assert standing(exp, PREDICTIONS, "a", store).status == "unplanned"
    preregistration.preregister(exp, Records(dt.date(2020, 12, 31)), store)
    known = Records(dt.date(2021, 12, 31))
    assert standing(exp, PREDICTIONS, "a", store, known).status == "preregistered"
    # Drawing the lists up again each month tests nothing else; another seed or champion does.
    followed = exp.model_copy(update={"follow_months": 1})
    assert standing(followed, PREDICTIONS, "a", store, known).status == "preregistered"
    for change in ({"seed": 1}, {"champion": "boosting"}):
        other = standing(exp.model_copy(update=change), PREDICTIONS, "a", store, known)
        assert other.status == "exploratory"
        assert any("exploratory" in message.text("en") for message in other.messages)
    # What was known at the test date is no longer what the plan was made on.
    known.once = lambda key, make: "corrected since"
    assert standing(exp, PREDICTIONS, "a", store, known).status == "exploratory"


def test_a_plan_made_after_a_run_saw_the_outcomes_is_exploratory(exp, store):
    run_of(exp, store, "a")
    plan = preregistration.preregister(exp, Records(dt.date(2020, 12, 31)), store)
    assert (plan["status"], plan["runs_before"]) == ("exploratory", 1)
    assert standing(exp, PREDICTIONS, "b", store).status == "exploratory"


def test_models_of_all_runs_on_a_test_set_are_one_family(exp, store):
    table = pd.DataFrame({
        "model": ["logit", "boosting", "village", "boosting"], "tested": [True, True, True, False],
        "declared": [True, False, False, False], "p_bootstrap": [0.01, 0.2, float("nan"), 0.5],
    })  # fmt: skip
    p = preregistration.family_metrics(table)
    assert p == {"declared.logit.p": 0.01, "family.boosting.p": 0.2}
    assert run_of(exp, store, "a", p).runs_before == 0
    # An exact repetition is no further look; another declaration or other data are.
    again = run_of(exp, store, "a", p)
    assert (again.runs_before, again.other_tests, again.messages) == (0, (), [])
    other = standing(exp.model_copy(update={"seed": 5}), PREDICTIONS, "a", store)
    assert (other.runs_before, other.other_tests) == (1, (0.2,))
    assert other.messages[0].text("en").startswith("1 other run has seen this test set")
    looks = preregistration.looks_message(again.summary, store)
    assert looks.text("en").startswith("1 run has seen this test set")
    elsewhere = standing(exp, PREDICTIONS.assign(township="far"), "b", store)
    assert elsewhere.runs_before == 0


def test_a_plan_that_was_changed_is_refused(exp, store, tmp_path):
    plan = preregistration.preregister(exp, Records(dt.date(2020, 12, 31)), store)
    file = next(tmp_path.rglob(f"{plan['run_id']}/artifacts/plan.json"))
    file.write_text(json.dumps(json.loads(file.read_text()) | {"primary": "boosting"}))
    with pytest.raises(UsageError, match="is not the one that was locked"):
        standing(exp, PREDICTIONS, "a", store)
