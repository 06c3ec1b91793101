"""A run for a paper: LaTeX and Word agree with what was logged, and cite what the run used."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from docx import Document

from riskmodel.i18n import LANGUAGES
from riskmodel.presentation import ReportInput, write_paper
from riskmodel.runs.data_fit import describe_by_outcome

NAMES = pd.DataFrame(
    {"id": ["pcni", "single"], "zh": ["人均纯收入", "单人户"], "en": ["income 100% & more", "single"]}
)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"pcni": rng.normal(9000, 2000, 400), "single": (rng.random(400) < 0.2).astype(float)})
    X.loc[:9, "pcni"] = np.nan
    effects = pd.DataFrame({"feature": ["pcni"], "coefficient": [-0.51234], "std_error": [0.1]})
    return {"characteristics": describe_by_outcome(X, np.arange(400) % 8 == 0), "effects": effects}


@pytest.fixture(scope="module")
def paper(make_given: Callable[..., ReportInput]) -> ReportInput:
    given = make_given()
    return make_given(experiment={**given.experiment, "calibration": "cross", "models": ["rule", "logit"]})


@pytest.mark.parametrize("lang", LANGUAGES)
def test_everything_is_written_and_reads_back(
    paper: ReportInput, tables: dict, tmp_path: Path, lang: str
) -> None:
    write_paper(paper, tables, NAMES, tmp_path, lang)
    page = (tmp_path / "paper.tex").read_text(encoding="utf-8")
    for name in re.findall(r"\\input\{(.+?)\}", page):
        assert (tmp_path / name).is_file()
    for name in re.findall(r"\\includesvg\[.*?\]\{(.+?)\}", page):
        ET.parse(tmp_path / f"{name}.svg")
    assert page.count(r"\begin{") == page.count(r"\end{")
    # Every key that is cited is in the bibliography, and nothing else.
    cited = {key for keys in re.findall(r"\\cite\{(.+?)\}", page) for key in keys.split(",")}
    assert cited == set(
        re.findall(r"@\w+\{(\w+),", (tmp_path / "references.bib").read_text(encoding="utf-8"))
    )
    assert "friedman2001" not in cited  # no boosting in this run
    words = Document(str(tmp_path / "paper.docx"))
    assert len(words.tables) == len(re.findall(r"\\input", page))
    assert "[@" not in "\n".join(p.text for p in words.paragraphs)


def test_tables_hold_the_logged_figures(paper: ReportInput, tables: dict, tmp_path: Path) -> None:
    write_paper(paper, tables, NAMES, tmp_path, "en")
    cells = [
        [c.text for c in row.cells] for t in Document(str(tmp_path / "paper.docx")).tables for row in t.rows
    ]
    row = tables["characteristics"].set_index("column").loc["single"]
    assert [
        "single",
        f"{row['mean_0']:.1%}",
        f"{row['mean_1']:.1%}",
        "0 / 0",
        f"{row['difference']:.2f}",
    ] in cells
    auc = paper.metrics.set_index("model").loc["logit", "auc"]
    assert any(f"{auc:.3f}" in cell for line in cells for cell in line)
    assert any("-0.512" in line for line in cells)
    tex = (tmp_path / "tables" / "characteristics.tex").read_text(encoding="utf-8")
    assert r"income 100\% \& more" in tex
    first = paper.comparison.query("scope == 'pooled' and at == 'budget'").iloc[0]
    assert any(f"{100 * first['delta_recall']:+.1f}" in cell for line in cells for cell in line)


def test_characteristics_are_pandas_own_and_missing_is_no_zero(tables: dict) -> None:
    table = tables["characteristics"].set_index("column")
    assert table.loc["pcni", ["missing_0", "missing_1"]].sum() == 10
    assert table["flag"].to_dict() == {"pcni": False, "single": True}
    few = describe_by_outcome(pd.DataFrame({"x": [1.0, 2.0, 3.0]}), [0, 1, 1])
    assert few[["mean_0", "mean_1"]].isna().all(axis=None)
