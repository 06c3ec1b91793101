"""What is written about a registered model: its card and data sheet, and the page that watches it in use.

Card and data sheet are generated from the run that made the model: nothing in them is typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import models
from riskmodel.evaluation import METRICS, Budget
from riskmodel.i18n import both, nouns_of, pair, section
from riskmodel.io import write_json, write_table, write_text
from riskmodel.presentation.page import (
    Alarms,
    Facts,
    PageSection,
    PageWords,
    Paragraph,
    Part,
    Writer,
    formatted,
    page_html,
    render,
)
from riskmodel.presentation.table import NOTHING, Table
from riskmodel.runs import (
    MIN_GROUP_EVENTS,
    TEST_ROW,
    LoadedModel,
    Run,
    fairness_groups,
    listed_at_budget,
    load_model,
)
from riskmodel.scoring import MonitoringResult


def write_model_card(name_at_alias: str, out: str | Path, store: str | Path) -> tuple[Path, Path]:
    """Write ``model_card.md`` and ``data_sheet.md`` of a registered model.

    Tables that the model itself is are written out as well: a scorecard as it scores (``scorecard.csv`` and
    ``scorecard_chances.csv``), coefficients and what was done to each column.

    Parameters
    ----------
    name_at_alias : str
        A registered model, ``NAME@ALIAS``.
    out : str or Path
        Folder.
    store : str or Path
        The MLflow store, a ``.db`` file.

    Returns
    -------
    tuple of Path
        The files that were written.

    Raises
    ------
    UsageError
        If there is no such model.
    InputRefused
        If its file is not the one that was registered.

    References
    ----------
    Mitchell et al. 2019, "Model cards for model reporting"; Gebru et al. 2021, "Datasheets for datasets".
    """
    loaded = load_model(name_at_alias, store)
    run = Run(loaded.run_id, Path(store), loaded.kind)
    paths = []
    for template, facts in (("model_card.md", model_facts(loaded, run)), ("data_sheet.md", data_facts(run))):
        text = nouns_of(run.facts).spoken(render(f"{template}.j2", **facts))
        paths.append(write_text(text.strip() + "\n", Path(out) / template))
    for table, frame in models.model_tables(loaded.kind, loaded.model).items():
        write_table(frame, Path(out) / f"{table}.csv")
    return paths[0], paths[1]


def _shared(run: Run) -> dict[str, Any]:
    exp = run.declaration
    return {
        "title": exp["title"],
        "run_id": run.run_id,
        "fingerprint": run.fingerprint,
        "cohort": ", ".join(exp["cohort"]),
        "events": ", ".join(exp["events"]),
        "horizon": exp["horizon"]["months"],
        "ruleset": exp["ruleset"],
        "feature_set": exp["feature_set"],
        "n_villages": run.predictions_of()[["township", "village"]].drop_duplicates().shape[0],
        "notes": run.notes,
    }


def model_facts(loaded: LoadedModel, run: Run) -> dict[str, Any]:
    """Return everything a model card says."""
    metrics = run.metrics_of()
    shown = [m for m in METRICS.values() if m.name in metrics]
    features = run.features
    causes = features.groupby("cause").agg(n=("id", "size"), quotable=("explainable", "sum")).reset_index()
    return {
        **_shared(run),
        "name": loaded.name,
        "version": loaded.version,
        "kind": loaded.kind,
        "alias_note": f"{loaded.name}@{loaded.alias}",
        "n_features": len(features),
        "feature_hash": loaded.feature_set.catalog_hash[:12],
        "sha256": loaded.card["model_sha256"],
        "metrics": [
            {"name": f"{m.zh} {m.en}", "value": _number(metrics[m.name]), "interval": _span(metrics, m.name)}
            for m in shown
        ],
        **{n: int(metrics[n]) for n in ("n_test", "n_events", "n_null")},
        "headline": run.headline,
        "groups": by_group(run.predictions_of(), run.declaration["budget"]),
        "least": MIN_GROUP_EVENTS,
        "calibration": _calibration(loaded.card["calibration"]),
        "causes": causes.to_dict("records"),
        "environment": ", ".join(f"{k} {v}" for k, v in run.environment.items()),
    }


def data_facts(run: Run) -> dict[str, Any]:
    """Return everything a data sheet says."""
    own, features = run.predictions_of(), run.features
    return {
        **_shared(run),
        "folds": run.folds.to_dict("records"),
        "n_rows": f"{len(own):,}",
        "n_townships": own["township"].nunique(),
        "mean_persons": f"{own['persons'].mean():.1f}",
        "median_pcni": f"{own['pcni'].median():,.0f}",
        "flagged": f"{own['flagged'].mean():.1%}",
        "sources": _counted(features["from"], "source"),
        "roles": _counted(features["role"], "role"),
    }


def _counted(values: pd.Series, name: str) -> list[dict[str, Any]]:
    counts = values.value_counts().sort_index()
    return [{name: str(value), "n": int(n)} for value, n in counts.items()]


def by_group(predictions: pd.DataFrame, budget: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return recall at the budget, expected and observed events by township, size and rules' verdict."""
    rows = predictions.dropna(subset=["y"]).sort_values(TEST_ROW, ignore_index=True)
    listed = listed_at_budget(rows, Budget(**budget))
    out = []
    for kind, group in fairness_groups(rows).items():
        for value in sorted(group.dropna().unique()):
            mine = group == value
            events = int(rows.loc[mine, "y"].sum())
            hits = int(rows.loc[mine & listed, "y"].sum())
            recall = f"{hits / events:.0%}" if events >= MIN_GROUP_EVENTS else NOTHING
            expected = f"{rows.loc[mine, 'probability'].sum():.1f}"
            out.append({"group": f"{kind} {value}", "n": int(mine.sum()), "events": events,
                        "recall": recall, "expected": expected})  # fmt: skip
    return out


