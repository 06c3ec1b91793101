"""Forecasts at county size: time and memory, and how stress and alarms compare with the simulator's truth.

``python benchmarks/forecast.py``            small: what `make bench` runs
``python benchmarks/forecast.py --households 100000 --only households``
``python benchmarks/forecast.py --only stress`` · ``--only alarms`` · ``--only coverage``

Aims: twelve-month distributions of 100,000 households in under 2 minutes and 6 GiB on 2 cores; 40 townships ×
10 causes reconciled in under 1 minute. The reference in the same run is one accounting of the same county
(every forecast stands on three of them): times are also given as multiples of it.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

import county_sql
from figures import write_figures
from memory import peak
from riskmodel import simulate
from riskmodel.data import About, County, from_frames
from riskmodel.forecasting import (
    count_models,
    household,
    household_evaluation,
    rolling_origin,
    stress,
    warning,
)
from riskmodel.forecasting.counts import Counts
from riskmodel.forecasting.counts import monthly_counts as count
from riskmodel.households import known_county, point_in_time
from riskmodel.simulate.history import WORLD
from riskmodel.simulate.parameters import CAUSES, parameter_arrays
from riskmodel.simulate.state import common_shocks, stream
from riskmodel.simulate.stress_truth import scenario_truths

AIM_SECONDS, AIM_GIB, AIM_RECONCILED = 120, 6.0, 60
LIMITS = {
    "distributions s": 2.0 * AIM_SECONDS,  # two processors
    "distributions GiB": AIM_GIB,
    "reconciled, slowest method s": AIM_RECONCILED,
}
MONTHS = 48
COVERED = 300  # households of a county that coverage is measured on
LOOKED = 9  # months that alarms are counted in
NEAR = 6  # months after a strike in which its township's alarms are no false ones: entries follow events late
PARTS = ("households", "reconciled", "coverage", "stress", "alarms")


def main() -> None:
    args = arguments()
    runs: dict[str, Callable[[], dict[str, float] | None]] = {
        "households": lambda: households(args.households),
        "reconciled": reconciled,
        "coverage": lambda: coverage(args.seeds),
        "stress": lambda: stressed(args.seeds),
        "alarms": lambda: alarms(args.seeds),
    }
    figures: dict[str, float] = {}
    for part in args.only or PARTS:
        figures |= runs[part]() or {}
    size = {"households": args.households, "seeds": args.seeds}
    write_figures(args.json, "forecast", size, figures, LIMITS)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--households", type=int, default=5_000)
    parser.add_argument("--seeds", type=int, default=1, help="simulated counties a part is measured on")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="some of the parts; all by default")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def households(n: int) -> dict[str, float]:
    """Forecast a random county's households twelve months ahead."""
    with tempfile.TemporaryDirectory() as folder:
        maker = multiprocessing.get_context("spawn").Process(
            target=county_sql.write, args=(Path(folder), n, MONTHS)
        )
        maker.start()
        maker.join()
        county = county_sql.read(Path(folder))
    day = dt.date(county_sql.FIRST_YEAR + MONTHS // 12 - 1, 12, 31)
    began = time.perf_counter()
    county.con.execute(known_county(county, point_in_time.add_months(day, -1)).accounts().count())
    once = time.perf_counter() - began
    wall, cpu = time.perf_counter(), time.process_time()
    made = household.forecast_households(county, day, (12,))
    q = made.quantiles(12)
    p = made.below(12)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"households: {len(q):,} distributions of {q.shape[1]} quantiles, method {made.learned[12].chosen}")
    print(
        f"  wall {wall:.1f} s, processor {cpu:.1f} s (aim: under {AIM_SECONDS} s); "
        f"{wall / once:.1f} accountings"
    )
    print(f"  peak memory {peak():.2f} GiB (aim: under {AIM_GIB:.0f}); mean probability below {p.mean():.3f}")
    return {"distributions s": cpu, "distributions in accountings": wall / once, "distributions GiB": peak()}


def reconciled() -> dict[str, float]:
    """Forecast and reconcile 40 townships × 10 causes with every method."""
    rng = np.random.default_rng(0)
    months = np.arange(24_000, 24_000 + 60)
    mu = rng.gamma(2, 0.3, (40, 10, 1)) * np.exp(0.4 * np.sin(2 * np.pi * months / 12))
    known = Counts(
        tuple(f"t{k:02d}" for k in range(40)), tuple(f"c{k}" for k in range(10)), months,
        rng.poisson(mu).astype(float), np.ones(60), np.full(40, 2_500.0),
    )  # fmt: skip
    slowest = 0.0
    for method in count_models.METHODS:
        wall, cpu = time.perf_counter(), time.process_time()
        tree, made = rolling_origin.forecast_counts(known, method, 12)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        slowest = max(slowest, cpu)
        gap = np.abs(tree.add_up(made.mean[-400:]) - made.mean).max()
        print(
            f"reconciled: {method}: {made.mean.shape[0]} series, wall {wall:.1f} s, "
            f"processor {cpu:.1f} s, largest gap {gap:.0e}"
        )
    print(f"  slowest: processor {slowest:.1f} s (aim: under {AIM_RECONCILED} s)")
    return {"reconciled, slowest method s": slowest}


