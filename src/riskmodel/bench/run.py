"""Run a bench: every panel, every model and rule set, into one MLflow experiment and one set of tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import evaluation, experiment, files, models, tracking
from riskmodel.bench import matrix, panels
from riskmodel.bench.declared import Bench, Panel
from riskmodel.errors import InputRefused, UsageError
from riskmodel.evaluation import Budget, oracle
from riskmodel.evaluation.ranking import auc_kernel
from riskmodel.training import EVENT_WORDS

# Net benefit is drawn between these chances; offices that visit one household in twenty act near 5 %.
THRESHOLDS = tuple(round(0.01 * k, 2) for k in range(1, 31))
# What an office can do with pencil and paper, or does already.
SIMPLE = ("rule", "past_income", "village", "scorecard", "cluster_logit", "vulnerability")


@dataclass(frozen=True)
class PanelRun:
    """What one panel gave.

    Attributes
    ----------
    panel : Panel
    run_id : str
    tables : dict of name to DataFrame
        ``metrics, comparison, deployed, visits, lead, gaps, support, net_benefit, planning``, ``truth`` where
        it is known, ``effects`` (village-robust logit) and ``scorecard``.
    notes : list of dict with keys "zh", "en"
    seconds : float
    """

    panel: Panel
    run_id: str
    tables: dict[str, pd.DataFrame]
    notes: list[dict[str, str]]
    seconds: float


@dataclass(frozen=True)
class BenchRun:
    """A whole bench.

    Attributes
    ----------
    bench : Bench
    quick : bool
    done : list of PanelRun
    skipped : dict
        Panel id to the reason it was not run.
    left_out : dict
        Model to the reason it was not fitted anywhere.
    """

    bench: Bench
    quick: bool
    done: list[PanelRun]
    skipped: dict[str, str]
    left_out: dict[str, str] = field(default_factory=dict)

    def table(self, name: str) -> pd.DataFrame:
        """Return one table over all panels, the panel's id in front.

        Parameters
        ----------
        name : str

        Returns
        -------
        DataFrame
            Empty where no panel has it.
        """
        parts = [r.tables[name].assign(panel=r.panel.id) for r in self.done if name in r.tables]
        if not parts:
            return pd.DataFrame()
        whole = pd.concat(parts, ignore_index=True)
        return whole[["panel", *(c for c in whole.columns if c != "panel")]]


def run(
    bench: Bench,
    out: str | Path,
    store: str | Path,
    *,
    quick: bool = False,
    sources: Mapping[str, Path] | None = None,
    only: Iterable[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> BenchRun:
    """Run a bench.

    Parameters
    ----------
    bench : Bench
    out : str or Path
        Folder of the panels' data and of the tables.
    store : str or Path
        MLflow's SQLite file; all runs go into one experiment, the bench's id.
    quick : bool, default False
        Only the panels marked so, simulated ones in their small size.
    sources : mapping, optional
        Source (``eph``, ``teen_poverty``) to its file.
    only : iterable of str, optional
        Panel ids; default all.
    progress : callable, optional

    Returns
    -------
    BenchRun

    Raises
    ------
    UsageError
        If ``only`` names no panel of the bench.
    """
    say = progress or (lambda text: None)
    wanted = list(only or [p.id for p in bench.panels])
    unknown = [w for w in wanted if w not in [p.id for p in bench.panels]]
    if unknown:
        raise UsageError(f"no panel {', '.join(unknown)}; there are: {', '.join(p.id for p in bench.panels)}")
    left_out = {
        m: f"the extra {models.entry(m).extra!r} is not installed"
        for m in bench.models
        if not models.available(m)
    }
    done, skipped = [], {}
    for panel in bench.panels:
        if panel.id not in wanted or (quick and not panel.quick):
            skipped[panel.id] = "not asked for" if panel.id not in wanted else "left out of the quick size"
            continue
        say(f"panel {panel.id}")
        try:
            found = _panel(bench, panel, Path(out), store, quick, dict(sources or {}), set(left_out), say)
        except (UsageError, InputRefused) as exc:
            skipped[panel.id] = str(exc)
            say(f"panel {panel.id} is skipped: {exc}")
            continue
        done.append(found)
    result = BenchRun(bench, quick, done, skipped, left_out)
    for name in sorted({n for r in done for n in r.tables}):
        files.write_table(result.table(name), Path(out) / "tables" / f"{name}.csv")
    return result


def _panel(
    bench: Bench,
    panel: Panel,
    out: Path,
    store: str | Path,
    quick: bool,
    sources: dict[str, Path],
    absent: set[str],
    say: Callable[[str], None],
) -> PanelRun:
    began = time.monotonic()
    thin = bench.model_copy(update={"models": tuple(m for m in bench.models if m not in absent)})
    if panel.source == "teen_poverty":
        file = panels.needed(panel, sources.get(panel.source))
        found, fitted = matrix.predictions(thin, panel, thin.models_of(panel), file, say)
        budget, event, truth, horizon, notes = (
            bench.budget,
            ("下一年贫困", "girls poor a year later"),
            None,
            12,
            [],
        )
    else:
        exp = thin.experiment_of(panel)
        size = bench.quick_size if quick else bench.size
        source = panels.open_county(panel, size, out / "data" / panel.id, sources.get(panel.source))
        kept: list[dict[str, Any]] = []
        result = experiment.run(
            exp, source.county, say, final=False, on_fold=lambda fold, train, fits: kept.append(fits)
        )
        found, fitted, notes = result.predictions, kept[-1], result.notes
        budget, event, horizon = exp.budget, EVENT_WORDS[exp.events[0]], exp.horizon.months
        truth = None if source.truth is None else _of_event(source.truth, exp.events[0], horizon)
    say("evaluating")
    limit = Budget(visits=budget.visits, share=budget.share)
    how: dict[str, Any] = {"replicates": bench.bootstrap, "seed": bench.seed}
    tables, more = evaluate(found, limit, panel.baseline, event, truth, **how)
    tables |= _kept(fitted)
    run_id = _log(bench, panel, tables, found, quick, store)
    return PanelRun(panel, run_id, tables, [*notes, *more], time.monotonic() - began)


def _of_event(truth: pd.DataFrame, event: str, horizon: int) -> pd.DataFrame:
    rows = truth[(truth["event"] == event) & (truth["horizon_months"] == horizon)]
    rows = rows.assign(as_of=pd.to_datetime(rows["as_of"]), household_id=rows["household_id"].astype(str))
    return rows.drop(columns=["event", "horizon_months", "outcome"], errors="ignore")


def evaluate(
    found: pd.DataFrame,
    budget: Budget,
    baseline: str,
    event: tuple[str, str],
    truth: pd.DataFrame | None = None,
    *,
    replicates: int = 400,
    seed: int = 0,
) -> tuple[dict[str, pd.DataFrame], list[dict[str, str]]]:
    """Evaluate predictions in every way the bench shows.

    Parameters
    ----------
    found : DataFrame
        Tidy predictions.
    budget : Budget
    baseline : str
    event : tuple of str
        What a found event is called, in Chinese and English.
    truth : DataFrame, optional
        True chances of this event and horizon.
    replicates, seed
        Village resamples of the intervals.

    Returns
    -------
    tuple of dict and list
        Tables by name, and notes.
    """
    how: dict[str, Any] = {"replicates": replicates, "seed": seed}
    told = evaluation.compare(found, budget, baseline=baseline, event=event, **how)
    shown = [m for m in dict.fromkeys(found["model"]) if m in models.MODELS and m not in ("rule", baseline)]
    tables = {
        "metrics": evaluation.pooled(found, budget, **how),
        "comparison": told.table,
        "deployed": told.deployed,
        "visits": _visits(found, budget, baseline, shown, how),
        "net_benefit": _net_benefit(found, seed),
        "planning": _planning(told.primary, found),
    }
    if any(map(is_simple, set(found["model"]))) and not all(map(is_simple, set(found["model"]))):
        tables["ordering"] = ordering(found, tables["metrics"], how)
    if found["as_of"].nunique() > 1 and baseline == "rule":
        tables["lead"] = _lead(found, budget, baseline, shown, how)
    groups = [c for c in found.columns if c.startswith("group_") and found[c].nunique() > 1]
    groups += ["township"] if 1 < found["township"].nunique() <= 30 else []
    if groups:
        some = found[found["model"].isin(["rule", "past_income", "logit", "boosting", "scorecard"])]
        tables["gaps"] = evaluation.gaps(some, groups, budget, **how)
    if "supported_after" in found.columns:
        tables["support"] = _support(found, budget)
    if truth is not None:
        tables["truth"] = oracle.against_truth(found, truth, budget, seed=seed).table
    return tables, told.notes


def further(run_id: str, store: str | Path) -> dict[str, pd.DataFrame]:
    """Evaluate a trained run's logged predictions beyond its metrics, as the bench does.

    Parameters
    ----------
    run_id : str
    store : str or Path

    Returns
    -------
    dict
        Tables by name; see `PanelRun`.

    Raises
    ------
    UsageError
        If the run is not in the store.
    InputRefused
        If it compared no model with a rule.
    """
    exp = experiment.Experiment.model_validate(tracking.read_document(run_id, "experiment.json", store))
    found = tracking.read_table(run_id, "tables/predictions", store)
    budget = Budget(visits=exp.budget.visits, share=exp.budget.share)
    event = EVENT_WORDS[exp.events[0]]
    # A run numbers its households anew; as text they keep their order.
    found = found.assign(household_id=found["household_id"].astype(str).str.zfill(9))
    return evaluate(found, budget, "rule", event, replicates=exp.bootstrap, seed=exp.seed)[0]


def is_simple(model: str) -> bool:
    """Say whether a model needs no machine learning: rules, income, village, scorecard, short regressions."""
    return model in SIMPLE or bool(models.known(model) and models.entry(model).ruleset)


def ordering(found: pd.DataFrame, metrics: pd.DataFrame, how: Mapping[str, Any]) -> pd.DataFrame:
    """Compare the best simple method's AUC with the best elaborate one's, on the same village resamples.

    Parameters
    ----------
    found : DataFrame
        Tidy predictions.
    metrics : DataFrame
        Of `evaluation.pooled`.
    how : mapping
        ``replicates`` and ``seed``.

    Returns
    -------
    DataFrame
        One row: ``simple, elaborate, auc_simple, auc_elaborate, difference`` (second − first), ``low, high``.
        Both are picked as the best of several on these very rows, which flatters both.
    """
    auc = metrics.set_index("model")["auc"]
    easy = [m for m in auc.index if is_simple(str(m))]
    first = str(auc[easy].idxmax())
    other = str(auc.drop(easy).idxmax())
    key = ["as_of", "household_id"]
    known = found[found["y"].notna()]
    pair = [known[known["model"] == m].sort_values(key, ignore_index=True) for m in (first, other)]
    y, one, two = pair[0]["y"].to_numpy(dtype=float), *(p["score"].to_numpy(dtype=float) for p in pair)
    kernels = [auc_kernel(y, one), auc_kernel(y, two)]
    resamples = evaluation.village_resamples(pair[0][["township", "village"]], how["replicates"], how["seed"])
    drawn = resamples.run(lambda weight: kernels[1](weight) - kernels[0](weight))
    low, high = evaluation.percentile_interval(drawn)
    row = {"simple": first, "elaborate": other, "auc_simple": auc[first], "auc_elaborate": auc[other]}
    return pd.DataFrame([{**row, "difference": auc[other] - auc[first], "low": low, "high": high}])


def _visits(
    found: pd.DataFrame, budget: Budget, baseline: str, shown: list[str], how: dict[str, Any]
) -> pd.DataFrame:
    rows = []
    for model in shown:
        one = evaluation.visits_equivalent(found, budget, model, baseline=baseline, **how)
        more = one.more.set_index("factor")["recall_baseline"]
        rows.append({
            "model": model, "visits": one.visits, "recall_model": one.recall_model,
            "recall_baseline": one.recall_baseline, "ratio": one.ratio, "low": one.low, "high": one.high,
            "extra_visits": one.extra_visits, **{f"recall_baseline_x{f:g}": v for f, v in more.items()},
        })  # fmt: skip
    return pd.DataFrame(rows)


def _lead(
    found: pd.DataFrame, budget: Budget, baseline: str, shown: list[str], how: dict[str, Any]
) -> pd.DataFrame:
    rows = []
    for model in shown:
        one = evaluation.lead_time(found, budget, model, baseline=baseline, **how)
        rows.append({
            "model": model, **one.shares, "median_months": one.median_months,
            "mean_months": one.restricted_mean_months, "until_months": one.until_months,
            "censored": one.censored,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _net_benefit(found: pd.DataFrame, seed: int) -> pd.DataFrame:
    parts = []
    known = found[found["y"].notna()]
    for model in ("rule", "past_income", "scorecard", "logit", "boosting"):
        rows = known[known["model"] == model]
        if len(rows):
            resamples = evaluation.village_resamples(rows[["township", "village"]], 100, seed)
            curve = evaluation.net_benefit_curve(rows["y"], rows["probability"], THRESHOLDS, resamples)
            parts.append(curve.assign(model=model))
    return pd.concat(parts, ignore_index=True)


def _planning(primary: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Say what a panel of this size could show at all."""
    first = primary.iloc[0]
    events, visits, villages = int(first["n_events"]), int(first["visits"]), int(first["n_villages"])
    base = events / int(first["n"])
    rows = []
    for correlation in (0.0, 0.02, 0.05):
        effect = evaluation.design_effect(events / villages, correlation)
        by_visit = evaluation.design_effect(visits / villages, correlation)
        rows.append({
            "correlation": correlation, "events": events, "villages": villages, "visits": visits,
            "base_rate": base, "design_effect": effect,
            "smallest_difference": evaluation.smallest_difference(events, effect=effect),
            "visits_to_show_twice_random": evaluation.visits_needed(base, 2.0, effect=by_visit)
            if 0 < base < 0.5
            else float("nan"),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _support(found: pd.DataFrame, budget: Budget) -> pd.DataFrame:
    rows = []
    for model in ("rule", "past_income", "logit", "boosting"):
        part = found[(found["model"] == model) & found["y"].notna()]
        if part.empty:
            continue
        share = part.groupby("as_of")["score"].rank(ascending=False, method="first")
        quota = part.groupby("as_of")["score"].transform("size").map(budget.at)
        bounds = evaluation.support_bounds(part["y"], part["supported_after"], share <= quota)
        rows.append({"model": model, **bounds})
    return pd.DataFrame(rows)


def _kept(fitted: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Return the tables that a fitted model itself is: effects with standard errors, the scorecard."""
    out = {}
    if "cluster_logit" in fitted:
        out["effects"] = fitted["cluster_logit"].base_.effects()
    if "scorecard" in fitted:
        out["scorecard"] = fitted["scorecard"].base_.table()
    return out


def _log(
    bench: Bench,
    panel: Panel,
    tables: dict[str, pd.DataFrame],
    found: pd.DataFrame,
    quick: bool,
    store: str | Path,
) -> str:
    tags = {"bench": bench.id, "panel": panel.id, "quick": str(quick).lower()}
    with tracking.start(bench.id, store, panel.id, tags) as opened:
        params = {"panel": panel.id, "source": panel.source, "experiment": panel.experiment or "matrix"}
        opened.params(
            {**params, "models": list(dict.fromkeys(found["model"])), "seed": bench.seed, "quick": quick}
        )
        for row in tables["metrics"].to_dict("records"):
            values = {f"{row['model']}.{k}": v for k, v in row.items() if isinstance(v, int | float)}
            opened.metrics({k: float(v) for k, v in values.items()})
        for row in tables["comparison"].query("scope == 'pooled' and at == 'budget'").to_dict("records"):
            opened.metrics(
                {f"{row['model']}.{k}": float(row[k]) for k in ("delta_recall", "delta_low", "delta_high")}
            )
        # Ids stay in the county: a run numbers its households anew.
        coded = found.assign(household_id=pd.factorize(found["household_id"], sort=True)[0])
        for name, frame in {"predictions": coded, **tables}.items():
            opened.table(frame, f"tables/{name}")
        opened.document(bench.model_dump(mode="json"), "bench.json")
    return opened.run_id
