"""Income and spending by month of the households on a list, as known at a date, for their cards."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import pandas as pd

from riskmodel.data import County, month_text
from riskmodel.households import DateLike, Moment, point_in_time

MONTHS = 36  # three years: the period, the one before, and how it came there


def histories(county: County, as_of: DateLike, households: Sequence[str]) -> pd.DataFrame:
    """Return monthly income and spending of some households up to the last whole month.

    Months without a row are missing, not zero; annual totals are left out, for a total is never spread
    over months.

    Parameters
    ----------
    county : County
    as_of : date
    households : sequence of str
        Ids; a page holds a few thousand of them at ease.

    Returns
    -------
    DataFrame
        ``household_id, month`` (``YYYY-MM``)``, income, spending`` (yuan, NaN where there is none), sorted.
    """
    when = point_in_time.moments(as_of)
    found = [_monthly(county, name, when, list(households)) for name in ("income", "spending")]
    out = found[0].merge(found[1], on=["household_id", "month"], how="outer")
    out = out.sort_values(["household_id", "month"], ignore_index=True)
    return out.assign(month=out["month"].map(month_text))[["household_id", "month", "income", "spending"]]


def _monthly(county: County, name: str, when: tuple[Moment, ...], households: list[str]) -> pd.DataFrame:
    t = point_in_time.known(county, name, when)
    t = t.filter(
        t.month_from == t.month_to,
        t.month_to <= t.last_month,
        t.month_to > t.last_month - MONTHS,
        t.household_id.isin(households),
    )
    made = t.group_by("household_id", month=ibis._.month_to).agg(amount=ibis._.amount.sum().cast("float64"))
    frame = county.con.to_pyarrow(made).to_pandas().rename(columns={"amount": name})
    # pandas 3.1 cannot merge two empty frames on text columns backed by Arrow.
    return frame.astype({"household_id": object})
