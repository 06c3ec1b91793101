"""What a verb says to a call that cannot be done: the mend, and an exit code that tells whose move it is."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from riskmodel.cli import common
from riskmodel.data import read_county, write_county
from riskmodel.errors import InputRefused, SpecError
from riskmodel.io.specs import Spec, parse_spec

from ..data import exports
from .conftest import AS_OF, run


@pytest.mark.parametrize(
    ("call", "code", "says"),
    [
        # 1: what is named is not there, or is not what it should be.
        ("check nowhere", 1, "no such file or folder"),
        ("worklist nope.parquet --visits 5", 1, "nope.parquet: no such file"),
        ("worklist junk.parquet --visits 5", 1, "junk.parquet: cannot be read as parquet"),
        ("ledger --check nope.yaml", 1, "nope.yaml: no such file"),
        ("ledger --check ledger.yaml", 1, "ledger.yaml: categori: no such key; did you mean categories?"),
        ("compare nope --store junk.db", 1, "junk.db is not an MLflow store"),
        ("compare nope --store other.db", 1, "other.db is not an MLflow store"),
        ("promote county --store nope.db", 1, "run `riskmodel train` first"),
        ("compare nope --store nope.db", 1, "run `riskmodel train` first"),
        ("train nope.yaml --data x", 1, "nope.yaml"),
        ("rules x --ruleset nope.yaml --as-of 2021-01-01 --out x.csv", 1, "nope.yaml"),
        ("check nowhere --out junk.db", 1, "junk.db: cannot be written: it is a file"),
        ("worklist nope.parquet --visits 5 --out junk.db/x.xlsx", 1, "cannot be written"),
        ("simulate out --profile nope.yaml", 1, "no county profile file 'nope.yaml'"),
        ("simulate out --dirty nope.yaml", 1, "no dirt profile file 'nope.yaml'"),
        ("simulate out --register nope.yaml", 1, "no rule set file 'nope.yaml'"),
        ("simulate --validate --profile nope.yaml", 1, "no county profile file 'nope.yaml'"),
        ("stress x --as-of 2021-01-01 --scenario nope.yaml --out out", 1, "nope.yaml"),
        ("forecast x --as-of 2021-01-01 --known nope.csv --out out", 1, "nope.csv: no such file"),
        ("check nowhere --spoiled nope.csv", 1, "nope.csv: no such log"),
        ("score x --model county@champion --as-of 2021-01-01 --out y.csv", 1, "run `riskmodel train` first"),
        # Where to write to is looked at before anything else is done, whatever the option is called.
        ("simulate junk.db", 1, "junk.db: cannot be written: it is a file"),
        ("simulate junk.db/county", 1, "junk.db/county: cannot be written"),
        ("import wagepan junk.db", 1, "junk.db: cannot be written: it is a file"),
        ("rules x --ruleset national-2021 --as-of 2021-01-01 --page junk.db", 1, "junk.db: cannot be"),
        ("worklist nope.parquet --visits 5 --sheets junk.db/s.html", 1, "junk.db/s.html: cannot be written"),
        ("compare nope --further junk.db", 1, "junk.db: cannot be written: it is a file"),
        ("report nope --out junk.db", 1, "junk.db: cannot be written: it is a file"),
        ("train county --data x --store .", 1, ".: cannot be written: it is a folder"),
        ("demo --store junk.db/s.db", 1, "junk.db/s.db: cannot be written"),
        ("import eph nope.csv panel", 1, "nope.csv: cannot be read: no such file"),
        ("months nope", 1, "no month in nope"),
        # 2: wrong as typed.
        ("worklist nope.parquet --visits 5 --out list.csv", 2, "ends in .xlsx"),
        ("train nothing --data x", 2, "county"),
        ("worklist nope.parquet --visits 5 --sheets sheets.doc", 2, "ends in .html, .pdf"),
        ("simulate out --profile nope", 2, "no county profile 'nope'; known: default"),
        ("simulate out --dirty nope", 2, "no dirt profile 'nope'; known: default"),
        ("stress x --as-of 2021-01-01 --scenario nope --out out", 2, "nope"),
        ("check nowhere --lang fr", 2, "language 'fr' is unknown; allowed: zh, en"),
        ("check nowhere --ruleset nope", 2, "no rule set 'nope'"),
        ("rules nowhere --ruleset national-2021 --as-of 2021-01-01 --out x.txt", 2, ".parquet, .csv, .xlsx"),
    ],
)
def test_exit_codes_tell_the_input_from_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("junk.db", "junk.parquet"):
        Path(name).write_text("no database and no table " * 40, encoding="utf-8")
    Path("ledger.yaml").write_text("categori: {}\n", encoding="utf-8")
    with sqlite3.connect("other.db") as other:
        other.execute("CREATE TABLE somebody_elses (x)")
    other.close()
    before = set(tmp_path.iterdir())
    done = run(*call.split())
    assert done.exit_code == code, done.stderr
    assert says in done.stderr
    assert "Errno" not in done.stderr
    # Nothing was begun: the output's folder is not even made (check alone writes why it refused).
    made = {p.name for p in set(tmp_path.iterdir()) - before}
    assert made <= ({"out"} if call == "check nowhere" else set())


def test_a_fault_of_ours_is_no_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    @common.verb
    def broken() -> None:
        raise ZeroDivisionError("by hand")

    with pytest.raises(common.typer.Exit) as ended:
        broken()
    assert ended.value.exit_code == common.OUR_FAULT == 70
    assert "a fault of ours: ZeroDivisionError: by hand" in capsys.readouterr().err


def test_warnings_stand_on_stderr_and_in_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    @common.verb
    def warned(text: str) -> None:
        common.warn(text)
        common.tell({"rows": 0}, as_json=True)

    warned(text="first")
    warned(text="second")  # and not what an earlier verb warned of
    out, err = capsys.readouterr()
    assert [json.loads(line)["warnings"] for line in out.splitlines()] == [["first"], ["second"]]
    assert err == "warning: first\nwarning: second\n"


class Inner(Spec):
    cohort: str


class Outer(Spec):
    folds: dict[str, Inner] | None = None
    tests: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"folds": {"a": {"cohrt": "x", "cohort": "x"}}}, "folds.a.cohrt: no such key; did you mean cohort?"),
        ({"tests": [{}]}, "tests.0.cohort: required, and missing"),
        ({"fold": 1}, "fold: no such key; did you mean folds? (allowed: folds, tests)"),
        ({"tests": [{"cohort": {}}]}, "tests.0.cohort: Input should be a valid string (given: a mapping)"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_told_the_one_that_was_meant(given: dict, says: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_spec(given, Outer, "x.yaml")
    assert str(refused.value).startswith(f"x.yaml: {says}")


def test_a_misspelt_key_of_about_is_named_with_the_right_one(tmp_path: Path) -> None:
    folder = write_county(exports.frames(exports.core()), tmp_path)
    (folder / "about.yaml").write_text("snapshoton: 2021-01-01\n", encoding="utf-8")
    assert any("snapshoton (snapshot_on?)" in note for note in read_county(folder).notes)


def test_a_file_that_is_no_parquet_is_told_in_a_line(tmp_path: Path) -> None:
    folder = write_county(exports.frames(exports.core()), tmp_path)
    (folder / "income.parquet").write_text("junk", encoding="utf-8")
    with pytest.raises(InputRefused) as refused:
        read_county(folder)
    assert str(refused.value).startswith("income.parquet: cannot be read as parquet (")
    assert "\n" not in str(refused.value)
    assert "SELECT" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "code", "names"),
    [
        (["rules", "{data}", "--ruleset", "nowhere-1900", "--as-of", AS_OF, "--out", "x.csv"], 2, "national-2021"),
        (["rules", "{data}", "--ruleset", "national-2021", "--as-of", "31.12.2020", "--out", "x.csv"], 2, "YYYY-MM-DD"),
        (["rules", "{data}", "--ruleset", "national-2021", "--as-of", AS_OF, "--out", "x.doc"], 2, ".parquet"),
        (["rules", "{data}", "--ruleset", "national-2021"], 2, "--as-of"),
        (["rules", "nowhere", "--ruleset", "national-2021", "--as-of", AS_OF, "--out", "x.csv"], 1, "nowhere"),
        (["score", "{data}", "--model", "county", "--as-of", AS_OF, "--out", "x.csv"], 2, "NAME@ALIAS"),
        (["train", "no-such-experiment", "--data", "{data}"], 2, "county"),
        (["features", "{data}", "--feature-set", "none-v0", "--as-of", AS_OF, "--out", "x.csv"], 2, "household-v1"),
        (["nonsense"], 2, "nonsense"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_told_the_mend(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    names: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*(a.format(data=data) for a in arguments))
    assert done.exit_code == code
    assert names in done.stderr
    assert "Traceback" not in done.stderr
