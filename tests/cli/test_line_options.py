"""Every verb that takes a line or a parameter reads the same texts and refuses the same ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.forms.small_county import AS_OF, small_frames

from riskmodel.cases import open_case_book
from riskmodel.data import read_county
from riskmodel.households import known_county
from riskmodel.io import read_table

from .conftest import run, told

EARLIER = "2020-12-31"


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine households by hand: 2,700 to 12,000 yuan a head and year."""
    out = tmp_path_factory.mktemp("counties") / "small"
    out.mkdir()
    for name, frame in small_frames().items():
        frame.to_csv(out / f"{name}.csv", index=False)
    (out / "about.yaml").write_text("coverage: whole\nrecords_from: 2019-01\ndata_through: 2021-05-31\n")
    return out


def judged(county: Path, out: Path, *said: str, day: str = AS_OF) -> pd.DataFrame:
    told("rules", county, "--ruleset", "national-2021", "--as-of", day, "--out", out, *said)
    return read_table(out)


def test_line_and_parameter_say_the_same_and_a_year_holds_from_its_first_day(
    county: Path, tmp_path: Path
) -> None:
    by_line = judged(county, tmp_path / "line.csv", "--line", "4000")
    by_param = judged(county, tmp_path / "param.csv", "--param", "line=4000")
    pd.testing.assert_frame_equal(by_line, by_param)
    below = by_line["conditions"].fillna("").str.contains("below_line")
    assert set(by_line.loc[below, "household_id"]) == {"h1", "h2", "h9"}  # 3,600; 3,000; 2,700
    year = judged(county, tmp_path / "year.csv", "--line", "2021=4000")
    assert year["conditions"].tolist() == by_line["conditions"].tolist()
    before = judged(county, tmp_path / "before.csv", "--line", "2020=4000", day=EARLIER)
    assert set(before["line"]) == {4000.0}
    later = judged(county, tmp_path / "later.csv", "--param", "line@2020=4000")
    assert set(later["line"]) == {4000.0}
    assert later["assumptions"].str.contains("of 2020").all()


CALLS: dict[str, tuple[str, ...]] = {
    "rules": ("--as-of", AS_OF, "--ruleset", "national-2021", "--out", "OUT.csv"),
    "cases": ("--as-of", AS_OF),
    "forms": ("--as-of", AS_OF, "--form", "initial-lists", "--out", "OUT"),
    "province": ("--as-of", AS_OF, "--out", "OUT"),
    "check": ("--out", "OUT"),
    "forecast": ("--as-of", AS_OF, "--out", "OUT"),
    "stress": ("--as-of", AS_OF, "--out", "OUT", "--scenario", "wages-down"),
}
ALL_YEARS = ("check", "forecast", "stress")  # of a year on record, or of one to come
SLOW, LARGE = ("province",), ("forecast", "stress")  # nine households are too few for a forecast
WRONG = {
    "--line=soon": "'soon' is not a finite number",
    "--line=21=6000": "write YUAN, or YEAR=YUAN",
    "--param=line": "write NAME=VALUE, or NAME@YEAR=VALUE",
    "--param=lime=1": "no parameter 'lime'",
    "--param=local_line=1": "no parameter 'local_line'",
    "--param=rigid_to_income@2021=1": "holds for all years",
    "--line=2017=6000": "line of 2017: nothing of that year is judged here, but of 2020, 2021",
}


def call(verb: str, county: Path, out: Path, *said: str) -> Any:
    data = county.parent if verb == "province" else county
    return run(verb, data, *[a.replace("OUT", str(out)) for a in CALLS[verb]], *said, "--lang", "en")


@pytest.mark.parametrize("verb", CALLS)
def test_a_verb_refuses_what_all_refuse(verb: str, county: Path, tmp_path: Path) -> None:
    for said, message in WRONG.items():
        if verb in ALL_YEARS and "2017" in said:
            continue
        done = call(verb, county, tmp_path / "out", said)
        assert done.exit_code == 2, (said, done.output)
        assert message in done.stderr


@pytest.mark.parametrize(
    "verb", [pytest.param(v, marks=pytest.mark.slow if v in SLOW else ()) for v in CALLS if v not in LARGE]
)
def test_a_verb_takes_what_all_take(verb: str, county: Path, tmp_path: Path) -> None:
    done = call(verb, county, tmp_path / "out", "--line=2021=4000", "--param=rigid_to_income=0.5")
    assert done.exit_code == 0, done.output


def test_a_check_looks_for_heaps_at_the_line_of_each_year(county: Path, tmp_path: Path) -> None:
    done = run("check", county, "--out", tmp_path, "--line", "2020=4000", "--line", "5000", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["refused"] is False


def test_what_a_case_needs_for_an_elimination_goes_by_the_line(county: Path) -> None:
    known = known_county(read_county(county), AS_OF)
    low, usual, high = (
        open_case_book(known, "national-2021", params=params).verdicts["h8"]["conditions"].split(";")
        for params in ({"line": 4000}, {}, {"line": 20000})
    )
    # 9,600 yuan a head: steadily above both lower lines, below the highest.
    assert "income_stable" in low
    assert "income_stable" in usual
    assert "below_line" in high
    assert "income_stable" not in high
