"""`rules` and `ledger` as others call them: files in, files out, exit codes, JSON on stdout."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from .conftest import AS_OF, run, told

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


@pytest.mark.parametrize("ending", ["parquet", "csv", "xlsx"])
def test_rules_has_the_contracts_columns_first(data: Path, work: Path, ending: str) -> None:
    out = work / f"verdicts.{ending}"
    summary = told("rules", data, "--ruleset", "national-2021", "--as-of", AS_OF, "--out", out)
    readers = {
        "parquet": pd.read_parquet,
        "csv": pd.read_csv,
        "xlsx": partial(pd.read_excel, engine="openpyxl"),
    }
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


def test_the_list_of_rule_sets_has_a_header_and_days_and_says_what_a_star_is() -> None:
    done = run("rules", "--list")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("id  name_zh")
    assert any("  2020-03-01  " in line for line in lines)
    assert "00:00" not in done.stdout
    assert "*: an assumption" in done.stderr
    rulesets = json.loads(run("rules", "--list", "--json").stdout)["rulesets"]
    assert "2020-03-01" in {r["valid_from"] for r in rulesets}
