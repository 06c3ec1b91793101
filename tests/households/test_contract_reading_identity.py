"""`contract_reading` on the section "Identity over time", one tiny case a sentence, values by hand."""

from __future__ import annotations

from .contract_cases import County, on, span
from .contract_reading import Account
from .contract_reading_identity import parent_label, strictest

JUNE = "2021-06-30"
FIRST, LAST = "2019-01", "2021-06"


def pair(*numbers: str) -> County:
    """Households with a wage (100, 200, …) and living costs in each month."""
    c = County()
    for i, number in enumerate(numbers, 1):
        c.home(number).wages(number, span(FIRST, LAST), 100 * i).spends(number, span(FIRST, LAST))
    return c


def recoded(date: str = "2021-01-01", **link: str) -> County:
    """H became N; its rows go over with it."""
    begin = date[:7]
    c = County().home("H").home("N", date, persons=0)
    c.wages("H", span(FIRST, "2020-12")).wages("N", span(begin, LAST))
    c.spends("H", span(FIRST, "2020-12")).spends("N", span(begin, LAST))
    return c.link("H", "N", "recode", date, **link)


def brief(account: Account) -> tuple[object, ...]:
    return (account.persons, account.net_income, account.previous_net_income, account.income_reason)


# ------------------------------------------------------------------ recode
def test_a_recoded_household_is_one() -> None:
    both = recoded().read(JUNE)
    assert list(both) == ["N"]
    assert brief(both["N"]) == (1, 1200, 1200, None)
    assert on(both["N"]) == span(FIRST, LAST)
    assert both["N"].numbers == {"H", "N"}


def test_the_number_is_the_one_valid_at_as_of() -> None:
    both = recoded().read("2020-12-31")
    assert list(both) == ["H"]
    assert brief(both["H"]) == (1, 1200, 1200, None)


def test_before_a_link_is_recorded_the_numbers_are_separate() -> None:
    c = recoded(recorded_on="2021-06-15")
    assert {n: brief(a) for n, a in c.read("2021-05-31").items()} == {
        # H's rows end in 2020-12: five months late; N has none of before 2021
        "H": (1, None, None, "not_yet_recorded"),
        "N": (0, None, None, "no_persons"),
    }
    assert list(c.read("2021-06-15")) == ["N"]


def test_a_link_recorded_before_its_date_acts_from_its_date() -> None:
    c = recoded(recorded_on="2020-06-01")
    assert list(c.read("2020-12-31")) == ["H"]
    assert list(c.read("2021-01-01")) == ["N"]


def test_linked_numbers_are_one_household_for_its_coverage() -> None:
    c = recoded().recorded("H", "income", FIRST, "2020-12").recorded("N", "income", "2021-02", LAST)
    assert on(c.read(JUNE)["N"]) == [*span(FIRST, "2020-12"), *span("2021-02", LAST)]


def test_rows_under_the_old_number_belong_to_the_household() -> None:
    c = recoded().wages("H", ["2021-03"], 40)
    c.row("monitoring", household_id="H", date="2021-02-01", event="identified")
    n = c.read(JUNE)["N"]
    assert (n.net_income, n.register) == (1240, "in_register")


def test_member_rows_of_the_new_number_end_those_of_the_old() -> None:
    c = recoded()
    for i in range(2):
        c.row("members", member_id=f"n{i}", household_id="N", valid_from="2021-01-01")
    n = c.read(JUNE)["N"]
    assert (n.persons, n.previous_persons) == (2, 1)
    # before the date the old number's own rows hold
    assert c.read("2020-12-31")["H"].persons == 1


def test_a_new_row_under_the_old_number_with_another_township_is_refused() -> None:
    c = recoded()
    c.row("households", household_id="H", valid_from="2021-03-01", township="west", registration="lifted")
    n = c.read(JUNE)["N"]
    assert (n.township, n.findings, n.doubts) == ("east", {"old number: H"}, {"row_rejected"})
    c = recoded()
    c.row("households", household_id="H", valid_from="2021-03-01", township="east", registration="lifted")
    assert c.read(JUNE)["N"].findings == set()


def test_chains_are_followed() -> None:
    c = recoded().home("X", "2021-04-01", persons=0).link("N", "X", "recode", "2021-04-01")
    c.wages("X", ["2021-05"], 7)
    both = c.read(JUNE)
    assert list(both) == ["X"]
    assert brief(both["X"]) == (1, 1207, 1200, None)
    assert list(c.read("2021-03-31")) == ["N"]


def test_cycles_are_findings() -> None:
    c = pair("A", "B").link("A", "B", "recode", "2020-01-01").link("B", "A", "recode", "2020-06-01")
    both = c.read(JUNE)
    assert {n: a.net_income for n, a in both.items()} == {"A": 1200, "B": 2400}
    assert both["A"].findings == {"cycle: A B", "cycle: B A"}


