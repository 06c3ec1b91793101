"""Where panels come from: the ready matrix trains on what was known."""

import pandas as pd
import pytest

from riskmodel.benchmark import panels
from riskmodel.errors import InputRefused

from .conftest import teens


def test_the_ready_matrix_trains_on_what_was_known_and_orders_by_the_past(tmp_path, small):
    file = teens(tmp_path)
    rows = panels.read_waves(file)
    wide = pd.read_csv(file)
    # At risk: not poor now; the outcome is the flag of the next wave; the years so far leave this one out.
    assert len(rows) == sum(int((wide[f"pov{w}"] == 0).sum()) for w in range(1, 5))
    last = rows[rows["wave"] == 4].set_index("household_id")
    girl = wide[wide["pov4"] == 0].iloc[0]
    assert last.loc[str(int(girl["id"])), "y"] == girl["pov5"]
    assert last.loc[str(int(girl["id"])), "years_poor"] == girl[["pov1", "pov2", "pov3"]].sum()
    assert "black" not in panels.FEATURES
    panel = next(p for p in small.panels if p.source == "teen_poverty")
    found, fitted, split = panels.predict_waves(
        small, panel, ("past_income", "logit"), file, lambda text: None
    )
    assert split["n_train"].item() == (rows["wave"] < panels.TEST_WAVE).sum()
    assert set(fitted) == {"past_income", "logit"}
    assert set(found["as_of"].dt.year) == {1978 + panels.TEST_WAVE}
    past = found[found["model"] == "past_income"]
    # Past poverty is all there is to know, so its order beats chance clearly.
    poor, others = past.loc[past["y"] == 1, "score"], past.loc[past["y"] == 0, "score"]
    assert poor.mean() > others.mean()
    wide.drop(columns="black").to_csv(file, index=False)
    with pytest.raises(InputRefused, match="columns black are absent"):
        panels.read_waves(file)
