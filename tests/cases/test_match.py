"""A department's list: matched by keyed hashes, the rest counted and dropped, some kinds refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from riskmodel.cases import log_list, match_list, open_case_log
from riskmodel.errors import InputRefused, UsageError

KEY = b"office key"
# Made up: places and check digits that were never issued.
HERE, SPOUSE, ELSEWHERE = "100000197001010011", "10000019710101002X", "100000198001010033"
SAID = {"purpose": "大额医疗支出监测", "basis": "防返贫监测数据共享协议"}


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(f"户编号,身份证号\nh1,{HERE}\nh1,{SPOUSE}\n", encoding="utf-8")
    return path


def listed(folder: Path, title: str = "大额医疗", header: str = "身份证号,金额") -> Path:
    path = folder / f"{title}.csv"
    rows = [header, f"{HERE},9", f"{SPOUSE.lower()},8", f"{ELSEWHERE},7", "不详,1"]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_persons_become_households_and_the_others_a_count(people: Path, tmp_path: Path) -> None:
    found = match_list(listed(tmp_path), people, KEY, **SAID)
    assert found.households == ("h1",)
    assert (found.rows, found.matched, found.unmatched, found.unreadable) == (4, 2, 1, 1)
    (entry,) = found.entries("医保局", dt.date(2022, 5, 1), SAID["purpose"])
    assert (entry.to, entry.unit, entry.given["channel"]) == ("clue", "医保局", "department_screening")
    log = open_case_log(tmp_path)
    log_list(log, found, dt.date(2022, 5, 2), role="county", department="医保局", **SAID)
    (row,) = log.rows()
    assert row["content"] == {
        "department": "医保局", **SAID, "rows": 4, "matched": 2, "unmatched": 1, "unreadable": 1
    }  # fmt: skip
    # No number of anybody, plain or keyed, is on the disk.
    assert not any(number.encode() in log.path.read_bytes() for number in (HERE, SPOUSE, ELSEWHERE))


@pytest.mark.parametrize("title", ["戒毒人员", "信访人员", "刑满释放人员"])
def test_some_lists_are_refused_whatever_the_purpose(people: Path, tmp_path: Path, title: str) -> None:
    with pytest.raises(InputRefused, match="without a reason"):
        match_list(listed(tmp_path, title), people, KEY, **SAID)
    with pytest.raises(InputRefused, match="without a reason"):
        match_list(listed(tmp_path, header=f"身份证号,{title}"), people, KEY, **SAID)


def test_purpose_and_basis_are_asked_for(people: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--basis"):
        match_list(listed(tmp_path), people, KEY, purpose="监测", basis=" ")
    with pytest.raises(InputRefused, match="identity numbers"):
        match_list(listed(tmp_path, header="姓名,金额"), people, KEY, **SAID)
