"""A month by another line, rule set or parameters than the model's: what is judged anew, what is silent."""

from __future__ import annotations

import datetime as dt
import html
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from riskmodel import forms, month, rules, scoring
from riskmodel.data import read_county
from riskmodel.errors import UsageError
from riskmodel.households import known_county
from riskmodel.i18n import section
from riskmodel.io import read_table
from riskmodel.month import MonthOptions, RulesSaid, archive
from riskmodel.month.pipeline import MonthContext
from riskmodel.rule_files import SETS
from riskmodel.runs import load_model

from .conftest import AS_OF, VISITS, Office

DAY = dt.date.fromisoformat(AS_OF)
RAISED = ({"2019": 6000.0, "2020": 7000.0}, {"line": "{0: 6000, 2020: 7000}"})


def settled(office: Office, folder: Path = Path("none"), **asked: Any) -> archive.MonthSettings:
    """Return the settings of a month that asks for some rules, without making it."""
    settings, _ = archive.resolve_settings(folder, DAY, MonthOptions(visits=VISITS, **asked), office.store)
    return settings


@pytest.mark.parametrize(
    ("asked", "line", "params"),
    [
        ({}, {"2019": 6000.0, "2020": 6000.0}, {}),
        ({"line": ("5000",)}, {"2019": 5000.0, "2020": 5000.0}, {"line": "5000"}),
        ({"line": ("2020=7000",)}, *RAISED),
        ({"params": ("line@2020=7000",)}, *RAISED),
        ({"ruleset": "yingjiang-2022"}, {"2019": 7000.0, "2020": 7000.0}, {}),
        ({"ruleset": "model"}, {"2019": 6000.0, "2020": 6000.0}, {}),
    ],
)  # fmt: skip
def test_a_month_records_its_line_by_year_its_rules_and_parameters(
    office: Office, asked: dict, line: dict, params: dict, tmp_path: Path
) -> None:
    settings = settled(office, **asked)
    assert (settings.line, settings.params) == (line, params)
    assert settings.ruleset == (asked.get("ruleset", "model").replace("model", "national-2021"))
    assert (settings.rules is None) == (settings.ruleset == "national-2021")
    # Written and read again it is the same, and asks for nothing anew.
    archive.write_settings(settings, tmp_path)
    assert archive.read_settings(tmp_path) == settings
    again, model = archive.resolve_settings(tmp_path, DAY, MonthOptions(), office.store)
    assert again == settings
    assert model is None


