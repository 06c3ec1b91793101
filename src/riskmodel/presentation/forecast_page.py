"""What is ahead, as a page and as a chapter of the report: fans, townships, warnings, how good it was."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from riskmodel.data import code_words
from riskmodel.errors import InputMissing, InputRefused
from riskmodel.forecasting import Outlook
from riskmodel.i18n import both, nouns_of, pair, same, section
from riskmodel.io import read_table, write_json, write_table, write_text
from riskmodel.presentation.chart import LANGS, Chart, below_fan, counts_fan
from riskmodel.presentation.page import (
    Bullets,
    Charts,
    Heading,
    PageSection,
    PageWords,
    Paragraph,
    Part,
    Record,
    Writer,
    formatted,
    page_html,
    section_html,
)
from riskmodel.presentation.table import NOTHING, Cell, Content, Row, Table, Text

WORDS = PageWords("forecast.page", "forecast.columns")
FORMAT = 2
PAGE = "forecast.html"
META = "forecast.json"
ALL = "all"
WAN = 10_000  # the office reckons money in ten thousand yuan
CAUSES_SHOWN = 2
CHOICE_DIGITS = {"mase": 2, "plain_mase": 2, "p": 3}


@dataclass(frozen=True)
class ForecastInput:
    """An outlook as the chapter shows it: ``meta`` (as_of, horizon, line, method, choice, …), frames."""

    meta: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]

    def table(self, name: str) -> pd.DataFrame:
        """Return a table; an empty one where the forecast has none of the name."""
        return self.tables.get(name, pd.DataFrame())


def forecast_input(outlook: Outlook) -> ForecastInput:
    """Return what the chapter shows of an outlook."""
    last = max(outlook.households.lines)
    meta = {
        "format": FORMAT,
        "as_of": str(outlook.as_of),
        "horizon": outlook.horizon,
        "line": outlook.households.lines[last],
        "method": outlook.method,
        "choice": _choice_of(outlook),
        "notes": [note.both() for note in outlook.notes],
        **outlook.nouns.facts(),
    }
    return ForecastInput(meta, outlook.tables)


def _choice_of(outlook: Outlook) -> dict[str, Any] | None:
    """Return why the counts go by their method; a number that is none has no word in JSON but null."""
    if outlook.backtest is None:
        return None
    choice = dataclasses.asdict(outlook.backtest.choice)
    return {k: None if isinstance(v, float) and v != v else v for k, v in choice.items()}


def read_forecast(folder: str | Path) -> ForecastInput:
    """Read what `write_forecast` and the verb ``forecast`` left in a folder.

    Parameters
    ----------
    folder : str or Path
        Folder that ``riskmodel forecast`` wrote.

    Returns
    -------
    OutlookInput
        What the chapter shows, as read back.

    Raises
    ------
    InputMissing
        If there is no forecast.
    InputRefused
        If it is of another format.
    """
    home = Path(folder)
    try:
        meta = json.loads((home / META).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise InputMissing(
            f"{home}: no forecast in it; run `riskmodel forecast DATA --out {home}` first"
        ) from exc
    if meta.get("format") != FORMAT:
        raise InputRefused(f"{home}: forecast of format {meta.get('format')!r}, not {FORMAT}; forecast again")
    names = (
        "households.parquet",
        "records.csv",
        "townships.csv",
        "counts.csv",
        "past.csv",
        "warnings.csv",
        "methods.csv",
        "backtest.csv",
        "backtest-steps.csv",
        "classifier.csv",
    )
    tables = {Path(n).stem: read_table(home / n) for n in names if (home / n).is_file()}
    return ForecastInput(meta, tables)


def write_forecast(outlook: Outlook, out: str | Path, lang: str = "zh") -> Path:
    """Write a forecast into a folder: tables, ``forecast.json`` and the page.

    Parameters
    ----------
    outlook : Outlook
        What `riskmodel.forecasting` foresees for a county.
    out : str or Path
        Folder.
    lang : {"zh", "en"}
        Language the page opens in; it holds both.

    Returns
    -------
    Path
        The page; it makes no network request.
    """
    folder, given = Path(out), forecast_input(outlook)
    for name, table in given.tables.items():
        write_table(table, folder / f"{name}.{'parquet' if name == 'households' else 'csv'}")
    write_json(dict(given.meta), folder / META)
    html = page_html(
        WORDS("title", day=given.meta["as_of"], n=given.meta["horizon"]),
        [_chapter(given)],
        language=lang,
        kind=f"forecast format {FORMAT}",
        above=WORDS("report"),
        nouns=nouns_of(given.meta),
    )
    return write_text(html, folder / PAGE)


def forecast_chapter(given: ForecastInput) -> Markup:
    """Return the chapter on what is ahead as HTML, in both languages.

    Parameters
    ----------
    given : ForecastInput
        `forecast_input` or `read_forecast`.

    Returns
    -------
    Markup
        One section of a page.
    """
    return section_html(_chapter(given))


def _chapter(given: ForecastInput) -> PageSection:
    return PageSection("outlook", WORDS("chapter"), chapter_parts(given))


def chapter_parts(given: ForecastInput) -> list[Part]:
    """Return what the chapter shows: the county's number, charts, townships, warnings, how good it was."""
    warnings, notes = WORDS.table(_alarms(given), ALARM_CELLS, text=ALARM_TEXTS), given.meta["notes"]
    parts: list[Part] = [
        Paragraph(_headline(given), "verdict"),
        *(Paragraph(line) for line in _sentences(given)),
        Charts(_charts(given)),
        *WORDS.headed("townships", _townships(given)),
        Heading(WORDS("warnings")),
        *([warnings, WORDS.note("warnings")] if warnings.rows else [Paragraph(WORDS("no_warnings"), "note")]),
        *([Heading(WORDS("notes")), Bullets(notes)] if notes else []),
        Heading(WORDS("limits")),
        Bullets(section("forecast.limits")),
    ]
    methods, choice = given.table("methods"), _choice(given)
    if methods.empty and choice is None:
        return parts
    tested = WORDS.table(methods, METHOD_CELLS, mark=lambda r: "best" if r["chosen"] else "")
    parts += [Heading(WORDS("tests")), *WORDS.headed("methods", tested, level=4)]
    classifier = WORDS.table(given.table("classifier"), CLASSIFIER_CELLS)
    parts += WORDS.headed("classifier", classifier, level=4)
    if choice is not None:
        backtest = _backtest(given)
        parts += [Heading(WORDS("backtest"), level=4), Paragraph(choice)]
        parts += [backtest, WORDS.note("backtest")] if backtest.rows else []
    return parts


