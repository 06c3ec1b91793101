"""A county of four households, small enough to check its accounts by hand."""

from __future__ import annotations

import pandas as pd

from riskmodel.data import County
from riskmodel.data.county import county_of_frames

HOUSEHOLDS = (("h1", "东乡"), ("h2", "东乡"), ("h3", "西乡"), ("h4", "西乡"))
# Household, member, from, to, reason: 3 + 2 + 4 + 1 persons at first; a birth in h1, a death in h2.
MEMBERS = (
    ("h1", 1, None, None, None),
    ("h1", 2, None, None, None),
    ("h1", 3, None, None, None),
    ("h1", 4, "2021-02-10", None, "新生儿"),
    ("h2", 1, None, None, None),
    ("h2", 2, None, "2021-01-20", "死亡"),
    *(("h3", i, None, None, None) for i in range(1, 5)),
    ("h4", 1, None, None, None),
)
# Household, date, event, category, causes, recorded: h4 was entered late.
REGISTER = (
    ("h1", "2020-05-01", "identified", "脱贫不稳定户", "illness;schooling", "2020-05-01"),
    ("h2", "2021-02-15", "eliminated", None, None, "2021-02-15"),
    ("h2", "2020-06-01", "identified", "marginal", "disaster", "2020-06-01"),
    ("h3", "2021-03-01", "identified", "marginal", "illness", "2021-03-01"),
    ("h4", "2020-12-20", "identified", "marginal", "accident", "2021-01-05"),
    ("h4", "2021-03-10", "removed", None, None, "2021-03-10"),
)


def small_county() -> County:
    """Return the county: two watched at the end of 2020 (three as known later), two after the quarter."""
    since = "2019-01-01"
    members = [
        {
            "member_id": f"{home}-{i}",
            "household_id": home,
            "birth_month": "1980-01",
            "valid_from": begin or since,
            "valid_to": end,
            "change_reason": reason,
        }
        for home, i, begin, end, reason in MEMBERS
    ]
    columns = ["household_id", "date", "event", "category", "causes", "recorded_on"]
    return county_of_frames(
        {
            "households": pd.DataFrame(
                [
                    {
                        "household_id": h,
                        "township": t,
                        "village": f"{t}村",
                        "registration": "general",
                        "valid_from": since,
                    }
                    for h, t in HOUSEHOLDS
                ]
            ),
            "members": pd.DataFrame(members),
            "income": pd.DataFrame(
                [
                    {"household_id": h, "month": "2021-02", "source": "wage", "amount": 9000}
                    for h, _ in HOUSEHOLDS
                ]
            ),
            "monitoring": pd.DataFrame(REGISTER, columns=columns),
        }
    )
