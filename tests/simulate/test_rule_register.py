"""A rule set as the simulated register's rule: what the engine says on tables of the same households."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskmodel import rules, simulate
from riskmodel.data import About, County
from riskmodel.data.county import county_of_frames
from riskmodel.errors import UsageError
from riskmodel.simulate.history import PLACES, run_block
from riskmodel.simulate.office import default_rule
from riskmodel.simulate.parameters import CAUSES, STAGES, parameter_arrays
from riskmodel.simulate.population import places
from riskmodel.simulate.rule_register import register_rule
from riskmodel.simulate.state import CAPACITY, HEALTH, MONITORED, RELATIONS, stream

ABLE = (
    "anhui-town-2020", "county-2020", "dali-2021", "nancheng-2020", "national-2021", "ratio-1.5-2020",
    "yingjiang-2022",
)  # fmt: skip
LAST = 2019 * 12 + 11
DAY = "2019-12-31"


def text(month: int) -> str:
    return f"{month // 12}-{month % 12 + 1:02d}"


@pytest.fixture(scope="module")
def view() -> simulate.RuleView:
    """500 households at the end of 2019, a third of them made poor so that every rule has work."""
    profile = simulate.load_profile("poor-mountain")
    asked = simulate.simulation_spec(
        households=500, months=36, seed=5, profile_name=profile, truth_at=[DAY], start="2017-01"
    )
    rule = default_rule(6000, 1.0, 0.5)
    block = run_block(asked.plan, 0, places(stream(5, PLACES), 500, profile), parameter_arrays(profile), rule)
    s, b = block.snapshots[LAST]
    rng = np.random.default_rng(0)
    for cause in range(len(CAUSES)):
        struck = rng.random(500) < 0.1
        s.last_cause[cause, struck] = LAST - rng.integers(0, 14, int(struck.sum()))
    s.last_any[:] = s.last_cause.max(axis=0)
    b.net[:] = np.rint(b.net * rng.uniform(0.1, 1.2, 500))
    b.rigid[:] = np.rint(b.rigid * rng.choice([0, 1, 6], 500))
    s.housing_safe[rng.random(500) < 0.05] = False
    b.status[rng.random(500) < 0.05] = MONITORED
    return simulate.RuleView(s, b, LAST)


@pytest.fixture(scope="module")
def told(view: simulate.RuleView) -> County:
    """The same households as an office that knows everything would write them down."""
    s, b = view.state, view.books
    ids = np.array([f"H{k:04d}" for k in range(s.n)])
    there = view.persons > 0
    households = pd.DataFrame(
        {"household_id": ids, "township": "t", "village": "v", "valid_from": "2010-01-01", "water_safe": True}
    ).assign(
        registration=np.where(s.lifted, "lifted", "general"), housing_safe=s.housing_safe, dibao=s.dibao > 0
    )
    slot, column = np.nonzero(s.m.here)
    m = s.m
    before = np.zeros(s.m.here.shape, bool)
    # As many were members a year ago as the books say: the first places, and guests who have left since.
    for k in range(s.n):
        before[: int(view.previous_persons[k]), k] = True
    members = pd.DataFrame(
        {
            "household_id": ids[column],
            "birth_month": [text(int(x)) for x in m.birth[slot, column]],
            "relation": np.array(RELATIONS)[m.relation[slot, column]],
            "schooling": np.array(STAGES)[m.school[slot, column]],
            "health": np.array(HEALTH)[m.health[slot, column]],
            "disability_grade": m.grade[slot, column],
            "work_capacity": np.array(CAPACITY)[m.capacity[slot, column]],
            "insured": s.insured[column],
            "valid_from": "2019-06-01",
            "valid_to": None,
        }
    )
    guests = np.repeat(ids, view.previous_persons.astype(int))
    left = pd.DataFrame({"household_id": guests, "birth_month": "1980-01", "valid_from": "2010-01-01"})
    left = left.assign(valid_to="2019-05-01")
    members = pd.concat([members, left], ignore_index=True).assign(
        member_id=lambda t: [f"M{i}" for i in range(len(t))]
    )
    income = pd.concat(
        [
            pd.DataFrame(
                {"household_id": ids, "month": "2019-06", "source": "business_net", "amount": b.net}
            ),
            pd.DataFrame(
                {"household_id": ids, "month": "2018-06", "source": "business_net", "amount": b.net_before}
            ),
        ]
    )
    spending = pd.DataFrame(
        {"household_id": ids, "month": "2019-06", "category": "medical", "amount": b.rigid}
    )
    cause, struck = np.nonzero(s.last_cause > LAST - 24)
    events = pd.DataFrame(
        {
            "household_id": ids[struck],
            "date": [f"{text(int(x))}-15" for x in s.last_cause[cause, struck]],
            "cause": np.array(CAUSES)[cause],
        }
    )
    register = pd.DataFrame(
        {"household_id": ids[b.status == MONITORED], "date": "2019-02-01", "event": "identified"}
    )
    frames = {
        "households": households[there],
        "members": members,
        "income": income,
        "spending": spending,
        "risk_events": events,
        "monitoring": register,
    }
    kept = {n: t[t.household_id.isin(ids[there])] for n, t in frames.items()}
    # A year's sum stands in one month: the others are on record, and without income.
    return county_of_frames(kept, About(data_through=DAY, coverage="whole", records_from="2017-01"))


@pytest.mark.parametrize("name", ABLE)
def test_the_verdicts_are_the_engine_s(name: str, view: simulate.RuleView, told: County) -> None:
    own = rules.evaluate_rules(told, name, DAY).set_index("household_id").flagged
    flagged = register_rule(name)(view)
    ids = np.array([f"H{k:04d}" for k in range(view.state.n)])
    assert not flagged[view.persons == 0].any()
    pd.testing.assert_series_equal(
        pd.Series(flagged, ids)[own.index], own, check_names=False, check_index_type=False, check_dtype=False
    )
    # Not by all or none being flagged.
    assert 20 < flagged.sum() < 450


def test_parameters_can_be_overridden(view: simulate.RuleView, told: County) -> None:
    own = rules.evaluate_rules(told, "national-2021", DAY, params={"line": 3000})
    flagged = register_rule("national-2021", {"line": 3000})(view)
    assert flagged.sum() == own.flagged.sum() < register_rule("national-2021")(view).sum()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("lueyang-2021", "before_previous_pcni cannot be seen here"),
        ("classes-2020", "spending_medical cannot be seen here"),
        ("relative-60-yearly", "its line is relative"),
        ("causes-2020", "accounting period is not the last 12 months"),
    ],
)
def test_what_a_simulated_office_cannot_see_is_refused(name: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        register_rule(name)
    # The mend is named: exactly the sets that can.
    assert str(refused.value).endswith("these can: " + ", ".join(ABLE))


def test_a_set_of_ones_own(tmp_path, view: simulate.RuleView) -> None:
    """Members are seen: a set that flags households with a child out of school and nobody able to work."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        """
version: 1
id: mine
name_zh: 自定
name_en: mine
jurisdiction: {zh: 县, en: county}
valid_from: 2019-01-01
source: test
parameters:
  line: {kind: line, value: 9000, unit: 元, zh: 线, en: line, source: test}
categories:
- id: found
  flagged: true
  when: pcni < line and count(members, age >= 60 or disability_grade in [1, 2]) >= 1 and not
    some(members, work_capacity == 'full')
  zh: 是
  en: found
  source: test
""",
        encoding="utf-8",
    )
    flagged = register_rule(path)(view)
    m = view.state.m
    old = ((LAST - m.birth) // 12 >= 60) | np.isin(m.grade, (1, 2))
    full = (m.capacity == CAPACITY.index("full")) & m.here
    by_hand = (view.pcni < 9000) & (old & m.here).any(axis=0) & ~full.any(axis=0)
    assert flagged.tolist() == by_hand.tolist()
    assert 0 < flagged.sum() < 400
