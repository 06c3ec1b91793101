"""A month is made once, taken up after a kill at any point, and comes out the same whenever it is made."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from typer.testing import CliRunner

from riskmodel import month, scoring, simulate
from riskmodel.cli.app import app
from riskmodel.data import read_county
from riskmodel.errors import InputMissing
from riskmodel.explanation import load_measures
from riskmodel.explanation.wording import Words
from riskmodel.households import county_parts
from riskmodel.io import checkpoints, file_digest, files
from riskmodel.io.checkpoints import Checkpoints
from riskmodel.month import MonthOptions, archive, pipeline
from riskmodel.runs import load_model

from .conftest import AS_OF, VISITS, Office, make


def bytes_of(out: Path) -> dict[str, str]:
    """Every file the office or a later month reads; markers hold the random id of a scoring run."""
    kept = [p for p in sorted(out.rglob("*")) if p.is_file() and p.parent.name != checkpoints.FOLDER]
    return {p.relative_to(out).as_posix(): file_digest(p) for p in kept}


def test_a_month_computes_everything_once(whole: Path, computed: Counter[tuple[str, str]]) -> None:
    # The rule set's verdicts are written, scored beside, and reported with what changed; the register and
    # the scores name one state of the data. Changes judge the month before too, as known then and now.
    assert {name for name, _ in computed} == {
        "query_verdicts",
        "_fingerprint",
        "build_cohorts",
        "build_features",
    }
    assert set(computed.values()) == {1}, computed
    sets = [key.split()[:2] for name, key in computed if name == "query_verdicts"]
    assert sets.count(["national-2021", "known"]) == 3
    assert sum(bound == "known" for _, bound in sets) == 4
    assert sum(bound == "low" for _, bound in sets) == sum(bound == "high" for _, bound in sets) <= 4


def test_six_steps_and_what_the_office_needs(whole: Path) -> None:
    checkpoints = {name: Checkpoints(whole).read(name) for name in month.STEPS}
    assert all(checkpoints.values())
    made = bytes_of(whole)
    wanted = {
        "check/quality.md", "rules/national-2021.csv", "scores.zh.parquet", "scores.en.parquet",
        "worklist.xlsx", "worklist-chances.csv", "report/report.html", "ledger/ledger.xlsx", "month.json",
    }  # fmt: skip
    assert wanted <= set(made)
    listed = pd.read_parquet(whole / "worklist.parquet")
    scores = pd.read_parquet(whole / "scores.zh.parquet")
    # Harm rule, through the whole month: whoever a rule flags is on the list.
    assert set(scores.loc[scores["flagged"], "household_id"]) <= set(listed["household_id"])


def test_a_month_that_stands_is_not_made_again(office: Office, whole: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in whole.rglob("*.parquet")}
    again = make(office, whole.parent)
    assert again.done == ()
    assert {p: p.stat().st_mtime_ns for p in whole.rglob("*.parquet")} == before


class Killed(Exception):
    """Stands for the power that fails."""


@contextlib.contextmanager
def dying(patch: pytest.MonkeyPatch, kill_at: int) -> Iterator[None]:
    """Let the n-th write die before its file is in place; everything is written through files.atomic."""
    plain, writes = files.atomic, iter(range(1, 10_000))

    @contextlib.contextmanager
    def atomic(path: str | Path) -> Iterator[Path]:
        number = next(writes)
        with plain(path) as temporary:
            yield temporary
            if number == kill_at:
                raise Killed

    with patch.context() as inner:
        inner.setattr(files, "atomic", atomic)
        yield


@pytest.mark.slow
def test_a_kill_in_the_middle_of_the_report_is_taken_up_there(
    office: Office, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / whole.name
    shutil.copytree(whole, folder)
    shutil.rmtree(folder / "report")
    for step in ("report", "ledger", "cases"):
        (folder / checkpoints.FOLDER / f"{step}.json").unlink()
    with dying(monkeypatch, 5), pytest.raises(Killed):
        make(office, tmp_path)
    assert (folder / "report").is_dir()
    taken_up = make(office, tmp_path)
    assert taken_up.done == ("report", "ledger", "cases")
    assert bytes_of(folder) == bytes_of(whole)


@pytest.mark.slow
def test_a_kill_at_the_first_and_the_last_write_of_every_step_is_taken_up(
    office: Office, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One folder, killed again and again: at a step's first file, then at its marker, when all its files
    # stand but nobody has said so. Each start must take up exactly there.
    writes = writes_by_step(office, tmp_path / "counted", monkeypatch)
    out, done = tmp_path / "killed", list[str]()
    for step, count in writes.items():
        for kill_at in (2, 1 + count):  # the first write of every start is month.json
            with dying(monkeypatch, kill_at), pytest.raises(Killed):
                make(office, out)
            assert [n for n in month.STEPS if Checkpoints(out / whole.name).read(n)] == done
        # Past the marker, at the next step's first file; after the ledger there is none.
        with dying(monkeypatch, 1 + count + 1), contextlib.suppress(Killed):
            make(office, out)
        done.append(step)
        assert [n for n in month.STEPS if Checkpoints(out / whole.name).read(n)] == done
    assert make(office, out).done == ()
    assert bytes_of(out / whole.name) == bytes_of(whole)


def writes_by_step(office: Office, out: Path, patch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count what every step writes through files.atomic, its marker last."""
    written: list[str] = []
    plain = files.atomic

    def counted(path: str | Path) -> contextlib.AbstractContextManager[Path]:
        written.append(Path(path).name if Path(path).parent.name == checkpoints.FOLDER else "")
        return plain(path)

    with patch.context() as inner:
        inner.setattr(files, "atomic", counted)
        make(office, out)
    ends = [written.index(f"{step}.json") + 1 for step in month.STEPS]
    return {step: end - before for step, before, end in zip(month.STEPS, [1, *ends], ends, strict=False)}


