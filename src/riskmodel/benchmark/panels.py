"""Where a panel's data come from, or why they are not there.

The ready matrix: teenage girls, five yearly waves, a poverty flag of the survey's own and no incomes.

At each wave the girls who are not poor are at risk; the event is the flag a year later. No rule set can be
judged on it, so the question is only whether a model adds to the years of poverty so far. Race is kept out
of the columns that models see (no list of whom to help should be ordered by it) and is used to look at gaps.

References
----------
NLSY79 (US Bureau of Labor Statistics), as ``teen_poverty`` in the R package panelr (Long, MIT licence);
the data of Allison 2009, *Fixed Effects Regression Models*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riskmodel import data as counties
from riskmodel import models, simulate
from riskmodel.benchmark.declaration import Benchmark, CountySize, Panel
from riskmodel.data import County, importers
from riskmodel.errors import InputMissing, InputRefused, UsageError
from riskmodel.runs import DECLARED, read_truth, score_columns


@dataclass(frozen=True)
class PanelData:
    """A panel's county, and the simulator's truth where it is simulated."""

    county: County
    truth: pd.DataFrame | None


def open_county(panel: Panel, size: CountySize, folder: Path, file: Path | None) -> PanelData:
    """Simulate or import a panel's county and read it."""
    if panel.source == "simulate":
        simulated = simulate.simulate_county(
            households=size.households, months=size.months, seed=panel.seed, profile=panel.profile,
            futures=size.futures,
        )  # fmt: skip
        simulate.write_simulated_county(simulated, folder)
        return PanelData(counties.read_county(folder), read_truth(folder))
    importer = importers.IMPORTERS[panel.source]
    importers.import_panel(panel.source, folder, require_file(panel, file) if importer.file else None)
    return PanelData(counties.read_county(folder), None)


def require_file(panel: Panel, file: Path | None) -> Path:
    """Return the file of a panel that needs one."""
    option = f"--{panel.source.replace('_', '-')} FILE"
    if file is None:
        raise UsageError(f"{panel.source}: its file is not given ({option})")
    if not file.is_file():
        raise InputMissing(f"{panel.source}: there is no file {file.name} where {option} points to")
    return file


WAVES = 5
# The last wave whose outcome is seen is the test; what was known by then trains.
TEST_WAVE = WAVES - 1
_FIRST_YEAR = 1979
_EACH = ("mother", "spouse", "inschool", "hours")


def read_waves(file: Path) -> pd.DataFrame:
    """Read the wide file into one row a girl and wave at risk."""
    wide = pd.read_csv(file)
    wanted = ["id", "age", "black", *(f"{c}{w}" for c in ("pov", *_EACH) for w in range(1, WAVES + 1))]
    absent = [c for c in wanted if c not in wide.columns]
    if absent:
        raise InputRefused(
            f"{file.name}: columns {', '.join(absent)} are absent; give panelr's teen_poverty as CSV"
        )
    parts = []
    for wave in range(1, WAVES):
        poor = wide[[f"pov{w}" for w in range(1, wave)]]
        parts.append(
            pd.DataFrame(
                {
                    "household_id": wide["id"].astype(int).astype(str),
                    "wave": float(wave),
                    "y": wide[f"pov{wave + 1}"],
                    "now": wide[f"pov{wave}"],
                    "black": wide["black"].map({1.0: "yes", 0.0: "no"}),
                    "age": wide["age"] + wave - 1,
                    "mother": wide[f"mother{wave}"],
                    "spouse": wide[f"spouse{wave}"],
                    "in_school": wide[f"inschool{wave}"],
                    "hours": wide[f"hours{wave}"],
                    "years_poor": poor.sum(axis=1, min_count=1).fillna(0.0),
                    "poor_before": wide[f"pov{wave - 1}"] if wave > 1 else np.nan,
                }
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    return rows[(rows["now"] == 0) & rows["y"].notna()].drop(columns="now").reset_index(drop=True)


# No rule set can be judged on the survey: nobody is flagged or ranked.
_NO_RULES: dict[str, Any] = {"township": "-", "persons": 1, "flagged": False, "rule_rank": np.nan}
FEATURES = ["wave", "age", "mother", "spouse", "in_school", "hours", "years_poor", "poor_before"]


def predict_waves(
    bench: Benchmark, panel: Panel, names: tuple[str, ...], file: Path, say: Callable[[str], None]
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """Fit every model on the earlier waves and predict the last."""
    rows = read_waves(file).rename(columns={"black": "group_black"})
    train, test = rows[rows["wave"] < TEST_WAVE], rows[rows["wave"] == TEST_WAVE]
    say(f"{len(train)} training rows, {len(test)} test rows")
    test = test.assign(as_of=pd.Timestamp(_year_end(TEST_WAVE)))
    # A ready matrix declares no directions.
    params = {k: {n: v for n, v in p.items() if v != DECLARED} for k, p in bench.params_of(panel).items()}
    predictions, fitted = fit_and_predict(train, test, FEATURES, names, params, bench.seed)
    return predictions, fitted, _split(train, test)


def _split(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    day = _year_end(TEST_WAVE)
    return pd.DataFrame([{
        "fold": day, "train_from": _year_end(1), "train_to": _year_end(TEST_WAVE - 1), "n_train": len(train),
        "train_events": int(train["y"].sum()), "test_from": day, "test_to": day, "n_test": len(test),
        "test_events": int(test["y"].sum()), "n_null": 0,
    }])  # fmt: skip


def _year_end(wave: int) -> str:
    return f"{_FIRST_YEAR + wave - 1}-12-31"


def fit_and_predict(
    train: pd.DataFrame,
    test: pd.DataFrame,
    columns: Sequence[str],
    names: Sequence[str],
    params: Mapping[str, dict[str, Any]] | None = None,
    seed: int = 0,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Fit models on a ready matrix and predict its test rows.

    Parameters
    ----------
    train, test
        ``household_id`` (its own cluster: it comes back at every date), ``y`` (0/1), the features; of the
        test also ``as_of``, and ``group_…`` columns where gaps are to be looked at.
    columns
        The features.
    names
        Models that take features.
    params
        Model to its parameters; default none.
    seed
        Of every fit.

    Returns
    -------
    predictions
        Tidy predictions as `riskmodel.evaluation` takes them, without rules: nobody flagged, no rank.
    fitted
        The fitted models by name. Every household serves to fit and, left out in turn, to calibrate.
    """
    X, parts, fitted = train[list(columns)], [], {}
    groups = [c for c in test.columns if c.startswith("group_")]
    rows = test[["household_id", "as_of", "y", *groups]].assign(
        **_NO_RULES, fold=test["as_of"].astype(str), village=test["household_id"]
    )
    for name in names:
        fitted[name] = models.fit_model(
            name, X, train["y"].astype(int).to_numpy(), train["household_id"].to_numpy(), seed,
            (params or {}).get(name), scheme="cross",
        )  # fmt: skip
        parts.append(rows.assign(model=name, **score_columns(fitted[name], test[list(columns)])))
    return pd.concat(parts, ignore_index=True), fitted
