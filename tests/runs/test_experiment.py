"""What a declaration may say, what it is known by, and its folds: outcomes over before the test."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from riskmodel import rules
from riskmodel.data import About, County, from_frames
from riskmodel.errors import InputRefused, SpecError
from riskmodel.runs import Experiment, design_matrix, experiment, load_experiment

EXPERIMENT = """
id: tiny
title: {zh: 小, en: tiny}
cohort: [not_monitored]
ruleset: relative-60-monthly
feature_set: SET
horizon: {months: 12, next: true}
as_of: {dates: [2010-03-31, 2010-06-30, 2010-09-30, 2010-12-31]}
split: SPLIT
models: [past_income]
champion: past_income
budget: {visits: 1}
"""
SET = """
format: 1
id: tiny
version: 1
zh: 小
en: tiny
line: {value: {relative: 0.6}, source: made by hand}
period_months: 1
features:
  - id: pcni
    from: accounting
    aggregate: value
    column: pcni
    known_on: recorded_on
    missing: as_accounting
    unit: yuan_per_head
    zh: 收入
    en: income
"""
SEEN = {
    "trained": ["2010-03", "2010-06", "2011-03"],
    "later": ["2010-06", "2011-03"],
    "early": ["2010-03", "2010-06"],
}


def county() -> County:
    ids = list(SEEN)
    frames = {
        "households": pd.DataFrame(
            {"household_id": ids, "township": "t", "village": ids, "registration": "general"}
        ).assign(valid_from="2010-01-01"),
        "members": pd.DataFrame({"member_id": ids, "household_id": ids, "birth_month": "1980-01"}).assign(
            valid_from="2010-01-01"
        ),
        "income": pd.DataFrame(
            [
                {"household_id": i, "month": m, "source": "wage", "amount": 100}
                for i, months in SEEN.items()
                for m in months
            ]
        ),
    }
    return from_frames(frames, About(income_is_net=True, data_through="2011-03-31"))


def declared(tmp_path: Path, split: str = "{folds: 2}", changes: dict[str, str] | None = None) -> Experiment:
    (tmp_path / "set.yaml").write_text(SET, encoding="utf-8")
    text = EXPERIMENT.replace("SET", str(tmp_path / "set.yaml")).replace("SPLIT", split)
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "tiny.yaml").write_text(text, encoding="utf-8")
    return load_experiment(tmp_path / "tiny.yaml")


def test_an_unknown_model_is_answered_with_the_likeliest_name(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"tiny.yaml: models: .*no model 'past_incme'.*mean past_income"):
        declared(tmp_path, changes={"[past_income]": "[past_incme]"})
    with pytest.raises(SpecError, match=r"tiny.yaml: model_params: .*no model 'logti'.*did you mean logit"):
        declared(tmp_path, changes={"budget:": "model_params: {logti: {}}\nbudget:"})


def test_a_parameter_that_a_model_does_not_take_is_refused_before_anything_is_fitted(tmp_path: Path) -> None:
    wrong = {"budget:": "model_params: {logit: {penalti: 1}}\nbudget:"}
    with pytest.raises(SpecError, match=r"tiny.yaml: model_params: .*'logit' has no parameter penalti"):
        declared(tmp_path, changes=wrong)
    near = {"budget:": "model_params: {boosting: {monotne: declared}}\nbudget:"}
    with pytest.raises(SpecError, match=r"'boosting' has no parameter monotne; .*did you mean monotone"):
        declared(tmp_path, changes=near)
    right = {"budget:": "model_params: {boosting: {monotone: declared}}\nbudget:"}
    assert declared(tmp_path, changes=right).model_params == {"boosting": {"monotone": "declared"}}


def test_a_fallback_is_a_model_of_few_columns(tmp_path: Path) -> None:
    wrong = {"budget:": "fallback: {model: boosting}\nbudget:"}
    with pytest.raises(
        SpecError, match=r"tiny.yaml: fallback.model: .*'boosting' cannot stand in: name a model"
    ):
        declared(tmp_path, changes=wrong)
    with pytest.raises(SpecError, match=r"fallback.model: .*no model 'past_incme'.*mean past_income"):
        declared(tmp_path, changes={"budget:": "fallback: {model: past_incme}\nbudget:"})
    plain = declared(tmp_path)
    right = declared(tmp_path, changes={"budget:": "fallback: {model: past_income}\nbudget:"})
    assert right.fallback is not None
    assert (right.fallback.model, right.fallback.below_events) == ("past_income", 100)
    # Declarations that do not say it keep their digest.
    assert right.digest != plain.digest == right.model_copy(update={"fallback": None}).digest


def test_the_digest_follows_what_a_file_says_not_where_it_lies(tmp_path: Path, monkeypatch) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    here, there = declared(tmp_path / "here"), declared(tmp_path / "there")
    assert here.feature_set != there.feature_set
    assert here.digest == there.digest
    monkeypatch.chdir(tmp_path)
    assert here.model_copy(update={"feature_set": "here/set.yaml"}).digest == here.digest
    (tmp_path / "there" / "set.yaml").write_text(SET.replace("missing: as", "missing:  as"), encoding="utf-8")
    assert there.digest == here.digest
    (tmp_path / "there" / "set.yaml").write_text(SET.replace("0.6", "0.5"), encoding="utf-8")
    assert there.digest != here.digest
    # A rule set beside the experiment, too; a packaged one is known by its id, however it is written.
    text = (Path(rules.__file__).parent / "sets" / "national-2021.yaml").read_text(encoding="utf-8")
    for folder in ("here", "there"):
        (tmp_path / folder / "own.yaml").write_text(text, encoding="utf-8")
    by_file = {"ruleset: relative-60-monthly": "ruleset: own.yaml"}
    (tmp_path / "there" / "set.yaml").write_text(SET, encoding="utf-8")
    own = [declared(tmp_path / folder, changes=by_file) for folder in ("here", "there")]
    assert own[0].ruleset != own[1].ruleset
    assert own[0].digest == own[1].digest != here.digest
    packaged = here.model_copy(update={"ruleset": "relative-60-monthly.yaml"})
    assert packaged.digest == here.digest


def test_outcomes_before_the_day_train_and_later_ones_of_others_test(tmp_path: Path) -> None:
    split = "{train_until: 2010-12-31, test_from: 2011-01-01, by: outcome, unseen_households: true}"
    exp, data = declared(tmp_path, split), county()
    (fold,) = experiment.temporal_folds(exp, data)
    train, test = design_matrix.fold_rows(
        exp, data, design_matrix.build_design_matrix(exp, data, experiment.as_of_dates(exp, data)), fold
    )
    # Outcomes by the end of 2010: March → June, of trained and early.
    assert sorted(train["household_id"]) == ["early", "trained"]
    # June 2010 → March 2011 is an outcome of 2011; `trained` was trained on, so only `later` tests it.
    known = test[test["y"].notna()]
    assert known[["household_id", "as_of"]].values.tolist() == [["later", pd.Timestamp("2010-06-30")]]


def test_by_as_of_the_same_days_would_be_training_days(tmp_path: Path) -> None:
    exp, data = declared(tmp_path, "{train_until: 2010-12-31, test_from: 2010-12-31}"), county()
    (fold,) = experiment.temporal_folds(exp, data)
    assert fold.test == (dt.date(2010, 12, 31),)


def test_by_outcome_without_unseen_households_is_refused(tmp_path: Path) -> None:
    # A test as-of before the last training outcome would see its own household's later rows in training.
    with pytest.raises(SpecError, match="unseen_households: true"):
        declared(tmp_path, "{train_until: 2010-12-31, test_from: 2011-01-01, by: outcome}")


def test_training_windows_are_over_and_recorded_before_the_test(tmp_path: Path) -> None:
    # A year from the end of 2009 is over at the end of 2010; records that take 31 days are there at the end
    # of January. So the test of January may train on it, the one of December only where nothing is late, and
    # neither on March 2010, whose year is not over.
    exp = declared(tmp_path, "{folds: 2}")
    dates = [dt.date(2009, 12, 31), dt.date(2010, 3, 31), dt.date(2010, 12, 31), dt.date(2011, 1, 31)]
    exp = exp.model_copy(update={"as_of": exp.as_of.model_copy(update={"dates": tuple(dates)})})
    data = county()

    def trained(delay: int) -> dict[dt.date, tuple[dt.date, ...]]:
        about = data.about.model_copy(update={"recording_delay_days": delay})
        folds = experiment.temporal_folds(exp, County(data.con, data.tables, about))
        assert all(fold.test == (fold.seen_by,) for fold in folds)
        return {fold.seen_by: fold.train for fold in folds}

    assert trained(0) == {dates[2]: (dates[0],), dates[3]: (dates[0],)}
    assert trained(31) == {dates[3]: (dates[0],)}
    with pytest.raises(InputRefused, match=r"too close together .* as a rule 900 households over 54 months"):
        trained(32)


LINES = "augment_lines: {factors: [1.2, 2.0], models: [boosting]}\nbudget:"
WITH_BOOSTING = {"[past_income]": "[past_income, boosting]"}


def test_other_lines_are_declared_with_their_models_and_change_the_digest(tmp_path: Path) -> None:
    plain = declared(tmp_path, changes=WITH_BOOSTING)
    lines = declared(tmp_path, changes=WITH_BOOSTING | {"budget:": LINES})
    assert lines.augment_lines is not None
    assert lines.augment_lines.factors == (1.2, 2.0)
    assert lines.digest != plain.digest
    assert Experiment.model_validate_json(lines.model_dump_json()) == lines


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"[1.2, 2.0]": "[0.8]"}, "numbers above 1 .*below it stand households that are not in the cohort"),
        ({"[1.2, 2.0]": "[1, 1.2]"}, "the line itself is always asked"),
        ({"models: [boosting]}": "models: [past_income]}"}, "past_income cannot be fitted at several lines"),
        ({"models: [boosting]}": "models: [additive]}"}, r"additive not among models"),
        ({"[not_monitored]": "[fell_before]"}, "who fell before below a higher line is not in the cohort"),
        ({"horizon:": "events: [confirmed]\nhorizon:"}, "a person's or the register's answer"),
        ({"horizon:": "events: [below_line, identified]\nhorizon:"}, "nobody answered at another one"),
        ({"boosting]\nchampion": "boosting, boosting_lines]\nchampion"}, "boosting_lines: fitted at several"),
    ],
)
def test_lines_that_cannot_be_asked_are_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(SpecError, match=said):
        declared(tmp_path, changes=WITH_BOOSTING | {"budget:": LINES} | changes)


def test_a_set_that_does_not_hold_the_line_cannot_be_asked_at_another(tmp_path: Path) -> None:
    exp = declared(tmp_path, changes=WITH_BOOSTING | {"budget:": LINES})
    with pytest.raises(InputRefused, match=r"no feature of .*set.yaml says how far above the line"):
        design_matrix.build_design_matrix(exp, county(), (dt.date(2010, 3, 31),))


def test_incomes_that_are_a_mark_cannot_be_held_against_another_line(tmp_path: Path) -> None:
    exp = declared(tmp_path, changes=WITH_BOOSTING | {"budget:": LINES})
    of_line = SET.replace("from: accounting", "from: features").replace(
        "aggregate: value", "aggregate: to_line"
    )
    of_line = of_line.replace("column: pcni", "of: [accounting.pcni]\n    direction: -1")
    of_line = of_line.replace("as_accounting", "null_if_input_null")
    (tmp_path / "set.yaml").write_text(of_line, encoding="utf-8")
    with pytest.raises(InputRefused, match="incomes are a mark, not amounts"):
        design_matrix.build_design_matrix(exp, county(), (dt.date(2010, 3, 31),))
