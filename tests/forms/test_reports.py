"""Reports of month and quarter agree with the ledger, and have the period before beside."""

from __future__ import annotations

from riskmodel.forms import write_forms
from riskmodel.forms.reports import pages_of_month, pages_of_quarter
from riskmodel.register import build_register_accounts

from .conftest import word_text


def of_ledger(small, first, last):
    lines = build_register_accounts(small.known.county, first, last).lines
    return lines[lines["stock"] == "open"].groupby("line")["hh"].sum()


def test_the_month_is_what_the_ledger_says_and_so_is_the_month_before(small):
    (page,) = pages_of_month(small, {})
    now, before = of_ledger(small, "2021-06-01", "2021-06-15"), of_ledger(small, "2021-05-01", "2021-05-31")
    for line in ("opening", "identified", "eliminated", "closing"):
        assert page[f"{line}_hh"] == now[line]
        assert page[f"{line}_hh_before"] == before[line]
    assert (page["identified_hh"], page["closing_hh"], page["closing_hh_change"]) == (1, 4, "增加 1 户")
    assert (page["visits"], page["confirmed"], page["warnings"], page["warnings_before"]) == (4, 2, 1, 1)
    # h7 and h8 are watched without a measure.
    assert (page["watched_now"], page["without"]) == (4, 2)


def test_the_quarter_has_its_incomes_and_those_of_the_quarter_before(small, tmp_path):
    (page,) = pages_of_quarter(small, {})
    ledger = of_ledger(small, "2021-04-01", "2021-06-15")
    assert (page["eliminated_hh"], page["closing_hh"]) == (ledger["eliminated"], ledger["closing"])
    # Lifted or watched: h1 3,600, h3 4,800, h4 12,000, h7 12,000, h8 6,400 with three persons.
    assert page["concerned"] == 5
    assert page["from_10000"] == 2
    assert page["before_to"] == "2021-03-31"
    (report,) = write_forms(small, tmp_path, ["quarter-report"])
    text = word_text(report.files[0])
    assert "2021 年第 2 季度" in text
    assert "{{" not in text
