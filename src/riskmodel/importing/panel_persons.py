"""Who lives in a panel's households: persons listed, persons counted, and what income is divided by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.importing.panel_map import PanelPersons

OLD_FROM = 65
# Imputed ages: the middles of 0–14 and 15–64, and 75 for the open band from 65.
BAND_AGE = {"adult": 40, "child": 7, "old": 75}
# Further adult, child: OECD 1982 and its modification by Hagenaars et al. 1994.
SCALES = {"oecd": (0.7, 0.5), "oecd_modified": (0.5, 0.3)}


def equivalent_persons(spec: PanelPersons, persons: pd.Series, children: pd.Series) -> pd.Series:
    """Return what income is divided by: persons, or their equivalent adults.

    Parameters
    ----------
    spec
        Its ``scale`` says how.
    persons, children
        Numbers of persons, and of children among them.

    Examples
    --------
    >>> family = PanelPersons(kind="count", size="n", scale="oecd_modified")
    >>> equivalent_persons(family, pd.Series([4.0]), pd.Series([2.0])).tolist()
    [2.1]
    """
    if spec.scale == "per_head":
        return persons
    if spec.scale == "household":
        return persons.where(persons.isna(), 1.0)
    if spec.scale == "square_root":
        return np.sqrt(persons)
    adult, child = SCALES[spec.scale]
    young = children.clip(upper=persons - 1)
    return 1.0 + adult * (persons - young - 1) + child * young


def sex_of(codes: pd.Series, words: pd.Series, male: Sequence[Any], female: Sequence[Any]) -> pd.Series:
    """Return ``male``, ``female`` or None by codes or words."""
    out = pd.Series(None, index=codes.index, dtype=object)
    for name, wanted in (("male", male), ("female", female)):
        text = {str(w) for w in wanted}
        out[codes.isin(text) | words.isin(text)] = name
    return out


def same_household(
    household: pd.Series, values: Mapping[str, pd.Series], bounds: Mapping[str, tuple[float, float]]
) -> pd.Series:
    """Say at which observations the household of the one before is still there.

    Parameters
    ----------
    household
        Ids, each household's observations in their order.
    values
        Numbers that change within bounds as long as it is the same household. Where one is not recorded,
        the last that was is compared, with the bounds as they are.
    bounds
        Lowest and highest change of each.

    Examples
    --------
    >>> ages = pd.Series([40, None, 41, 30, 70.0])
    >>> same_household(pd.Series([1, 1, 1, 1, 2]), {"age": ages}, {"age": (-2, 3)}).tolist()
    [True, True, True, False, True]
    """
    out = pd.Series(True, index=household.index)
    for name, (least, most) in bounds.items():
        last = values[name].groupby(household).ffill()
        change = values[name] - last.groupby(household).shift()
        out &= change.isna() | change.between(least, most)
    return out


def listed_members(who: pd.DataFrame) -> pd.DataFrame:
    """Return rows of ``members`` of persons who are listed at every observation of their household.

    A person is there from the first list that names it to the first of its household that no longer does.

    Parameters
    ----------
    who
        ``member_id, household_id, birth_month, sex, relation, on, month, recorded_on``, in order of time.
    """
    visits = who.drop_duplicates(["household_id", "month"])[["household_id", "month", "on", "recorded_on"]]
    visits = visits.assign(turn=visits.groupby("household_id").cumcount())
    at = who.merge(visits[["household_id", "month", "turn"]], on=["household_id", "month"])
    present = at.assign(kind="listed")[["member_id", "household_id", "turn", "kind"]]
    first = at.drop_duplicates(["member_id", "household_id"], keep="first")
    what = first.set_index(["member_id", "household_id"])[["birth_month", "sex", "relation"]]
    spans = _spans(_runs(present), visits)
    spans = spans.join(what, on=["member_id", "household_id"])
    return _rows(spans)


def counted_members(
    observations: pd.DataFrame,
    size: pd.Series,
    counts: Mapping[str, pd.Series],
    head_age: pd.Series,
    head_sex: pd.Series,
) -> pd.DataFrame:
    """Return rows of ``members`` of persons who are counted by band of age, not listed.

    The head has its own age and sex; the others are imputed in the middle of their band. They make the number
    of persons right; nothing else should be read off them.

    Parameters
    ----------
    observations
        ``household_id, on, recorded_on, family`` (a number that grows where another family moves in).
    size
        Number of persons.
    counts
        ``children`` (0–14) and ``old`` (65+).
    head_age, head_sex
        Empty where not recorded.
    """
    known, is_old = head_age.notna(), head_age >= OLD_FROM
    children, old = counts["children"].fillna(0), counts["old"].fillna(0)
    bands = pd.DataFrame(
        {
            "head": known.astype(int),
            "adult": size - children - old - (known & ~is_old),
            "child": children,
            "old": old - is_old,
        }
    ).astype(int)
    t = observations.assign(
        turn=observations.groupby("household_id").cumcount(), head_age=head_age, sex=head_sex
    )
    visits = t[["household_id", "turn", "on", "recorded_on"]]
    spans = _spans(_runs(_present(t, bands)), visits)
    spans = spans.merge(
        t[["household_id", "turn", "head_age", "sex"]],
        left_on=["household_id", "first"], right_on=["household_id", "turn"],
    )  # fmt: skip
    is_head = spans["kind"] == "head"
    age = spans["head_age"].where(is_head, spans["kind"].map(BAND_AGE))
    spans["birth_month"] = _born(spans["on"], age)
    spans["sex"] = spans["sex"].where(is_head, None)
    spans["relation"] = is_head.map({True: "head", False: None})
    return _rows(spans)


def _present(t: pd.DataFrame, bands: pd.DataFrame) -> pd.DataFrame:
    """Return one row per imputed member and observation at which it is there."""
    long = pd.concat([t[["household_id", "turn", "family"]], bands], axis=1)
    long = long.melt(["household_id", "turn", "family"], var_name="kind", value_name="n")
    long = long.loc[long.index.repeat(long["n"].clip(lower=0))]
    number = long.groupby(["household_id", "turn", "kind"]).cumcount() + 1
    family = long["family"].astype(int) + 1
    ids = long["household_id"] + "-" + family.astype(str) + "-" + long["kind"] + "-" + number.astype(str)
    return long.assign(member_id=ids)


def _runs(present: pd.DataFrame) -> pd.DataFrame:
    """Return unbroken runs of observations: ``member_id, household_id, kind, first, last``."""
    p = present.sort_values(["member_id", "household_id", "turn"])
    broken = p.groupby(["member_id", "household_id"])["turn"].diff() != 1
    by = ["member_id", "household_id", "kind", broken.cumsum().rename("run")]
    return p.groupby(by)["turn"].agg(first="min", last="max").reset_index()


def _spans(runs: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    """Add the day of the first observation of each run, and of the one that no longer finds the person."""
    begin = visits[["household_id", "turn", "on", "recorded_on"]].rename(columns={"turn": "first"})
    out = runs.merge(begin, on=["household_id", "first"])
    end = visits[["household_id", "turn", "on", "recorded_on"]]
    end = end.rename(columns={"turn": "gone", "on": "gone_on", "recorded_on": "gone_recorded"})
    return out.assign(gone=out["last"] + 1).merge(end, on=["household_id", "gone"], how="left")


def _rows(spans: pd.DataFrame) -> pd.DataFrame:
    opened = spans[["member_id", "household_id", "birth_month", "sex", "relation"]].assign(
        valid_from=spans["on"].dt.date, valid_to=None, recorded_on=spans["recorded_on"].dt.date
    )
    ended = spans["gone_on"].notna()
    closed = opened[ended].assign(
        valid_to=spans.loc[ended, "gone_on"].dt.date, recorded_on=spans.loc[ended, "gone_recorded"].dt.date
    )
    out = pd.concat([opened, closed], ignore_index=True)
    if not ended.any():
        out = out.drop(columns="valid_to")
    return out.sort_values(["household_id", "member_id", "valid_from", "recorded_on"], ignore_index=True)


def _born(on: pd.Series, age: pd.Series) -> pd.Series:
    # Completed years say a birthday within twelve months; half a year earlier is the middle.
    months = on.dt.year * 12 + on.dt.month - 1 - age.astype(int) * 12 - 6
    return (months // 12).astype(str) + "-" + (months % 12 + 1).astype(str).str.zfill(2)
