"""A month's settings are kept and can be changed; what made it and its scores can be asked for later."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from riskmodel import month
from riskmodel.errors import InputRefused, UsageError
from riskmodel.io import files
from riskmodel.month import MonthOptions

from .conftest import AS_OF, VISITS, Office


@pytest.mark.slow
def test_the_settings_of_a_month_are_kept_and_can_be_changed(
    office: Office, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / whole.name)
    again = month.run_month(office.data, AS_OF, tmp_path, store=office.store)
    assert (again.done, again.settings.visits) == ((), VISITS)
    more = month.run_month(
        office.data, AS_OF, tmp_path, store=office.store, options=MonthOptions(visits=VISITS + 5)
    )
    assert more.settings.visits == VISITS + 5
    assert "worklist" in more.done
    assert more.summaries["worklist"]["planned"] == VISITS + 5
    with pytest.raises(UsageError, match="--visits"):
        month.run_month(office.data, AS_OF, tmp_path / "new", store=office.store)


def test_every_month_says_what_made_it_and_its_scores_can_be_asked_for(whole: Path, tmp_path: Path) -> None:
    (row,) = month.list_months(whole.parent).to_dict("records")
    scores = pd.read_parquet(whole / "scores.zh.parquet")
    assert row["complete"]
    assert row["households"] == len(scores)
    assert row["data_fingerprint"] == scores["data_fingerprint"].iloc[0]
    assert row["model"] == f"county@{scores['model_version'].iloc[0]}"
    assert (row["run_id"], row["ruleset"]) == (scores["run_id"].iloc[0], "national-2021")
    one = month.scores_by_month(whole.parent, [scores["household_id"].iloc[3]])
    pd.testing.assert_frame_equal(one.reset_index(drop=True), scores.iloc[[3]].reset_index(drop=True))
    # Scores that are not those that were made are not quoted under that month's name.
    shutil.copytree(whole, tmp_path / whole.name)
    files.write_table(scores.assign(probability=0.5), tmp_path / whole.name / "scores.zh.parquet")
    with pytest.raises(InputRefused, match="is not the file that was made"):
        month.scores_by_month(tmp_path)
    assert not month.list_months(tmp_path)["complete"].iloc[0]
    with pytest.raises(UsageError, match="no month"):
        month.list_months(tmp_path / "nothing")
