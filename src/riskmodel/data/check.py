"""``riskmodel check``: read, judge, and write ``rejected.csv`` and a summary of the data's quality.

The summary holds what is worth knowing of a county's data as a whole, and the rows that are valid by
themselves and still look wrong: they stay in, are counted, and are listed for the office.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from riskmodel.data.county import County
from riskmodel.data.losses import count_equal_rows, equal_rows
from riskmodel.data.read import (
    MAX_REJECTED,
    DataRefused,
    Reading,
    TableRead,
    read_tables,
    refusals,
)
from riskmodel.data.rejected import write_cells, write_rejected
from riskmodel.data.schema import (
    code_words,
    codes,
    contract,
    month_ordinal,
    month_text,
    own_date,
    table_words,
)
from riskmodel.data.suspects import (
    BILLS,
    LEVELS_FILE,
    count_suspects,
    find_levels,
    find_suspects,
    level_records,
    level_sentences,
    write_suspects,
)
from riskmodel.errors import InputRefused
from riskmodel.i18n import LANGUAGES, Language, section, text
from riskmodel.io import write_csv, write_json, write_table, write_text

_MOST_EXAMPLES = 20
_MOST_SAID = 3
_YEAR = 12
_TOLERANCE = 0.01  # contract: totals and months that differ by more than 1 % are a finding

# The income rows that hold in the end: of equal row_ids the one recorded last.
_FINAL_INCOME = (
    "SELECT * FROM income QUALIFY row_id IS NULL "
    "OR row_number() OVER (PARTITION BY row_id ORDER BY known_on DESC) = 1"
)
_TOTALS_AND_MONTHS = f"""
    WITH final AS ({_FINAL_INCOME}),
    totals AS (
        SELECT household_id, source, month_from, month_to, sum(amount) AS total
        FROM final WHERE month_from < month_to GROUP BY ALL),
    months AS (SELECT household_id, source, month_to AS month, amount FROM final WHERE month_from = month_to)
    SELECT household_id, source, month_from, month_to, total, sum(amount) AS months
    FROM totals JOIN months USING (household_id, source)
    WHERE month BETWEEN month_from AND month_to GROUP BY ALL ORDER BY ALL"""
_BUSINESS_TWICE = f"""
    WITH final AS ({_FINAL_INCOME})
    SELECT DISTINCT g.household_id FROM final g JOIN final n
    ON g.household_id = n.household_id AND g.source = 'business' AND n.source = 'business_net'
    AND g.month_from <= n.month_to AND n.month_from <= g.month_to ORDER BY 1"""
# Only what was known by a day: a row recorded later helps no verb that speaks of that day.
_COVERAGE = """
    WITH final AS (
        SELECT * FROM income WHERE known_on <= $by QUALIFY row_id IS NULL
        OR row_number() OVER (PARTITION BY row_id ORDER BY known_on DESC) = 1),
    state AS (
        SELECT household_id, registration FROM households WHERE known_on <= $by
        QUALIFY row_number() OVER (
            PARTITION BY household_id ORDER BY valid_from DESC NULLS LAST, known_on DESC) = 1),
    earning AS (SELECT DISTINCT household_id FROM final WHERE month_to > $start AND month_from <= $end)
    SELECT registration, count(*), count(earning.household_id)
    FROM state LEFT JOIN earning USING (household_id) GROUP BY 1 ORDER BY 1"""


def late_share(county: County, table: str) -> float | None:
    """Return the share of a table's rows recorded more than a month after the day they speak of."""
    t = county.table(table)
    own = own_date(table, {c: t[c] for c in t.columns})
    late = (t.known_on > own + ibis.interval(months=1)).mean()
    share = t.aggregate(share=late).to_pyarrow()["share"][0].as_py()
    return None if share is None else round(float(share), 6)


def rows_known_later(county: County) -> dict[str, dict[str, Any]]:
    """Count the rows that come to be known only after the day that the records are said to be whole by."""
    through = _data_through(county)
    if through is None:
        return {}
    by = county.known_through
    out = {}
    for name in county.tables:
        (rows, later, first, last) = _rows(
            county.con.con,
            "SELECT count(*), count(*) FILTER (known_on > $by), min(known_on) FILTER (known_on > $by), "
            f'max(known_on) FROM "{name}"',
            {"by": by},
        )[0]
        if later:
            days = {"first": first.isoformat(), "last": last.isoformat(), "by": by.isoformat()}
            out[name] = {"rows": rows, "later": later, **days}
    return out


