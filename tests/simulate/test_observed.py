"""Measures of a county: households by hand, and the figures that follow."""

from __future__ import annotations

import numpy as np
import pytest

from riskmodel.simulate.observed import MEASURES, Years


def years(poor: list[list[float]], persons: float = 2.0) -> Years:
    """Households by hand: 5,000 yuan a head where poor, 10,000 where not, all of it wages."""
    state = np.array(poor, dtype=float)
    income = np.zeros((4, *state.shape))
    income[0] = np.where(state == 1, 5_000, 10_000) * persons
    none = np.empty((7, 0), dtype=int)
    return Years(
        income=income, spending=np.zeros((8, *state.shape)), persons=np.full(state.shape, persons),
        lifted=np.ones(len(state), bool), first=2017, line=6000.0, register=none, visits=none[:5],
        events=none[:3], supported=0.0, unsupported=0.0,
    )  # fmt: skip


def test_transitions_by_hand() -> None:
    """Two households, six years: poor 0 1 0 0 0 1 and 0 0 1 1 0 0."""
    y = years([[0, 1, 0, 0, 0, 1], [0, 0, 1, 1, 0, 0]])
    # Seven years not poor that are followed: of the first 2017, 2019-2021, of the second 2017, 2018, 2021.
    assert MEASURES["entry"](y, "") == pytest.approx(3 / 7)
    # Spells seen from their start: the first's year ends at once, the second's goes on.
    assert MEASURES["exit_after"](y, "1") == pytest.approx(1 / 2)
    assert MEASURES["exit_after"](y, "2") == pytest.approx(1.0)
    # Escaped 2019: poor again in the third year after it, 2022; the later escape has no third year.
    assert MEASURES["poor_again"](y, "") == pytest.approx(1.0)


def test_who_is_gone_is_counted_nowhere() -> None:
    y = years([[0, 1, 0], [0, 1, 1], [0, 0, 0]])
    y.persons[2] = 0
    assert MEASURES["entry"](y, "") == pytest.approx(2 / 2)
    assert MEASURES["persons_all"](y, "") == pytest.approx(2.0)


def test_fifths_by_hand() -> None:
    y = years([[0, 0, 0]] * 10)
    y.income[0] = np.arange(1, 11)[:, None] * 1000.0
    # Incomes 1..10 in fifths of two: means 1.5 3.5 5.5 7.5 9.5 over 5.5.
    assert MEASURES["income_fifth"](y, "1") == pytest.approx(1.5 / 5.5)
    assert MEASURES["fifths_ratio"](y, "") == pytest.approx(9.5 / 1.5)
    assert MEASURES["income_median"](y, "") == pytest.approx(2500 / 2750)
