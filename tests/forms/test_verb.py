"""`riskmodel forms` as an office calls it: a folder of tables in, papers out, JSON on stdout."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from riskmodel.cli.app import app
from riskmodel.forms import read_signature

from .conftest import word_text
from .small_county import AS_OF, small_frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("county")
    for name, frame in small_frames().items():
        frame.to_csv(out / f"{name}.csv", index=False)
    (out / "about.yaml").write_text("coverage: whole\nrecords_from: 2019-01\ndata_through: 2021-05-31\n")
    return out


def told(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(w) for w in words])
    return done.exit_code, done.stdout, done.stderr


def test_forms_are_filled_for_a_month_and_signed_for_once(folder, tmp_path):
    month = tmp_path / "month"
    month.mkdir()
    card = {
        "ruleset": {"id": "yingjiang-2022"},
        "params": {},
        "feature_set": {"id": "household-v1"},
        "horizon_months": 12,
    }
    (month / "made_with.json").write_text(json.dumps(card))
    listed = pd.DataFrame(
        {"household_id": ["h5", "h6"], "planned": [True, False], "probability": [0.4242, 0.1]}
    )
    listed.to_parquet(month / "worklist.parquet")
    names = tmp_path / "names.csv"
    names.write_text("户编号,户主\nh5,戊某\n", encoding="utf-8")
    call = ("forms", folder, "--as-of", AS_OF, "--month", month, "--names", names, "--out", tmp_path / "out")
    code, out, said = told(*call, "--form", "collection", "--form", "first-use", "--json")
    assert code == 0, said
    assert json.loads(out)["entries"] == {"collection": 1, "first-use": 1}
    assert "no page of first use is signed" in said
    papers = {p.parent.name: word_text(p) for p in (tmp_path / "out").rglob("*.docx")}
    assert "戊某" in papers["collection"]
    assert "h6" not in papers["collection"]
    assert "household-v1" in papers["first-use"]
    assert "4242" not in "".join(papers.values())
    signed = ("--signed-by", "县监测股", "--signed-on", "2021-06-01", "--document", "7")
    assert told("forms", folder, *signed)[0] == 0
    assert read_signature(folder)["document"] == "7"
    assert told("forms", folder, *signed)[0] == 1
    code, _, said = told(*call, "--form", "scale-risk")
    assert (code, "first use" in said) == (0, False)


def test_what_is_asked_wrongly_is_told(folder, tmp_path):
    assert told("forms")[0] == 2
    assert "initial-lists" in told("forms", "--list")[1]
    code, _, said = told("forms", folder, "--as-of", AS_OF, "--household", "h99", "--out", tmp_path)
    assert (code, "no household 'h99' is known" in said) == (2, True)
    code, _, said = told("forms", folder, "--as-of", AS_OF, "--month", tmp_path, "--out", tmp_path)
    assert (code, "no month of" in said) == (1, True)