def data_findings(county: County) -> dict[str, Any]:
    """Return what the data as a whole shows."""
    con = county.con.con
    compared = _rows(con, _TOTALS_AND_MONTHS)
    differ = [
        {
            "household_id": household,
            "source": source,
            "month_from": month_text(first),
            "month_to": month_text(last),
            "total": float(total),
            "months": float(months),
        }
        for household, source, first, last, total, months in compared
        if abs(float(total) - float(months)) > _TOLERANCE * abs(float(total))
    ]
    twice = [household for (household,) in _rows(con, _BUSINESS_TWICE)]
    first, last = _rows(con, "SELECT min(month_from), max(month_to) FROM income")[0]
    return {
        "data_through": _data_through(county),
        "income_months": [month_text(m) if m is not None else None for m in (first, last)],
        "income_coverage": _coverage(county, last),
        "known_later": rows_known_later(county),
        "totals_against_months": {
            "compared": len(compared),
            "differ": len(differ),
            "examples": differ[:_MOST_EXAMPLES],
        },
        "business_twice": {"households": len(twice), "examples": twice[:_MOST_EXAMPLES]},
        "equal_rows": count_equal_rows(equal_rows(county)),
        "valid_before_birth": _rows(
            con,
            "SELECT count(DISTINCT member_id) FROM members "
            "WHERE year(valid_from) * 12 + month(valid_from) - 1 < birth_month",
        )[0][0],
    }


