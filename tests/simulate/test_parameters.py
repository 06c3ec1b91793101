"""Profiles: every packaged one loads, and a wrong one says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskmodel import simulate
from riskmodel.errors import SpecError, UsageError
from riskmodel.simulate.parameters import PROFILES, parameter_arrays

IDS = sorted(p.stem for p in PROFILES.glob("*.yaml"))


@pytest.mark.parametrize("name", IDS)
def test_packaged_profiles_load_under_their_names(name: str) -> None:
    p = simulate.load_profile(name)
    assert p.id == name
    assert parameter_arrays(p).sales.shape == (len(p.income.farm.kinds), 12)
    for kind in p.income.farm.kinds.values():
        # Shares of a year: what is sold and paid over the months must be the whole.
        assert sum(kind.sales.values()) == pytest.approx(1)
        assert sum(kind.costs.values()) == pytest.approx(1)
    assert sum(k.share for k in p.income.farm.kinds.values()) == pytest.approx(1)


def test_profiles_differ_as_they_are_named() -> None:
    means = {}
    for name in ("poor-mountain", "default", "rich-plain"):
        made = simulate.simulate_county(households=400, months=24, seed=3, profile=name, truth_at=())
        income = made.frames["income"]
        means[name] = income[income.month >= "2018-01"].amount.sum()
    assert means["poor-mountain"] < means["default"] < means["rich-plain"]


def test_a_file_may_change_a_few_figures(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("base: default\nid: mine\nincome: {wage: {monthly: 1}}\n", encoding="utf-8")
    mine, base = simulate.load_profile(path), simulate.load_profile("default")
    assert mine.income.wage.monthly == 1
    assert mine.income.wage.season == base.income.wage.season
    assert mine.office == base.office


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("base: default\nid: x\nincme: {}\n", "incme"),
        ("base: default\nid: x\nincome: {wage: {persistence: 1.0}}\n", "persistence"),
        (
            "base: default\nid: x\n"
            "support: {measures: {flood: {measure: a, income: 1, source: wage, cover: 0}}}\n",
            "must name each of illness",
        ),
        ("- a\n", "mapping"),
    ],
)
def test_wrong_profiles_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=says):
        simulate.load_profile(path)


def test_unknown_profile_lists_the_known() -> None:
    with pytest.raises(UsageError, match="default"):
        simulate.load_profile("nowhere")
