"""One snapshot of households and members: counted, and its date held against what the tables show."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from riskmodel import rules
from riskmodel.data import About, check_county, from_frames, read_county, snapshot_message, write_county
from riskmodel.households import known_county

from . import exports


def check(folder: Path, rows: exports.Rows, **about: Any) -> tuple[dict[str, str], str]:
    """Return the notices of a check by id, and the first line of its report."""
    write_county(exports.frames(rows), folder / "data")
    lines = "".join(f"{key}: {value}\n" for key, value in about.items())
    (folder / "data" / "about.yaml").write_text(lines, encoding="utf-8")
    summary, _ = check_county(folder / "data", folder / "out", lang="en", max_rejected=0.5)
    head = (folder / "out" / "quality.md").read_text(encoding="utf-8").splitlines()[2]
    return {notice["id"]: notice["en"] for notice in summary["notices"]}, head


def test_an_honest_snapshot_is_said_and_nothing_is_found_wrong(tmp_path: Path) -> None:
    # Totals until December 2020, the tables taken in the middle of January.
    notices, head = check(tmp_path, exports.annual(), snapshot_on="2021-01-15")
    assert "holds 6 of 6 households" in notices["snapshot"]
    assert "2021-01-15" in notices["snapshot"]
    assert "snapshot too early" not in notices
    assert head == "Can be used."
    assert any("one snapshot without dates" in note for note in read_county(tmp_path / "data").notes)


def test_a_snapshot_before_what_the_tables_hold_is_told_first(tmp_path: Path) -> None:
    rows = exports.annual()
    rows["households"][0] |= {"lifted_year": 2019}
    rows["members"][0] |= {"birth_month": "2019-05"}
    notices, head = check(tmp_path, rows, snapshot_on="2018-06-30")
    said = notices["snapshot too early"]
    for evidence in (
        "income goes on until 2020-12-31",
        "1 household of it was lifted in a later year",
        "1 member was born after the row was recorded",
        "give the day of the export",
    ):
        assert evidence in said
    assert head.startswith("Can be used, but look at this first: snapshot_on 2018-06-30 seems too early")


def test_dated_tables_have_no_snapshot(tmp_path: Path) -> None:
    notices, _ = check(tmp_path, exports.clean(), snapshot_on="2016-01-01")
    assert not {"snapshot", "snapshot too early"} & set(notices)


@pytest.mark.parametrize(
    ("about", "found"),
    [
        ({"recording_delay_days": 93}, True),
        # Three months have at most 92 days: with that delay some dates are still in time.
        ({"recording_delay_days": 92}, False),
        ({"recording_delay_days": 93, "max_lag_months": 4}, False),
    ],
)
def test_a_delay_that_makes_every_income_unknown_is_told_with_the_mend(
    tmp_path: Path, about: dict[str, int], found: bool
) -> None:
    notices, head = check(tmp_path, exports.clean(), **about)
    assert ("delay beyond lag" in notices) == found
    if found:
        assert "State what is written up in table recorded" in notices["delay beyond lag"]
        assert "recording_delay_days 93 is longer than the allowed lag" in head
        # It is so: no household has an income at the end of the records or half a year later.
        known = known_county(read_county(tmp_path / "data"), [dt.date(2020, 12, 31), dt.date(2021, 6, 30)])
        assert known.accounts().to_pandas()["pcni"].isna().all()


def test_a_table_of_what_is_recorded_overrides_the_delay(tmp_path: Path) -> None:
    rows = exports.clean()
    ids = [row["household_id"] for row in rows["households"]]
    rows["recorded"] = [
        {"household_id": h, "of": of, "month_from": "2018-01", "month_to": "2020-12"}
        for h in dict.fromkeys(ids)
        for of in ("income", "spending")
    ]
    assert "delay beyond lag" not in check(tmp_path, rows, recording_delay_days=120)[0]


def test_verdicts_say_that_they_stand_on_a_snapshot() -> None:
    about = About(snapshot_on=dt.date(2021, 4, 15))
    county = from_frames(exports.frames(exports.annual()), about)
    message = snapshot_message(county)
    assert message is not None
    assert "快照" in message.text("zh")
    verdicts = rules.evaluate_rules(county, "national-2021", "2021-04-30")
    assert verdicts["assumptions"].str.startswith("snapshot_on=2021-04-15;").all()
    dated = from_frames(exports.frames(exports.clean()))
    assert snapshot_message(dated) is None
    assert (
        not rules.evaluate_rules(dated, "national-2021", "2020-12-31")["assumptions"]
        .str.contains("snap")
        .any()
    )
    # A snapshot of members alone is one too.
    rows = exports.annual()
    for row in rows["households"]:
        row |= {"valid_from": "2016-01-01"}
    of_members = snapshot_message(from_frames(exports.frames(rows), about))
    assert of_members is not None
    assert "holds 0 of 6 households" in of_members.text("en")
