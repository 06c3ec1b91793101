"""Households and members from one snapshot without dates: how many, and whether its date can be true.

What an office really has is one table that is overwritten as things change. Its rows are known from the day
of the snapshot on; what cannot change holds for good, all else is as of that day (contract, "What an office
really has").
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from riskmodel.data.schema import SPAN_TABLES, About, contract, month_end, own_date, table_words
from riskmodel.i18n import LANGUAGES, Message

if TYPE_CHECKING:
    from riskmodel.data.county import County

SNAPSHOT_TABLES = ("households", "members")
# A snapshot is taken at a month's end or soon after: facts a month newer are of after it.
DAYS_AFTER = 31
LONGEST_YEAR = range(24_000, 24_012)  # any twelve months: where spans of months are longest
SEPARATOR = {"zh": "；", "en": "; "}


def snapshot_message(county: County, known_by: dt.date | None = None) -> Message | None:
    """Return how much of a county comes from one snapshot without dates; None where nothing does.

    Parameters
    ----------
    county
        The checked tables.
    known_by
        The day up to which rows may have been recorded; all rows count without it.
    """
    day = known_by or dt.date.max
    return county.once(("snapshot", day), lambda: _count_rows(county.con, county.about, county.tables, day))


def snapshot_notices(con: Any, about: About, tables: Mapping[str, Any], born_after: int) -> list[Message]:
    """Say what comes from a snapshot, and where the tables show that its date is too early.

    Parameters
    ----------
    con
        The engine.
    about
        Of the county.
    tables
        The canonical tables, by name.
    born_after
        Members that were kept out because they were born after the day their row was recorded.
    """
    said = _count_rows(con, about, tables)
    if said is None or about.snapshot_on is None:
        return []
    evidence = [
        *_newest_facts(con, about.snapshot_on, tables),
        *_states_after(con, about.snapshot_on, tables, born_after),
    ]
    if not evidence:
        return [said]
    what = {lang: SEPARATOR[lang].join(one.text(lang) for one in evidence) for lang in LANGUAGES}
    return [said, Message("data.timing.snapshot too early", {"day": about.snapshot_on, "what": what})]


def _count_rows(
    con: Any, about: About, tables: Mapping[str, Any], known_by: dt.date = dt.date.max
) -> Message | None:
    if about.snapshot_on is None:
        return None
    counts: dict[str, Any] = {}
    for name in SNAPSHOT_TABLES:
        column = contract().tables[name].key[0]
        t = tables[name].get_name()
        counts[name], counts[f"all_{name}"] = con.con.execute(
            f'SELECT count(DISTINCT "{column}") FILTER (valid_from IS NULL AND known_on = $day), '
            f'count(DISTINCT "{column}") FROM "{t}" WHERE known_on <= $known_by',
            {"day": about.snapshot_on, "known_by": known_by},
        ).fetchall()[0]  # fmt: skip
    if not any(counts[name] for name in SNAPSHOT_TABLES):
        return None
    return Message("data.timing.snapshot", {"day": about.snapshot_on, **counts})


def _newest_facts(con: Any, day: dt.date, tables: Mapping[str, Any]) -> list[Message]:
    """Return the tables of events that go on for more than a month after the snapshot."""
    out = []
    for name, t in tables.items():
        spec = contract().tables[name]
        if spec.derived or not (name in SPAN_TABLES or spec.event_date):
            continue
        last = (
            t.aggregate(last=own_date(name, {c: t[c] for c in t.columns}).max())
            .to_pyarrow()["last"][0]
            .as_py()
        )
        if last is not None and (last - day).days > DAYS_AFTER:
            out.append(Message("data.timing.snapshot facts", {"table": table_words(name), "last": last}))
    return out


def _states_after(con: Any, day: dt.date, tables: Mapping[str, Any], born_after: int) -> list[Message]:
    """Return what undated rows say of the time after the snapshot."""
    of_snapshot = "valid_from IS NULL AND known_on = $day"
    asked = {"lifted": f"SELECT count(*) FROM households WHERE {of_snapshot} AND lifted_year > year($day)"}
    if "household_links" in tables:
        asked["linked"] = (
            "SELECT count(DISTINCT new_id) FROM household_links WHERE kind != 'merge' AND \"date\" > $day "
            f"AND new_id IN (SELECT household_id FROM households WHERE {of_snapshot})"
        )
    found = {key: con.con.execute(sql, {"day": day}).fetchall()[0][0] for key, sql in asked.items()}
    found["born"] = born_after
    return [Message(f"data.timing.snapshot {key}", {"n": n}) for key, n in found.items() if n]


def delay_notices(con: Any, about: About, has_recorded: bool) -> list[Message]:
    """Say where the recording delay alone makes every income unknown.

    Inferred months and those of ``coverage: whole`` are on record once the delay is over; with a delay longer
    than the allowed lag that is always too late.

    Parameters
    ----------
    con
        The engine, with the canonical tables.
    about
        Of the county.
    has_recorded
        Whether there is a table ``recorded``, whose households are spared.
    """
    months = about.max_lag_months
    longest = max((month_end(m + months) - month_end(m)).days for m in LONGEST_YEAR)
    if about.recording_delay_days <= longest:
        return []
    spared = "WHERE household_id NOT IN (SELECT DISTINCT household_id FROM recorded)" if has_recorded else ""
    monthly = "SELECT DISTINCT household_id FROM income WHERE month_from = month_to"
    sql = f"SELECT count(household_id) FROM ({monthly}) {spared}"
    n = con.con.execute(sql).fetchall()[0][0]
    values = {"n": n, "days": about.recording_delay_days, "months": months, "longest": longest}
    return [Message("data.timing.delay beyond lag", values)] if n else []
