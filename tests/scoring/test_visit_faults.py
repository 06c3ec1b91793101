"""What cannot be taken in is said in Chinese and English, with the words that the office chose from."""

from __future__ import annotations

import datetime as dt

from riskmodel.scoring.visit_faults import Conflict, fault


def test_a_fault_names_the_cell_and_what_is_allowed() -> None:
    said = fault("not on the list", text="也许", allowed="属实 (confirmed)")
    assert said == (
        "“也许”不在下拉列表中，请选择：属实 (confirmed) / '也许' is not on the list; choose 属实 (confirmed)"
    )


def test_a_conflict_shows_both_sides_in_words_and_a_strange_code_as_it_is() -> None:
    sides = (("not_confirmed", None), (("confirmed", "illness"), ("elsewhere", None)))
    said = str(Conflict("核查名单!N2", "H1", dt.date(2021, 7, 2), *sides))
    assert said.startswith("核查名单!N2: 农户 H1 在 2021-07-02 的走访，名单上为“不属实”")
    assert "数据中为“属实 / 因病; elsewhere”" in said
    assert "is not confirmed here but confirmed / illness; elsewhere in the data" in said
