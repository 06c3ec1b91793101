"""Windows after as-of: how long they are, when what happened in them is known, and under which numbers.

A household that has another number by the end of its window is followed there; one that was split is
followed to its children (contract, "Identity over time").
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import pandas as pd
from pydantic import Field

from riskmodel.data import County, Lineage, county_lineage, county_links
from riskmodel.households import KnownCounty, Moment, known_county
from riskmodel.io import Spec

END_OF_TIME = dt.date(9999, 12, 31)
KEY = ["household_id", "as_of"]


class Horizon(Spec):
    """A number of months, or the next observation within so many months (``next``)."""

    months: int = Field(ge=1, le=120)
    next: bool = False


def known_later(county: County, days: Iterable[dt.date], seen_by: dt.date) -> KnownCounty:
    """Return the county at some days as it was known by a later one: what labels look back from."""
    return known_county(county, [Moment(d, seen_by) for d in days])


def known_at_end(county: County, ends: Iterable[dt.date], seen_by: dt.date) -> KnownCounty:
    """Return the county at the ends of windows, each as known once the recording delay is over.

    What is recorded later still corrects no outcome: a label stays what it was when it was first settled.
    """
    delay = dt.timedelta(days=county.about.recording_delay_days)
    return known_county(county, [Moment(end, min(end + delay, seen_by)) for end in set(ends)])


def numbers_at_end(
    county: County,
    households: pd.DataFrame,
    ends: Mapping[dt.date, dt.date],
    known_by: Mapping[dt.date, dt.date],
) -> pd.DataFrame:
    """Return under which numbers households go on at the end of their windows.

    Parameters
    ----------
    county
        The checked tables.
    households
        ``household_id, as_of``: numbers as they were valid and known at as-of.
    ends, known_by
        As-of day to the end of its window, and to the day by which links may be seen.

    Returns
    -------
    DataFrame
        ``household_id, as_of, end, number, joined`` (a recode or merge led to the number) and ``children``
        (how many numbers a household that was split in the window has; 1 for all others): one row a
        household and number.
    """
    out = households[KEY].assign(
        end=households["as_of"].map({pd.Timestamp(d): pd.Timestamp(e) for d, e in ends.items()})
    )
    out = out.assign(number=out["household_id"], joined=False, children=1)
    if not county_links(county).rows:
        return out
    parts = []
    for day, part in out.groupby("as_of", sort=True):
        start = pd.Timestamp(str(day)).date()
        later = county_lineage(county, ends[start], known_by[start])
        parts.append(_followed(part, county_lineage(county, start, start), later))
    return pd.concat(parts, ignore_index=True)


def _followed(part: pd.DataFrame, start: Lineage, later: Lineage) -> pd.DataFrame:
    """Put the numbers in place that some households have later."""
    touched = [bool(later.held_by(str(number))) for number in part["household_id"]]
    if not any(touched):
        return part
    rows = []
    for row in part[touched].to_dict("records"):
        numbers = later.descendants(str(row["household_id"]), start)
        rows += [
            row | {"number": n, "joined": n != row["household_id"], "children": len(numbers)} for n in numbers
        ]
    untouched = [not one for one in touched]
    return pd.concat([part[untouched], pd.DataFrame(rows)], ignore_index=True)
