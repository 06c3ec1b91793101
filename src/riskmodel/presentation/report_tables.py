"""A run's frames as tables for people: rounded, with intervals, in words of both languages.

The list of households inside the report is rows, words and monthly histories as JSON for its script.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import ibis
import pandas as pd

from riskmodel import rules
from riskmodel.data import County, month_text
from riskmodel.errors import InputRefused
from riskmodel.evaluation import METRICS, PUBLISHED_YIELD, wilson_interval
from riskmodel.households import DateLike, Moment, as_moments, known_rows
from riskmodel.i18n import pair
from riskmodel.presentation.page import embedded, filled
from riskmodel.presentation.report_charts import model_words
from riskmodel.presentation.report_input import ReportInput
from riskmodel.presentation.table import (
    NOTHING,
    Cell,
    Column,
    Content,
    Row,
    Table,
    interval,
    is_share,
    number,
)

POINTS = 100  # percentage points
LISTS = ("rules+rules", "rules+random", "rules+model")
TARGETING = ("targeting_differential", "targeting_differential_errors", "cgh", "bpac", "welfare")
COUNTS = ("visits", "confirmed", "not_confirmed", "absent")
ORACLE = "oracle"


def metrics_table(frame: pd.DataFrame, book: Mapping[str, Any], champion: str) -> Table:
    """Return metrics by model with intervals; the model that scores is marked."""
    columns = book["columns"]
    shown = [m.name for m in METRICS.values() if "summary" in m.shown_in]
    heads = [Column(columns["model"], "text"), *(Column(METRICS[m].words) for m in shown)]
    heads += [Column(columns[c]) for c in ("n_test", "n_events", "base_rate")]
    rows = []
    for row in frame.to_dict("records"):
        cells: list[Content] = [model_words(str(row["model"]), book)]
        cells += [Cell(_value(row, m), small=interval(row, m)) for m in shown]
        cells += [number(row.get(c), c) for c in ("n_test", "n_events", "base_rate")]
        rows.append(Row(cells, "best" if row["model"] == champion else ""))
    return Table(heads, rows)


def _value(row: Mapping[Any, Any], name: str) -> str:
    value = row.get(name)
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.1%}" if is_share(name) else f"{value:.3f}"


def fold_table(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table:
    """Return AUC, average precision and recall by test period and model."""
    columns = book["columns"]
    shown = [m.name for m in METRICS.values() if "periods" in m.shown_in]
    heads = [Column(columns["fold"], "text"), Column(columns["model"], "text")]
    heads += [
        *(Column(METRICS[m].words) for m in shown),
        Column(columns["n_test"]),
        Column(columns["n_events"]),
    ]
    rows = []
    for row in frame.sort_values("fold", kind="stable").to_dict("records"):
        cells: list[Content] = [str(row["fold"]), model_words(str(row["model"]), book)]
        cells += [Cell(_value(row, m), small=interval(row, m)) for m in shown]
        cells += [number(row.get(c)) for c in ("n_test", "n_events")]
        rows.append(Row(cells))
    return Table(heads, rows)


def comparison_table(frame: pd.DataFrame, book: Mapping[str, Any], champion: str) -> Table:
    """Return rules against each model at the budget and at the rules' own quota, over all periods."""
    columns, values = book["columns"], book["values"]
    counts = ("visits", "hits_baseline", "hits_model", "both", "baseline_only", "model_only")
    heads = [Column(columns["at"], "text"), Column(columns["model"], "text")]
    heads += [*(Column(columns[c]) for c in (*counts, "delta", "p")), Column(columns["verdict"], "text")]
    rows = []
    for row in frame[frame["scope"] == "pooled"].to_dict("records"):
        cells: list[Content] = [values[row["at"]], model_words(str(row["model"]), book)]
        cells += [number(row[c]) for c in counts]
        cells += [Cell(_points(row["delta_recall"]), small=_span(row)), number(row["p_holm"])]
        cells.append(values[row["verdict"]])
        rows.append(Row(cells, "best" if row["model"] == champion and row["at"] == "budget" else ""))
    return Table(heads, rows)


