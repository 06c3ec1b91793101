"""Single amounts that look typed in units of 10,000 yuan in a column of yuan: 1.2 among thousands."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from riskmodel.importing.sheet_rows import row_keys
from riskmodel.io import records

_UNIT = 10_000
_LARGEST = 100.0  # 100 x 10,000 yuan: more than a household has of one kind in a year
_BELOW = 300.0  # so many times smaller than is usual
_NEAR = 10.0  # and so near to it in the other unit
_GAP = 20.0  # so many times smaller than the lowest usual amounts of its kind
_TAIL = 0.05
_FEWEST = 4  # other amounts of the column


def ask_small_amounts(rows: pd.DataFrame, say: Callable[..., None]) -> None:
    """Ask about amounts far below their column, or the household's other years, that would fit in 万元.

    Parameters
    ----------
    rows
        Of one table.
    say
        Adds a finding of a row.
    """
    known = rows[rows["amount"].notna() & rows["month_from"].notna() & rows["month_to"].notna()]
    values = known["amount"].astype(float)
    small = known[values.gt(0) & values.lt(_LARGEST) & known["text"].astype(str).str.fullmatch(r"\d+\.?\d*")]
    if not len(small):
        return
    length = known["month_to"].astype(int) - known["month_from"].astype(int)
    known = known.assign(value_=values, length_=length)[values.gt(0)]
    out = pd.Series(False, index=small.index)
    for names, fewest in (["sheet_no", "item", "length_"], _FEWEST), (["household_id", "item", "length_"], 1):
        key = row_keys(known, names)
        groups = known["value_"].groupby(key)
        usual, count = (groups.transform(what)[small.index] for what in ("median", "size"))
        if fewest == 1:  # of two years the median is no year's
            usual = groups.transform("max")[small.index]
        value = known.loc[small.index, "value_"]
        far = value.mul(_BELOW).lt(usual) & value.mul(_UNIT).between(usual / _NEAR, usual * _NEAR)
        out |= far & count.gt(fewest)
    # Where amounts of all sizes stand in between, as with medical costs, a small one is nothing strange.
    kind = row_keys(known, ["item", "length_"])
    usual = known["value_"].groupby(kind).transform("median")
    lowest = known["value_"][known["value_"].mul(_BELOW).ge(usual)].groupby(kind).quantile(_TAIL)
    out &= known["value_"].mul(_GAP).lt(kind.map(lowest))[small.index]
    for row in records(small[out]):
        say("asked", "small amount", row, text=row["text"])


__all__ = ["ask_small_amounts"]
