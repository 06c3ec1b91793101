"""The truth: calibrated, better than what an office can see, and higher without support."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from riskmodel import simulate
from riskmodel.simulate import truth
from riskmodel.simulate.history import PEOPLE, PLACES, advance_households, advance_month, advance_office
from riskmodel.simulate.parameters import parameter_arrays
from riskmodel.simulate.population import places, populate
from riskmodel.simulate.state import draw_month, stream

AS_OF, END = "2018-06-30", "2019-06-30"
EVER = "2100-01-01"


def of(made: simulate.SimulatedCounty, event: str) -> pd.DataFrame:
    return made.truth[made.truth.event == event].set_index("household_id").sort_index()


@pytest.mark.parametrize("event", ["below_line", "identified"])
def test_mean_probability_meets_what_happened(ruler: simulate.SimulatedCounty, event: str) -> None:
    """Households here share nothing, so the number of outcomes is a sum of independent Bernoullis.

    Its standard deviation is sqrt(sum p(1-p)); the futures add p(1-p)/300 a household, which is 0.2 % more.
    |z| above 3.3 has a chance of one in a thousand if the probabilities are right; the seed is fixed.
    """
    t = of(ruler, event).dropna(subset="outcome")
    z = (t.outcome.sum() - t.probability.sum()) / np.sqrt((t.probability * (1 - t.probability)).sum())
    assert t.outcome.sum() > 15
    assert abs(z) < 3.3


def test_probability_is_calibrated_within_bands(ruler: simulate.SimulatedCounty, calm) -> None:
    """The same, apart for the safe, the middling and the endangered: a wrong spread would show here.

    Two counties together: the first alone is an unlucky one (72 of the endangered fell where 90 were to be
    expected), which fourteen others are not (the slow test below).
    """
    second = simulate.simulate_county(
        households=1600, months=30, seed=12, profile=calm, futures=300, truth_at=["2018-06-30"]
    )
    t = pd.concat([of(made, "below_line") for made in (ruler, second)]).dropna(subset="outcome")
    band = pd.cut(t.probability, [-0.01, 0.03, 0.15, 1.0], labels=False)
    for _, part in t.groupby(band):
        expected = part.probability.sum()
        # Within a band chosen by an estimate the estimates err outwards, by at most their own error.
        slack = (part.mc_error**2).sum() / 0.05
        sd = np.sqrt((part.probability * (1 - part.probability)).sum())
        assert expected > 3
        assert abs(part.outcome.sum() - expected) < 3.3 * sd + slack


@pytest.mark.slow
def test_probability_is_calibrated_within_bands_over_many_counties(calm) -> None:
    """One county can be an unlucky one (seed 11 was: 72 where 90 were to be expected); fourteen cannot."""
    parts = []
    for seed in range(31, 45):
        made = simulate.simulate_county(
            households=1600, months=30, seed=seed, profile=calm, futures=400, truth_at=["2018-06-30"]
        )
        parts.append(of(made, "below_line").dropna(subset="outcome"))
    t = pd.concat(parts)
    for _, part in t.groupby(pd.cut(t.probability, [-0.01, 0.03, 0.15, 0.5, 1.0], labels=False)):
        sd = np.sqrt((part.probability * (1 - part.probability)).sum())
        assert part.outcome.sum() > 100
        assert abs(part.outcome.sum() - part.probability.sum()) < 2.8 * sd  # four bands, one in fifty in all


def test_oracle_beats_present_income(ruler: simulate.SimulatedCounty, accounting) -> None:
    """Who knows the state ranks better than who knows 12 months of income; neither ranks perfectly."""
    t = of(ruler, "below_line").dropna(subset="outcome")
    now = accounting(ruler.frames, AS_OF, AS_OF).loc[t.index]
    above = now.pcni >= 6000
    y = t.outcome[above].astype(int)
    oracle = roc_auc_score(y, t.probability[above])
    naive = roc_auc_score(y, -now.pcni[above])
    assert 0.60 < naive < oracle - 0.05
    # Not too easy: on real panels learners reach 0.71-0.85 for entry. Where nothing is shared and a few dozen
    # fall the oracle may read a little higher than the default county's 0.89 (docs/simulator.md).
    assert oracle < 0.96


def test_support_lowers_the_risk_of_the_supported(ruler: simulate.SimulatedCounty) -> None:
    t = of(ruler, "below_line")
    gap = t.probability_unsupported - t.probability
    # Both books are kept of the same lives, and support only adds income: never a higher risk with it.
    assert (gap >= 0).all()
    register = ruler.frames["monitoring"]
    held = register[register.date <= AS_OF].sort_values("date").groupby("household_id").event.last()
    watched = held[held.isin(["identified", "rolled_back", "re_marked"])].index
    assert len(watched) > 10
    assert gap.reindex(watched).mean() > 0.04
    assert gap.mean() > 0.001


@pytest.mark.parametrize("known_by", [EVER])
def test_outcomes_follow_from_the_tables(small, accounting, known_by: str) -> None:
    """`outcome` is what anybody would compute from the whole records: the truth and the tables agree."""
    after = accounting(small.frames, END, known_by)
    below = (after.pcni < 6000).astype(int)
    t = of(small, "below_line")
    assert below.sum() > 3
    # Of whom nobody is left at the window's end the outcome is null, not 0.
    assert (t.outcome.isna() == (after.persons.loc[t.index] == 0)).all()
    assert t.outcome.isna().any()
    seen = t.outcome.notna()
    assert (t.outcome[seen] == below.loc[t.index][seen]).all()
    register = small.frames["monitoring"]
    events = register[register.event.isin(["identified", "rolled_back", "re_marked"])]
    found = events[(events.date > AS_OF) & (events.date <= END)].household_id.unique()
    t = of(small, "identified")
    assert len(found)
    assert set(t.index[t.outcome == 1]) == set(found) & set(t.index)


def test_a_confirmation_is_known_of_the_visited_only(ruler: simulate.SimulatedCounty) -> None:
    """The label is null for whom no visit met; of those met it is what the visit said."""
    t = of(ruler, "confirmed")
    visits = ruler.frames["visits"]
    visits = visits[(visits.date > AS_OF) & (visits.date <= END) & (visits.outcome != "absent")]
    held = visits.household_id[visits.outcome == "confirmed"]
    for seen, told in ((visits.household_id, t.outcome.notna()), (held, t.outcome == 1)):
        real, written = set(t.index[told]), set(seen) & set(t.index)
        # The window ends with the data: a few visits of its last days are not written up yet.
        assert written <= real
        assert len(real - written) < 0.1 * len(real)
    assert len(held) > 5
    met = t.dropna(subset="outcome")
    # Among the visited the mean chance meets what was found: a sum of independent Bernoullis, as above.
    z = (met.outcome.sum() - met.probability.sum()) / np.sqrt((met.probability * (1 - met.probability)).sum())
    assert abs(z) < 3.3


def test_a_household_is_judged_alone() -> None:
    """A household's chance does not depend on who is simulated beside it, nor on the number of threads."""
    profile = simulate.load_profile("default")
    t = parameter_arrays(profile)
    rule = simulate.simulation_spec(households=6, months=24).rule
    where = places(stream(3, PLACES), 6, profile)
    s, b = populate(stream(3, PEOPLE), np.arange(6), where, 24203, t, 0)
    both = truth.event_probabilities(s, b, 24203, 3, t, rule, futures=truth.COLUMNS, seed=1, block=0)
    alone = truth.event_probabilities(
        s.take(np.arange(1)),
        b.take(np.arange(1)),
        24203,
        3,
        t,
        rule,
        futures=truth.COLUMNS,
        seed=1,
        block=0,
    )
    assert (both.supported[:, :1] == alone.supported).all()
    assert both.supported.shape == (len(truth.EVENTS), 6)


def test_history_and_futures_take_the_same_step() -> None:
    """`step` is `live` then `book`: with the same chance both give the same state, log or no log."""
    profile = simulate.load_profile("default")
    t = parameter_arrays(profile)
    rule = simulate.simulation_spec(households=200, months=24).rule
    where = places(stream(3, PLACES), 200, profile)
    s, b = populate(stream(3, PEOPLE), np.arange(200), where, 24203, t, 0)
    other, books = s.copy(), b.copy()
    months = profile.shocks.disaster_months
    for month in range(24204, 24204 + 30):
        advance_month(s, b, draw_month(np.random.default_rng(month), 200, month, months), month, t, rule)
        z = draw_month(np.random.default_rng(month), 200, month, months)
        flow = advance_households(other, z, month, t)
        advance_office(books, other, flow, z, month, t, rule)
    assert (s.u_wage == other.u_wage).all()
    assert (b.net == books.net).all()
    assert (b.status == books.status).all()
    assert b.net.std() > 0
