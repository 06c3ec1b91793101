"""A month made again recomputes what can have changed and nothing else, and comes out as if made whole."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from riskmodel import month
from riskmodel.data import read_county
from riskmodel.i18n import section, translate
from riskmodel.io import Checkpoints, checkpoints, file_digest, folder_digest, inputs_digest, write_text
from riskmodel.month import MonthOptions, archive, pipeline
from riskmodel.runs import tracking, training

from .conftest import AS_OF, VISITS, Office, make, small

ALL = tuple(month.STEPS)
ONLY_READ = ("check",)
EARLY, THEN, LATER = "2019-01-05", "2020-12-20", "2021-03-15"


def test_every_step_declares_what_it_follows_from() -> None:
    assert tuple(pipeline.READS) == tuple(pipeline.STEP_FUNCTIONS) == ALL
    for i, step in enumerate(ALL):
        assert set(pipeline.READS[step]) <= {"data", "known", "case log", *ALL[:i]}
        assert set(month.STEPS[step]) <= set(archive.MonthSettings.model_fields)
    # A setting that no step follows from says what made the month, or is said by another.
    asked = {name for fields in month.STEPS.values() for name in fields}
    says = {"format", "as_of", "model_kind", "feature_set", "rules_asked"}
    assert set(archive.MonthSettings.model_fields) - asked == says


@pytest.mark.parametrize("step", ALL)
def test_every_step_is_said_in_chinese(step: str) -> None:
    for line in (f"3/7 {step}", f"3/7 {step}: stands"):
        assert step not in translate(line, "zh")
    assert section("local_page.steps", "zh")[step]


# ---------------------------------------------------------------- what makes which step anew
def written(folder: Path) -> Path:
    """Write three households with a table of most kinds."""
    folder.mkdir()
    ids = ("h1", "h2", "h3")
    months = [f"{y}-{m:02d}" for y in (2019, 2020) for m in range(1, 12)]
    tables: dict[str, list[dict[str, Any]]] = {
        "households": [
            {"household_id": h, "township": "甲乡", "village": "上村", "registration": "general"} for h in ids
        ],
        "members": [{"member_id": f"{h}-1", "household_id": h, "birth_month": "1980-01"} for h in ids],
        "income": [
            {"household_id": h, "month": m, "source": "wage", "amount": 900, "row_id": f"{h}{m}"}
            for h in ids
            for m in months
        ],
        "monitoring": [{"household_id": "h1", "date": "2020-03-01", "event": "identified"}],
        "visits": [{"household_id": "h2", "date": "2020-04-01", "outcome": "confirmed"}],
        "recorded": [
            {"household_id": h, "of": "income", "month_from": "2019-01", "month_to": "2020-11"} for h in ids
        ],
    }
    for name, rows in tables.items():
        day = {"income": "2020-12-05", "recorded": "2020-12-05"}.get(name, EARLY)
        table = pd.DataFrame(rows)
        known = table.get("date", pd.Series(day, index=table.index))
        table.assign(recorded_on=known).to_csv(folder / f"{name}.csv", index=False)
    return folder


def add(table: str, **values: object) -> Callable[[Path], None]:
    """Return a change of a county: one row like a table's last one, but for some values."""

    def change(folder: Path) -> None:
        path = folder / f"{table}.csv"
        rows = pd.read_csv(path, dtype=object)
        pd.concat([rows, rows.tail(1).assign(**values)]).to_csv(path, index=False)

    return change


