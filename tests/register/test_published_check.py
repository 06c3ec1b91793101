"""Checking published tables: real ones, planted errors, ties, cells left out, wrong files."""

from __future__ import annotations

import copy
import json
from fractions import Fraction

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel.errors import UsageError
from riskmodel.register import check_published, describe_check
from riskmodel.register.published import read_published_table, table_relations

# 000 §5 (one county, one quarter); in print one marginal cell reads 129 where 192 fits.
QUARTER = """
period: 2020-Q1
unit: {hh: households, p: persons}
categories:
  unstable_lifted: {total: {hh: 827, p: 3103}, eliminated: {hh: 582, p: 2209}, remaining: {hh: 245, p: 894}, identified: {hh: 17, p: 57}, share_pct: 72.3}
  marginal: {total: {hh: 317, p: 1142}, eliminated: {hh: 129, p: 702}, remaining: {hh: 125, p: 440}, identified: {hh: 8, p: 27}}
total: {total: {hh: 1144}, eliminated: {hh: 774, p: 2911}, remaining: {hh: 370, p: 1334}}
causes: {illness: {hh: 13}, accident: {hh: 6}, schooling: {hh: 2}, unstable_employment: {hh: 2}, other: {hh: 2}}
causes_of: identified
"""  # noqa: E501
# 001 §10 (a prefecture, end of 2021), as printed; shares are of persons.
PREFECTURE = """
categories:
  unstable_lifted: {total: {hh: 4565, p: 16223}, eliminated: {hh: 2326, p: 8511}, remaining: {hh: 2239, p: 7712}, share_pct: 42.97}
  marginal: {total: {hh: 5637, p: 18824}, eliminated: {hh: 4713, p: 14831}, remaining: {hh: 1464, p: 3993}, share_pct: 49.85}
  sudden_hardship: {total: {hh: 898, p: 2708}, eliminated: {hh: 264, p: 824}, remaining: {hh: 634, p: 1884}, share_pct: 7.18}
total: {total: {hh: 11100, p: 37755}, eliminated: {hh: 6763, p: 24166}, remaining: {hh: 4337, p: 13589}}
causes: {illness: {hh: 3715}, unstable_employment: {hh: 2691}, disability: {hh: 1498}, schooling: {hh: 1190}, labour_shortage: {hh: 858}, accident: {hh: 370}, industry_failure: {hh: 361}, disaster: {hh: 161}, housing: {hh: 81}, other: {hh: 165}}
"""  # noqa: E501


def named(answer: dict) -> list[tuple]:
    return [(f["where"], f["printed"], f["expected"]) for f in answer["findings"]]


def quarter(**changes: float) -> dict:
    """Return the quarter as it must have been, with cells changed (``a__b__hh=1``; None leaves one out)."""
    out = yaml.safe_load(QUARTER)
    out["categories"]["marginal"]["eliminated"]["hh"] = 192
    for path, value in changes.items():
        *above, last = path.split("__")
        at = out
        for key in above:
            at = at[key]
        at.pop(last) if value is None else at.__setitem__(last, value)
    return out


def test_the_contracts_example_is_one_cell_and_no_more():
    answer = check_published(yaml.safe_load(QUARTER))
    assert not answer["balanced"]
    assert named(answer) == [("categories.marginal.eliminated.hh", 129, 192)]
    # It breaks its row and its column; both are reported with their figures.
    row, column = answer["findings"][0]["relations"]
    assert "317 ≠ 129 + 125 = 254" in row
    assert "774 ≠ 582 + 129 = 711" in column
    assert answer["shares"] == {"categories.unstable_lifted.share_pct": "households"}
    assert json.loads(json.dumps(answer)) == answer


def test_a_printed_prefecture_has_one_transposed_cell_and_causes_that_miss_ten():
    # 4713 for 4173: row and column agree on the difference of 540; the causes add up to 11090 of 11100.
    answer = check_published(yaml.safe_load(PREFECTURE))
    assert named(answer) == [("categories.marginal.eliminated.hh", 4713, 4173), ("causes", 11090, 11100)]
    assert set(answer["shares"].values()) == {"persons"}


