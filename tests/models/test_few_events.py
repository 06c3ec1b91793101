"""Few columns where few households had the event: who is counted, who decides, what is explained."""

import numpy as np
import pandas as pd
import pytest
import skops.io as sio
from scipy.special import expit
from sklearn.utils.estimator_checks import parametrize_with_checks

from riskmodel import models
from riskmodel.errors import SpecError
from riskmodel.explanation import compute_contributions
from riskmodel.models import FewEventsFallback, PastIncome, PenalisedLogit, PlainModel

PLAIN = PlainModel("past_income", {"columns": ["income"]}, below_events=100)


def rows(households: int, dates: int = 1, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Columns, events and household of each row: income tells, nine columns do not."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(households, 10)), columns=["income", *(f"noise_{i}" for i in range(9))])
    y = (rng.random(households) < expit(-1 - X["income"])).astype(int).to_numpy()
    at = np.tile(np.arange(households), dates)
    return X.iloc[at].reset_index(drop=True), y[at], at.astype(str).astype(object)


@parametrize_with_checks([FewEventsFallback(PenalisedLogit(), PastIncome())])
def test_it_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


def test_households_are_counted_not_their_rows():
    X, y, household = rows(200, dates=5)
    whole = FewEventsFallback(PenalisedLogit(), PastIncome(["income"]), below_events=100)
    counted = whole.fit(X, y, households=household)
    assert counted.n_event_households_ == len(set(household[y == 1])) < 100 < y.sum()
    assert counted.fell_back_
    assert (counted.margin(X) == PastIncome(["income"]).fit(X, y).margin(X)).all()
    # Rows that say nothing of their households stand for one each.
    assert not whole.fit(X, y).fell_back_
    assert (whole.margin(X) == PenalisedLogit().fit(X, y).margin(X)).all()


def test_the_border_is_the_declared_number():
    X, y, household = rows(300)
    events = int(y.sum())
    for least, plain in ((events, False), (events + 1, True)):
        model = FewEventsFallback(PenalisedLogit(), PastIncome(["income"]), least)
        assert model.fit(X, y, households=household).fell_back_ == plain


@pytest.mark.parametrize("name", ["logit", "additive", "boosting", "stack"])
def test_each_model_of_many_columns_gives_way_and_is_explained_by_the_few(name):
    X, y, household = rows(240)
    village = np.arange(240) % 12
    model = models.fit_model(name, X, y, village, 3, scheme="cross", fallback=PLAIN, households=household)
    part = models.fallback_of(model)
    assert part.fell_back_
    plain = models.fit_model("past_income", X, y, village, 3, {"columns": ["income"]}, scheme="cross")
    assert (model.predict_proba(X) == plain.predict_proba(X)).all()
    parts, _ = compute_contributions(model, X)
    assert (parts.drop(columns="income") == 0).all(axis=None)
    back = sio.loads(sio.dumps(model), trusted=models.trusted_types())
    assert (back.margin(X) == model.margin(X)).all()


def test_trees_are_explained_where_there_are_events_enough():
    X, y, household = rows(300)
    enough = PlainModel("past_income", {"columns": ["income"]}, below_events=20)
    model = models.fit_model("additive", X, y, np.arange(300) % 12, 3, fallback=enough, households=household)
    assert not models.fallback_of(model).fell_back_
    direct = models.fit_model("additive", X, y, np.arange(300) % 12, 3)
    assert models.fallback_of(direct) is None
    assert (model.margin(X) == direct.margin(X)).all()
    compute_contributions(model, X)


def test_every_part_of_the_villages_decides_from_its_own_events():
    seen = []

    class Watched(PastIncome):
        def fit(self, X, y, groups=None):
            seen.append(int(np.sum(y)))
            return super().fit(X, y, groups)

    X, y, household = rows(300)
    least = int(y.sum())
    base = FewEventsFallback(PenalisedLogit(), Watched(["income"]), least)
    model = models.CalibratedScore(base, scheme="cross").fit(X, y, np.arange(300) % 12, households=household)
    # Four parts of the villages are each short of the events of all; the model that scores is not.
    assert len(seen) == 4
    assert max(seen) < least
    assert not model.base_.fell_back_


def test_plain_models_stay_as_they_are():
    X, y, household = rows(240)
    params = {"columns": ["income"]}
    model = models.fit_model(
        "past_income", X, y, np.arange(240) % 12, 3, params, fallback=PLAIN, households=household
    )
    assert models.fallback_of(model) is None
    wrong = PlainModel("past_income", {"columm": ["income"]}, 100)
    with pytest.raises(SpecError, match="no parameter"):
        models.fit_model("logit", X, y, np.arange(240) % 12, 3, fallback=wrong, households=household)
