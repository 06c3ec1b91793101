"""The predictions frame: what is refused and what is set aside."""

import numpy as np
import pandas as pd
import pytest

from riskmodel.errors import InputRefused
from riskmodel.evaluation.frame import checked


def test_null_labels_are_set_aside_and_counted_by_model_and_fold(predictions):
    given = checked(predictions)
    assert given.models == ("rule", "logit", "boosting")
    missing = predictions["y"].isna()
    assert missing.sum() > 0
    assert len(given.frame) == (~missing).sum()
    assert given.frame["y"].isin([0.0, 1.0]).all()
    logit = predictions["model"] == "logit"
    assert given.n_null("logit") == (missing & logit).sum()
    assert given.n_null("logit", 1) == (missing & logit & (predictions["fold"] == 1)).sum()


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([0, 1, None], dtype="Int8"), pd.Series([False, True, None], dtype="boolean"),
        pd.Series([0.0, 1.0, np.nan]), pd.Series([0, 1, None], dtype="object"),
    ],
)  # fmt: skip
def test_any_way_to_write_a_nullable_label_is_understood(predictions, column):
    frame = predictions.head(3).assign(y=column)
    given = checked(frame)
    assert sorted(given.frame["y"]) == [0.0, 1.0]
    assert given.n_null("rule") == 1


def test_rows_come_in_one_order(predictions):
    shuffled = predictions.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        checked(shuffled).frame.sort_values(["model", "as_of", "household_id"], ignore_index=True),
        checked(predictions).frame.sort_values(["model", "as_of", "household_id"], ignore_index=True),
    )


def _changed(frame, column, value):
    out = frame.copy()
    out[column] = out[column].astype(object)
    out.loc[out.index[3], column] = value
    return out


def test_what_cannot_be_used_is_refused_by_name(predictions):
    frame = predictions.head(50).assign(y=1)
    with pytest.raises(InputRefused, match=r"lack the column\(s\) village"):
        checked(frame.drop(columns="village"))
    with pytest.raises(InputRefused, match=r"lack the column\(s\) gap"):
        checked(frame, ("gap",))
    with pytest.raises(
        InputRefused, match=r"hold 50 row\(s\) twice, first h00000 at 2020-06-30 of model 'rule'"
    ):
        checked(pd.concat([frame, frame]))
    with pytest.raises(InputRefused, match=r"label 2\.0 in y; allowed: 0, 1 or null"):
        checked(_changed(frame, "y", 2))
    with pytest.raises(InputRefused, match="score of model 'rule' is nan for h00003"):
        checked(_changed(frame, "score", np.nan))
    with pytest.raises(InputRefused, match=r"probability of model 'rule' is 1.5 .*from 0 to 1"):
        checked(_changed(frame, "probability", 1.5))
    with pytest.raises(InputRefused, match="none of the 50 predictions has a label"):
        checked(frame.assign(y=pd.array([None] * 50, dtype="Int8")))
