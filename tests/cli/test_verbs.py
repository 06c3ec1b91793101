"""The verbs as others call them: files in, files out, exit codes, JSON on stdout and nothing else there."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from riskmodel.cli.app import app
from riskmodel.scoring.scores import SCORE_COLUMNS

AS_OF = "2020-12-31"
RULES = [
    "household_id",
    "as_of",
    "ruleset",
    "persons",
    "net_income",
    "pcni",
    "previous_pcni",
    "income_drop",
    "rigid",
    "rigid_ratio",
    "line",
    "gap",
    "has_risk",
    "category",
    "main_cause",
    "conditions",
    "unknown",
    "focus",
    "tier",
    "removed_by",
    "assumptions",
]
TRAIN = [
    "model",
    "auc",
    "auc_low",
    "auc_high",
    "average_precision",
    "brier",
    "calibration_slope",
    "recall_at_budget",
    "precision_at_budget",
    "n_test",
    "base_rate",
]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def told(*arguments: object) -> dict:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("office")


@pytest.fixture(scope="module")
def data(work: Path) -> Path:
    out = work / "county"
    told("simulate", out, "--households", 450, "--months", 48, "--seed", 5, "--futures", 30)
    return out


@pytest.fixture(scope="module")
def trained(data: Path, work: Path) -> dict:
    return told("train", "county", "--data", data, "--store", work / "mlflow.db")


@pytest.fixture(scope="module")
def scores(data: Path, work: Path, trained: dict) -> Path:
    out = work / "scores.parquet"
    told(
        "score",
        data,
        "--model",
        "county@champion",
        "--as-of",
        AS_OF,
        "--out",
        out,
        "--store",
        work / "mlflow.db",
    )
    return out


def test_check_says_what_was_read(data: Path, work: Path) -> None:
    summary = told("check", data, "--out", work / "check")
    assert summary["refused"] is False
    assert len(summary["data_fingerprint"]) == 64
    assert (work / "check" / "rejected.csv").is_file()


@pytest.mark.parametrize("ending", ["parquet", "csv", "xlsx"])
def test_rules_has_the_contracts_columns_first(data: Path, work: Path, ending: str) -> None:
    out = work / f"verdicts.{ending}"
    summary = told("rules", data, "--ruleset", "national-2021", "--as-of", AS_OF, "--out", out)
    readers = {"parquet": pd.read_parquet, "csv": pd.read_csv, "xlsx": pd.read_excel}
    frame = readers[ending](out)
    assert list(frame.columns[: len(RULES)]) == RULES
    assert len(frame) == summary["households"] > 0
    assert set(frame["category"]) <= {"none", "unknown", "unstable_lifted", "marginal", "sudden_hardship"}


def test_a_parameter_moves_the_line_and_says_so(data: Path, work: Path) -> None:
    out = work / "higher.parquet"
    told("rules", data, "--ruleset", "national-2021", "--as-of", AS_OF, "--out", out, "--param", "line=9000")
    frame = pd.read_parquet(out)
    assert set(frame["line"]) == {9000.0}


def test_rules_lists_and_explains(data: Path) -> None:
    done = run("rules", "--list")
    assert done.exit_code == 0
    assert "yingjiang-2022" in done.stdout
    county = pd.read_parquet(data / "households.parquet")
    household = county["household_id"].iloc[0]
    done = run(
        "rules", data, "--ruleset", "county-2020", "--as-of", AS_OF, "--explain", household, "--lang", "zh"
    )
    assert done.exit_code == 0, done.stderr
    assert household in done.stdout


def test_rules_say_what_changed_and_write_the_page(data: Path, work: Path) -> None:
    out, page = work / "changes.csv", work / "page"
    since = ("--as-of", AS_OF, "--since", "2020-06-30")
    summary = told("rules", data, "--ruleset", "county-2020", *since, "--out", out, "--page", page)
    frame = pd.read_csv(out)
    assert summary["changed"] == len(frame) == sum(summary["kinds"].values()) > 0
    assert frame["why_zh"].str.len().gt(0).all()
    assert frame["why_en"].str.len().gt(0).all()
    written = Path(summary["page"]).read_text(encoding="utf-8")
    assert "2020-06-30" in written
    # Every change of the table is on the page.
    assert all(household in written for household in frame["household_id"])
    assert run("rules", data, "--ruleset", "county-2020", *since).exit_code == 2


def test_features_for_several_dates(data: Path, work: Path) -> None:
    out = work / "features.parquet"
    summary = told(
        "features",
        data,
        "--feature-set",
        "household-v1",
        "--as-of",
        "2019-12-31",
        "--as-of",
        AS_OF,
        "--out",
        out,
    )
    frame = pd.read_parquet(out)
    assert summary["features"] >= 150
    assert frame["as_of"].nunique() == 2
    assert not frame.duplicated(["household_id", "as_of"]).any()


def test_train_prints_the_contracts_summary(trained: dict) -> None:
    assert list(trained) == ["run_id", "experiment", "models"]
    assert [m["model"] for m in trained["models"]] == ["rule", "past_income", "logit", "boosting"]
    for row in trained["models"]:
        assert list(row) == TRAIN
        assert row["auc_low"] <= row["auc"] <= row["auc_high"]
        assert row["auc"] < 0.95  # above that it would be a leak until shown otherwise


def test_compare_tells_the_pooled_verdict(trained: dict, work: Path) -> None:
    summary = told("compare", trained["run_id"], "--store", work / "mlflow.db")
    rows = [r for r in summary["runs"][0]["comparison"] if r["scope"] == "pooled" and r["at"] == "budget"]
    assert {r["model"] for r in rows} == {"past_income", "logit", "boosting"}
    for r in rows:
        assert r["both"] + r["baseline_only"] + r["model_only"] + r["neither"] == r["n_events"]
        assert r["verdict"] in {"model", "baseline", "none"}


def test_scores_have_the_contracts_columns_and_the_same_bytes_twice(
    data: Path, work: Path, scores: Path, trained: dict
) -> None:
    frame = pd.read_parquet(scores)
    assert list(frame.columns[: len(SCORE_COLUMNS)]) == SCORE_COLUMNS
    assert frame["rank"].tolist() == list(range(1, len(frame) + 1))
    assert frame["probability"].is_monotonic_decreasing
    assert (frame["probability_low"] <= frame["probability"]).all()
    assert (frame["probability"] <= frame["probability_high"]).all()
    assert set(frame["run_id"]) == {trained["run_id"]}
    again = work / "again.parquet"
    told(
        "score", data, "--model", "county@champion", "--as-of", AS_OF, "--out", again, "--store",
        work / "mlflow.db",
    )  # fmt: skip
    assert again.read_bytes() == scores.read_bytes()


def test_reasons_come_in_both_languages(data: Path, work: Path, scores: Path) -> None:
    out = work / "en.csv"
    told(
        "score", data, "--model", "county@logit", "--as-of", AS_OF, "--out", out, "--lang", "en", "--store",
        work / "mlflow.db",
    )  # fmt: skip
    english, chinese = pd.read_csv(out), pd.read_parquet(scores)
    assert english["reason_1"].notna().any()
    assert english["reason_1"].dropna().str.contains("[a-z]", regex=True).all()
    said = chinese.loc[chinese["reason_1"] != "", "reason_1"]
    assert said.str.contains("[\u4e00-\u9fff]", regex=True).all()


def test_worklist_holds_everyone_a_rule_flags(data: Path, work: Path, scores: Path) -> None:
    out = work / "list.xlsx"
    summary = told("worklist", scores, "--data", data, "--visits", 20, "--out", out)
    frame = pd.read_parquet(scores)
    book = openpyxl.load_workbook(out)
    cells: set[str] = set()
    for sheet in book.worksheets:
        cells |= {str(v) for row in sheet.iter_rows(values_only=True) for v in row if v is not None}
    assert set(frame.loc[frame["flagged"], "household_id"]) <= cells
    assert summary["planned"] == 20


def test_a_list_of_other_data_or_too_many_visits_is_told(data: Path, work: Path, scores: Path) -> None:
    out = work / "told.xlsx"
    assert "warnings" not in told("worklist", scores, "--data", data, "--visits", 20, "--out", out)
    other = work / "other.csv"
    frame = pd.read_parquet(scores) if scores.suffix == ".parquet" else pd.read_csv(scores)
    frame.assign(data_fingerprint="0" * 64).to_csv(other, index=False)
    said = told("worklist", other, "--data", data, "--visits", 10 * len(frame), "--out", out)["warnings"]
    assert any("not what was scored" in text for text in said)
    assert any(f"{10 * len(frame)} visits, but only" in text for text in said)


def test_report_is_one_page(trained: dict, work: Path, scores: Path) -> None:
    out = work / "report"
    summary = told(
        "report", trained["run_id"], "--out", out, "--scores", scores, "--store", work / "mlflow.db"
    )
    page = Path(summary["out"]).read_text(encoding="utf-8")
    assert trained["run_id"] in page
    assert 'src="http' not in page


def test_ledger_of_a_year_and_of_a_published_table(data: Path, work: Path) -> None:
    summary = told("ledger", data, "--from", "2020-01-01", "--to", AS_OF, "--out", work / "ledger")
    assert summary["balanced"] is True
    published = work / "published.yaml"
    published.write_text(
        "period: 2020-Q1\nunit: {hh: households}\n"
        "categories:\n  a: {total: {hh: 10}, eliminated: {hh: 4}, remaining: {hh: 6}}\n"
        "  b: {total: {hh: 7}, eliminated: {hh: 3}, remaining: {hh: 5}}\n"
        "total: {total: {hh: 17}, eliminated: {hh: 6}, remaining: {hh: 11}}\n",
        encoding="utf-8",
    )
    # b: 7 = 3 + 5 is broken, and eliminated 4 + 3 = 6 too; 2 in one cell mends both.
    done = run("ledger", "--check", published, "--json")
    assert done.exit_code == 1
    finding = json.loads(done.stdout)["findings"]
    assert [(f["where"], f["printed"], f["expected"]) for f in finding] == [
        ("categories.b.eliminated.hh", 3, 2)
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "names"),
    [
        (["rules", "{data}", "--ruleset", "nowhere-1900", "--as-of", AS_OF, "--out", "x.csv"], 2, "national-2021"),
        (["rules", "{data}", "--ruleset", "national-2021", "--as-of", "31.12.2020", "--out", "x.csv"], 2, "YYYY-MM-DD"),
        (["rules", "{data}", "--ruleset", "national-2021", "--as-of", AS_OF, "--out", "x.doc"], 2, ".parquet"),
        (["rules", "{data}", "--ruleset", "national-2021"], 2, "--as-of"),
        (["rules", "nowhere", "--ruleset", "national-2021", "--as-of", AS_OF, "--out", "x.csv"], 1, "nowhere"),
        (["score", "{data}", "--model", "county", "--as-of", AS_OF, "--out", "x.csv"], 2, "NAME@ALIAS"),
        (["train", "no-such-experiment", "--data", "{data}"], 2, "county"),
        (["features", "{data}", "--feature-set", "none-v0", "--as-of", AS_OF, "--out", "x.csv"], 2, "household-v1"),
        (["nonsense"], 2, "nonsense"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_told_the_mend(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    names: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*(a.format(data=data) for a in arguments))
    assert done.exit_code == code
    assert names in done.stderr
    assert "Traceback" not in done.stderr