# ------------------------------------------------------------------ merge
def merged(date: str = "2021-01-01") -> County:
    """A (100 a month) and B (200 a month) became C (400 a month)."""
    c = County().home("A").home("B", persons=2).home("C", date, persons=0)
    for number, amount, months in (("A", 100, span(FIRST, "2020-12")), ("B", 200, span(FIRST, "2020-12")),
                                   ("C", 400, span("2021-01", LAST))):  # fmt: skip
        c.wages(number, months, amount).spends(number, months)
    return c.link("A", "C", "merge", date).link("B", "C", "merge", date)


def test_a_merged_household_is_its_parents_together() -> None:
    both = merged().read(JUNE)
    assert list(both) == ["C"]
    # 2020-07 … 2020-12: 300 a month; from then on 400; the year before 300
    assert brief(both["C"]) == (3, 6 * 300 + 6 * 400, 12 * 300, None)
    assert list(merged().read("2020-12-31")) == ["A", "B"]


def test_one_parents_month_off_record_is_off() -> None:
    c = merged().recorded("A", "income", FIRST, "2020-08").recorded("A", "income", "2020-10", "2020-12")
    c.recorded("C", "income", "2021-01", LAST)
    assert on(c.read(JUNE)["C"]) == [*span(FIRST, "2020-08"), *span("2020-10", LAST)]
    c = merged().rejected("income", "B", month_from="2020-11", month_to="2020-11", recorded_on="2020-11-30")
    assert brief(c.read(JUNE)["C"]) == (3, None, 3600, "row_rejected")


def test_from_the_date_the_parents_are_judged_as_one() -> None:
    # A's rows end in 2020-10, where they are usual: A is late until the merge, C is not after it
    c = merged()
    c.tables["income"] = [
        r for r in c.tables["income"] if r["household_id"] != "A" or r["month"] <= "2020-10"
    ]
    c.tables["spending"] = [
        r for r in c.tables["spending"] if r["household_id"] != "A" or r["month"] <= "2020-10"
    ]
    assert on(c.read(JUNE)["C"]) == [*span(FIRST, "2020-10"), *span("2021-01", LAST)]


def test_an_existing_new_number_is_itself_a_parent() -> None:
    c = pair("A", "B").link("A", "B", "merge", "2021-01-01")
    both = c.read(JUNE)
    assert list(both) == ["B"]
    # members and incomes of both, before the date and after it
    assert brief(both["B"]) == (2, 3600, 3600, None)


def test_members_of_a_merged_number_end_those_of_the_parents() -> None:
    c = merged().row("members", member_id="c", household_id="C", valid_from="2021-01-01")
    assert (c.read(JUNE)["C"].persons, c.read(JUNE)["C"].previous_persons) == (1, 3)


def test_totals_of_parents_are_added() -> None:
    c = County().home("A").home("B").home("C", "2021-01-01", persons=0)
    for number, amount in (("A", 100), ("B", 250)):
        c.year(number, 2020, {"wage": amount, "business": 0, "property": 0, "transfer": 0, "production": 10},
               recorded_on="2021-01-15")  # fmt: skip
        c.link(number, "C", "merge", "2021-01-01")
    a = c.read(JUNE)["C"]
    assert (a.period_to, a.income_basis, a.net_income, a.persons) == ("2020-12", "total", 330, 2)


def test_totals_of_one_parent_and_months_of_the_other_are_added() -> None:
    c = County().home("A").home("B").home("C", "2021-01-01", persons=0)
    c.year("A", 2020, {"wage": 100, "business": 0, "property": 0, "transfer": 0, "production": 10})
    c.wages("B", span(FIRST, "2020-12"), 20).spends("B", span(FIRST, "2020-12"))
    c.link("A", "C", "merge", "2021-01-01").link("B", "C", "merge", "2021-01-01")
    a = c.read(JUNE)["C"]
    assert (a.period_to, a.income_basis, a.net_income) == ("2020-12", "total", 90 + 240)
    # a month of B is not on record: the span is not covered
    c.recorded("B", "income", FIRST, "2020-02").recorded("B", "income", "2020-04", "2020-12")
    assert c.read(JUNE)["C"].income_reason == "not_tiled"


def test_a_new_number_without_valid_from_exists_where_it_has_earlier_amounts() -> None:
    c = County(snapshot_on="2019-01-01").home("A").home("B", None)
    c.wages("A", span(FIRST, LAST)).spends("A", span(FIRST, LAST)).link("A", "B", "merge", "2021-01-01")
    # B has no amounts before the date: it is no parent, A's months are the household's
    assert c.read(JUNE)["B"].net_income == 1200
    # with rows until 2020-06 it is one, and late from 2020-07 on
    c.wages("B", span(FIRST, "2020-06"))
    assert c.read(JUNE)["B"].income_reason == "gap_in_records"