def _number(value: Any) -> str:
    return f"{float(value):.3f}" if value == value else NOTHING


def _span(metrics: Mapping[str, Any], name: str) -> str:
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    known = low is not None and high is not None and low == low and high == high
    return f"[{low:.3f}, {high:.3f}]" if known else NOTHING


def _calibration(fit: Mapping[str, Any] | None) -> str:
    if fit is None:
        return "".join(both("models.calibration.own").values())
    said = both("models.calibration.affine", rows=fit["held_out_rows"], events=fit["held_out_events"])
    return f"logit p = {fit['intercept']:.3f} + {fit['slope']:.3f} × margin；{said['zh']}{said['en']}"


WORDS = PageWords("monitor_page", "monitor_page.columns")
FORMAT = 1
PAGE = "monitor.html"
SHOWN = 25  # features on the page; all of them stand in the table
COUNTS = ("visits", "confirmed", "not_confirmed", "absent")


def write_monitor(result: MonitoringResult, out: str | Path) -> Path:
    """Write the page of alarms and its tables into a folder.

    Parameters
    ----------
    result : MonitoringResult
        What `riskmodel.scoring.monitor` measured.
    out : str or Path
        ``monitor.html``, ``monitor.json``, ``drift.csv``, ``outcomes.csv``, ``yields.csv``, ``weighted.csv``.

    Returns
    -------
    Path
        The page. It holds no household.
    """
    folder = Path(out)
    for name in ("drift", "outcomes", "yields", "weighted"):
        write_table(getattr(result, name), folder / f"{name}.csv")
    write_json({"format": FORMAT, **result.summary}, folder / "monitor.json")
    return write_text(monitor_html(result), folder / PAGE)


def monitor_html(result: MonitoringResult, lang: str = "zh") -> str:
    """Return the page as text."""
    about = result.about
    alarms = [(a["grade"], pair(a)) for a in result.alarms]
    origin = [(WORDS("run"), str(about["run_id"]))]
    origin.append((WORDS("data"), str(about["data_fingerprint"])))
    parts: dict[str, list[Part]] = {
        "alarms": [Alarms(alarms) if alarms else Paragraph(WORDS("none"), "ok")],
        "drift": [_drift(result.drift), WORDS.note("drift")],
        "outcomes": [_outcomes(result.outcomes)],
        "yields": [_yields(result.yields), *_weighted(result.weighted)],
        "origin": [Facts(origin)],
    }
    return page_html(
        WORDS("title"),
        [PageSection(name, WORDS(name), shown) for name, shown in parts.items()],
        language=lang,
        kind=f"monitor format {FORMAT}",
        below=f"{about['model']} v{about['version']}　{about['reference']} → {about['as_of']}",
        nouns=nouns_of(about),
    )


def _drift(frame: pd.DataFrame) -> Table:
    figures, shares = ("psi", "psi_chance", "psi_limit"), ("missing_before", "missing_now")
    cells: dict[str, Writer] = {"column": pair}
    cells |= {c: formatted(c, ".3f") for c in figures} | {c: formatted(c, ".0%") for c in shares}
    cells |= {c: formatted(c, ",") for c in ("left_out_before", "left_out_now")}
    return WORDS.table(
        frame.head(SHOWN),
        cells,
        mark=lambda r: r["status"] if r["status"] != "ok" else r["missing_status"],
    )


OUTCOME_CELLS: Mapping[str, Writer] = {
    "month": lambda r: r["as_of"],
    "households": formatted("households", ","),
    "expected": formatted("expected", ".1f"),
    "observed": formatted("observed"),
    "interval": lambda r: f"[{r['low']:.0f}, {r['high']:.0f}]",
    "listed": formatted("listed"),
    "hit": formatted("listed_observed"),
    "unknown": formatted("unknown", ","),
}


def _outcomes(frame: pd.DataFrame) -> Part:
    if frame.empty:
        return Paragraph(WORDS("no_outcomes"), "note")
    return WORDS.table(frame, OUTCOME_CELLS, mark=lambda r: r["status"])


def _yields(frame: pd.DataFrame) -> Part:
    if frame.empty:
        return Paragraph(WORDS("no_yields"), "note")
    sources = section("monitor_page.sources")
    cells: dict[str, Writer] = {
        "source": lambda r: sources.get(r["selected_by"], r["selected_by"]),
        **{c: formatted(c) for c in COUNTS},
        "yield": lambda r: NOTHING if pd.isna(r["rate"]) else f"{r['rate']:.1%}",
        "interval": lambda r: "" if pd.isna(r["rate"]) else f"[{r['low']:.1%}, {r['high']:.1%}]",
        "bounds": lambda r: f"{r['worst']:.0%}–{r['best']:.0%}",
    }
    return WORDS.table(frame, cells)


def _weighted(frame: pd.DataFrame) -> list[Part]:
    if frame.empty:
        return []
    row = frame.iloc[0]
    shares = {name: f"{row[name]:.1%}" for name in ("rate", "low", "high")}
    counts = {"visits": f"{row['visits']:.0f}", "worth": f"{row['effective_n']:.0f}"}
    return [Paragraph(WORDS("weighted", **shares, **counts))]