def _below(given: ForecastInput, measure: str) -> pd.DataFrame:
    """Return how much will be below the line, over all causes."""
    t = given.tables["townships"]
    return t[(t["measure"] == measure) & (t["cause"] == ALL)]


def _at_horizon(given: ForecastInput, measure: str) -> pd.DataFrame:
    """Return the same at the last horizon, by township."""
    t = _below(given, measure)
    t = t[t["horizon_months"] == given.meta["horizon"]]
    return t.set_index(t["township"].astype(str))


def _headline(given: ForecastInput) -> dict[str, str]:
    homes, money = (_at_horizon(given, measure).loc[ALL] for measure in ("households", "yuan"))
    return WORDS(
        "headline", n=given.meta["horizon"], mean=f"{homes['mean']:.0f}", low=f"{homes['low_80']:.0f}",
        high=f"{homes['high_80']:.0f}", line=f"{given.meta['line']:,.0f}",
        money=f"{money['mean'] / WAN:,.0f}", now=f"{_now_below(given).sum():,}",
    )  # fmt: skip


def _sentences(given: ForecastInput) -> list[dict[str, str]]:
    """Return what an office asks next: how many will be newly monitored, and whether intervals held."""
    out, n = [], given.meta["horizon"]
    new, past, tested = _new(given), given.table("past"), given.table("methods")
    if ALL in new and "count" in past:
        before = past.loc[past["level"] == "county", "count"].tail(n)
        figures = {"new": f"{new[ALL]:,.0f}", "past": f"{before.sum():,.0f}"}
        out.append(WORDS("new", n=min(n, len(before)), **figures))
    if "chosen" in tested:
        used = tested[tested["chosen"].astype(bool)].sort_values("horizon_months")
        shares = {f"c{k}": " / ".join(f"{v:.0%}" for v in used[f"coverage_{k}"]) for k in (80, 95)}
        out.append(WORDS("covered", months=" / ".join(map(str, used["horizon_months"])), **shares))
    return out


