"""The office: the rule it is handed, the register's life cycle, support."""

from __future__ import annotations

import numpy as np
import pytest

from riskmodel import simulate
from riskmodel.simulate.history import PEOPLE, PLACES
from riskmodel.simulate.office import default_rule
from riskmodel.simulate.parameters import CAUSES, Profile, parameter_arrays
from riskmodel.simulate.population import places, populate
from riskmodel.simulate.state import stream

MONTH = 24300


def view(n: int = 5) -> simulate.RuleView:
    profile = simulate.load_profile("default")
    where = places(stream(1, PLACES), n, profile)
    s, b = populate(stream(1, PEOPLE), np.arange(n), where, MONTH, parameter_arrays(profile), 0)
    s.persons[:], b.persons_ring[:] = 2, 2
    return simulate.RuleView(s, b, MONTH)


def befall(v: simulate.RuleView, row: int, cause: str, month: int) -> None:
    v.state.last_cause[CAUSES.index(cause), row] = month
    v.state.last_any[row] = month


def test_default_rule_by_hand() -> None:
    """Five households of two: the line of 6000 a head is 12000 a household."""
    v = view()
    v.books.net[:] = [11_999, 12_000, 11_999, 13_000, 13_000]
    v.books.net_before[:] = [20_000, 20_000, 20_000, 20_000, 26_000]
    v.books.rigid[:] = [0, 0, 0, 20_001, 0]
    befall(v, 0, "other", MONTH - 11)
    befall(v, 1, "other", MONTH - 11)
    befall(v, 2, "other", MONTH - 12)
    befall(v, 3, "illness", MONTH)
    befall(v, 4, "accident", MONTH - 3)
    flagged = default_rule(6000, 1.0, 0.5)(v)
    # below with an open cause; at the line; below, cause a year old; spending above income; income halved
    assert flagged.tolist() == [True, False, False, True, True]


def test_view_speaks_of_twelve_months() -> None:
    v = view()
    v.books.net[:] = 24_000
    befall(v, 0, "illness", MONTH - 11)
    befall(v, 1, "illness", MONTH - 12)
    assert v.pcni.tolist() == [12_000] * 5
    # Events dated within (as-of - 12 months, as-of]: the month eleven before counts, the twelfth does not.
    assert v.open(CAUSES.index("illness")).tolist() == [True, False, False, False, False]
    assert v.has_open_cause.tolist() == v.open(CAUSES.index("illness")).tolist()


def test_the_rule_that_is_handed_in_decides() -> None:
    arguments = {"households": 400, "months": 24, "seed": 2, "truth_at": ()}
    all_in = simulate.simulate_county(flag_rule=lambda view: np.ones(view.state.n, dtype=bool), **arguments)
    none_in = simulate.simulate_county(flag_rule=lambda view: np.zeros(view.state.n, dtype=bool), **arguments)
    visits = [made.frames["visits"].selected_by.value_counts() for made in (all_in, none_in)]
    assert visits[0]["rule"] > 400
    assert "rule" not in visits[1]
    assert set(visits[1].index) <= {"random", "application"}


def test_life_cycle_is_in_order(ruler: simulate.SimulatedCounty) -> None:
    """Nobody enters twice or leaves unentered; only who was eliminated is rolled back or re-marked."""
    entered = {"identified", "rolled_back", "re_marked"}
    seen = 0
    for _, history in ruler.frames["monitoring"].sort_values("date", kind="stable").groupby("household_id"):
        last = "removed"
        for event in history.event:
            if event in entered:
                assert last == ("removed" if event == "identified" else "eliminated")
            else:
                assert last in entered
            last = event
            seen += 1
    assert seen > 100


def test_category_is_what_the_line_says(ruler: simulate.SimulatedCounty) -> None:
    register, households = ruler.frames["monitoring"], ruler.frames["households"]
    lifted = households.drop_duplicates("household_id").set_index("household_id").registration
    new = register[register.event == "identified"]
    own = new.household_id.map(lifted)
    assert (own[new.category == "unstable_lifted"] == "lifted").all()
    assert (own[new.category == "marginal"] == "general").all()
    assert new.causes.notna().all()
    assert set(";".join(new.causes).split(";")) <= set(CAUSES)


@pytest.mark.parametrize("selected", ["rule", "random"])
def test_visits_see_some_of_it(ruler: simulate.SimulatedCounty, selected: str) -> None:
    visits = ruler.frames["visits"]
    outcome = visits[visits.selected_by == selected].outcome.value_counts(normalize=True)
    assert outcome["not_confirmed"] > outcome["confirmed"]
    assert (visits[visits.outcome == "confirmed"].cause.notna()).all()


def test_objections_stop_some_of_the_confirmed() -> None:
    """With every case objected to nobody is registered; with none, all that are confirmed in time are."""
    entered = []
    for objection in (0.0, 0.95):
        base = simulate.load_profile("default").model_dump()
        base["office"] |= {"objection": objection, "diligence": (0.3, 0.5)}
        profile = Profile.model_validate(base)
        made = simulate.simulate_county(households=900, months=30, seed=4, profile=profile, truth_at=())
        entered.append(int((made.frames["monitoring"].event == "identified").sum()))
    assert entered[0] > 20
    assert entered[1] < 0.25 * entered[0]
