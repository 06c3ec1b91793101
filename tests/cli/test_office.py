"""`score`, `worklist` and `report` as an office calls them: files in, files out, JSON on stdout."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pandas as pd

from riskmodel.scoring.scores import SCORE_COLUMNS

from .conftest import AS_OF, told


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
    # As many as leave room for the lot beside the duties.
    assert "warnings" not in told("worklist", scores, "--data", data, "--visits", 300, "--out", out)
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
