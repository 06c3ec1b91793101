"""The county before its first month: places are nested, households are whole."""

from __future__ import annotations

import numpy as np
import pytest

from riskmodel import simulate
from riskmodel.simulate.history import PLACES
from riskmodel.simulate.population import places
from riskmodel.simulate.state import RELATIONS, stream

from .conftest import START, N, initial_county


def test_places_are_nested_and_filled_in_order() -> None:
    where = places(stream(1, PLACES), N, simulate.load_profile("default"))
    assert (np.diff(where.village_of) >= 0).all()
    assert (np.diff(where.township_of_village) >= 0).all()
    assert np.unique(where.village_of).size == where.township_of_village.size
    assert where.townships == np.unique(where.township_of_village).size
    assert ((where.diligence > 0) & (where.diligence <= 0.9)).all()


def test_every_household_has_one_grown_head_and_the_declared_mix() -> None:
    s, books, t = initial_county()
    people = t.profile.people
    heads = s.m.here & (s.m.relation == RELATIONS.index("head"))
    assert (heads.sum(axis=0) == 1).all()
    assert (START - s.m.birth[heads] >= 12 * people.head_age[2]).all()
    assert (s.persons == s.m.here.sum(axis=0)).all()
    # 3,000 households: the standard error of a share is below 0.01.
    assert s.lifted.mean() == pytest.approx(people.lifted_share, abs=0.03)
    assert (s.dibao > 0).mean() == pytest.approx(t.profile.income.transfer.dibao_share, abs=0.01)
    assert (books.net == 0).all(), "nothing has been earned yet"
