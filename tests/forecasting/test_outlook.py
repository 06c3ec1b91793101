"""A county's whole outlook, its tables and page, and what the verbs write and log."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from riskmodel import presentation
from riskmodel.cli.app import app
from riskmodel.data import County, from_frames
from riskmodel.data.schema import About
from riskmodel.errors import UsageError
from riskmodel.forecasting import Stress, household, household_evaluation, outlook, read_scenario
from riskmodel.forecasting.household import HouseholdForecast
from riskmodel.forecasting.outlook import Outlook
from riskmodel.runs import tracking

from .conftest import AS_OF

TINY_DAY = "2018-12-31"


@pytest.fixture(scope="module")
def county_outlook(county: County, forecast: HouseholdForecast) -> Outlook:
    with pytest.MonkeyPatch.context() as patch:
        # The very forecast that `build` would make again.
        patch.setattr(household, "forecast_households", lambda *_, **__: forecast)
        return outlook.forecast(county, AS_OF, 12, origins=2)


def test_counts_add_up_over_causes_townships_and_county(county_outlook: Outlook) -> None:
    t = county_outlook.counts
    for month, g in t.groupby("month"):
        whole = g.loc[g["level"] == "county", "mean"].item()
        for level in ("cause", "township", "cell"):
            assert g.loc[g["level"] == level, "mean"].sum() == pytest.approx(whole, abs=1e-8), month
    assert t["month"].nunique() == 12
    assert t["month"].min() == "2019-10"
    assert (t["low_95"] <= t["low_80"]).all()
    assert (t["high_80"] <= t["high_95"]).all()


def test_every_table_speaks_of_the_same_townships(county_outlook: Outlook) -> None:
    towns = set(county_outlook.households.standing["township"])
    assert set(county_outlook.townships["township"]) == towns | {"all"}
    assert set(county_outlook.counts.loc[county_outlook.counts["level"] == "township", "township"]) == towns
    assert set(county_outlook.warnings["township"]) <= towns
    assert county_outlook.warnings["p_adjusted"].between(0, 1).all()
    assert county_outlook.method in {"seasonal_naive", "mean", "ets", "state_space", "negbin", "bottom_up"}


def test_without_a_register_households_are_forecast_all_the_same(
    tiny: tuple[dict[str, pd.DataFrame], About],
) -> None:
    # With what is on record stated: by inference nothing of an office that promises 120 days is (see below).
    bare = {k: tiny[0][k] for k in ("households", "members", "income", "spending", "recorded")}
    found = outlook.forecast(from_frames(bare, tiny[1]), TINY_DAY, 3)
    assert found.counts.empty
    assert "monitoring is absent" in found.notes[-1].text("en")
    assert len(found.households.table)
    page = presentation.forecast_chapter(presentation.forecast_input(found))
    assert "figure-below" in page
    assert "figure-counts" not in page


def test_a_county_whose_records_do_not_reach_the_day_has_no_forecast(
    tiny: tuple[dict[str, pd.DataFrame], About],
) -> None:
    # Before, the methods' scale stood at 1 yuan and everybody was certain to be below the line.
    bare = {k: tiny[0][k] for k in ("households", "members", "income", "spending")}
    with pytest.raises(UsageError, match="not_yet_recorded 80"):
        outlook.forecast(from_frames(bare, tiny[1]), TINY_DAY, 3)


def test_horizons_are_checked(county: County) -> None:
    for wrong in (0, 13):
        with pytest.raises(UsageError, match="from 1 to 12"):
            outlook.forecast(county, AS_OF, wrong)


def test_known_series_move_the_regression_and_are_named_where_it_is_not_used(
    county: County, forecast: HouseholdForecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlook.household, "forecast_households", lambda *_, **__: forecast)
    months = [f"{y}-{m:02d}" for y in range(2015, 2022) for m in range(1, 13)]
    price = pd.DataFrame({"month": months, "price": np.arange(84) % 5 == 0})
    with_it, without = (
        outlook.forecast(county, AS_OF, 3, origins=1, bottom_up=False, exogenous=known)
        for known in (price, None)
    )
    regression = [
        t.backtest.errors.query("method == 'negbin'")["forecast"].to_numpy() for t in (with_it, without)
    ]
    assert len(regression[0])
    assert not np.allclose(*regression)
    # Nothing else takes them, so nothing else moves; whoever gave them is told.
    naive = [t.backtest.errors.query("method == 'mean'")["forecast"].to_numpy() for t in (with_it, without)]
    assert np.array_equal(*naive)
    assert with_it.method == "negbin" or any("known series (price)" in n.text("en") for n in with_it.notes)
    with pytest.raises(UsageError, match="no value for 2019-10"):
        outlook.forecast(county, AS_OF, 3, exogenous=price[price["month"] < "2019-10"])


def test_the_page_holds_both_languages_and_reads_back(county_outlook: Outlook, tmp_path: Path) -> None:
    page = presentation.write_forecast(county_outlook, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "分乡镇" in text
    assert "By township" in text
    assert text.count("<svg") >= 2
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert not any(
        i in text for i in county_outlook.households.standing["household_id"]
    )  # no household on a county page
    again = presentation.forecast_chapter(presentation.read_forecast(tmp_path))
    assert str(again) in text
    with pytest.raises(UsageError, match="no forecast in it"):
        presentation.read_forecast(tmp_path / "nowhere")


def test_past_days_are_evaluated_with_a_classifier_beside(
    county: County, forecast: HouseholdForecast
) -> None:
    known = dt.date(2020, 12, 31)
    found = household_evaluation.summarise(
        household_evaluation.compare_with_outcomes(county, forecast, known), known
    )
    assert set(found.table["horizon_months"]) == {3, 6}  # twelve months and late records are not over
    found = household_evaluation.summarise(found.rows[found.rows["horizon_months"] == 6], known)
    t = found.table.set_index("method")
    assert {"seasonal_naive", "naive", "panel"} <= set(t.index)
    assert (t["rows"] > 200).all()
    assert t["coverage_80"].between(0.6, 0.97).all()
    # A distribution's median cannot err less than its whole distribution scores: CRPS <= MAE / 1.
    assert (t["crps"] <= 2 * t["pinball_50"] + 1e-9).all()
    assert set(found.coverage["by"]) == {"band", "history", "village"}
    assert found.coverage.groupby("by")["rows"].sum().nunique() == 1
    told = found.rows["probability_classifier"].notna()
    assert told.all() or not told.any()
    with pytest.raises(UsageError, match="nothing that was forecast"):
        household_evaluation.summarise(
            household_evaluation.compare_with_outcomes(county, forecast, dt.date.fromisoformat(AS_OF)), known
        )


@pytest.fixture(scope="module")
def folder(tiny: tuple[dict[str, pd.DataFrame], About], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("county")
    for name, t in tiny[0].items():
        t.to_parquet(out / f"{name}.parquet", index=False)
    (out / "about.yaml").write_text("data_through: 2019-06-30\nrecording_delay_days: 120\n", encoding="utf-8")
    return out


def test_verbs_write_log_and_answer(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "mlflow.db"
    out = tmp_path / "f"
    arguments = ["--as-of", TINY_DAY, "--horizon", "3", "--out", str(out), "--store", str(store), "--json"]
    run = CliRunner().invoke(app, ["forecast", str(folder), *arguments])
    assert run.exit_code == 0, run.stderr
    said = json.loads(run.stdout)
    assert said["horizon"] == 3
    assert list(said["below_line"]) == ["3"]
    # Six months of past days are too few to leave the plain method.
    assert said["count_choice"].startswith("seasonal naive")
    written = {p.name for p in out.iterdir()}
    assert {"households.parquet", "townships.csv", "counts.csv", "forecast.json", "forecast.html"} <= written
    logged = tracking.read_table(said["run_id"], "forecast/townships", store)
    assert np.isfinite(logged["mean"]).all()
    with pytest.raises(UsageError, match="has no"):
        tracking.read_table(said["run_id"], "forecast/households", store)  # nothing personal is logged


@pytest.mark.slow
def test_past_days_are_checked_by_the_verb(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "f"
    arguments = ["--as-of", TINY_DAY, "--horizon", "3", "--check", "2018-05-31", "--out", str(out), "--json"]
    run = CliRunner().invoke(
        app, ["forecast", str(folder), *arguments, "--store", str(tmp_path / "mlflow.db")]
    )
    assert run.exit_code == 0, run.stderr
    said = json.loads(run.stdout)
    assert 0 < said["checked"]["3 panel"]["coverage_80"] <= 1
    logged = tracking.read_table(said["run_id"], "forecast/evaluation-coverage", tmp_path / "mlflow.db")
    assert {"band", "history", "village"} == set(logged["by"])
    assert {"evaluation.csv", "evaluation-coverage.csv"} <= {p.name for p in out.iterdir()}


def test_a_past_day_that_is_not_over_is_refused_with_the_last_that_is(county: County) -> None:
    # 2019-09-30 less 120 days is 2019-06-02, less three months 2019-03-02.
    day = dt.date.fromisoformat(AS_OF)
    outlook.check_past(county, [dt.date(2019, 3, 2)], day, 12)
    with pytest.raises(UsageError, match="give 2019-03-02 or before"):
        outlook.check_past(county, [dt.date(2019, 3, 3)], day, 12)


@pytest.mark.slow
def test_stress_verb_writes_logs_and_answers(folder: Path, tmp_path: Path) -> None:
    common = ["--as-of", TINY_DAY, "--store", str(tmp_path / "mlflow.db"), "--json", "--draws", "50"]
    run = CliRunner().invoke(
        app,
        ["stress", str(folder), "--scenario", "price-down", "--out", str(tmp_path / "s"), *common,
         "--line", f"{int(TINY_DAY[:4]) + 1}=6300"],
    )  # fmt: skip
    assert run.exit_code == 0, run.stderr
    made = json.loads(run.stdout)
    # Held against the line of the year in which the twelve months end.
    assert made["line"] == 6300
    assert made["params"] == f"line={{0: 6000, {int(TINY_DAY[:4]) + 1}: 6300}}"
    said = made["scenarios"]["price-down"]
    assert said["extra_households"]["mean"] >= 0
    logged = tracking.read_table(said["run_id"], "stress/table", tmp_path / "mlflow.db")
    assert set(logged["what"]) == {"baseline", "stressed", "extra"}
    assert (tmp_path / "s" / "price-down.csv").is_file()


def test_a_stress_run_can_be_traced(
    folder: Path, tmp_path: Path, forecast: HouseholdForecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    # From any file and from the store: which day, which data, whose line, which draws.
    answer = Stress(
        read_scenario("price-down"), forecast.as_of, 12,
        pd.DataFrame({"what": ["extra"], "township": "all", "cause": "all", "measure": "households",
                      "mean": 1.0, "low_95": 0.0, "high_95": 2.0}),
        pd.DataFrame({"household_id": ["h"], "township": "t", "cause": "other", "loss": 1.0}), (),
    )  # fmt: skip
    monkeypatch.setattr("riskmodel.forecasting.forecast_households", lambda *_, **__: forecast)
    monkeypatch.setattr("riskmodel.forecasting.stress_test", lambda *_, **__: answer)
    out, store = tmp_path / "s", tmp_path / "mlflow.db"
    arguments = ["--as-of", TINY_DAY, "--scenario", "price-down", "--out", str(out), "--store", str(store)]
    run = CliRunner().invoke(app, ["stress", str(folder), *arguments, "--seed", "7", "--json"])
    assert run.exit_code == 0, run.stderr
    said, kept = json.loads(run.stdout), json.loads((out / "stress.json").read_text(encoding="utf-8"))
    assert kept["format"] == 1
    assert kept["declared"]["price-down"]["shocks"][0]["share"] == 0.2
    assert (kept["as_of"], kept["ruleset"], kept["seed"]) == (AS_OF, "national-2021", 7)
    assert len(kept["data_fingerprint"]) >= 16
    params = tracking._client(store).get_run(kept["scenarios"]["price-down"]["run_id"]).data.params
    for key in ("as_of", "data_fingerprint", "seed", "ruleset", "draws"):
        assert str(params[key]).strip('"') == str(kept[key]) == str(said[key])
    written = pd.read_csv(out / "price-down.csv"), pd.read_parquet(out / "price-down-losses.parquet")
    for table in written:
        assert set(table["as_of"]) == {AS_OF}
        assert set(table["scenario"]) == {"price-down"}


def test_verbs_refuse_with_the_contracts_codes(folder: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path), "--store", str(tmp_path / "m.db")]
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("month,price\nJanuary,3\n", encoding="utf-8")
    for arguments, code, said in (
        (["forecast", str(folder), "--as-of", TINY_DAY, "--horizon", "40"], 2, "from 1 to 12"),
        (["forecast", str(folder), "--as-of", "yesterday"], 2, "YYYY-MM-DD"),
        (["forecast", str(tmp_path / "none"), "--as-of", TINY_DAY], 1, "none"),
        (["forecast", str(folder), "--as-of", TINY_DAY, "--known", str(wrong)], 2, "YYYY-MM"),
        (["stress", str(folder), "--as-of", TINY_DAY, "--scenario", "plague"], 2, "known: flood"),
    ):
        run = CliRunner().invoke(app, [*arguments, *out])
        assert run.exit_code == code, run.stderr
        assert said in run.stderr
        assert "Traceback" not in run.stderr
