"""``riskmodel check``: read, judge, and write ``rejected.csv`` and a summary of the data's quality."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data.county import County
from riskmodel.data.quality import count_suspects, data_findings, find_suspects, late_share, write_suspects
from riskmodel.data.read import MAX_REJECTED, Reading, TableRead, read_tables, refusals, write_rejected
from riskmodel.data.schema import code_words, contract, table_words
from riskmodel.errors import InputRefused
from riskmodel.i18n import LANGUAGES, Language, section, text
from riskmodel.io import write_json, write_table, write_text

FORMAT_VERSION = 1


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
    further: Callable[[County], FurtherCheck] | None = None,
) -> tuple[dict[str, Any], County | None]:
    """Check a county's data and say what was found.

    Parameters
    ----------
    data
        As `riskmodel.data.read_county` takes it.
    out
        Folder for ``rejected.csv``, ``suspects.csv``, ``quality.json`` and ``quality.md``; nothing is
        written without it.
    max_rejected, pseudonymise, snapshot_on
        As in `riskmodel.data.read_county`.
    lang
        Which language stands first in ``quality.md``; it holds both.
    further
        One more check, of data that can be used; what it found goes into the summary and the folder.

    Returns
    -------
    summary : dict
        ``format_version, data, refused, refusals, tables, absent, notices`` and, where the tables could be
        read, what `riskmodel.data.quality.data_findings` gives. Nothing is raised for data that cannot be
        used: ``refused`` says so, ``refusals`` why.
    county : County or None
        What the summary is of (for a fingerprint), None where it could not be read at all.

    Raises
    ------
    UsageError
        If ``pseudonymise`` is asked for without a key.
    """
    reading: Reading | None = None
    suspect_rows = None
    more: FurtherCheck | None = None
    rejected = pd.DataFrame()
    summary: dict[str, Any] = {"format_version": FORMAT_VERSION, "data": Path(data).name}
    try:
        reading = read_tables(data, pseudonymise=pseudonymise, snapshot_on=snapshot_on)
    except InputRefused as exc:
        summary |= {"refused": True, "refusals": [str(exc)], "tables": {}, "absent": {}, "notices": []}
    else:
        why = refusals(reading, max_rejected)
        rejected = reading.county.rejected
        suspect_rows = find_suspects(reading.county)
        summary |= {"refused": bool(why), "refusals": why} | _summary(reading)
        summary["suspects"] = count_suspects(suspect_rows)
        more = further(reading.county) if further is not None and not why else None
        summary |= {more.name: more.figures} if more else {}
    if out is not None:
        write_rejected(rejected, out)
        if suspect_rows is not None:
            write_suspects(suspect_rows, out)
        _write_summary(summary, more, Path(out), lang)
    return summary, reading.county if reading else None


def _write_summary(summary: dict[str, Any], more: FurtherCheck | None, out: Path, lang: str) -> None:
    for name, table in more.tables.items() if more else ():
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
        "tables": {name: _table(reading, name, table) for name, table in reading.tables.items()},
        "absent": absent,
        "notices": [{"id": n.code, **n.both()} for n in reading.notices],
        **data_findings(county),
    }


def _table(reading: Reading, name: str, table: TableRead) -> dict[str, Any]:
    reasons = table.kept_out.drop_duplicates(["row", "reason"])["reason"].value_counts()
    return {
        "file": table.raw.file,
        "read": table.n_read,
        "kept": table.n_read - table.n_rejected,
        "rejected": table.n_rejected,
        "share_rejected": round(table.share_rejected, 6),
        "rejected_by_reason": {str(reason): int(n) for reason, n in sorted(reasons.items())},
        "late_share": late_share(reading.county, name),
    }


def quality_report(summary: dict[str, Any], lang: Language, more: FurtherCheck | None = None) -> str:
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
        further_lines = more.lines[lang] if more else []
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
    reasons = ", ".join(f"{reason} {n}" for reason, n in table["rejected_by_reason"].items())
    late = "" if table["late_share"] is None else f"{table['late_share']:.1%}"
    title = table_words(name)[lang]
    numbers = f"{table['read']} | {table['kept']} | {table['rejected']}"
    return f"| {title} | {table['file']} | {numbers} | {reasons} | {late} |"


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
    if summary["suspects"]:
        listed = ", ".join(f"{reason} {n}" for reason, n in summary["suspects"].items())
        lines.append(text("data.quality.suspects", lang, what=listed))
    if summary["valid_before_birth"]:
        lines.append(text("data.quality.unborn", lang, n=summary["valid_before_birth"]))
    return lines
