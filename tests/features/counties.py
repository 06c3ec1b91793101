"""Random small counties: everything that can go wrong in an office's files goes wrong in some of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

FIRST = 2019 * 12  # January 2019
MONTHS = 33
SOURCES = ["wage", "wage", "business", "property", "transfer"]
CATEGORIES = ["production", "medical", "education", "living", "housing"]


def month_text(ordinal: int) -> str:
    return f"{ordinal // 12:04d}-{ordinal % 12 + 1:02d}"


def some(rng: np.random.Generator, values: list[Any], null: float = 0.0) -> Any:
    return None if rng.random() < null else values[rng.integers(len(values))]


def day(rng: np.random.Generator, first: str = "2019-01-01", days: int = 1000) -> str:
    return str((pd.Timestamp(first) + pd.Timedelta(days=int(rng.integers(days)))).date())


def late(rng: np.random.Generator, on: str, share: float = 0.2) -> str | None:
    return day(rng, on, 120) if rng.random() < share else None


def month_end(ordinal: int) -> str:
    return str(pd.Period(month_text(ordinal), freq="M").end_time.date())


def frames(seed: int, households: int = 9, row_ids: bool = False) -> dict[str, pd.DataFrame]:
    """Return contract frames of one random county.

    Village ``v0`` stands in both townships; the last household lives alone in its village; some households
    have no income at all, some none in the first year; amounts have fen.
    """
    rng = np.random.default_rng(seed)
    ids = [f"h{i}" for i in range(households)]
    out = {
        "households": _households(rng, ids),
        "members": _members(rng, ids),
        "income": _amounts(rng, ids[:-1], "source", SOURCES, 0.5, row_ids),
        "spending": _amounts(rng, ids, "category", CATEGORIES, 0.3, row_ids),
    }
    for name, code, codes in (
        ("risk_events", "cause", ["illness", "disaster", "accident"]),
        ("monitoring", "event", ["identified", "eliminated"]),
        ("support", "measure", ["industry", "employment", "health"]),
        ("visits", "outcome", ["confirmed", "not_confirmed"]),
    ):
        out[name] = _dated(rng, ids, name, code, codes)
    out["assets"] = _assets(rng, ids)
    return out


def _households(rng: np.random.Generator, ids: list[str]) -> pd.DataFrame:
    rows = []
    for i, h in enumerate(ids):
        row = {
            "household_id": h,
            "township": f"t{i % 2}",
            "village": "alone" if h == ids[-1] else f"v{int(i % 4 == 3)}",
            "registration": some(rng, ["lifted", "general"]),
            "lifted_year": some(rng, [2017, 2018, 2020], 0.3),
            "valid_from": "2019-01-01",
        }
        rows.append(row)
        if rng.random() < 0.3:
            rows.append(row | {"registration": "general", "valid_from": day(rng)})
    return pd.DataFrame(rows).drop_duplicates(["household_id", "valid_from"])


def _members(rng: np.random.Generator, ids: list[str]) -> pd.DataFrame:
    rows = []
    for h in ids:
        for j in range(int(rng.integers(1, 5))):
            joined = some(rng, [None, "2019-01-01", day(rng)])
            left = day(rng, "2020-06-01", 600) if rng.random() < 0.2 else None
            rows.append(
                {
                    "member_id": f"{h}m{j}",
                    "household_id": h,
                    "birth_month": month_text(int(rng.integers(1935 * 12, 2019 * 12))),
                    "relation": "head" if j == 0 else some(rng, ["spouse", "child", "parent"], 0.2),
                    "health": some(rng, ["healthy", "chronic", "major_illness"], 0.4),
                    "disability_grade": some(rng, [0, 1, 3], 0.4),
                    "work_capacity": some(rng, ["full", "partial", "none"], 0.4),
                    "resident": some(rng, [True, False], 0.3),
                    "insured": some(rng, [True, False], 0.3),
                    "valid_from": joined,
                    "valid_to": left if left and (joined is None or joined < left) else None,
                    "recorded_on": "2019-01-01" if joined is None else late(rng, joined),
                }
            )
    return pd.DataFrame(rows)


def _amounts(
    rng: np.random.Generator, ids: list[str], code: str, codes: list[str], share: float, row_ids: bool
) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for i, h in enumerate(ids):
        begins = 14 if i == 1 else 0
        for m in range(begins, MONTHS):
            for c in codes:
                if rng.random() < share:
                    amount = round(float(rng.gamma(2, 400)), 2) if rng.random() < 0.95 else 0.0
                    recorded = late(rng, month_end(FIRST + m))
                    row = {"household_id": h, "month": month_text(FIRST + m), code: c, "amount": amount}
                    rows.append(row | {"recorded_on": recorded})
    if row_ids:
        for n, row in enumerate(list(rows)):
            row["row_id"] = f"r{n}" if rng.random() < 0.7 else None
            if row["row_id"] and rng.random() < 0.1:
                fixed = {"amount": round(row["amount"] * 3, 2), "recorded_on": "2021-03-01"}
                rows.append(row | fixed)
    return pd.DataFrame(rows)


def _dated(rng: np.random.Generator, ids: list[str], name: str, code: str, codes: list[str]) -> pd.DataFrame:
    rows = []
    for h in ids[::2] + ids[:2]:
        for _ in range(int(rng.integers(0, 5))):
            on = day(rng)
            row = {"household_id": h, "date": on, code: some(rng, codes), "recorded_on": late(rng, on)}
            if name == "risk_events":
                row["loss"] = some(rng, [100.5, 2000.25], 0.4)
                row["channel"] = some(rng, ["household_application", "cadre_screening"], 0.4)
            if name == "support":
                row["amount"] = some(rng, [10.0, 333.33], 0.3)
                row["end_date"] = day(rng, on, 500) if rng.random() < 0.5 else None
            rows.append(row)
    if not rows:
        rows = [{"household_id": ids[0], "date": "2019-02-01", code: codes[0], "recorded_on": None}]
    return pd.DataFrame(rows)


def _assets(rng: np.random.Generator, ids: list[str]) -> pd.DataFrame:
    rows = []
    for h in ids:
        for kind in ("car", "machinery"):
            if rng.random() < 0.5:
                begun = day(rng)
                ended = day(rng, begun, 300) if rng.random() < 0.3 else None
                row = {"household_id": h, "kind": kind, "valid_from": begun, "valid_to": ended}
                rows.append(row | {"authorised_on": some(rng, [day(rng), "2019-01-01"], 0.3)})
    return pd.DataFrame(rows or [{"household_id": ids[0], "kind": "car", "valid_from": "2019-01-01"}])


def with_coverage(made: dict[str, pd.DataFrame], seed: int) -> dict[str, pd.DataFrame]:
    """Add what an office says of its records: months on record and off it, totals; some of it said late."""
    rng = np.random.default_rng(1000 + seed)
    ids = sorted(made["households"]["household_id"].unique())
    recorded, off, totals = [], [], {"income": [], "spending": []}
    for h in ids:
        for of, code, codes in (("income", "source", SOURCES), ("spending", "category", CATEGORIES)):
            if rng.random() < 0.5:
                end = FIRST + int(rng.integers(26, MONTHS))
                parts = [(FIRST, FIRST + 8), (FIRST + 9, end)] if rng.random() < 0.5 else [(FIRST, end)]
                for first, last in parts:
                    row = {"household_id": h, "of": of, "recorded_on": late(rng, month_end(last), 0.5)}
                    recorded.append(row | {"month_from": month_text(first), "month_to": month_text(last)})
            if rng.random() < 0.5:
                first = FIRST + int(rng.integers(0, MONTHS - 6))
                row = {"household_id": h, "of": of, "item": some(rng, codes, 0.5), "why": "unreadable"}
                months = {"month_from": month_text(first), "month_to": month_text(first + 2)}
                off.append(row | months | {"recorded_on": day(rng, "2019-06-01", 700)})
            if rng.random() < 0.1:
                first = FIRST + 12 * int(rng.integers(0, 2))
                row = {"household_id": h, code: codes[0], "amount": 9000.0, "recorded_on": "2020-06-30"}
                totals[of].append(row | {"month_from": month_text(first), "month_to": month_text(first + 5)})
    out = dict(made)
    for name, rows in totals.items():
        t = made[name].assign(month_from=made[name]["month"], month_to=made[name]["month"])
        out[name] = pd.concat([t.drop(columns="month"), pd.DataFrame(rows)], ignore_index=True)
    return out | {"recorded": pd.DataFrame(recorded), "unrecorded": pd.DataFrame(off)}


def with_links(made: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Add a recode, a merge and a split; the last two become known only in 2021."""
    links = [
        {"old_id": "h0", "new_id": "n0", "kind": "recode", "date": "2019-09-01", "recorded_on": "2019-09-20"},
        {"old_id": "h2", "new_id": "h3", "kind": "merge", "date": "2020-04-01", "recorded_on": "2021-02-01"},
        {"old_id": "h4", "new_id": "n4", "kind": "split", "date": "2019-11-01", "recorded_on": "2021-03-01"},
    ]
    out = dict(made)
    for new, old, since in (("n0", "h0", "2019-09-01"), ("n4", "h4", "2019-11-01")):
        state = made["households"].query("household_id == @old").head(1)
        state = state.assign(household_id=new, valid_from=since)
        out["households"] = pd.concat([out["households"], state], ignore_index=True)
        for name in ("income", "spending"):  # what is booked under the new number from then on
            t = out[name]
            column = "month" if "month" in t else "month_from"
            moved = (t["household_id"] == old) & (t[column] >= since[:7])
            if new == "n4":  # the parent goes on too: every other row is the child's
                moved &= np.arange(len(t)) % 2 == 0
            out[name] = t.assign(household_id=t["household_id"].mask(moved, new))
    return out | {"household_links": pd.DataFrame(links)}