def _now_below(given: ForecastInput) -> pd.Series:
    t = given.tables["households"].drop_duplicates("household_id")
    return (t["pcni"] < t["line"]).groupby(t["township"].astype(str)).sum()


def _charts(given: ForecastInput) -> list[Chart]:
    named = section("forecast.charts")
    homes = _below(given, "households")
    ahead = homes[homes["township"] == ALL].sort_values("horizon_months")
    now = float(_now_below(given).sum())
    charts = [Chart("below", named["below"], below_fan(now, ahead, named, named["below"]))]
    if "counts" not in given.tables:
        return charts
    counts, past = given.tables["counts"], given.tables["past"]
    by_cause = counts[counts["level"] == "cause"].groupby("cause", sort=True)["mean"].sum()
    largest = by_cause.sort_values(ascending=False, kind="stable").index[:CAUSES_SHOWN]
    for cause in (ALL, *map(str, largest)):
        level, name = ("county", "counts") if cause == ALL else ("cause", f"counts-{cause}")
        title = named["counts"] if cause == ALL else _with_cause(named["counts"], cause)
        one, before = (t[(t["level"] == level) & (t["cause"] == cause)] for t in (counts, past))
        charts.append(Chart(name, title, counts_fan(before, one, named, title)))
    return charts


def _with_cause(title: Mapping[str, str], cause: str) -> dict[str, str]:
    """Return a title with an official cause after it."""
    words = code_words("risk_events", "cause", cause, spaced=True)
    return {lang: f"{title[lang]} · {words[lang]}" for lang in LANGS}


def _name(value: Any) -> Text:
    """Return what a code of the tables is called; a name that nobody declared stands for itself."""
    name: Text = section("forecast.values").get(str(value), str(value))
    return name


def _with_interval(row: Any, scale: float = 1.0) -> Content:
    if pd.isna(row["mean"]):
        return NOTHING
    return Cell(
        f"{row['mean'] / scale:,.0f}", small=f"[{row['low_80'] / scale:,.0f}, {row['high_80'] / scale:,.0f}]"
    )


def _townships(given: ForecastInput) -> Table:
    t = given.tables["households"].drop_duplicates("household_id")
    sizes, now = t.groupby(t["township"].astype(str)).size(), _now_below(given)
    known = t["pcni"].notna().groupby(t["township"].astype(str)).sum()
    homes, persons, yuan = (_at_horizon(given, measure) for measure in ("households", "persons", "yuan"))
    new, alarms = _new(given), _alarms(given)
    # The first alarm of a township is shown.
    reasons = {str(r["township"]): pair(r, "reason") for r in reversed(alarms.to_dict("records"))}
    rows = []
    for name in [ALL, *sorted(sizes.index)]:
        cells: list[Content] = [
            _name(name),
            f"{sizes.sum() if name == ALL else sizes[name]:,}",
            f"{known.sum() if name == ALL else known[name]:,}",
            f"{now.sum() if name == ALL else now[name]:,}" if name == ALL or known[name] else NOTHING,
            _with_interval(homes.loc[name]),
            _with_interval(persons.loc[name]),
            _with_interval(yuan.loc[name], WAN),
            NOTHING if name not in new else f"{new[name]:.1f}",
            reasons.get(name, ""),
        ]
        rows.append(Row(cells, "best" if name == ALL else ""))
    heads = WORDS.columns(
        "township", "households", "on_record", "now", "below", "persons", "money", "new", "alarm"
    )
    return Table(heads, rows)