def rewrite(table: str, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / f"{table}.csv"
        edit(pd.read_csv(path, dtype=object)).to_csv(path, index=False)

    return change


def about(**said: object) -> Callable[[Path], None]:
    return lambda folder: write_text(yaml.safe_dump(said), folder / "about.yaml") and None


def rename(folder: Path) -> None:
    pd.read_csv(folder / "visits.csv", dtype=object).to_parquet(folder / "visits.parquet", index=False)
    (folder / "visits.csv").unlink()


UNREADABLE = {"source": "nothing the contract knows"}
DATA: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "nothing": (lambda _: None, ()),
    "income known later": (add("income", row_id="new", recorded_on=LATER), ONLY_READ),
    "income known by then": (add("income", row_id="new", recorded_on=THEN), ALL),
    "a correction later": (add("income", amount="1", recorded_on=LATER), ONLY_READ),
    "a correction by then": (add("income", amount="1", recorded_on=THEN), ALL),
    "a row gone": (rewrite("income", lambda t: t.iloc[1:]), ALL),
    "a value other": (rewrite("income", lambda t: t.assign(amount="901")), ALL),
    "known a day later": (rewrite("members", lambda t: t.assign(recorded_on="2019-01-06")), ALL),
    "a row refused later": (add("income", row_id="new", recorded_on=LATER, **UNREADABLE), ONLY_READ),
    "a row refused by then": (add("income", row_id="new", recorded_on=THEN, **UNREADABLE), ALL),
    "a cell unreadable": (rewrite("members", lambda t: t.assign(sex="?")), ALL),
    "register later": (
        add("monitoring", event="eliminated", date=LATER, recorded_on=LATER), ONLY_READ),
    "register by then": (add("monitoring", event="eliminated", date=THEN, recorded_on=THEN), ALL),
    "visit later": (add("visits", date=LATER, recorded_on=LATER), ONLY_READ),
    "visit by then": (add("visits", date=THEN, recorded_on=THEN), ALL),
    "a household later": (add("households", household_id="h4", recorded_on=LATER), ONLY_READ),
    "a household by then": (add("households", household_id="h4", recorded_on=THEN), ALL),
    "on record later": (
        add("recorded", month_from="2020-12", month_to="2021-02", recorded_on=LATER), ONLY_READ),
    "on record by then": (
        add("recorded", month_from="2018-01", month_to="2018-12", recorded_on=THEN), ALL),
    "a first claim later": (add("income", source="claim", recorded_on=LATER), ALL),
    "rows in another order": (rewrite("income", lambda t: t.iloc[::-1]), ONLY_READ),
    "columns in another order": (rewrite("income", lambda t: t[list(t)[::-1]]), ONLY_READ),
    "another format": (rename, ONLY_READ),
    "records end after": (about(data_through="2021-06-30"), ONLY_READ),
    "records end before": (about(data_through="2020-06-30"), ALL),
    "incomes are net": (about(income_is_net=True), ALL),
}  # fmt: skip
OFTEN = (
    "nothing", "income known later", "a correction by then", "a row refused later", "a row refused by then",
    "register by then", "visit later", "rows in another order", "records end after", "records end before",
)  # fmt: skip
SETTINGS: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "another model": (
        {"model": "county@2", "run_id": "s"}, ("score", "worklist", "report")),
    "another card": ({"feature_set_hash": "g"}, ("score", "worklist", "report")),
    "another rule set": (
        {"ruleset": "plain", "ruleset_hash": "y"}, ("rules", "score", "worklist", "report", "cases")),
    "other parameters": ({"ruleset_hash": "y"}, ("rules", "score", "worklist", "report", "cases")),
    "another line": ({"line": {"2020": 5500.0}}, ("rules", "score", "worklist", "report", "cases")),
    "a parameter": ({"params": {"line": "5500"}}, ("rules", "score", "worklist", "report", "cases")),
    "more visits": ({"visits": 9}, ("worklist", "report")),
    "another lot": ({"seed": 1}, ("worklist", "report")),
    "the other language": ({"lang": "en"}, ("check", "worklist", "report", "ledger", "cases")),
    "more rejected rows": ({"max_rejected": 0.5}, ONLY_READ),
    "a snapshot": ({"snapshot_on": dt.date(2020, 1, 1).isoformat()}, ALL),
}  # fmt: skip
SETTLED = archive.MonthSettings.model_validate(
    {
        "as_of": AS_OF, "model": "county@1", "model_kind": "logit", "run_id": "r", "feature_set": "f",
        "feature_set_hash": "f", "ruleset": "national-2021", "ruleset_hash": "x", "visits": 3,
        "max_rejected": 0.1,
    }
)  # fmt: skip


def light(name: str) -> Callable[[pipeline.MonthContext], pipeline.StepResult]:
    """A step whose one file says what it follows from."""

    def step(context: pipeline.MonthContext) -> pipeline.StepResult:
        steps = Checkpoints(context.out)
        inputs = pipeline._inputs(name, context, folder_digest(context.data), steps)
        return [write_text(json.dumps(inputs, sort_keys=True), context.out / name)], {}

    return step


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("standing")
    written(home / "county")
    with pytest.MonkeyPatch.context() as patch:
        assert steps_made(home, patch) == ALL
    return home