def simulated_county(seed: int, profile: str = "default", n: int = 600, months: int = 66) -> County:
    made = simulate.simulate_county(households=n, months=months, seed=seed, truth_at=(), profile=profile)
    about = About(
        data_through=made.about["data_through"], recording_delay_days=made.about["recording_delay_days"]
    )
    return from_frames(made.frames, about)


def coverage(seeds: int) -> None:
    """Coverage, CRPS and Brier of household forecasts over counties and days, classifier beside."""
    rows = []
    for seed in range(1, seeds + 1):
        county = simulated_county(seed, n=COVERED)
        found = household_evaluation.evaluate_household_forecasts(
            county, ["2019-12-31", "2020-06-30", "2020-12-31"]
        )
        rows.append(found.rows.assign(seed=seed, month=found.rows["as_of"].dt.month))
    rows = pd.concat(rows)
    names = ["crps", "pinball_10", "pinball_90", "in_80", "in_95", "width_80"]
    table = rows.groupby(["horizon_months", "method"])[names].mean()
    table["brier"] = rows.groupby(["horizon_months", "method"])[["below", "probability"]].apply(squared)
    print(f"coverage: {seeds} simulated counties of {COVERED} households × 3 days")
    print(table.round(4).to_string())
    mine = rows[rows["chosen"]]
    told = mine[mine["probability_classifier"].notna()]
    for h, g in told.groupby("horizon_months"):
        d = household_evaluation.brier_difference(
            g["below"], g["probability"], g["probability_classifier"], g["seed"].astype(str) + g["village"]
        )
        print(
            f"  {h} months, same {d.rows} rows: Brier of the distribution {d.distribution:.4f}, "
            f"of the classifier {d.classifier:.4f}, "
            f"difference {d.difference:+.4f} [{d.low_95:+.4f}, {d.high_95:+.4f}]"
        )
    ends = ["in_80", "in_95"]
    counties = mine.groupby(["horizon_months", "seed"])[ends].mean().groupby("horizon_months")
    print("chosen methods, mean over counties and its standard error:")
    print(counties.agg(["mean", "sem"]).round(3).to_string())
    for by in ("month", "band", "history"):
        print(mine.groupby(["horizon_months", by])[ends].mean().round(3).to_string())
    villages = mine.groupby(["seed", "horizon_months", "village"])["in_80"].agg(["mean", "size"])
    chance = np.sqrt((0.16 / villages["size"]).mean())
    print(
        f"  villages: 80 % intervals cover {villages['mean'].quantile(0.1):.2f} to "
        f"{villages['mean'].quantile(0.9):.2f} (10th to 90th); s.d. {villages['mean'].std():.3f}, "
        f"by chance alone {chance:.3f}"
    )


def squared(g: pd.DataFrame) -> float:
    y, p = g.to_numpy().T
    return float(((p - y) ** 2).mean())


def stressed(seeds: int) -> None:
    """What the scenarios add, against the simulator's own future under them."""
    day = "2019-12-31"
    chosen = [stress.read_scenario(name) for name in stress.available_scenarios()]
    rows = []
    for seed in range(1, seeds + 1):
        asked = simulate.simulation_spec(households=1_500, months=60, seed=seed, truth_at=())
        county = simulated_county(seed, n=1_500, months=60)
        homes = household.forecast_households(county, day, (12,))
        lived = scenario_truths(asked, day, chosen, worlds=20)
        for each in chosen:
            t = stress.stress_test(county, homes, each, draws=200).table
            t = t[
                (t["township"] == "all") & (t["cause"] == "all") & (t["measure"] == "households")
            ].set_index("what")
            truth = lived[each.id]
            extra = truth["households_stressed"] - truth["households_baseline"]
            e, b = t.loc["extra"], t.loc["baseline"]
            print(
                f"stress: seed {seed} {each.id}: adds {e['mean']:.0f} "
                f"[{e['low_95']:.0f}, {e['high_95']:.0f}], simulator {extra.mean():.0f} "
                f"[{extra.min():.0f}, {extra.max():.0f}]; "
                f"below without it {b['mean']:.0f} [{b['low_95']:.0f}, {b['high_95']:.0f}], "
                f"simulator {truth['households_baseline'].mean():.0f}",
                flush=True,
            )
            rows.append(
                {"scenario": each.id, "added": e["mean"], "truth": extra.mean(),
                 "ratio": e["mean"] / extra.mean(),
                 "worlds_in_95": extra.between(e["low_95"], e["high_95"]).mean(),
                 "mean_in_95": float(e["low_95"] <= extra.mean() <= e["high_95"])}
            )  # fmt: skip
    found = pd.DataFrame(rows).groupby("scenario")
    table = found.mean().assign(
        ratio_of_sums=found["added"].sum() / found["truth"].sum(), ratio_sd=found["ratio"].std()
    )
    print(f"stress: {seeds} counties of 1,500 × 20 worlds\n{table.round(2).to_string()}")


