"""What the early warning looks at in a county: counts by month, shares of the register, expected falls.

==============  ==============================================  =================================
``what``        count                                           held against
==============  ==============================================  =================================
``entries``     households newly monitored                      the months before (`warning.look`)
``events``      risk events                                     the months before
``relocated``   newly monitored among relocated households      the months before
``register``    monitored households not yet eliminated, of     the other townships
                those ever monitored                            (`warning.stand_out`)
``falls``       households that are expected to fall below      the other townships
                the line, of those not below it
==============  ==============================================  =================================

The first three answer "more than usual here?", the last two, which have no history by month, "more than
elsewhere?": a township that always has the largest share stands out every time.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from riskmodel.data import County, month_text
from riskmodel.errors import UsageError
from riskmodel.forecasting import counts, warning
from riskmodel.forecasting.counts import Counts
from riskmodel.forecasting.household import HouseholdForecast
from riskmodel.households import accounts, point_in_time

COUNTED: tuple[counts.What, ...] = ("entries", "events", "relocated")
COLUMNS = ["what", "township", "month", "count", "expected", "ratio", "p", "with_neighbours", "cause"]
LOOKS = 2


def build(
    county: County,
    as_of: dt.date,
    known: Counts | None = None,
    homes: HouseholdForecast | None = None,
    looks: int = LOOKS,
) -> pd.DataFrame:
    """Hold every township's newest counts, its register and its expected falls against what was expected.

    Parameters
    ----------
    county : County
    as_of : date
    known : Counts, optional
        Of new entries, by default built here.
    homes : HouseholdForecast, optional
        Without it expected falls are not looked at.
    looks : int
        Newest months.

    Returns
    -------
    DataFrame
        ``what, township, month, count, expected, ratio, p, with_neighbours, cause, p_adjusted, alarm,
        reason_zh, reason_en``, the most surprising first; p-values are corrected over all of it. ``cause`` is
        what the excess is mostly of. Empty where the records are too short.
    """
    near = _neighbours(county, as_of)
    parts = [_counted(county, as_of, what, known, near, looks) for what in COUNTED]
    parts += [_register(county, as_of), _falls(homes)]
    found = [t[COLUMNS] for t in parts if t is not None and len(t)]
    if not found:
        return pd.DataFrame()
    out = warning.judged(pd.concat(found, ignore_index=True))
    for lang in ("zh", "en"):
        out[f"reason_{lang}"] = [warning.reason(c, lang) for c in out["cause"]]
    return out.sort_values(["p_adjusted", "p", "what", "township", "month"], ignore_index=True)


def _counted(
    county: County, as_of: dt.date, what: counts.What, known: Counts | None,
    near: dict[str, tuple[str, ...]] | None, looks: int,
) -> pd.DataFrame | None:  # fmt: skip
    found = known if known is not None and what == "entries" else _count(county, as_of, what)
    if found is None:
        return None
    try:
        table = warning.look(
            found.seen.sum(axis=1), found.months, found.townships, found.households, looks=looks,
            neighbours=near, filled=found.filled,
        )  # fmt: skip
    except UsageError:
        # Too short or too rare to expect anything of: not looked at, as the table shows.
        return None
    at = [found.townships.index(t) for t in table["township"]]
    k = table["month"].to_numpy() - found.months[0]
    usual = found.cells[:, :, : -looks - warning.GAP].mean(axis=2)
    excess = found.cells[at, :, k] - usual[at]
    named = [found.causes[c] for c in excess.argmax(axis=1)]
    return table.assign(
        what=what, month=[month_text(int(m)) for m in table["month"]],
        cause="relocation" if what == "relocated" else named,
    )  # fmt: skip


def _count(county: County, as_of: dt.date, what: counts.What) -> Counts | None:
    try:
        return counts.build(county, as_of, what=what)
    except UsageError:
        # A table that is absent or empty raises no alarm; the outlook has said so of the register.
        return None


def _register(county: County, as_of: dt.date) -> pd.DataFrame | None:
    """Hold the share of the monitored households that are not eliminated against the other townships'."""
    if not county.has("monitoring"):
        return None
    t = point_in_time.known(county, "monitoring", point_in_time.moments(as_of))
    rows = t.filter(t.date <= t.as_of).select("household_id", "date", "event").to_pandas()
    homes = (
        point_in_time.households(county, point_in_time.moments(as_of))
        .select("household_id", "township")
        .to_pandas()
    )
    last = rows.sort_values(["date", "event"], kind="stable").drop_duplicates("household_id", keep="last")
    ever = last[last["event"].isin([*accounts.WATCHED, "eliminated"])].merge(homes)
    if ever.empty:
        return None
    open_still = ever["event"].ne("eliminated").groupby(ever["township"].astype(str))
    return _shares(open_still.sum(), open_still.size(), "register", "uneliminated", _month(as_of))


def _falls(homes: HouseholdForecast | None) -> pd.DataFrame | None:
    """Hold how many are expected to fall below the line by the last horizon against the other townships."""
    if homes is None:
        return None
    horizon = max(homes.lines)
    income = homes.standing["pcni"].to_numpy(dtype=float)
    above = ~(income < homes.lines[horizon])
    place = homes.standing["township"].astype(str)[above]
    chance = pd.Series(homes.below(horizon)[above], place.index).groupby(place)
    end = point_in_time.window_end(homes.as_of, horizon)
    return _shares(chance.sum(), chance.size(), "falls", "falls", _month(end))


def _shares(count: pd.Series, size: pd.Series, what: str, cause: str, month: str) -> pd.DataFrame:
    x = count.to_numpy(dtype=float)
    expected, p = warning.stand_out(x, size.to_numpy(dtype=float))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = x / expected
    table = pd.DataFrame(
        {"what": what, "township": count.index, "month": month, "count": x, "expected": expected,
         "ratio": ratio, "p": p, "with_neighbours": "", "cause": cause}
    )  # fmt: skip
    return table[table["p"].notna()]


def _month(day: dt.date) -> str:
    return month_text(point_in_time.last_complete_month(day))


def _neighbours(county: County, as_of: dt.date) -> dict[str, tuple[str, ...]] | None:
    if not county.has("coordinates"):
        return None
    where = county.table("coordinates")
    where = where.filter(where.known_on.isnull() | (where.known_on <= as_of)).select("village", "lon", "lat")
    homes = (
        point_in_time.households(county, point_in_time.moments(as_of))
        .select("township", "village")
        .distinct()
    )
    points = homes.inner_join(where, "village").select("township", "lon", "lat").to_pandas().dropna()
    return warning.nearest(points) if len(points) else None