def test_what_is_right_balances():
    answer = check_published(quarter())
    assert answer["balanced"]
    assert answer["findings"] == []
    # Rows, columns of households (the total's too), the same of persons (no total), causes, a share.
    assert answer["relations_checked"] == 3 + 2 + 3 + 2 + 1 + 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # A broken sum that no single cell explains is a group with its printed and expected values.
        ({"total__eliminated__p": 2991}, [("total.eliminated.p", 2991, 2911)]),
        ({"causes__illness__hh": 14}, [("causes", 26, 25)]),
        ({"categories__marginal__identified__hh": 9}, [("causes", 25, 26)]),
        ({"categories__marginal__total__p": 1124}, [("categories.marginal.total.p", 1124, 1142)]),
        # The share stands for itself.
        (
            {"categories__unstable_lifted__share_pct": 75.1},
            [("categories.unstable_lifted.share_pct", 75.1, 72.3)],
        ),
        # One cell in row, column and share.
        (
            {"categories__unstable_lifted__total__hh": 872},
            [("categories.unstable_lifted.total.hh", 872, 827)],
        ),
        ({"total__remaining__hh": 307}, [("total.remaining.hh", 307, 370)]),
        ({"total__total__hh": 1414}, [("total.total.hh", 1414, 1144)]),
    ],
)
def test_each_kind_of_finding(changes, expected):
    assert named(check_published(quarter(**changes))) == expected


def test_two_independent_errors_are_two_cells():
    answer = check_published(
        quarter(categories__marginal__remaining__hh=152, categories__unstable_lifted__eliminated__p=2290)
    )
    assert set(named(answer)) == {
        ("categories.marginal.remaining.hh", 152, 125),
        ("categories.unstable_lifted.eliminated.p", 2290, 2209),
    }


def test_two_errors_in_one_column_are_separated_by_their_rows():
    # Neither cell alone mends two relations; together they mend three, and no other two cells do.
    answer = check_published(
        quarter(categories__marginal__eliminated__hh=129, categories__unstable_lifted__eliminated__hh=528)
    )
    assert set(named(answer)) == {
        ("categories.marginal.eliminated.hh", 129, 192),
        ("categories.unstable_lifted.eliminated.hh", 528, 582),
    }


def test_two_errors_that_could_be_two_others_are_reported_as_groups():
    # Off by the same 9 crosswise: rows and columns fit either diagonal, so no cell is named.
    answer = check_published(
        quarter(categories__marginal__eliminated__hh=201, categories__unstable_lifted__remaining__hh=254)
    )
    assert not answer["balanced"]
    assert {f["where"] for f in answer["findings"]} == {
        "categories.unstable_lifted.total.hh",
        "categories.marginal.total.hh",
        "total.eliminated.hh",
        "total.remaining.hh",
    }


def test_errors_that_cancel_in_their_column_leave_two_broken_rows():
    answer = check_published(
        quarter(categories__marginal__eliminated__hh=191, categories__unstable_lifted__eliminated__hh=583)
    )
    assert [w for w, _, _ in named(answer)] == [
        "categories.unstable_lifted.total.hh",
        "categories.marginal.total.hh",
    ]


def test_a_cell_left_out_is_unknown_not_zero():
    for path in ("total__eliminated__hh", "categories__marginal__total__hh", "causes__other__hh"):
        assert check_published(quarter(**{path: None}))["balanced"], path
    # With the row's total left out only the column speaks: the group, and who alone could be wrong.
    answer = check_published(
        quarter(categories__marginal__total__hh=None, categories__marginal__eliminated__hh=129)
    )
    assert named(answer) == [("total.eliminated.hh", 774, 711)]
    assert answer["findings"][0]["suspects"] == [
        {"where": "categories.marginal.eliminated.hh", "expected": 192}
    ]


def test_a_share_may_be_of_persons_and_is_judged_to_its_last_printed_digit(tmp_path):
    of_persons = quarter(categories__unstable_lifted__share_pct=73.1)
    assert check_published(of_persons)["shares"] == {"categories.unstable_lifted.share_pct": "persons"}
    file = tmp_path / "ledger.yaml"
    text = "categories:\n  a: {total: {hh: 2}, share_pct: %s}\n  b: {total: {hh: 1}}\n"
    # 2 of 3 are 66.67 per cent: 66.6 is within one tenth, 66.60 is not within one hundredth.
    for printed, fits in (("66.6", True), ("66.60", False), ("67", True), ("66.67", True), ("66.68", False)):
        file.write_text(text % printed, encoding="utf-8")
        assert check_published(file)["balanced"] is fits, printed


def test_movements_are_checked_where_an_opening_and_a_closing_are_printed():
    row = {
        "opening": {"hh": 10, "p": 30},
        "identified": {"hh": 4, "p": 9},
        "eliminated": {"hh": 3, "p": 8},
        "closing": {"hh": 12, "p": 32},
    }
    # Persons come and go by themselves, so without that line nothing is said of them.
    answer = check_published({"categories": {"a": row}})
    assert named(answer) == [("categories.a.closing.hh", 12, 11)]
    with_natural = {
        **row,
        "closing": {"hh": 11, "p": 32},
        "natural_increase": {"p": 2},
        "natural_decrease": {"p": 1},
    }
    assert check_published({"categories": {"a": with_natural}})["balanced"]


