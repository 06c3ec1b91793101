"""Run a bench: every panel, every model and rule set, into one MLflow experiment and one set of tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import experiment, files, models, tracking
from riskmodel.bench import matrix, panels
from riskmodel.bench.assess import evaluate
from riskmodel.bench.declared import Bench, Panel
from riskmodel.errors import InputRefused, UsageError
from riskmodel.evaluation import Budget
from riskmodel.training import EVENT_WORDS


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
        seen = None
    else:
        exp = thin.experiment_of(panel)
        size = bench.quick_size if quick else bench.size
        source = panels.open_county(panel, size, out / "data" / panel.id, sources.get(panel.source))
        kept: list[dict[str, Any]] = []
        result = experiment.run(
            exp, source.county, say, final=False, on_fold=lambda fold, train, fits: kept.append(fits)
        )
        found, fitted, notes, seen = result.predictions, kept[-1], result.notes, result.first_seen
        budget, event, horizon = exp.budget, EVENT_WORDS[exp.events[0]], exp.horizon.months
        truth = None if source.truth is None else _of_event(source.truth, exp.events[0], horizon)
    say("evaluating")
    limit = Budget(visits=budget.visits, share=budget.share)
    how: dict[str, Any] = {"replicates": bench.bootstrap, "seed": bench.seed}
    tables, more = evaluate(found, limit, panel.baseline, event, truth, seen=seen, **how)
    tables |= _kept(fitted)
    run_id = _log(bench, panel, tables, found, quick, store)
    return PanelRun(panel, run_id, tables, [*notes, *more], time.monotonic() - began)


def _of_event(truth: pd.DataFrame, event: str, horizon: int) -> pd.DataFrame:
    rows = truth[(truth["event"] == event) & (truth["horizon_months"] == horizon)]
    rows = rows.assign(as_of=pd.to_datetime(rows["as_of"]), household_id=rows["household_id"].astype(str))
    return rows.drop(columns=["event", "horizon_months", "outcome"], errors="ignore")


def _kept(fitted: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Return the tables that a fitted model itself is: effects with standard errors, the scorecard."""
    out = {}
    if "cluster_logit" in fitted:
        out["effects"] = fitted["cluster_logit"].base_.effects()
    if "scorecard" in fitted:
        out |= models.exported_card(fitted["scorecard"])
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
