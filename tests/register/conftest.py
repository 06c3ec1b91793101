"""Random registers, and a slow second reckoning of the accounts, household by household and day by day.

The reckoning is written from the official rules alone (life cycle; who is present on a day); it shares no
code with riskmodel.register, so that agreement means something.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

import numpy as np
import pandas as pd
import pytest

START = dt.date(2020, 1, 1)
EVENTS = ("identified", "eliminated", "rolled_back", "re_marked", "removed", "label_withdrawn")
AFTER = dict(zip(EVENTS, ("watched", "eliminated", "watched", "watched", "off", "off"), strict=True))
STOCKS = {"open": ("watched",), "ever": ("watched", "eliminated")}


def random_register(seed: int, households: int, days: int = 60) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return register rows and member rows of a short, crowded time: same-day rows and odd orders abound."""
    rng = np.random.default_rng(seed)
    register, members = [], []
    for i in range(households):
        home = f"h{i:04d}"
        for _ in range(rng.integers(0, 7)):
            day = int(rng.integers(0, days))
            register.append(
                {
                    "household_id": home,
                    "date": START + dt.timedelta(days=day),
                    "event": str(rng.choice(EVENTS, p=[0.35, 0.25, 0.12, 0.12, 0.1, 0.06])),
                    "category": rng.choice(
                        np.array([None, "marginal", "脱贫不稳定户", "重点"], dtype=object)
                    ),
                    "causes": rng.choice(
                        np.array([None, "illness", "illness;schooling", "other"], dtype=object)
                    ),
                    "recorded_on": START + dt.timedelta(days=day + int(rng.choice([0, 0, 0, 5, 25]))),
                }
            )
        for j in range(rng.integers(0, 5)):
            begin = int(rng.integers(-40, days))
            length = int(rng.integers(1, 60))
            stays = bool(rng.random() < 0.5)
            members.append(
                {
                    "member_id": f"{home}-{j}",
                    "household_id": home,
                    "birth_month": "1980-01",
                    "valid_from": START + dt.timedelta(days=begin) if begin > -20 else None,
                    "valid_to": None if stays else START + dt.timedelta(days=begin + length),
                    "change_reason": rng.choice(
                        np.array([None, "出生", "死亡", "婚入", "迁居"], dtype=object)
                    ),
                    "recorded_on": START + dt.timedelta(days=max(begin, 0)),
                }
            )
    return pd.DataFrame(register), pd.DataFrame(members)


def present(members: list[dict], day: dt.date) -> int:
    """Count distinct members with a row valid on a day."""
    return len(
        {
            m["member_id"]
            for m in members
            if (m["valid_from"] is None or m["valid_from"] <= day)
            and (m["valid_to"] is None or day < m["valid_to"])
        }
    )


def in_order(rows: list[dict]) -> list[dict]:
    """Sort a household's rows as the ground does: by date, recording, and the contract's order of events."""
    order = ("identified", "eliminated", "rolled_back", "re_marked", "removed", "label_withdrawn")
    return sorted(rows, key=lambda r: (r["date"], r["recorded_on"], order.index(r["event"])))


def reckon(register: pd.DataFrame, members: pd.DataFrame, first: dt.date, last: dt.date) -> Counter:
    """Return (stock, line, unit) → count for a period, day by day, as known at its end."""
    out: Counter = Counter()
    rows = [r for r in _plain(register) if r["recorded_on"] <= last]
    people = [m for m in _plain(members) if m["recorded_on"] <= last]
    for home in sorted({r["household_id"] for r in rows}):
        own = in_order([r for r in rows if r["household_id"] == home and r["date"] <= last])
        mine = [m for m in people if m["household_id"] == home]
        state = "none"
        for row in own:
            if row["date"] < first:
                state = AFTER[row["event"]]
        eve = first - dt.timedelta(days=1)
        _count(out, state, "opening", present(mine, eve))
        day = first
        while day <= last:
            change = present(mine, day) - present(mine, day - dt.timedelta(days=1))
            for stock, inside in STOCKS.items():
                if state in inside:
                    out[stock, "natural", "p"] += change
            for row in own:
                if row["date"] == day:
                    _move(out, state, row["event"], present(mine, day))
                    state = AFTER[row["event"]]
            day += dt.timedelta(days=1)
        _count(out, state, "closing", present(mine, last))
    return out


def _plain(frame: pd.DataFrame) -> list[dict]:
    return [{k: None if pd.isna(v) else v for k, v in row.items()} for row in frame.to_dict("records")]


def _count(out: Counter, state: str, line: str, persons: int) -> None:
    for stock, inside in STOCKS.items():
        if state in inside:
            out[stock, line, "hh"] += 1
            out[stock, line, "p"] += persons


def _move(out: Counter, before: str, event: str, persons: int) -> None:
    for stock, inside in STOCKS.items():
        was, will = before in inside, AFTER[event] in inside
        if was != will:
            line = "unidentified" if will and event == "eliminated" else event
            out[stock, line, "hh"] += 1
            out[stock, line, "p"] += persons


def frames_of(county) -> dict[str, pd.DataFrame]:
    """Return a county's tables as frames that `from_frames` takes, each row recorded when it was known."""
    frames = {name: county.frame(name).rename(columns={"known_on": "recorded_on"}) for name in county.tables}
    frames["income"] = frames["income"].astype({"amount": float})
    return frames


@pytest.fixture(scope="session")
def small():
    """Return the accounts of the first quarter of the four-household county."""
    from riskmodel.register import build_register_accounts

    from .small_county import small_county

    return build_register_accounts(small_county(), "2021-01-01", "2021-03-31")
