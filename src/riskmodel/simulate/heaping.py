"""Who stands just above the line at a year's end: whose income is most easily written a little lower."""

from __future__ import annotations

import pandas as pd


def just_above(
    income: pd.DataFrame, spending: pd.DataFrame, members: pd.DataFrame, line: float, above: float
) -> pd.DataFrame:
    """Return household-years whose net income a head is at most a share of the line above it.

    Parameters
    ----------
    income, spending, members : DataFrame
        In the contract's form, months as ``YYYY-MM``.
    line : float
        Yuan a head and year.
    above : float
        Share of the line.

    Returns
    -------
    DataFrame
        ``household_id, year, pcni, persons``, and of the year's largest income row its place ``at`` in
        ``income`` and amount ``largest``.
    """
    earned = income.assign(year=income["month"].str[:4], at=range(len(income)))
    key = ["household_id", "year"]
    net = earned.groupby(key)["amount"].sum()
    spent = spending[spending["category"] == "production"]
    costs = spent.assign(year=spent["month"].str[:4]).groupby(key)["amount"].sum()
    left = net - costs.reindex(net.index, fill_value=0)
    table = left.to_frame("net").reset_index()
    whole = earned.groupby("year")["month"].nunique() == 12
    table = table[table["year"].map(whole)]
    # The version of a member that was recorded last under each key holds.
    held = members.sort_values("recorded_on", kind="stable").drop_duplicates(
        ["member_id", "valid_from"], keep="last"
    )
    parts = []
    for year in table["year"].unique():
        day = pd.Timestamp(f"{year}-12-31")
        there = held[(held["valid_from"] <= day) & (held["valid_to"].isna() | (held["valid_to"] > day))]
        parts.append(there.groupby("household_id").size().rename("persons").reset_index().assign(year=year))
    persons = pd.concat(parts) if parts else pd.DataFrame(columns=[*key, "persons"])
    table = table.merge(persons, on=key)
    table["pcni"] = table["net"] / table["persons"]
    near = table[(table["pcni"] >= line) & (table["pcni"] <= line * (1 + above))]
    largest = earned.sort_values(["amount", "at"]).drop_duplicates(key, keep="last")[[*key, "at", "amount"]]
    out = near.merge(largest.rename(columns={"amount": "largest"}), on=key)
    return out[[*key, "pcni", "persons", "at", "largest"]].sort_values(key, ignore_index=True)