def steps_made(home: Path, patch: pytest.MonkeyPatch, **changes: object) -> tuple[str, ...]:
    """Run the light month of a county; return the steps that it made."""
    patch.setattr(pipeline, "STEP_FUNCTIONS", {name: light(name) for name in ALL})
    settings = SETTLED.model_copy(update=changes)
    patch.setattr(archive, "resolve_settings", lambda *_, **__: (settings, None))
    return month.run_month(home / "county", AS_OF, home / "months", store=home / "none.db").done


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in OFTEN else pytest.mark.slow) for n in DATA]
)
def test_what_is_known_otherwise_makes_a_month_anew_and_nothing_else_does(
    name: str, standing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, made = DATA[name]
    home = shutil.copytree(standing, tmp_path / "home")
    change(home / "county")
    assert steps_made(home, monkeypatch) == made
    assert steps_made(home, monkeypatch) == ()


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_asked_otherwise_makes_its_steps_anew_and_what_reads_them(
    name: str, standing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, made = SETTINGS[name]
    home = shutil.copytree(standing, tmp_path / "home")
    assert steps_made(home, monkeypatch, **changes) == made


def test_another_version_of_the_package_makes_everything_anew(
    standing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shutil.copytree(standing, tmp_path / "home")
    monkeypatch.setattr(checkpoints, "__version__", "another")
    assert steps_made(home, monkeypatch) == ALL


def test_what_a_step_no_longer_makes_goes_and_what_the_office_changed_stays(
    standing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shutil.copytree(standing, tmp_path / "home")
    out, steps = home / "months" / AS_OF, Checkpoints(home / "months" / AS_OF)
    files = [write_text("rules", out / name) for name in ("old.csv", "changed.csv")]
    steps.write("rules", {}, [*files, out / "rules"], {})
    files[1].write_text("by hand")
    assert steps_made(home, monkeypatch) == ("rules",)
    assert [path.exists() for path in files] == [False, True]
    assert steps.changed_files("rules") == []


# ---------------------------------------------------------------- the same bytes as a month made whole
def digests(folder: Path, but: str = "") -> dict[str, str]:
    """Digest every file of a month but its checkpoints, which name each run."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    kept = (p for p in files if p.parent.name not in (checkpoints.FOLDER, but))
    return {p.relative_to(folder).as_posix(): file_digest(p) for p in kept}


def county_with(office: Office, home: Path, table: str, **values: object) -> Path:
    """Copy the office's county, with one row more like a table's last one, but for some values."""
    data = shutil.copytree(office.data, home / "county")
    rows = pd.read_parquet(data / f"{table}.parquet")
    last = rows[rows["month"] == "2020-06"] if "month" in rows else rows
    given = {k: dt.date.fromisoformat(v) if k.endswith(("date", "_on")) else v for k, v in values.items()}
    new = last.tail(1).assign(**given).astype(rows.dtypes)
    pd.concat([rows, new], ignore_index=True).to_parquet(data / f"{table}.parquet", index=False)
    return data


def test_rows_known_later_are_read_and_change_nothing(office: Office, whole: Path, tmp_path: Path) -> None:
    data = county_with(office, tmp_path, "income", amount=90_000, recorded_on=LATER)
    shutil.copytree(whole, tmp_path / whole.name)
    assert make(office, tmp_path, data).done == ONLY_READ
    assert digests(tmp_path / AS_OF, but="check") == digests(whole, but="check")
    assert make(office, tmp_path, data).done == ()


CHANGES = {
    "a late row": ("income", {"amount": 90_000, "recorded_on": THEN}),
    "a register row": ("monitoring", {"event": "eliminated", "date": THEN, "recorded_on": THEN}),
    "a correction": ("households", {"village": "别村", "recorded_on": THEN}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_month_made_anew_is_the_month_made_whole(
    name: str, office: Office, whole: Path, tmp_path: Path
) -> None:
    table, values = CHANGES[name]
    data = county_with(office, tmp_path, table, **values)
    shutil.copytree(whole, tmp_path / whole.name)
    assert make(office, tmp_path, data).done == ALL
    assert digests(tmp_path / AS_OF) != digests(whole)
    assert digests(tmp_path / AS_OF) == digests(make(office, tmp_path / "afresh", data).out)


@pytest.mark.slow
@pytest.mark.parametrize("ruleset", ["national-2021", "nancheng-2020"])
def test_another_model_makes_what_follows_from_it_and_the_rest_stands(
    ruleset: str, office: Office, whole: Path, tmp_path: Path
) -> None:
    store = tmp_path / "mlflow.db"
    shutil.copyfile(office.store, store)
    training.train(small(id="other", ruleset=ruleset), read_county(office.data), store)
    asked = MonthOptions(visits=VISITS, model="other@champion")
    shutil.copytree(whole, tmp_path / whole.name)
    again = month.run_month(office.data, AS_OF, tmp_path, store=store, options=asked)
    same = ruleset == tracking.load_model("county@champion", store).ruleset.id
    assert again.done == (*(() if same else ("rules",)), "score", "worklist", "report")
    afresh = month.run_month(office.data, AS_OF, tmp_path / "afresh", store=store, options=asked)
    assert digests(again.out) == digests(afresh.out)


def test_the_digest_of_rules_follows_set_and_parameters(office: Office) -> None:
    card = tracking.load_model("county@champion", office.store).card
    made_with = {name: card[name] for name in ("ruleset", "params")}
    settings, _ = archive.resolve_settings(
        Path("none"), dt.date.fromisoformat(AS_OF), MonthOptions(visits=1), office.store
    )
    assert settings.ruleset_hash == inputs_digest(made_with)
