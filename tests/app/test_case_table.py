"""The page's cases: in words, late ones on top, and never a score beside an elimination or a clearance."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel.app.case_table import (
    CASE_COLUMNS,
    STEP_COLUMNS,
    CaseRecords,
    case_table,
    step_table,
    waiting_counts,
)
from riskmodel.app.desk import Desk
from riskmodel.i18n import LANGUAGES

SCORES = ("probability", "rank", "tier", "score", "reason", "contribution", "chance")


def case(number: int, **more: object) -> dict[str, object]:
    made = {"case_id": f"C{number}", "household_id": f"H{number}", "township": "东河镇", "kind": "identify",
            "state": "clue", "since": pd.Timestamp("2021-06-01"), "opened_on": pd.Timestamp("2021-06-01"),
            "channel": "department_screening", "cause": "illness", "list": 1, "waiting_for": "county",
            "clock": "explanation", "due_on": pd.Timestamp("2021-06-10"), "late": False, "closed": False,
            "standing": "outside", "reached": "clue"}  # fmt: skip
    return made | more


@pytest.fixture
def found() -> CaseRecords:
    rows = [
        case(1, closed=True, waiting_for="none", due_on=pd.NaT, clock=None),
        case(2),
        case(3, kind="remove", list=4, late=True, due_on=pd.Timestamp("2021-06-02"), probability=0.9),
    ]
    steps = pd.DataFrame(
        {"case_id": ["C2"], "to": ["clue"], "date": [pd.Timestamp("2021-06-01")], "role": ["county"],
         "recorded_on": [pd.Timestamp("2021-06-01")], "unit": [None], "ground": ["x"], "document": [None],
         "source": ["warnings"], "score": [0.5]}
    )  # fmt: skip
    frame = pd.DataFrame(rows).astype({"list": "Int64"})
    return CaseRecords(
        "2021-06-30", "national-2021", frame, steps, {"explanation": {"zh": "说明", "en": "told"}}
    )


def test_no_column_of_a_score_stands_where_an_elimination_is_prepared(found: CaseRecords) -> None:
    for lang in LANGUAGES:
        for table in (case_table(found, lang), step_table(found, "C2", lang)):
            shown = {c.id for c in table.columns} | {key for row in table.rows for key in row}
            assert not [name for name in shown if name.startswith(SCORES)]
    assert not [name for name in (*CASE_COLUMNS, *STEP_COLUMNS) if name.startswith(SCORES)]


def test_what_is_due_first_stands_first_in_words(found: CaseRecords) -> None:
    rows = case_table(found, "zh").rows
    assert [row["household_id"] for row in rows] == ["H3", "H2", "H1"]
    late = rows[0]
    assert (late["kind"], late["late"], late["due_on"]) == ("清退", "是", "2021-06-02")
    assert (late["list"], late["waiting_for"], late["clock"]) == ("识别不精准整户清退", "县级", "说明")
    assert (rows[1]["channel"], rows[1]["cause"], rows[1]["state"]) == ("部门筛查", "因病", "线索")
    assert case_table(found, "en").rows[0]["kind"] == "clearance"
    assert waiting_counts(found, "zh") == [("县级", 2, 1)]


def test_a_county_without_cases_has_an_empty_table(desk: Desk) -> None:
    desk.find_cases("2021-06-30")
    assert desk.settle()
    assert desk.cases is not None
    assert desk.rules == ("national-2021", {})
    assert case_table(desk.cases, "zh").rows == []
    assert waiting_counts(desk.cases, "zh") == []