def alarms(seeds: int) -> None:
    """False-alarm rate in ordinary years, and delay after a township is struck in disaster years.

    What is measured is what `riskmodel forecast` ships (every kind of count, neighbours, one correction a
    run), month after month; but for expected falls, which would need a household forecast each month.
    """
    for profile in ("default", "disaster-year"):
        seen = Seen()
        for seed in range(1, seeds + 1):
            watch_county(seed, profile, seen)
        rate, runs = seen.false / max(seen.looks, 1), seen.false_runs / max(seen.runs, 1)
        low, high = exact(seen.false_runs, seen.runs)
        mean = np.mean(seen.delays) if seen.delays else float("nan")
        found = len(seen.delays)
        least, most = exact(found, seen.struck)
        print(
            f"alarms: {profile}, {seeds} counties: a false alarm in {seen.false_runs} of {seen.runs} monthly "
            f"runs ({runs:.1%} [{low:.1%}, {high:.1%}]), {seen.false} of {seen.looks} looks ({rate:.2%}), "
            f"by kind {dict(sorted(seen.kinds.items()))}; {found} of {seen.struck} strikes seen "
            f"[{least:.0%}, {most:.0%}], mean delay {mean:.1f} months",
            flush=True,
        )


@dataclasses.dataclass
class Seen:
    """What the early warning said over many months and counties."""

    runs: int = 0
    false_runs: int = 0
    looks: int = 0
    false: int = 0
    struck: int = 0
    delays: list[int] = dataclasses.field(default_factory=list)
    kinds: dict[str, int] = dataclasses.field(default_factory=dict)


def exact(k: int, n: int) -> tuple[float, float]:
    """Return the 95 % Clopper-Pearson interval of a share."""
    if not n:
        return float("nan"), float("nan")
    found = binomtest(k, n).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def watch_county(seed: int, profile: str, seen: Seen) -> None:
    """Run the early warning at the end of each of the last months and hold it against the strikes."""
    n, months = 2_400, 60
    county = simulated_county(seed, profile, n, months)
    last = simulate.simulation_spec(households=n, months=months, seed=seed, profile_name=profile).plan.last
    towns = count(county, point_in_time.month_end(last)).townships
    hits = {(towns[t], m) for t, m in strikes(seed, profile, months, n, len(towns))}
    when: dict[tuple[str, int], int] = {}
    for month in range(last - LOOKED + 1, last + 1):
        found = warning.early_warnings(county, point_in_time.month_end(month))
        raised = found[found["alarm"]]
        near = {(t, m) for t, m in hits if 0 <= month - m <= NEAR}
        wrong = raised[~raised["township"].isin([t for t, _ in near])]
        seen.runs, seen.looks = seen.runs + 1, seen.looks + len(found)
        seen.false, seen.false_runs = seen.false + len(wrong), seen.false_runs + int(len(wrong) > 0)
        for kind in wrong["what"]:
            seen.kinds[kind] = seen.kinds.get(kind, 0) + 1
        for k in near:
            if k[0] in set(raised["township"]):
                when.setdefault(k, month - k[1])
    counted = [k for k in hits if last - LOOKED + 1 <= k[1] <= last - 2]
    seen.struck += len(counted)
    seen.delays += [when[k] for k in counted if k in when]


def strikes(seed: int, profile: str, months: int, n: int, towns: int) -> list[tuple[int, int]]:
    """Return when the simulator struck which township: its world is drawn again from its own stream."""
    asked = simulate.simulation_spec(households=n, months=months, seed=seed, profile_name=profile)
    t = parameter_arrays(asked.profile)
    p = asked.profile.shocks
    shared = stream(seed, WORLD)
    chance = t.yearly[CAUSES.index("disaster")] / len(p.disaster_months) / p.disaster_reach
    out = []
    for month in range(asked.plan.first - asked.profile.warm_up_months, asked.plan.last + 1):
        world = common_shocks(shared, towns, len(t.weather_sd))
        if month % 12 + 1 in p.disaster_months:
            out += [(int(k), month) for k in np.flatnonzero(world.disaster < chance)]
    return out


if __name__ == "__main__":
    main()
