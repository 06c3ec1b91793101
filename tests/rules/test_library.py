"""Declarations: every packaged set loads, every name in it is used, a wrong one is refused with the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskmodel import rules
from riskmodel.data.schema import codes
from riskmodel.errors import SpecError, UsageError
from riskmodel.rules.backends import household_scope, row_scope
from riskmodel.rules.declaration import vocabulary
from riskmodel.rules.expression import FUNCTIONS, names, parse_expression, row_tests
from riskmodel.rules.library import SETS, rule_expressions

from .tiny import county

OFFICIAL = {
    "national-2021", "ratio-1.5-2020", "county-2020", "anhui-town-2020", "causes-2020", "wuhu-2019",
    "classes-2020", "nancheng-2020", "lueyang-2021", "cards-2023", "dali-2021", "yingjiang-2022",
}  # fmt: skip


def test_all_twelve_official_sets_are_there_and_load() -> None:
    assert set(rules.available_rule_sets()) >= OFFICIAL
    for name in rules.available_rule_sets():
        assert rules.load_rules(name).id == name


@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_every_declared_name_is_used(name: str) -> None:
    ruleset = rules.load_rules(name)
    texts = [
        *rule_expressions(ruleset).values(),
        ruleset.line,
        *(q.when for q in ruleset.quantities.values()),
    ]
    used = set().union(*(names(parse_expression(t)) for t in texts))
    used |= set().union(*(names(t.node) for text in texts for t in row_tests(parse_expression(text))), set())
    # `given(x)` and the checks below read parameters by name, not through an expression.
    if ruleset.negative_list:
        used.add(ruleset.negative_list.kinds)
    if ruleset.size_check:
        used |= {ruleset.size_check.expected, ruleset.size_check.low, ruleset.size_check.high}
    if ruleset.accounting == "rolling":
        used.add("period_months")
    used |= {n for t in texts for n in t.replace("(", " ").replace(")", " ").replace(",", " ").split()}
    assert set(ruleset.parameters) <= used
    assert set(ruleset.quantities) <= used


@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_every_set_has_both_languages_and_its_source(name: str) -> None:
    ruleset = rules.load_rules(name)
    parts = [*ruleset.conditions.values(), *ruleset.categories, *ruleset.tiers, *ruleset.focus.values()]
    parts += [*ruleset.parameters.values(), *ruleset.outcomes, *ruleset.clocks]
    for part in parts:
        assert part.zh.strip()
        assert part.en.strip().isascii(), part.en
        assert part.source[:3] in {"000", "001", "002", "003", "004"}


def test_every_function_and_quantity_has_a_meaning() -> None:
    t = _judged()
    household = household_scope({}, {}, t).functions
    by_scope = {*household, *row_scope({}, t.as_of).functions}
    assert {name for name, function in FUNCTIONS.items() if function.apply is None} == by_scope
    for name in vocabulary().quantities:
        assert name in t.columns, name


def _judged():
    from riskmodel.households import known_county
    from riskmodel.rules import backends as rows
    from riskmodel.rules.engine import RuleCase
    from riskmodel.rules.evaluate import query_verdicts

    known = known_county(county(), "2021-06-01")
    ruleset = rules.load_rules("national-2021")
    case = RuleCase(ruleset, ruleset.values())
    with rows.stored_figures(known, case.tests.values()) as figures:
        return query_verdicts(known, case, figures, keep=list(vocabulary().quantities))


def test_parameters_of_codes_name_real_codes() -> None:
    for name in rules.available_rule_sets():
        for parameter in rules.load_rules(name).parameters.values():
            if parameter.kind == "codes":
                assert set(parameter.value) <= set(codes(*(parameter.codes or "").split(".")))


def test_listing_has_a_row_for_each_set() -> None:
    listing = rules.list_rule_sets()
    assert listing["id"].tolist() == rules.available_rule_sets()
    assert listing.set_index("id").loc["national-2021", "line"] == "6000 元/人/年"
    assert listing.notna().all().all()


GOOD = """
version: 1
id: mine
name_zh: 自定义
name_en: my own
jurisdiction: {zh: 某县, en: a county}
valid_from: 2022-01-01
source: own
parameters:
  line: {kind: line, value: 6500, unit: yuan, zh: 线, en: line, source: own}
  period_months: {kind: whole, value: 12, unit: months, zh: 期, en: period, source: own}
conditions:
  below_line: {when: "pcni < line", zh: 低于, en: below, source: own}
