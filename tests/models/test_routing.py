"""Villages travel with the rows through scikit-learn's own pipelines and searches."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from riskmodel.models import CalibratedScore, PenalisedLogit, Stack


def data(n: int = 240, villages: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(n, 3))
    y = (rng.random(n) < 1 / (1 + np.exp(1 - X[:, 0]))).astype(int)
    return X, y, np.array([f"v{i % villages:02d}" for i in range(n)])


class Witness(PenalisedLogit):
    """Writes down which villages it was fitted on."""

    seen: ClassVar[list[set[str]]] = []

    def fit(self, X, y, groups=None):
        Witness.seen.append(set(groups))
        return super().fit(X, y, groups)


@pytest.mark.parametrize("made", [CalibratedScore(Witness()), Stack([Witness(), Witness()])])
def test_villages_reach_the_innermost_model_and_none_is_torn_apart(made) -> None:
    X, y, village = data()
    Witness.seen = []
    with config_context(enable_metadata_routing=True):
        found = cross_validate(
            make_pipeline(StandardScaler(), made),
            X, y, cv=GroupKFold(3), params={"groups": village}, return_indices=True, error_score="raise",
        )  # fmt: skip
    assert len(Witness.seen) >= 3
    for part in found["indices"]["train"]:
        # What is set aside inside for calibration or weights is set aside by whole villages.
        whole = set(village[part])
        assert any(seen < whole for seen in Witness.seen)
    # GroupKFold(3) leaves 16 of 24 villages; the calibrator holds out a quarter of them, the stack a third.
    assert {len(seen) for seen in Witness.seen} <= {10, 11, 12, 16}


def test_routed_and_handed_by_hand_are_one_fit() -> None:
    X, y, village = data()
    plain = CalibratedScore(PenalisedLogit(), random_state=1).fit(X, y, groups=village)
    with config_context(enable_metadata_routing=True):
        routed = CalibratedScore(PenalisedLogit(), random_state=1).fit(X, y, groups=village)
    assert np.array_equal(plain.margin(X), routed.margin(X))


def test_a_base_that_was_told_nothing_of_villages_is_not_guessed_for() -> None:
    X, y, village = data()
    with config_context(enable_metadata_routing=True):
        base = PenalisedLogit().set_fit_request(groups=None)
        with pytest.raises(UnsetMetadataPassedError, match="groups"):
            CalibratedScore(base).fit(X, y, groups=village)
        CalibratedScore(PenalisedLogit().set_fit_request(groups=False)).fit(X, y, groups=village)
