"""Townships that may be misspelled."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel.importing.findings import Findings
from riskmodel.importing.place_names import settle_spellings


@pytest.mark.parametrize(
    ("township", "village", "asked"),
    [
        ("青河镇", "上村", 1),
        ("清河乡", "上村", 1),
        ("清河河镇", "上村", 1),
        ("青河镇", "别村", 0),
        ("东山镇", "上村", 0),
    ],
)
def test_a_township_that_may_be_misspelled_is_asked_about_and_kept(township, village, asked):
    rows = pd.DataFrame(
        {
            "household_id": [f"{n:04d}" for n in range(41)],
            "township": [township, *["清河镇"] * 40],
            "village": [village, *["上村", "下村"] * 20],
            "file": "表.xlsx", "sheet": "Sheet1", "row": range(41), "col": -1,
        },
        dtype=object,
    )  # fmt: skip
    findings = Findings()
    settle_spellings(rows, findings)
    assert [(f.kind, f.text, f.values["given"]) for f in findings.items] == [
        ("township alike", township, "清河镇")
    ] * asked
    assert rows["township"][0] == township