categories:
  - {id: poor, when: below_line, flagged: true, zh: 低收入, en: poor, source: own}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_users_write_their_own_set(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    row = rules.evaluate_rules(county(6400.0), path, "2021-06-01").iloc[0]
    assert (row["ruleset"], row["category"], row["flagged"]) == ("mine", "poor", True)


def test_a_set_may_extend_packaged_ones(tmp_path: Path) -> None:
    text = GOOD.replace("source: own\nparameters", "source: own\nextends: [national-2021]\nparameters", 1)
    ruleset = rules.load_rules(write(tmp_path, text))
    assert "rigid_too_large" in ruleset.conditions  # sections are merged by id
    assert [c.id for c in ruleset.categories] == ["poor"]  # lists are replaced whole


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pcni < line", "pnci < line", r"conditions.below_line.when: unknown name 'pnci'; allowed: .*pcni"),
        ("pcni < line", "eval('1')", r"unknown function 'eval'; allowed: any_cause"),
        ("pcni < line", "pcni.real < 1", "Attribute is not allowed"),
        ("pcni < line", "pcni <", "is not an expression"),
        ("pcni < line", "pcni + line", "is not true or false"),
        ("pcni < line", "registration < 3", "types do not fit"),
        ("pcni < line", "any_cause(['flood'])", "any_cause takes a list of causes, of illness"),
        ("pcni < line", "some(people, age > 3)", "ROWS must be one of members, support"),
        ("pcni < line", "some(members, income > 3)", "unknown name 'income'; allowed: .*age"),
        ("pcni < line", "pcni < months_ago(3)", "stands inside some"),
        ("when: below_line", "when: above", "categories.poor.when: unknown name 'above'"),
        ("flagged: true", "flag: true", "categories.0.flag: no such key; did you mean flagged\\?"),
        ("value: 6500", "value: high", "parameters.line: Value error, 'high' is not a finite number"),
        ("valid_from: 2022-01-01", "valid_from: soon", "valid_from: Input should be a valid date"),
        ("version: 1", "version: 2", "version: Input should be 1"),
        ("id: poor", "id: none", "categories.none: this id is reserved"),
        ("id: mine", "id: mine\nid: yours", "'id' stands twice"),
        ("source: own\nparameters", "source: own\nline: limit\nparameters", "line: no parameter limit"),
        ("source: own\nparam", "source: own\nextends: [national]\nparam", "no packaged rule set 'national'"),
        ("conditions:\n  below_line", "conditions:\n  pcni", "conditions.pcni: the name is taken"),
    ],
)  # fmt: skip
def test_a_wrong_set_is_refused_naming_file_key_and_mend(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in GOOD
    with pytest.raises(SpecError, match=message) as caught:
        rules.load_rules(write(tmp_path, GOOD.replace(old, new, 1)))
    assert "mine.yaml" in str(caught.value)


def test_of_faults_that_follow_from_one_another_the_first_is_said(tmp_path: Path) -> None:
    more = """
  above: {when: "deep or later", zh: 一, en: one, source: own}
  deep: {when: "below_line and rigid > 3", zh: 一, en: one, source: own}
  own: {when: "below_line or dibaoo", zh: 一, en: one, source: own}
  later: {when: "pcni > 3", zh: 一, en: one, source: own}
"""
    wrong = GOOD.replace('"pcni < line"', "'pcni < (line and'").replace("\ncategories", f"{more}categories")
    with pytest.raises(SpecError) as caught:
        rules.load_rules(write(tmp_path, wrong))
    said = [line.split("mine.yaml: ")[1] for line in str(caught.value).splitlines()]
    # Neither the condition that uses the broken one nor the category is blamed; what is wrong itself is.
    assert [line.split(": ")[0] for line in said] == [
        f"conditions.{n}.when" for n in ("below_line", "above", "own")
    ]
    assert "'pcni < (line and' is not an expression: '(' was never closed at character" in said[0]
    assert "'deep' does not stand above it" in said[1]
    assert "unknown name 'dibaoo'; allowed: " in said[2]
    assert said[2].endswith("did you mean dibao? (given: 'below_line or dibaoo')")


def test_unknown_ids_and_files_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no rule set 'national'; known: anhui-town-2020, .*national-2021"):
        rules.load_rules("national")
    with pytest.raises(UsageError, match="no rule set file"):
        rules.load_rules("none.yaml")


def test_packaged_files_are_named_after_their_ids() -> None:
    assert {p.stem for p in SETS.glob("*.yaml")} == set(rules.available_rule_sets())
