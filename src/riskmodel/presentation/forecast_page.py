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

from riskmodel.errors import InputMissing, InputRefused
from riskmodel.forecasting import Outlook
from riskmodel.i18n import pair, same, section
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
    warnings, notes = _warnings(given), given.meta["notes"]
    parts: list[Part] = [
        Paragraph(_headline(given), "verdict"),
        *(Paragraph(line) for line in _sentences(given)),
        Charts(_charts(given)),
        *WORDS.headed("townships", _townships(given)),
        Heading(WORDS("warnings")),
        *([warnings, WORDS.note("warnings")] if warnings else [Paragraph(WORDS("no_warnings"), "note")]),
        *([Heading(WORDS("notes")), Bullets(notes)] if notes else []),
        Heading(WORDS("limits")),
        Bullets(section("forecast.limits")),
    ]
    methods, choice = _methods(given), _choice(given)
    if methods is None and choice is None:
        return parts
    parts += [Heading(WORDS("tests")), *WORDS.headed("methods", methods, level=4)]
    parts += WORDS.headed("classifier", _classifier(given), level=4)
    if choice is not None:
        backtest = _backtest(given)
        parts += [Heading(WORDS("backtest"), level=4), Paragraph(choice)]
        parts += [backtest, WORDS.note("backtest")] if backtest else []
    return parts


def _below(given: ForecastInput, measure: str, cause: str = ALL) -> pd.DataFrame:
    t = given.tables["townships"]
    return t[(t["measure"] == measure) & (t["cause"] == cause)]


def _headline(given: ForecastInput) -> dict[str, str]:
    horizon = given.meta["horizon"]
    homes, money = (
        t[(t["township"] == ALL) & (t["horizon_months"] == horizon)].iloc[0]
        for t in (_below(given, "households"), _below(given, "yuan"))
    )
    return WORDS("headline", n=horizon, mean=f"{homes['mean']:.0f}", low=f"{homes['low_80']:.0f}",
        high=f"{homes['high_80']:.0f}", line=f"{given.meta['line']:,.0f}",
        money=f"{money['mean'] / WAN:,.0f}", now=f"{_now_below(given).sum():,}",
    )  # fmt: skip


def _sentences(given: ForecastInput) -> list[dict[str, str]]:
    """Return what an office asks next: how many will be newly monitored, and whether intervals held."""
    out, n = [], given.meta["horizon"]
    new, past = _new(given), given.tables.get("past")
    if ALL in new and past is not None:
        before = past.loc[past["level"] == "county", "count"].tail(n)
        figures = {"new": f"{new[ALL]:,.0f}", "past": f"{before.sum():,.0f}"}
        out.append(WORDS("new", n=min(n, len(before)), **figures))
    tested = given.tables.get("methods")
    if tested is not None:
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
    out = [Chart("below", named["below"], below_fan(now, ahead, named, named["below"]))]
    if "counts" not in given.tables:
        return out
    counts, past = given.tables["counts"], given.tables["past"]
    out.append(_fan("counts", named["counts"], counts, past, ALL, named))
    by_cause = counts[counts["level"] == "cause"].groupby("cause", sort=True)["mean"].sum()
    for cause in by_cause.sort_values(ascending=False, kind="stable").index[:CAUSES_SHOWN]:
        shown = cause_words(str(cause))
        title = {lang: f"{named['counts'][lang]} · {shown[lang]}" for lang in LANGS}
        out.append(_fan(f"counts-{cause}", title, counts, past, str(cause), named))
    return out


def cause_words(cause: str) -> dict[str, str]:
    """Return an official cause in both languages."""
    from riskmodel.data import code_words

    return code_words("risk_events", "cause", cause, spaced=True)


def _fan(
    name: str,
    title: Mapping[str, str],
    counts: pd.DataFrame,
    past: pd.DataFrame,
    cause: str,
    named: Mapping[str, Any],
) -> Chart:
    level = "county" if cause == ALL else "cause"
    one, before = (t[(t["level"] == level) & (t["cause"] == cause)] for t in (counts, past))
    return Chart(name, title, counts_fan(before, one, named, title))


def _name(value: Any) -> Text:
    """Return what a code of the tables is called; a name that nobody declared stands for itself."""
    name: Text = section("forecast.values").get(str(value), str(value))
    return name


def _with_interval(row: Any, scale: float = 1.0) -> Cell:
    return Cell(
        f"{row['mean'] / scale:,.0f}", small=f"[{row['low_80'] / scale:,.0f}, {row['high_80'] / scale:,.0f}]"
    )


def _townships(given: ForecastInput) -> Table:
    horizon = given.meta["horizon"]
    t = given.tables["households"].drop_duplicates("household_id")
    sizes, now = t.groupby(t["township"].astype(str)).size(), _now_below(given)
    by = {}
    for measure in ("households", "persons", "yuan"):
        t = _below(given, measure)
        t = t[t["horizon_months"] == horizon]
        by[measure] = t.set_index(t["township"].astype(str))
    new, alarms = _new(given), _alarms(given)
    rows = []
    for name in [ALL, *sorted(sizes.index)]:
        cells: list[Content] = [
            _name(name),
            f"{sizes.sum() if name == ALL else sizes[name]:,}",
            f"{now.sum() if name == ALL else now[name]:,}",
            _with_interval(by["households"].loc[name]),
            _with_interval(by["persons"].loc[name]),
            _with_interval(by["yuan"].loc[name], WAN),
            NOTHING if name not in new else f"{new[name]:.1f}",
            alarms.get(name, ""),
        ]
        rows.append(Row(cells, "best" if name == ALL else ""))
    heads = WORDS.columns("township", "households", "now", "below", "persons", "money", "new", "alarm")
    return Table(heads, rows)


