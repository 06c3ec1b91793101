"""Tables of the page: one for each thing measured, absent where nothing was."""

from dataclasses import replace

from riskmodel.benchmark.tables import cell, hits_cell, tables_of


def test_a_panel_shows_what_it_measured_and_no_more(result):
    (one,) = result.panels
    titles = [table.title["en"] for table in tables_of(one)]
    assert len(set(titles)) == len(titles)
    without = replace(one, tables={k: v for k, v in one.tables.items() if k != "lead"})
    fewer = [table.title["en"] for table in tables_of(without)]
    assert len(fewer) == len(titles) - 1
    assert set(fewer) < set(titles)
    for table in tables_of(one):
        assert all(len(row.cells) == len(table.columns) for row in table.rows), table.title["en"]


def test_an_interval_stands_below_its_value_and_ties_below_the_hits():
    shown = cell(0.1234, 0.1, 0.15)
    assert (shown.value, shown.small) == ("0.123", "0.100 … 0.150")
    assert cell(float("nan")).value == "–"
    row = {"hits_model": 7, "hits_model_worst": 6, "hits_model_best": 9}
    assert hits_cell(row, "model").small == "6 … 9"
    assert hits_cell(row | {"hits_model_worst": 9}, "model").small == ""