def test_a_table_with_nothing_to_compare_says_so():
    answer = check_published({"categories": {"a": {"total": {"hh": 5}}}})
    assert answer["balanced"]
    assert answer["relations_checked"] == 0
    assert describe_check(answer, "en").startswith("nothing could be checked")


CELLS = ("eliminated", "remaining", "identified")


@st.composite
def consistent(draw: st.DrawFn) -> dict:
    """Draw a table in which everything follows: two to five categories, both units, shares, causes."""
    count = st.integers(1, 2000)
    names = [f"c{i}" for i in range(draw(st.integers(2, 5)))]
    rows: dict = {name: {column: {u: draw(count) for u in ("hh", "p")} for column in CELLS} for name in names}
    for row in rows.values():
        row["total"] = {u: row["eliminated"][u] + row["remaining"][u] for u in ("hh", "p")}
    total = {c: {u: sum(r[c][u] for r in rows.values()) for u in ("hh", "p")} for c in (*CELLS, "total")}
    if draw(st.booleans()):
        for row in rows.values():
            row["share_pct"] = round(100 * row["total"]["hh"] / total["total"]["hh"], 1)
    column = draw(st.sampled_from((*CELLS, "total")))
    cut = draw(st.integers(0, total[column]["hh"]))
    causes = {"illness": {"hh": cut}, "other": {"hh": total[column]["hh"] - cut}}
    return {"categories": rows, "total": total, "causes": causes, "causes_of": column}


def plant(table: dict, path: str, value: int) -> dict:
    out = copy.deepcopy(table)
    *above, last = path.split(".")
    at = out
    for key in above:
        at = at[key]
    at[last] = value
    return out


def broken_by(table: dict, path: str) -> list:
    """Return the relations that contain a cell and are broken."""
    read = read_published_table(table)
    values = read.cells()
    exact = {p: Fraction(v) for p, v in values.items()}
    return [r for r in table_relations(read) if path in r.terms and not r.holds(exact)]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(consistent(), st.data())
def test_one_planted_error_is_named_in_any_consistent_table(table, data):
    assert check_published(table)["balanced"]
    paths = [p for p in read_published_table(table).cells() if not p.endswith("share_pct")]
    path = data.draw(st.sampled_from(paths))
    before = read_published_table(table).cells()[path]
    value = data.draw(st.integers(0, 4000).filter(lambda v: v != before))
    wrong = plant(table, path, value)
    broken, answer = broken_by(wrong, path), check_published(wrong)
    assert not answer["balanced"]
    if len(broken) > 1:
        assert named(answer) == [(path, value, before)]
    else:
        # One broken sum: its group is reported, and the cell is among those that alone could repair it.
        (finding,) = answer["findings"]
        assert {"where": path, "expected": before} in finding["suspects"]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(consistent(), st.data())
def test_two_planted_errors_of_different_units_are_both_named(table, data):
    # Households and persons share no sum, so the errors are independent; rows and columns tie each down.
    name = data.draw(st.sampled_from(sorted(table["categories"])))
    other = data.draw(st.sampled_from(sorted(table["categories"])))
    column = data.draw(st.sampled_from(("eliminated", "remaining")))
    hh, p = f"categories.{name}.{column}.hh", f"categories.{other}.eliminated.p"
    before = read_published_table(table).cells()
    wrong = plant(plant(table, hh, before[hh] + 7), p, before[p] + 90)
    assert set(named(check_published(wrong))) == {
        (hh, before[hh] + 7, before[hh]),
        (p, before[p] + 90, before[p]),
    }


@settings(max_examples=80, deadline=None, derandomize=True)
@given(consistent(), st.data())
def test_leaving_cells_out_of_a_consistent_table_breaks_nothing(table, data):
    out = copy.deepcopy(table)
    for row in (*out["categories"].values(), out["total"]):
        for column in list(row):
            if column != "share_pct" and data.draw(st.booleans()):
                row[column].pop(data.draw(st.sampled_from(("hh", "p"))))
    assert check_published(out)["balanced"]


def test_the_answer_as_text_names_cell_and_value_in_both_languages():
    answer = check_published(yaml.safe_load(QUARTER))
    zh, en = describe_check(answer), describe_check(answer, "en")
    assert "categories.marginal.eliminated.hh：印作 129，应为 192" in zh
    assert "categories.marginal.eliminated.hh: printed 129, expected 192" in en
    assert "按户数计" in zh
    with pytest.raises(UsageError, match="zh, en"):
        describe_check(answer, "fr")