@pytest.mark.slow
def test_the_process_is_killed_as_each_step_begins(office: Office, whole: Path, tmp_path: Path) -> None:
    # A real SIGKILL: no handler runs, temporary files stay behind. What was done stays done.
    call = [
        Path(sys.executable).with_name("riskmodel"),
        "month",
        office.data,
        "--as-of",
        AS_OF,
        "--visits",
        VISITS,
    ]
    call += ["--out", tmp_path, "--store", office.store]
    for number, step in enumerate(month.STEPS, start=1):
        with subprocess.Popen([str(a) for a in call], stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            lines = []
            for line in process.stderr:
                lines.append(line.strip())
                if lines[-1] == f"{number}/6 {step}":
                    process.send_signal(signal.SIGKILL)
                    break
        assert f"{number}/6 {step}" in lines, lines
        stood = list(month.STEPS)[: max(0, number - 2)]
        assert all(f"{i}/6 {name}: stands" in lines for i, name in enumerate(stood, start=1))
    assert make(office, tmp_path).done
    # What the kills left half made is swept away.
    assert bytes_of(tmp_path / whole.name) == bytes_of(whole)


def test_what_a_kill_left_half_made_is_swept_and_nothing_else(tmp_path: Path) -> None:
    with files.atomic(tmp_path / "report" / "page.html") as temporary:
        temporary.write_text("half")
        kept = [tmp_path / ".keep", tmp_path / "report" / ".a.html", tmp_path / "worklist.xlsx"]
        for path in kept:
            path.write_text("mine")
        assert Checkpoints(tmp_path).remove_partial_files() == [temporary]
        temporary.write_text("whole")
    assert (tmp_path / "report" / "page.html").read_text() == "whole"
    assert all(path.is_file() for path in kept)
    assert Checkpoints(tmp_path / "nothing").remove_partial_files() == []


def copying(name: str, reads: str | None) -> object:
    """A step that writes two files, the second from the first of another step."""

    def step(work: pipeline.MonthContext) -> pipeline.StepResult:
        before = (work.out / f"{reads}.a").read_text() if reads else "data"
        made = [files.write_text(f"{before}>{name}.{end}", work.out / f"{name}.{end}") for end in "ab"]
        return made, {"name": name}

    return step


def test_a_kill_at_every_single_write_leaves_a_month_that_can_be_taken_up(
    office: Office, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three light steps in the places of the six: settings, two files and a marker each, and the digest of
    # what is known, which two of them follow from = 11 writes.
    names = ("check", "score", "worklist")
    light = {n: copying(n, before) for n, before in zip(names, (None, "check", "score"), strict=True)}
    monkeypatch.setattr(pipeline, "STEP_FUNCTIONS", light)
    monkeypatch.setattr(pipeline, "describe_known", lambda _: {"rows": "as they were"})
    settled = archive.read_settings(whole)
    monkeypatch.setattr(archive, "resolve_settings", lambda *_, **__: (settled, None))
    for out in (tmp_path / "whole", tmp_path / "dry"):
        make(office, out)
    reference = bytes_of(tmp_path / "whole")
    assert len(reference) == 1 + 2 * len(names)
    killed = 0
    for kill_at in range(1, 12):
        out = tmp_path / str(kill_at)
        with dying(monkeypatch, kill_at), contextlib.suppress(Killed):
            make(office, out)
            raise AssertionError(f"write {kill_at} did not die")
        killed += 1
        make(office, out)
        assert bytes_of(out) == reference
        # Nothing half made is left lying about.
        assert not list(out.rglob(".*"))
    assert killed == 11
    with dying(monkeypatch, 12):
        assert make(office, tmp_path / "last").done == names


def test_the_same_options_give_the_same_list_by_either_verb(
    office: Office, whole: Path, tmp_path: Path
) -> None:
    out, sheets = tmp_path / "list.xlsx", tmp_path / "sheets.html"
    call = ["worklist", whole / "scores.zh.parquet", "--data", office.data, "--visits", VISITS]
    done = CliRunner().invoke(app, [str(a) for a in (*call, "--out", out, "--sheets", sheets)])
    assert done.exit_code == 0, done.stderr
    assert out.read_bytes() == (whole / "worklist.xlsx").read_bytes()
    assert sheets.read_bytes() == (whole / "visit-sheets.html").read_bytes()
    # The workbook of a month has a sheet for each township, as the issue has it, and so has the verb's.
    townships = set(pd.read_parquet(whole / "worklist.parquet")["township"])
    assert townships <= set(openpyxl.load_workbook(out).sheetnames)


def test_names_quota_floor_and_measures_in_a_month_and_no_finding_is_written_over(
    office: Office, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / whole.name
    shutil.copytree(whole, folder)
    household = pd.read_parquet(whole / "worklist.parquet")["household_id"].iloc[0]
    names = pd.DataFrame({"household_id": [household], "head_name": ["王某某"], "contact": ["李干部"]})
    library = load_measures().model_copy(update={"note": Words(zh="本县措施", en="our own measures")})
    # The office has begun to fill in the month's own workbook.
    book = openpyxl.load_workbook(folder / "worklist.xlsx")
    page = book["核查名单"]
    page.cell(2, [c.value for c in page[1]].index("核查结果") + 1).value = "属实"
    book.save(folder / "worklist.xlsx")
    asked = {"quota": ("township:30%", "village"), "floor": 0.02, "measures": library, "split": "township"}
    said: list[str] = []
    made = month.run_month(
        office.data,
        AS_OF,
        tmp_path,
        store=office.store,
        options=MonthOptions(**asked),
        names=names,
        say=said.append,
    )
    assert made.done == ("worklist", "report")
    # One name was given: a file of other ids would be seen at once.
    assert [text for text in said if text.startswith("names: 1 of the ")]
    before = {p.name: p.read_bytes() for p in folder.glob("*") if p.is_file()}
    with pytest.raises(InputMissing, match="no such folder"):
        month.run_month(tmp_path / "nowhere", AS_OF, tmp_path, store=office.store)
    assert {p.name: p.read_bytes() for p in folder.glob("*") if p.is_file()} == before
    kept = openpyxl.load_workbook(folder / "worklist-filled-1.xlsx")["核查名单"]
    assert "属实" in [c.value for c in kept[2]]
    assert "本县措施" in (folder / "visit-sheets.html").read_text(encoding="utf-8")
    # Names stand in the files beside the month and in no file of it, not even in its markers.
    listed = pd.read_parquet(folder / "worklist.parquet")
    townships = {f"{t}.xlsx" for t in listed.loc[listed["planned"], "township"]}
    assert {p.name for p in (folder / "townships").glob("*.xlsx")} == townships
    assert {p.name for p in made.named_lists} == {"worklist.xlsx", "visit-sheets.html", *townships}
    beside = tmp_path / f"{whole.name}-with-names"
    assert all(p.is_relative_to(beside) for p in made.named_lists)
    assert not (beside / "lists").exists()
    assert "王某某" in made.named_lists[1].read_text(encoding="utf-8")
    texts = [c.value for s in openpyxl.load_workbook(made.named_lists[0]) for r in s.iter_rows() for c in r]
    assert "李干部" in texts
    for path in (p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as packed:
                content = b"".join(packed.read(n) for n in packed.namelist())
        assert "王某某".encode() not in content
    # A township's workbook, filled in where it has names, comes back: no cell of it says something else than
    # the log, and source and chance are those of the log.
    filled = next(p for p in made.named_lists if p.parent.name == "townships")
    book = openpyxl.load_workbook(filled)
    page = book.worksheets[0]
    at = {c.value: c.column for c in page[1]}
    for row in range(2, page.max_row + 1):
        page.cell(row, at["核查结果"]).value = "属实"
        page.cell(row, at["核查日期"]).value = dt.date(2021, 1, 5)
    book.save(tmp_path / "back.xlsx")
    taken = scoring.import_visits(
        tmp_path / "back.xlsx", office.data, dt.date(2021, 1, 20), dry=True, lists=[tmp_path]
    )
    assert (taken.problems, taken.notices) == ((), ())
    own = listed[listed["planned"]].set_index("household_id")
    assert len(taken.added) == page.max_row - 1
    assert {v.selected_by for v in taken.added} == set(
        own.loc[[v.household_id for v in taken.added], "selected_by"]
    )
    assert [v.chance for v in taken.added] == list(own.loc[[v.household_id for v in taken.added], "chance"])
    # Made again with nothing said: everything stands, the options of then are those of now.
    again = month.run_month(office.data, AS_OF, tmp_path, store=office.store)
    assert (again.done, again.named_lists) == ((), ())
    assert (again.settings.quota, again.settings.floor) == (("township:30%", "village"), 0.02)
    assert again.settings.measures == library
    # A workbook that is open would be found out after all the work: it is before, and nothing is left behind.
    (folder / "townships" / "~$open.xlsx").touch()
    (folder / "townships" / "open.xlsx").touch()
    with pytest.raises(InputMissing, match=r"close open\.xlsx in Excel first"):
        month.run_month(office.data, AS_OF, tmp_path, store=office.store)
    assert not list(folder.rglob("*.lock"))
    assert month.list_months(tmp_path)["quota"].tolist() == ["township:30%, village"]


def test_a_file_that_was_changed_is_made_again(office: Office, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / whole.name
    shutil.copytree(whole, folder)
    (folder / "worklist.xlsx").write_bytes(b"opened and spoilt")
    again = make(office, tmp_path)
    # The list is made again and, its files being the same bytes, nothing that stands on it.
    assert again.done == ("worklist",)
    # Whatever stood there is kept: nobody can say what was written in it.
    assert (folder / "worklist-filled-1.xlsx").read_bytes() == b"opened and spoilt"
    (folder / "worklist-filled-1.xlsx").unlink()
    assert bytes_of(folder) == bytes_of(whole)


def test_an_old_month_comes_out_the_same_after_findings_came_in(
    office: Office, whole: Path, tmp_path: Path
) -> None:
    # Visits found after the list was made are recorded after as-of: the month of the list must not move.
    data = tmp_path / "county"
    shutil.copytree(office.data, data)
    book = openpyxl.load_workbook(whole / "worklist.xlsx")
    page = book["核查名单"]
    columns = {c.value: i for i, c in enumerate(page[1], start=1)}
    for row in range(2, 12):
        page.cell(row, columns["核查结果"]).value = "属实"
        page.cell(row, columns["核查日期"]).value = dt.date(2021, 1, 5)
    book.save(tmp_path / "filled.xlsx")
    taken = scoring.import_visits(tmp_path / "filled.xlsx", data, dt.date(2021, 1, 20), lists=[whole.parent])
    assert len(taken.added) == 10
    later = make(office, tmp_path / "months", data)
    made, before = bytes_of(later.out), bytes_of(whole)
    moved = {name for name in made if made[name] != before[name]}
    # Only the check, which tells what the files hold today, may differ.
    assert moved <= {"check/quality.json", "check/quality.md"}
    assert "check/quality.json" in moved


def test_a_page_holds_everybody_on_the_list_and_then_the_highest_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "PAGE_ROWS", 10)
    scores = pd.DataFrame({"household_id": [f"h{i}" for i in range(30)], "probability": range(30, 0, -1)})
    shown = list(pipeline._for_page(scores, ["h25", "h3"])["household_id"])
    assert shown == ["h0", "h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8", "h25"]
    # A list longer than a page is shown whole: nobody on it is left out.
    everyone = list(scores["household_id"])
    assert list(pipeline._for_page(scores, everyone)["household_id"]) == everyone


@pytest.mark.slow
def test_a_month_of_parts_is_byte_for_byte_that_of_the_whole(
    office: Office, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(county_parts, "BYTES_A_HOUSEHOLD", 10**12)
    made = make(office, tmp_path).out
    for name in ("scores.zh.parquet", "scores.en.parquet", "worklist.parquet", "worklist-chances.csv"):
        assert (made / name).read_bytes() == (whole / name).read_bytes(), name
    assert sorted(p.name for p in (made / "rules").iterdir()) == sorted(
        p.name for p in (whole / "rules").iterdir()
    )
    for path in (whole / "rules").iterdir():
        assert (made / "rules" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_scores_of_a_county_with_errors_are_the_same_in_parts(
    office: Office, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = simulate.simulation_spec(households=560, months=48, seed=seed, futures=0)
    simulate.write_simulated_blocks(asked, tmp_path, simulate.load_error_profile())
    model = load_model("county@champion", office.store)
    scores = []
    for size in (1, 10**12):
        monkeypatch.setattr(county_parts, "BYTES_A_HOUSEHOLD", size)
        scores.append(scoring.score_in_languages(read_county(tmp_path), model, AS_OF))
    for lang, frame in scores[0].items():
        assert_frame_equal(scores[1][lang], frame, check_exact=True)
