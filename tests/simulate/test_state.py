"""The arrays: columns are taken, repeated and copied; a month's draws."""

from __future__ import annotations

import numpy as np
import pytest

from riskmodel import simulate
from riskmodel.simulate import household_events
from riskmodel.simulate.parameters import parameter_arrays
from riskmodel.simulate.state import draw_month

from .conftest import START, initial_county


def test_a_january_draws_the_year_and_others_do_not() -> None:
    rng = np.random.default_rng(0)
    january, may = draw_month(rng, 5, START, ()), draw_month(rng, 5, START + 4, ())
    assert january.z_weather is not None
    assert may.z_weather is None
    with pytest.raises(ValueError, match="January"):
        household_events.new_year(
            initial_county(n=130)[0], may, parameter_arrays(simulate.load_profile("default"))
        )


def test_columns_are_repeated_side_by_side_and_copied() -> None:
    s, b, _ = initial_county(n=130)
    futures = s.repeat(3, 5, 2)
    assert futures.household.tolist() == [3, 3, 4, 4]
    assert (futures.m.birth == s.m.birth[:, [3, 3, 4, 4]]).all()
    futures.bill[:] = 1
    assert (s.bill == 0).all()
    assert (b.take(np.array([7, 7])).persons_ring == 1).all()