def _new(given: ForecastInput) -> dict[str, float]:
    """Return how many households each township will newly monitor over the horizon."""
    if "counts" not in given.tables:
        return {}
    t = given.tables["counts"]
    summed = t[t["level"].isin(["county", "township"])].groupby(t["township"].astype(str))["mean"].sum()
    return {str(k): float(v) for k, v in summed.items()}


def _alarms(given: ForecastInput) -> dict[str, dict[str, str]]:
    t = given.tables.get("warnings")
    if t is None:
        return {}
    first = t[t["alarm"].astype(bool)].drop_duplicates("township")
    return {str(r["township"]): pair(r, "reason") for r in first.to_dict("records")}


def _warnings(given: ForecastInput) -> Table | None:
    t = given.tables.get("warnings")
    if t is None or not t["alarm"].astype(bool).any():
        return None
    rows = []
    for r in t[t["alarm"].astype(bool)].to_dict("records"):
        neighbours = r["with_neighbours"]
        cells: list[Content] = [
            Cell(
                str(r["township"]), small=neighbours.replace(";", " ") if isinstance(neighbours, str) else ""
            ),
            str(r["month"]),
            _name(r["what"]),
            f"{r['count']:.0f}",
            f"{r['expected']:.1f}",
            f"{r['p_adjusted']:.3f}",
            pair(r, "reason"),
        ]
        rows.append(Row(cells))
    texts = ("township", "month", "what")
    return Table(WORDS.columns(*texts, "count", "expected", "p", "reason", text=texts), rows)


def _methods(given: ForecastInput) -> Table | None:
    t = given.tables.get("methods")
    if t is None or t.empty:
        return None
    rows = []
    for r in t.to_dict("records"):
        cells: list[Content] = [
            _name(r["method"]),
            str(r["horizon_months"]),
            f"{r['crps']:,.0f}",
            *(f"{r[f'pinball_{p}']:,.0f}" for p in (10, 50, 90)),
            f"{r['coverage_80']:.0%} / {r['coverage_95']:.0%}",
            f"{r['brier']:.4f}",
            (NOTHING if r["worse_than_best_p"] == 1 else f"{r['worse_than_best_p']:.3f}"),
            f"{r['rows']:,}",
        ]
        rows.append(Row(cells, "best" if bool(r["chosen"]) else ""))
    names = ("horizon", "crps", "pinball_10", "pinball_50", "pinball_90", "coverage", "brier", "p", "rows")
    return Table(WORDS.columns("method", *names), rows)


def _classifier(given: ForecastInput) -> Table | None:
    t = given.tables.get("classifier")
    if t is None or t.empty:
        return None
    rows = [
        Row(
            [
                _name(r["method"]),
                str(r["horizon_months"]),
                f"{r['distribution']:.4f}",
                f"{r['classifier']:.4f}",
                Cell(f"{r['difference']:+.4f}", small=f"[{r['low_95']:+.4f}, {r['high_95']:+.4f}]"),
                f"{r['rows']:,}",
            ]
        )
        for r in t.to_dict("records")
    ]
    names = ("method", "horizon", "brier_distribution", "brier_classifier", "difference", "rows")
    return Table(WORDS.columns(*names), rows)


def _choice(given: ForecastInput) -> dict[str, str] | None:
    """Return which method the counts go by and why, as a sentence."""
    choice = given.meta.get("choice")
    if choice is None:
        return None
    named = {k: section("forecast.values").get(choice[k], same("")) for k in ("method", "rival")}
    figures = {k: "" if choice[k] is None else f"{choice[k]:.{n}f}" for k, n in CHOICE_DIGITS.items()}
    return {
        lang: section("forecast.choice")[choice["why"]][lang].format(
            method=named["method"][lang], rival=named["rival"][lang], **figures
        )
        for lang in LANGS
    }


def _backtest(given: ForecastInput) -> Table | None:
    t = given.tables.get("backtest")
    if t is None or t.empty:
        return None
    steps = given.tables.get("backtest-steps")
    rows = []
    for r in t[t["level"] == "county"].to_dict("records"):
        cells: list[Content] = [
            _name(r["method"]),
            Cell(f"{r['mase']:.2f}", small=_some_steps(steps, r["method"])),
            f"{r['coverage_80']:.0%} / {r['coverage_95']:.0%}",
            (NOTHING if r["dm_p_holm"] != r["dm_p_holm"] else f"{r['dm_p_holm']:.3f}"),
            str(r["origins"]),
        ]
        rows.append(Row(cells, "best" if r["method"] == given.meta["method"] else ""))
    return Table(WORDS.columns("method", "mase", "coverage", "dm", "origins"), rows)


def _some_steps(steps: pd.DataFrame | None, method: str) -> str:
    """Return the county's MASE at the first, a middle and the last step tested."""
    if steps is None or steps.empty:
        return ""
    t = steps[(steps["level"] == "county") & (steps["method"] == method)].sort_values("step")
    shown = t.iloc[sorted({0, (len(t) - 1) // 2, len(t) - 1})] if len(t) else t
    return " · ".join(f"{r['mase']:.2f} ({r['step']})" for r in shown.to_dict("records"))
