"""A step is done only while what it was made from and what it made both still hold."""

from __future__ import annotations

from pathlib import Path

from riskmodel.io import checkpoints
from riskmodel.io.checkpoints import Checkpoints

INPUTS = {"data": "a" * 64, "settings": {"quota": [1, 2]}}


def written(root: Path) -> Checkpoints:
    table = root / "tables" / "scores.csv"
    table.parent.mkdir(parents=True)
    table.write_text("household_id,score\n1,0.5\n")
    steps = Checkpoints(root)
    steps.write("score", INPUTS, [table], {"households": 1})
    return steps


def test_a_step_is_done_while_inputs_and_files_are_the_same(tmp_path: Path) -> None:
    steps = written(tmp_path)
    assert steps.is_done("score", INPUTS)
    assert steps.result("score") == {"households": 1}
    assert not steps.is_done("score", INPUTS | {"data": "b" * 64})
    assert not steps.is_done("worklist", INPUTS)
    assert steps.changed_files("score") == []


def test_a_file_that_was_changed_or_removed_undoes_its_step(tmp_path: Path) -> None:
    steps = written(tmp_path)
    table = tmp_path / "tables" / "scores.csv"
    whole = table.read_bytes()
    table.write_bytes(whole + b"2,0.7\n")
    assert steps.changed_files("score") == ["tables/scores.csv"]
    assert not steps.is_done("score", INPUTS)
    table.write_bytes(whole)
    assert steps.is_done("score", INPUTS)
    table.unlink()
    assert not steps.is_done("score", INPUTS)


def test_half_a_checkpoint_or_one_of_another_format_is_none(tmp_path: Path) -> None:
    steps = written(tmp_path)
    path = steps.path("score")
    text = path.read_text(encoding="utf-8")
    for other in (text[: len(text) // 2], text.replace('"format": 1', '"format": 99'), "[]"):
        path.write_text(other, encoding="utf-8")
        assert steps.read("score") is None
        assert not steps.is_done("score", INPUTS)


def test_a_step_of_another_version_is_done_again(tmp_path: Path, monkeypatch) -> None:
    steps = written(tmp_path)
    monkeypatch.setattr(checkpoints, "__version__", "0.0.0")
    assert not steps.is_done("score", INPUTS)


def test_a_folders_digest_is_of_names_and_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "income.csv").write_text("1")
    assert checkpoints.folder_digest(tmp_path / "one") == checkpoints.folder_digest(tmp_path / "two")
    # What Excel and the system leave behind is no data.
    (tmp_path / "one" / "~$income.xlsx").write_text("locked")
    assert checkpoints.folder_digest(tmp_path / "one") == checkpoints.folder_digest(tmp_path / "two")
    (tmp_path / "one" / "visits.csv").write_text("")
    assert checkpoints.folder_digest(tmp_path / "one") != checkpoints.folder_digest(tmp_path / "two")
