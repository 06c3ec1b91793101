"""The library of measures: whole, known codes, published figures."""

from __future__ import annotations

import pytest

from riskmodel.errors import SpecError
from riskmodel.explanation import cause_codes, load_measures
from riskmodel.explanation.contributions import all_causes


def test_measures_fit_the_published_table_of_single_causes(tmp_path) -> None:
    library = load_measures()
    # 001 §10: of 2,772 households with illness alone 2,364 had health support; each share is at most 1.
    assert library.causes["illness"].of == 2772
    assert library.causes["illness"].measures[0].households == 2364
    for fit in library.causes.values():
        assert fit.measures
        assert fit.ask
        known = [m.households for m in fit.measures if m.households is not None]
        assert known == sorted(known, reverse=True)
    assert library.measures(["illness", "disability"], "zh") == ["健康帮扶", "综合保障", "社会帮扶"]
    path = tmp_path / "own.yaml"
    path.write_text(
        "version: 1\nsource: x\nnote: {zh: 甲, en: a}\ncauses: {illness: {measures: [{id: gold}]}}\n"
    )
    with pytest.raises(SpecError, match="unknown measure"):
        load_measures(path)


def test_every_official_cause_has_questions_and_measures() -> None:
    assert set(load_measures().causes) == set(all_causes()) - {"none"}
    assert cause_codes(["因病", "不是原因"], "zh") == ["illness"]