def _rows(con: Any, sql: str, values: list[Any] | dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    return list(con.execute(sql, values or []).fetchall())


def _data_through(county: County) -> str | None:
    try:
        return county.data_through.isoformat()
    except InputRefused:
        return None


def _coverage(county: County, last: int | None) -> dict[str, dict[str, float]]:
    """Count the households with income in the 12 months that end with the last whole month."""
    through = _data_through(county)
    if through is None or last is None:
        return {}
    end = min(last, month_ordinal(int(through[:4]), int(through[5:7])))
    given = {"start": end - _YEAR, "end": end, "by": county.known_through}
    counts = _rows(county.con.con, _COVERAGE, given)
    found = {kind: (n, k) for kind, n, k in counts}
    return {
        kind: {
            "households": found[kind][0],
            "with_income": found[kind][1],
            "share": found[kind][1] / found[kind][0],
        }
        for kind in codes("households", "registration")
        if kind in found
    }


EQUAL_ROWS_FILE = "equal_rows.csv"
FORMAT_VERSION = 1
# Notices that decide what all figures are worth: they stand in the first line.
GRAVE_NOTICES = ("snapshot too early", "delay beyond lag")


@dataclass(frozen=True)
class FurtherCheck:
    """What a check from above this layer found (one that needs an accounting, say).

    Parameters
    ----------
    name
        Its key in the summary.
    figures
        What the summary holds under that key, plain values.
    lines
        Language to sentences for ``quality.md``.
    tables
        File name to a table written beside it.
    """

    name: str
    figures: dict[str, Any]
    lines: dict[Language, list[str]]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def check_county(
    data: str | Path,
    out: str | Path | None = None,
    *,
    max_rejected: float = MAX_REJECTED,
    pseudonymise: bool = False,
    snapshot_on: str | dt.date | None = None,
    lang: str = "zh",
    further: Sequence[Callable[[County], FurtherCheck]] = (),
) -> tuple[dict[str, Any], County | None]:
    """Check a county's data and say what was found.

    Parameters
    ----------
    data
        As `riskmodel.data.read_county` takes it.
    out
        Folder for ``rejected.csv``, ``cells.csv``, ``equal_rows.csv``, ``suspects.csv``, ``quality.json``
        and ``quality.md``; nothing is written without it.
    max_rejected, pseudonymise, snapshot_on
        As in `riskmodel.data.read_county`.
    lang
        Which language stands first in ``quality.md``; it holds both.
    further
        More checks, of data that can be used; what they found goes into the summary and the folder.

    Returns
    -------
    summary : dict
        ``format_version, data, refused, refusals, tables, absent, notices`` and, where the tables could be
        read, what `riskmodel.data.check.data_findings` gives. Nothing is raised for data that cannot be
        used: ``refused`` says so, ``refusals`` why.
    county : County or None
        What the summary is of (for a fingerprint), None where it could not be read at all.

    Raises
    ------
    UsageError
        If ``pseudonymise`` is asked for without a key.
    """
    reading: Reading | None = None
    suspect_rows = levels = None
    more: list[FurtherCheck] = []
    rejected = pd.DataFrame()
    summary: dict[str, Any] = {"format_version": FORMAT_VERSION, "data": Path(data).name}
    try:
        reading = read_tables(
            data, max_rejected=max_rejected, pseudonymise=pseudonymise, snapshot_on=snapshot_on
        )
    except DataRefused as exc:
        rejected = exc.rejected
        tables = {name: _table(None, name, table) for name, table in exc.tables.items()}
        why = refusals(exc.tables, max_rejected)
        summary |= {"refused": True, "refusals": why, "tables": tables, "absent": {}, "notices": []}
    except InputRefused as exc:
        summary |= {"refused": True, "refusals": [str(exc)], "tables": {}, "absent": {}, "notices": []}
    else:
        why = refusals(reading.tables, max_rejected)
        rejected = reading.county.rejected
        suspect_rows = find_suspects(reading.county)
        summary |= {"refused": bool(why), "refusals": why} | _summary(reading)
        summary["suspects"] = count_suspects(suspect_rows)
        levels = find_levels(reading.county, BILLS)
        summary["levels"] = level_records(levels)
        more = [one(reading.county) for one in further] if not why else []
        summary |= {one.name: one.figures for one in more}
    if out is not None:
        write_rejected(rejected, out)
        if reading is not None:
            write_cells(reading.county.cells, out)
            write_csv(equal_rows(reading.county), Path(out) / EQUAL_ROWS_FILE)
        if suspect_rows is not None:
            write_suspects(suspect_rows, out)
        if levels is not None:
            write_csv(levels, Path(out) / LEVELS_FILE)
        _write_summary(summary, more, Path(out), lang)
    return summary, reading.county if reading else None


def _write_summary(summary: dict[str, Any], more: Sequence[FurtherCheck], out: Path, lang: str) -> None:
    for name, table in (pair for one in more for pair in one.tables.items()):
        write_table(table, out / name)
    write_json(summary, out / "quality.json")
    both = sorted(LANGUAGES, key=lambda word: word != lang)
    texts = [quality_report(summary, word, more) for word in both]
    write_text("\n\n".join(texts) + "\n", out / "quality.md")


def _summary(reading: Reading) -> dict[str, Any]:
    county = reading.county
    without = section("data.without")
    absent = {name: words for name, words in without.items() if name not in reading.tables}
    return {
        "tables": {name: _table(county, name, table) for name, table in reading.tables.items()},
        "absent": absent,
        "notices": [{"id": n.code, **n.both()} for n in reading.notices],
        **data_findings(county),
    }


def _table(county: County | None, name: str, table: TableRead) -> dict[str, Any]:
    reasons = table.kept_out.drop_duplicates(["row", "reason"])["reason"].value_counts()
    if table.causes is not None:
        reasons = table.causes.groupby("reason")["n"].sum()
    cells = {
        table.raw.headers[table.raw.at[str(column)]]: n
        for column, n in table.cells["column"].value_counts().sort_index().items()
    }
    return {
        "file": table.raw.file,
        "read": table.n_read,
        "kept": table.n_read - table.n_rejected,
        "rejected": table.n_rejected,
        "share_rejected": round(table.share_rejected, 6),
        "cells": {header: int(n) for header, n in cells.items()},
        "rejected_by_reason": {str(reason): int(n) for reason, n in sorted(reasons.items())},
        "late_share": None if county is None else late_share(county, name),
    }


def quality_report(summary: dict[str, Any], lang: Language, more: Sequence[FurtherCheck] = ()) -> str:
    """Return a summary of `check_county` as Markdown in one language."""
    refused = summary["refused"]
    lines = [
        f"# {text('data.quality.title', lang, data=summary['data'])}",
        "",
        text("data.quality.refused", lang, what="; ".join(summary["refusals"]))
        if refused
        else _usable(summary, lang),
    ]
    if summary["tables"]:
        lines += ["", text("data.quality.table_head", lang), "|---|---|---:|---:|---:|---|---:|"]
        lines += [_table_line(name, table, lang) for name, table in summary["tables"].items()]
        further_lines = [line for one in more for line in one.lines[lang]]
        if "data_through" in summary:
            lines += _section("findings", lang, [*_finding_lines(summary, lang), *further_lines])
    lines += _section("notices", lang, [notice[lang] for notice in summary["notices"]])
    return "\n".join(lines)


def _usable(summary: dict[str, Any], lang: Language) -> str:
    """Say that the data can be used, and from when, where a required table is known only later."""
    late_tables = {
        name: found
        for name, found in summary.get("known_later", {}).items()
        if name in contract().required and found["later"] == found["rows"]
    }
    if grave := [notice[lang] for notice in summary["notices"] if notice["id"] in GRAVE_NOTICES]:
        return text("data.quality.usable_but", lang, what=" ".join(grave))
    if levels := level_sentences(summary.get("levels", []), lang):
        shown = "; ".join(levels[:_MOST_SAID]) + (" …" if len(levels) > _MOST_SAID else "")
        return text("data.quality.usable_levels", lang, n=len(levels), what=shown)
    if not late_tables:
        return text("data.quality.usable", lang)
    names = ", ".join(table_words(name)[lang] for name in late_tables)
    first = max(found["first"] for found in late_tables.values())
    return text(
        "data.quality.usable_later", lang, what=names, first=first, by=next(iter(late_tables.values()))["by"]
    )


def later_lines(summary: dict[str, Any], lang: Language) -> list[str]:
    """Say for each table how many rows are known only after the records are said to be whole.

    Parameters
    ----------
    summary
        From `check_county`.
    lang
        Which language.

    Returns
    -------
    list of str
        One sentence a table; none where nothing was recorded late.
    """
    return [
        text(
            "data.quality.known_later",
            lang,
            table=table_words(name),
            **found,
        )
        for name, found in summary.get("known_later", {}).items()
    ]


def _section(title: str, lang: Language, items: list[str]) -> list[str]:
    return (
        ["", f"## {text(f'data.quality.{title}', lang)}", "", *(f"- {item}" for item in items)]
        if items
        else []
    )


def _table_line(name: str, table: dict[str, Any], lang: Language) -> str:
    reasons = _counted_reasons(table["rejected_by_reason"], lang)
    late = "" if table["late_share"] is None else f"{table['late_share']:.1%}"
    title = table_words(name)[lang]
    numbers = f"{table['read']} | {table['kept']} | {table['rejected']}"
    return f"| {title} | {table['file']} | {numbers} | {reasons} | {late} |"


def _counted_reasons(counts: dict[str, int], lang: Language) -> str:
    words = section("data.names", lang)
    separator = text("common.separators.list", lang)
    return separator.join(f"{words.get(reason, reason)} {n}" for reason, n in counts.items())


def _finding_lines(summary: dict[str, Any], lang: Language) -> list[str]:
    first, last = summary["income_months"]
    lines = [text("data.quality.data_through", lang, day=summary["data_through"], first=first, last=last)]
    for kind, counts in summary["income_coverage"].items():
        places = {"kind": code_words("households", "registration", kind), "share": counts["share"]}
        lines.append(
            text("data.quality.coverage", lang, n=counts["households"], k=counts["with_income"], **places)
        )
    lines += later_lines(summary, lang)
    totals = summary["totals_against_months"]
    if totals["compared"]:
        lines.append(text("data.quality.totals", lang, n=totals["compared"], k=totals["differ"]))
    if summary["business_twice"]["households"]:
        lines.append(text("data.quality.business_twice", lang, n=summary["business_twice"]["households"]))
    equal = summary["equal_rows"]
    if equal["rows"]:
        lines.append(text("data.quality.equal_rows", lang, n=equal["rows"], k=equal["households"]))
    if equal["whole_histories"]:
        households = list(dict.fromkeys(one["household_id"] for one in equal["whole_histories"]))
        listed = ", ".join(households[:_MOST_EXAMPLES])
        lines.append(text("data.quality.whole_histories", lang, n=len(households), what=listed))
    if summary["suspects"]:
        lines.append(text("data.quality.suspects", lang, what=_counted_reasons(summary["suspects"], lang)))
    lines += level_sentences(summary.get("levels", []), lang)
    if summary["valid_before_birth"]:
        lines.append(text("data.quality.unborn", lang, n=summary["valid_before_birth"]))
    return lines