def test_a_recode_to_a_merged_number_joins_it() -> None:
    c = pair("A", "B", "D").home("C", "2020-01-01", persons=0)
    c.link("A", "C", "merge", "2020-01-01").link("B", "C", "merge", "2020-01-01")
    both = c.link("D", "C", "recode", "2021-01-01").read(JUNE)
    assert list(both) == ["C"]
    assert brief(both["C"]) == (3, 7200, 7200, None)


def test_the_register_state_is_the_strictest() -> None:
    assert strictest(["none", "eliminated"]) == "eliminated"
    assert strictest(["eliminated", "in_register", "none"]) == "in_register"
    c = merged().row("monitoring", household_id="A", date="2020-01-01", event="identified")
    c.row("monitoring", household_id="B", date="2020-01-01", event="identified")
    c.row("monitoring", household_id="B", date="2020-06-01", event="eliminated")
    assert c.read(JUNE)["C"].register == "in_register"
    c.row("monitoring", household_id="C", date="2021-02-01", event="eliminated")
    assert c.read(JUNE)["C"].register == "eliminated"


# ------------------------------------------------------------------ split
def split(date: str = "2021-01-01", children: tuple[str, ...] = ("C", "D")) -> County:
    """P became C and D."""
    c = County().home("P", persons=0).wages("P", span(FIRST, "2020-12")).spends("P", span(FIRST, "2020-12"))
    c.row("members", member_id="p", household_id="P", valid_from="2015-01-01", valid_to=date)
    for i, child in enumerate(children, 1):
        if child != "P":
            c.home(child, date)
        c.wages(child, span("2021-01", "2022-03"), 100 * i).spends(child, span("2021-01", "2022-03"))
        c.link("P", child, "split", date)
    return c


def test_children_have_their_own_records_from_the_date() -> None:
    both = split().read(JUNE)
    assert list(both) == ["C", "D"]
    # a period with months before the date is null, and the parent is named
    assert brief(both["C"]) == (1, None, None, "split")
    assert (both["C"].parent_id, both["C"].first_possible_month) == ("P", "2021-01")
    year = split().read("2021-12-31")
    assert {n: a.net_income for n, a in year.items()} == {"C": 1200, "D": 2400}
    assert year["C"].previous_net_income is None


def test_a_childs_own_rows_begin_with_the_first_whole_month() -> None:
    # split on 2 January: February is the first month of its own, so that January's row is not
    c = split("2021-01-02")
    a = c.read("2022-01-31")["C"]
    assert (a.first_possible_month, on(a), a.net_income) == ("2021-02", span("2021-02", "2022-01"), 1200)
    assert c.read("2021-12-31")["C"].income_reason == "split"


def test_a_split_parents_months_do_not_count_for_the_tail() -> None:
    # C's rows end in 2021-06, after six months of its own: nothing is inferred behind them
    c = County().home("P", persons=0).wages("P", span(FIRST, "2020-12"))
    c.home("C", "2021-01-01").wages("C", ["2021-01", "2021-06"]).link("P", "C", "split", "2021-01-01")
    c.home("O").wages("O", span(FIRST, "2021-09"))
    assert on(c.read("2021-09-30")["C"]) == span("2021-01", "2021-06")


def test_a_parents_number_that_goes_on_counts_as_a_child() -> None:
    c = split(children=("P", "C"))
    c.row("members", member_id="q", household_id="P", valid_from="2021-01-01")
    both = c.read("2021-12-31")
    assert list(both) == ["C", "P"]
    assert brief(both["P"]) == (1, 1200, None, None)
    # also where it is not listed among the children but has rows of later months
    c = split(children=("C",)).wages("P", span("2021-01", "2022-03"), 30)
    assert list(c.read("2021-12-31")) == ["C", "P"]


def test_before_the_split_there_is_the_parent() -> None:
    both = split().read("2020-12-31")
    assert list(both) == ["P"]
    assert brief(both["P"]) == (1, 1200, 1200, None)


def test_a_split_parent_is_one_household_of_its_township() -> None:
    # in 2019-01 the township has P and three without rows: a quarter; C, D, E count only from 2021
    c = split(children=("C", "D", "E"))
    for i in range(3):
        c.home(f"H{i}").wages(f"H{i}", ["2021-01"])
    assert c.read(JUNE)["C"].township_start == FIRST


def test_the_parents_label() -> None:
    assert parent_label([0, 1, None]) == 1
    assert parent_label([0, None]) is None
    assert parent_label([0, 0]) == 0


# ------------------------------------------------------------------ moves
def test_a_move_changes_the_place_and_nothing_else() -> None:
    c = pair("A", "B")
    c.row("households", household_id="A", valid_from="2021-03-15", township="west", registration="lifted")
    # the west has records since A came (2021-04 is its first whole month there)
    a = c.read(JUNE)["A"]
    assert (a.township, a.net_income, a.township_start) == ("west", 1200, "2021-04")