def _new(given: ForecastInput) -> dict[str, float]:
    """Return how many households each township will newly monitor over the horizon."""
    t = given.table("counts")
    if t.empty:
        return {}
    summed = t[t["level"].isin(["county", "township"])].groupby(t["township"].astype(str))["mean"].sum()
    return {str(k): float(v) for k, v in summed.items()}


def _alarms(given: ForecastInput) -> pd.DataFrame:
    """Return the warnings that are alarms."""
    t = given.table("warnings")
    return t[t["alarm"].astype(bool)] if len(t) else t


def _neighbours(names: Any) -> str:
    return names.replace(";", " ") if isinstance(names, str) else ""


def _coverage(row: Record) -> str:
    return f"{row['coverage_80']:.0%} / {row['coverage_95']:.0%}"


ALARM_TEXTS = ("township", "month", "what")
ALARM_CELLS: Mapping[str, Writer] = {
    "township": lambda r: Cell(str(r["township"]), small=_neighbours(r["with_neighbours"])),
    "month": formatted("month"),
    "what": lambda r: _name(r["what"]),
    "count": formatted("count", ".0f"),
    "expected": formatted("expected", ".1f"),
    "p": formatted("p_adjusted", ".3f"),
    "reason": lambda r: pair(r, "reason"),
}
METHOD_CELLS: Mapping[str, Writer] = {
    "method": lambda r: _name(r["method"]),
    "horizon": formatted("horizon_months"),
    "crps": formatted("crps", ",.0f"),
    "pinball_10": formatted("pinball_10", ",.0f"),
    "pinball_50": formatted("pinball_50", ",.0f"),
    "pinball_90": formatted("pinball_90", ",.0f"),
    "coverage": _coverage,
    "brier": formatted("brier", ".4f"),
    "p": lambda r: NOTHING if r["worse_than_best_p"] == 1 else f"{r['worse_than_best_p']:.3f}",
    "rows": formatted("rows", ","),
}
CLASSIFIER_CELLS: Mapping[str, Writer] = {
    "method": lambda r: _name(r["method"]),
    "horizon": formatted("horizon_months"),
    "brier_distribution": formatted("distribution", ".4f"),
    "brier_classifier": formatted("classifier", ".4f"),
    "difference": lambda r: Cell(f"{r['difference']:+.4f}", f"[{r['low_95']:+.4f}, {r['high_95']:+.4f}]"),
    "rows": formatted("rows", ","),
}


def _choice(given: ForecastInput) -> dict[str, str] | None:
    """Return which method the counts go by and why, as a sentence."""
    choice = given.meta.get("choice")
    if choice is None:
        return None
    named = {k: section("forecast.values").get(choice[k], same("")) for k in ("method", "rival")}
    figures = {k: "" if choice[k] is None else f"{choice[k]:.{n}f}" for k, n in CHOICE_DIGITS.items()}
    return both(f"forecast.choice.{choice['why']}", **named, **figures)


def _backtest(given: ForecastInput) -> Table:
    t, steps = given.table("backtest"), given.table("backtest-steps")
    cells: dict[str, Writer] = {
        "method": lambda r: _name(r["method"]),
        "mase": lambda r: Cell(f"{r['mase']:.2f}", small=_some_steps(steps, r["method"])),
        "coverage": _coverage,
        "dm": lambda r: NOTHING if r["dm_p_holm"] != r["dm_p_holm"] else f"{r['dm_p_holm']:.3f}",
        "origins": formatted("origins"),
    }
    county = t[t["level"] == "county"] if len(t) else t
    return WORDS.table(county, cells, mark=lambda r: "best" if r["method"] == given.meta["method"] else "")


def _some_steps(steps: pd.DataFrame, method: str) -> str:
    """Return the county's MASE at the first, a middle and the last step tested."""
    if steps.empty:
        return ""
    t = steps[(steps["level"] == "county") & (steps["method"] == method)].sort_values("step")
    shown = t.iloc[sorted({0, (len(t) - 1) // 2, len(t) - 1})] if len(t) else t
    return " · ".join(f"{r['mase']:.2f} ({r['step']})" for r in shown.to_dict("records"))
