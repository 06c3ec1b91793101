"""How far a list has come: by township what was given, visited, met, confirmed, is open and late.

Townships are told apart by process alone, never by how many were found.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from riskmodel.scoring.list_log import ListLog
from riskmodel.scoring.returned_lists import read_returned

if TYPE_CHECKING:
    from riskmodel.scoring.recorded_visits import RecordedVisit

PROGRESS_COLUMNS = ("list", "township", "given", "visited", "absent", "confirmed", "not_confirmed", "open",
                    "overdue", "returned")  # fmt: skip


def township_progress(
    log: ListLog, visits: Mapping[str, Iterable[RecordedVisit]], day: dt.date, now: Iterable[str] = ()
) -> pd.DataFrame:
    """Return how far the planned visits of a list have come.

    Parameters
    ----------
    log
        Of the list.
    visits
        What the county holds of each household; visits since the list's day count.
    day
        The day that is spoken of: later visits do not count, and what was due before it is late.
    now
        Townships whose workbook came back just now.

    Returns
    -------
    DataFrame
        `PROGRESS_COLUMNS`, a row a township; counts of households. ``visited`` are those where somebody was
        met, ``absent`` those where nobody was yet, ``open`` all others; ``overdue`` of absent and open ones
        the day has passed; ``returned`` says whether the township's workbook came back.
    """
    back = {*read_returned(log)["township"], *now}
    rows: dict[str, dict[str, object]] = {}
    for household, row in sorted(log.by_household.items()):
        if row["planned"] != "1":
            continue
        place = rows.setdefault(row["township"], dict.fromkeys(PROGRESS_COLUMNS[2:-1], 0))
        since = [v for v in visits.get(household, ()) if log.as_of <= v.date <= day]
        met = [v for v in since if v.outcome != "absent"]
        last = max(met, key=lambda v: v.date) if met else None
        state = "visited" if met else "absent" if since else "open"
        late = not met and row["due_date"] != "" and row["due_date"] < day.isoformat()
        counted = {"given": True, state: True, "overdue": late}
        if last is not None:
            counted[str(last.outcome)] = True
        for name, holds in counted.items():
            place[name] = int(place[name]) + holds  # type: ignore[call-overload]
    table = [
        {"list": log.id, "township": t, **counts, "returned": t in back} for t, counts in sorted(rows.items())
    ]
    return pd.DataFrame(table, columns=list(PROGRESS_COLUMNS))