def test_what_was_asked_stays_until_something_else_is_asked(office: Office, tmp_path: Path) -> None:
    def ask(**asked: Any) -> archive.MonthSettings:
        settings = settled(office, tmp_path, **asked)
        archive.write_settings(settings, tmp_path)
        return settings

    first = ask(ruleset="yingjiang-2022", line=("7500",))
    assert ask(seed=3).params == {"local_line": "7500"}
    assert ask(model="county@champion").ruleset == "yingjiang-2022"
    lower = ask(line=("6800",))
    assert (lower.ruleset, lower.params) == ("yingjiang-2022", {"local_line": "6800"})
    assert lower.ruleset_hash != first.ruleset_hash
    own = ask(ruleset="model")
    assert (own.ruleset, own.rules, own.params, own.rules_asked) == ("national-2021", None, {}, False)
    assert own.ruleset_hash == settled(office).ruleset_hash


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, RulesSaid()),
        ({"line": ("5000", "2020=7000")}, RulesSaid("national-2021", "5000 2020=7000")),
        ({"ruleset": "yingjiang-2022", "line": ("7500",)}, RulesSaid("yingjiang-2022", "7500")),
        (
            {"params": ("line={relative: 0.6}", "sudden_causes=illness,disaster")},
            RulesSaid(
                "national-2021", "",
                "line={relative: 0.6, of: median, weight: persons}; sudden_causes=illness,disaster",
            ),
        ),
    ],
)  # fmt: skip
def test_what_was_asked_can_be_said_again_in_three_fields(
    office: Office, asked: dict, said: RulesSaid, tmp_path: Path
) -> None:
    first = settled(office, **asked)
    assert first.rules_said == said
    archive.write_settings(settled(office, seed=1), tmp_path)
    again = settled(office, tmp_path, **said.options)
    assert (again.params, again.line, again.ruleset) == (first.params, first.line, first.ruleset)
    assert again.rules_asked == first.rules_asked


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"line": ("2018=6000",)}, "line of 2018: nothing of that year is judged here, but of 2019, 2020"),
        ({"line": ("2021=6000",)}, "line of 2021"),
        ({"line": ("soon=6000",)}, "write YUAN, or YEAR=YUAN"),
        ({"params": ("lime=1",)}, "national-2021 has no parameter 'lime'"),
        ({"params": ("rigid_ratio=0.4",), "ruleset": "yingjiang-2022"}, "yingjiang-2022 has no parameter"),
        ({"ruleset": "atlantis-2021"}, "atlantis-2021"),
        ({"ruleset": "ratio-1.5-2020", "line": ("6000",)}, "give its parts by --param"),
    ],
)
def test_rules_that_cannot_be_are_refused_before_anything_is_made(
    office: Office, asked: dict, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        month.run_month(
            office.data, AS_OF, tmp_path, store=office.store, options=MonthOptions(visits=VISITS, **asked)
        )
    assert not list(tmp_path.glob("*/scores*"))


@pytest.mark.parametrize("line", ["5000", "7500"])
def test_its_verdicts_are_those_of_rules_with_the_same_line(
    office: Office, line: str, tmp_path: Path
) -> None:
    settings = settled(office, line=(f"2020={line}",))
    context = MonthContext(office.data, tmp_path, office.store, settings, lambda text: None)
    county = known_county(read_county(office.data), AS_OF)
    params = rules.read_overrides(context.ruleset, [f"line={line}"])
    same = rules.evaluate_rules(county, "national-2021", params=params)
    pd.testing.assert_frame_equal(
        context.verdicts.drop(columns="assumptions"), same.drop(columns="assumptions"), check_exact=True
    )
    usual = rules.evaluate_rules(county, "national-2021")
    assert (same["flagged"].sum() > usual["flagged"].sum()) == (float(line) > 6000)


@pytest.fixture(scope="module")
def raised(office: Office, whole: Path, tmp_path_factory: pytest.TempPathFactory) -> month.Month:
    """The whole month typed again with a higher line, in the same folder."""
    out = tmp_path_factory.mktemp("raised")
    shutil.copytree(whole, out / whole.name)
    return month.run_month(
        office.data, AS_OF, out, store=office.store, options=MonthOptions(line=("2020=7500",))
    )


def test_a_month_typed_again_with_another_line_reuses_nothing_that_depends_on_it(
    raised: month.Month, office: Office
) -> None:
    assert raised.done == ("rules", "score", "worklist", "report", "cases")
    manifest = json.loads((raised.out / "month.json").read_text(encoding="utf-8"))
    assert (manifest["line"], manifest["ruleset"]) == ({"2019": 6000.0, "2020": 7500.0}, "national-2021")
    (row,) = month.list_months(raised.out.parent).to_dict("records")
    assert (row["line"], row["params"]) == (7500.0, "line={0: 6000, 2020: 7500}")
    made = forms.read_month(raised.out)
    assert rules.load_rules(made.ruleset).values(made.params)["line"] == {0: 6000, 2020: 7500}
    said = (raised.out / "report" / "rules.html").read_text(encoding="utf-8")
    assert "7500" in said.replace(",", "")


def test_a_model_of_another_line_is_silent_and_the_rules_and_the_distance_make_the_list(
    raised: month.Month, whole: Path
) -> None:
    scores, usual = (read_table(folder / "scores.zh.parquet") for folder in (raised.out, whole))
    assert set(scores["answer"]) == {"silent:line"}
    assert "answer" not in usual
    assert scores["probability"].isna().all()
    assert scores["tier"].eq("").all()
    assert scores["reason_1"].eq("").all()
    # Its own scores are kept, as they were.
    both = scores.merge(usual, on="household_id", suffixes=("", "_usual"))
    assert both["score"].tolist() == both["score_usual"].tolist()
    # Whom it was to speak of is said by this month's line.
    above = scores["in_cohort"].astype(bool)
    assert (scores.loc[above, "pcni"] >= 7500).all()
    assert above.sum() < usual["in_cohort"].sum()
    listed = read_table(raised.out / "worklist.parquet")
    assert set(scores.loc[scores["flagged"].astype(bool), "household_id"]) <= set(listed["household_id"])
    near = listed[listed["urgency"].eq("distance")]
    assert not listed["urgency"].eq("chance").any()
    assert near["pcni"].is_monotonic_increasing
    assert raised.summaries["score"]["answer"] == "silent:line"
    result = raised.summaries["worklist"]
    assert result["expected"] is None
    assert result["planned"] == VISITS
    told = section("worklist.answers", "zh")["line"]
    assert told in (raised.out / "office.html").read_text(encoding="utf-8")
    assert month.past_scores(raised.out.parent, "county", dt.date(2021, 6, 30)) == []


def test_a_model_that_learnt_from_several_lines_is_asked_at_this_one(office: Office) -> None:
    loaded = load_model("county@champion", office.store)
    loaded = replace(loaded, card={**loaded.card, "line_factors": [1.25]})
    county = known_county(read_county(office.data), AS_OF)
    params = rules.read_overrides(loaded.ruleset, None, ["7200"])
    scores = scoring.score_in_languages(county, loaded, langs=("zh",), params=params)["zh"]
    assert set(scores["answer"]) == {"recomputed:several_lines"}
    # As if its features had been measured from that line all along.
    at_line = loaded.feature_set.at_line(1.2).model_dump(mode="json", by_alias=True)
    moved = replace(loaded, card={**loaded.card, "params": {"line": 7200}, "feature_set": at_line})
    same = scoring.score(county, moved)
    assert "answer" not in same
    pd.testing.assert_frame_equal(scores[list(same.columns)], same, check_exact=True)
    usual = scoring.score(county, loaded).set_index("household_id")["probability"]
    changed = scores.set_index("household_id")["probability"] - usual
    assert (changed.abs() > 1e-6).any()
    assert scores["reason_1"].ne("").any()


@pytest.mark.slow
def test_a_rule_set_of_a_file_makes_a_whole_month_in_either_language(office: Office, tmp_path: Path) -> None:
    declared = yaml.safe_load((SETS / "nancheng-2020.yaml").read_text(encoding="utf-8"))
    declared |= {"id": "own-county"}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(declared, allow_unicode=True), encoding="utf-8")
    asked = MonthOptions(visits=VISITS, ruleset=str(path), line=("5600",), lang="en", split="township")
    made = month.run_month(office.data, AS_OF, tmp_path / "months", store=office.store, options=asked)
    assert made.settings.rules is not None
    assert made.settings.ruleset == "own-county"
    path.unlink()  # it is kept with the month
    again = month.run_month(office.data, AS_OF, tmp_path / "months", store=office.store)
    assert again.done == ()
    county = known_county(read_county(office.data), AS_OF)
    verdicts = rules.evaluate_rules(county, "nancheng-2020", params={"line": 5600})
    written = pd.read_csv(made.out / "rules" / "own-county.csv")
    assert written["flagged"].sum() == verdicts["flagged"].sum()
    listed = read_table(made.out / "worklist.parquet")
    assert set(verdicts.loc[verdicts["flagged"], "household_id"]) <= set(listed["household_id"])
    assert listed["owed"].any()
    told = section("worklist.answers", "en")["line"]
    assert told in html.unescape((made.out / "office.html").read_text(encoding="utf-8"))
    assert forms.read_month(made.out).ruleset == made.settings.rules