def targeting_table(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table | None:
    """Return the poverty literature's measures of the rules' list and of each model's, at the budget."""
    shown = [n for n in TARGETING if f"{n}_model" in frame.columns and frame[f"{n}_model"].notna().any()]
    rows = frame[(frame["scope"] == "pooled") & (frame["at"] == "budget")].to_dict("records")
    if not shown or not rows:
        return None
    heads = [Column(book["columns"]["model"], "text")]
    heads += [Column(METRICS[n].words) for n in shown]
    sides = [("rule", "baseline", rows[0]), *((str(row["model"]), "model", row) for row in rows)]
    return Table(
        heads,
        [
            Row([model_words(name, book), *(number(row[f"{n}_{side}"]) for n in shown)])
            for name, side, row in sides
        ],
    )


def deployed_table(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table:
    """Return what lists as deployed find: all flagged kept, the rest topped up by model, rule or lot."""
    columns, values = book["columns"], book["values"]
    heads = [Column(columns["list"], "text"), Column(columns["model"], "text")]
    heads += [Column(columns[c]) for c in ("visits", "hits", "recall", "delta")]
    rows = []
    pooled = frame[frame["scope"] == "pooled"]
    order = pooled["list"].map({name: i for i, name in enumerate(LISTS)}).sort_values(kind="stable").index
    for row in pooled.loc[order].to_dict("records"):
        own = row["list"] == "rules+model"
        rows.append(
            Row(
                [
                    values[row["list"]],
                    model_words(str(row["model"]), book) if own else NOTHING,
                    number(row["visits"]),
                    (f"{row['hits']:,.0f}" if float(row["hits"]).is_integer() else f"{row['hits']:,.1f}"),
                    _value({"recall": row["recall"]}, "recall"),
                    Cell(_points(row["delta_recall"]), small=_span(row)),
                ]
            )
        )
    return Table(heads, _once(rows))


def _once(rows: list[Row]) -> list[Row]:
    """Drop repeated rows: the rules' and the lot's lists are the same whatever model they stand beside."""
    seen: list[Row] = []
    for row in rows:
        if row not in seen:
            seen.append(row)
    return seen


def fold_dates(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table:
    """Return when each fold trained and tested, and on how many rows."""
    columns = book["columns"]
    heads = [Column(columns["fold"], "text"), Column(columns["train"], "text")]
    heads += [Column(columns["n_train"]), Column(columns["train_events"]), Column(columns["test"], "text")]
    heads += [Column(columns[c]) for c in ("n_test", "test_events", "n_null")]
    rows = []
    for row in frame.to_dict("records"):
        cells: list[Content] = [str(row["fold"]), f"{row['train_from']} – {row['train_to']}"]
        cells += [number(row["n_train"]), number(row["train_events"])]
        cells.append(f"{row['test_from']} – {row['test_to']}")
        cells += [number(row[c]) for c in ("n_test", "test_events", "n_null")]
        rows.append(Row(cells))
    return Table(heads, rows)


def _points(value: float) -> str:
    return NOTHING if value is None or not math.isfinite(value) else f"{POINTS * value:+.1f}"


def _span(row: Mapping[Any, Any]) -> str:
    low, high = row["delta_low"], row["delta_high"]
    return "" if low is None or not math.isfinite(low) else f"[{POINTS * low:+.1f}, {POINTS * high:+.1f}]"


def headline_figures(given: ReportInput, book: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the three numbers of the headline, rules against the model that scores; None without them."""
    champion, table = str(given.experiment["champion"]), given.comparison
    if table is None:
        return None
    rows = table[(table["scope"] == "pooled") & (table["at"] == "budget") & (table["model"] == champion)]
    if rows.empty:
        return None
    row, page = rows.iloc[0], book["page"]
    return {
        "rules": number(int(row["hits_baseline"])),
        "model": number(int(row["hits_model"])),
        "either": number(int(row["both"] + row["baseline_only"] + row["model_only"])),
        "visits": filled(
            page["same_visits"], visits=number(int(row["visits"])), events=number(int(row["n_events"]))
        ),
        "model_words": filled(page["model_found"], model=model_words(champion, book)),
        "both_words": filled(page["both_note"], both=number(int(row["both"]))),
    }


def oracle_table(frame: pd.DataFrame, book: Mapping[str, Any], champion: str) -> Table:
    """Return each model's AUC and recall against true chances, and the share of the oracle's below them."""
    columns = book["columns"]
    names = ("auc_true", "recall_true", "slope_true", "error_true", "bins_covered", "auc_unsupported")
    heads = [Column(columns["model"], "text"), *(Column(columns[n]) for n in names)]
    return Table(heads, [_reached(row, book, champion) for row in frame.to_dict("records")])


def _reached(row: Mapping[Any, Any], book: Mapping[str, Any], champion: str) -> Row:
    name = str(row["model"])
    oracle = name == ORACLE
    share = ("", "") if oracle else (f"{row['auc_share']:.0%}", f"{row['recall_share']:.0%}")
    covered = NOTHING if pd.isna(row["bins"]) else f"{row['bins_covered']:.0f} / {row['bins']:.0f}"
    cells: list[Content] = [
        model_words(name, book),
        Cell(number(row["auc_true"]), small=share[0]),
        Cell(number(row["recall_true"], "recall"), small=share[1]),
        NOTHING if oracle else number(row["slope_true"]),
        NOTHING if oracle else number(row["error_true"]),
        covered,
        number(row.get("auc_unsupported")),
    ]
    return Row(cells, "best" if name == champion else "")


def bins_table(frame: pd.DataFrame, book: Mapping[str, Any], champion: str) -> Table:
    """Return the champion's score bins: foretold with interval, mean truth, and what happened."""
    columns = book["columns"]
    heads = [Column(columns[n]) for n in ("bin", "n_test", "predicted", "true", "observed", "covered")]
    rows = []
    for row in frame[frame["model"] == champion].to_dict("records"):
        span = f"[{_share(row['low'])}, {_share(row['high'])}]" if pd.notna(row["low"]) else ""
        cells: list[Content] = [
            number(row["bin"]),
            number(row["n"]),
            Cell(_share(row["predicted"]), small=span),
            _share(row["true"]),
            _share(row["observed"]),
            "" if pd.isna(row["covered"]) else "✓" if row["covered"] else "✗",
        ]
        rows.append(Row(cells))
    return Table(heads, rows)


def _share(value: float) -> str:
    return NOTHING if pd.isna(value) else f"{value:.1%}"


def yields_table(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table:
    """Return findings by source as the page shows them."""
    columns, values = book["columns"], book["values"]
    heads = [
        Column(columns["selected_by"], "text"),
        *(Column(columns[c]) for c in (*COUNTS, "yield", "bounds")),
    ]
    rows = []
    for row in frame.to_dict("records"):
        cells: list[Content] = [values[f"source_{row['selected_by']}"], *(number(row[c]) for c in COUNTS)]
        known = row["rate"] == row["rate"]
        rate = f"{row['rate']:.1%}" if known else number(None)
        cells.append(Cell(rate, small=f"[{row['low']:.1%}, {row['high']:.1%}]" if known else ""))
        cells.append(f"{row['worst']:.0%}–{row['best']:.0%}" if row["absent"] else number(None))
        rows.append(Row(cells))
    return Table(heads, rows)


def weighted_facts(frame: pd.DataFrame | None) -> dict[str, str] | None:
    """Return the weighted yield as text for the page's sentence; None where no list logged a chance."""
    if frame is None or frame.empty:
        return None
    row = frame.iloc[0]
    shares = {name: f"{row[name]:.1%}" for name in ("naive", "rate", "low", "high")}
    counts = {"n": "visits", "out": "left_out", "worth": "effective_n"}
    return shares | {name: f"{row[column]:.0f}" for name, column in counts.items()}


def published_yield() -> dict[str, str]:
    """Return the published yield that stands beside, with its interval, as text."""
    hits, n = int(PUBLISHED_YIELD["confirmed"]), int(PUBLISHED_YIELD["checked"])
    low, high = wilson_interval(hits, n)
    return {
        "confirmed": f"{hits}",
        "checked": f"{n}",
        "rate": f"{hits / n:.1%}",
        "low": f"{float(low):.1%}",
        "high": f"{float(high):.1%}",
    }


COLUMNS = (
    "id",
    "rank",
    "household_id",
    "township",
    "village",
    "probability",
    "low",
    "high",
    "flagged",
    "unknown",
    "rule_category",
    "rule_conditions",
    "pcni",
    "line",
    "persons",
    "planned",
    "foretold",
)
NEEDED = ("household_id", "township", "village", "probability", "rule_category", "pcni", "line", "flagged")
OPTIONAL = ("probability_low", "probability_high", "rule_conditions", "persons", "planned", "in_cohort")
HEADS = (
    "rank",
    "household_id",
    "township",
    "village",
    "rule_category",
    "pcni",
    "line",
    "probability",
    "reason",
)
TEXT_HEADS = ("household_id", "township", "village", "rule_category", "reason")
REASONS = 3


def list_data(given: ReportInput, book: Mapping[str, Any]) -> str | None:
    """Return the page's data, or None where there is no list."""
    if not given.scores:
        return None
    frames = {lang: _ordered(frame) for lang, frame in given.scores.items()}
    first = next(iter(frames.values()))
    if any(list(f["household_id"]) != list(first["household_id"]) for f in frames.values()):
        raise InputRefused("the lists of the two languages hold different households; score them together")
    categories, conditions = _rule_words(first, book)
    shown = [c for c in (*NEEDED, *OPTIONAL) if c in first]
    return embedded(
        {
            "columns": COLUMNS,
            "rows": [_row(i, row, conditions) for i, row in enumerate(first[shown].to_dict("records"))],
            "reasons": {lang: _reasons(frame) for lang, frame in frames.items()},
            "plans": {lang: _plans(frame) for lang, frame in frames.items()},
            "townships": sorted({str(t) for t in first["township"]}),
            "categories": categories,
            "conditions": conditions,
            "histories": _histories(given.histories, list(first["household_id"])),
            "words": book["list"],
        }
    )


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    missing = [c for c in NEEDED if c not in frame]
    if missing:
        raise InputRefused(f"the list lacks the columns {missing}; write it with riskmodel score")
    if frame["household_id"].duplicated().any():
        raise InputRefused("the list holds a household twice; give one as-of date")
    listed = ["position"] if "position" in frame else []
    return frame.sort_values(
        [*listed, "probability", "household_id"],
        ascending=[*(True for _ in listed), False, True],
        na_position="last",
        ignore_index=True,
    )


def _row(i: int, row: Mapping[Any, Any], words: Mapping[str, Any]) -> list[Any]:
    conditions = row.get("rule_conditions")
    unknown = not bool(row["flagged"]) and (row["rule_category"] == "unknown" or _number(row["pcni"]) is None)
    persons = _number(row.get("persons"))
    return [
        i,
        i + 1,
        str(row["household_id"]),
        str(row["township"]),
        str(row["village"]),
        _number(row["probability"], 5),
        _number(row.get("probability_low"), 5),
        _number(row.get("probability_high"), 5),
        bool(row["flagged"]),
        unknown,
        str(row["rule_category"]),
        _held(conditions, words),
        _number(row["pcni"], 2),
        _number(row["line"], 2),
        None if persons is None else int(persons),
        row.get("planned") is True,
        row.get("in_cohort", True) is not False,
    ]


def _held(conditions: Any, words: Mapping[str, Any]) -> list[str]:
    """Return the conditions to be shown; what an elimination needs is no reason for a verdict."""
    ids = conditions.split(";") if isinstance(conditions, str) else []
    return [i for i in ids if i and words.get(i, True) is not None]


def _number(value: Any, digits: int = 0) -> Any:
    if value is None or value is pd.NA or value != value:
        return None
    return round(float(value), digits) if math.isfinite(float(value)) else "inf"


def _reasons(frame: pd.DataFrame) -> list[list[list[Any]]]:
    out = []
    numbered = [k for k in range(1, REASONS + 1) if f"reason_{k}" in frame]
    parts = [f"{part}_{k}" for k in numbered for part in ("cause", "contribution", "reason")]
    for row in frame[[c for c in parts if c in frame]].to_dict("records"):
        reasons = [
            (row.get(f"cause_{k}"), row.get(f"contribution_{k}"), row[f"reason_{k}"]) for k in numbered
        ]
        out.append(
            [[c, _number(size, 4), text] for c, size, text in reasons if isinstance(text, str) and text]
        )
    return out


def _plans(frame: pd.DataFrame) -> list[str | None]:
    if "plan" not in frame:
        return []
    return [text if isinstance(text, str) and text else None for text in frame["plan"]]


def _rule_words(
    frame: pd.DataFrame, book: Mapping[str, Any]
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str] | None]]:
    """Return what the list's rule sets call their categories and conditions; None for those of a review."""
    categories = {"none": dict(book["list"]["none"]), "unknown": dict(book["list"]["unknown"])}
    conditions: dict[str, dict[str, str] | None] = {}
    names = set(frame["ruleset"].dropna()) if "ruleset" in frame else set()
    for name in sorted(names & set(rules.available_rule_sets())):
        ruleset = rules.load_rules(name)
        categories |= {c.id: pair(c) for c in ruleset.categories}
        conditions |= {i: pair(c) if c.applies is None else None for i, c in ruleset.conditions.items()}
    return categories, conditions


def _histories(frame: pd.DataFrame | None, ids: list[Any]) -> dict[str, Any]:
    if frame is None:
        return {}
    place = {household: i for i, household in enumerate(ids)}
    out = {}
    for household, rows in frame.sort_values(["household_id", "month"]).groupby("household_id", sort=False):
        if household in place:
            out[str(place[household])] = [
                [str(m) for m in rows["month"]],
                [_number(v, 2) for v in rows["income"]],
                [_number(v, 2) for v in rows["spending"]],
            ]
    return out


MONTHS = 36  # three years: the period, the one before, and how it came there


def histories(county: County, as_of: DateLike, households: Sequence[str]) -> pd.DataFrame:
    """Return monthly income and spending of some households up to the last whole month.

    Months without a row are missing, not zero; annual totals are left out, for a total is never spread
    over months.

    Parameters
    ----------
    county : County
        The county's tables.
    as_of : date
        Rows recorded later are not seen.
    households : sequence of str
        Ids; a page holds a few thousand of them at ease.

    Returns
    -------
    DataFrame
        ``household_id, month`` (``YYYY-MM``)``, income, spending`` (yuan, NaN where there is none), sorted.
    """
    when = as_moments(as_of)
    both = [_monthly(county, name, when, list(households)) for name in ("income", "spending")]
    out = both[0].merge(both[1], on=["household_id", "month"], how="outer")
    out = out.sort_values(["household_id", "month"], ignore_index=True)
    return out.assign(month=out["month"].map(month_text))[["household_id", "month", "income", "spending"]]


def _monthly(county: County, name: str, when: tuple[Moment, ...], households: list[str]) -> pd.DataFrame:
    t = known_rows(county, name, when)
    t = t.filter(
        t.month_from == t.month_to,
        t.month_to <= t.last_month,
        t.month_to > t.last_month - MONTHS,
        t.household_id.isin(households),
    )
    sums = t.group_by("household_id", month=ibis._.month_to).agg(amount=ibis._.amount.sum().cast("float64"))
    frame = county.con.to_pyarrow(sums).to_pandas().rename(columns={"amount": name})
    # pandas 3.1 cannot merge two empty frames on text columns backed by Arrow.
    return frame.astype({"household_id": object})
