"""Verdicts on late records against those on whole ones, and the inference of what is on record.

``python benchmarks/coverage.py --households 3000 --seeds 3 --out coverage.md``

The same county lives once with every month written up on its last day, and once as late as its office is,
with table ``recorded`` and without. Of the verdicts of ``national-2021`` that whole records give, one is

* right, if it is the same,
* unknown, if it is not given: the category is unknown, or the household is in none while a condition on money
  could not be judged,
* wrong otherwise; *missed* where nobody is named whom whole records name. Of the wrong ones ``depends`` says
  how many carry ``verdict_depends``.

Only income, spending and ``recorded`` are prompt in the whole county: coverage speaks of nothing else. What
late events and members do to verdicts stands in a line of its own. Asserted with the table stated: no sum of
a period differs from that of whole records over the same months; at lag 0 no verdict is wrong; nobody is
called clear with an event or a change of members known after the period's end; nobody is let go from the
register whom whole records keep.

Of the inference (data contract, "Coverage", rule 3) it says, against the simulator's own table: months on
record that it misses or invents, true zeros (on record, without a row) that it takes for late ones, and
townships whose start it finds. Months that the promised delay has not let ripen are counted apart: the
default office's promise is longer than ``max_lag_months``, so that nothing can be judged without the table,
unless the promise is not said either. Offices in one of the two modes promise nothing.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riskmodel import rules, simulate
from riskmodel.data import About, County, from_frames
from riskmodel.households import Moment, last_complete_month
from riskmodel.households.build_records import known_records
from riskmodel.households.coverage import last_written_up
from riskmodel.households.panel import read_records

NATIONAL = "national-2021"
MONEY = ("below_line", "rigid_too_large", "income_plunged")
OFFICES = ("default", "late-misfortune", "silent-without-wages")
STATED, WITHHELD, UNSAID = "stated", "withheld", "withheld, delay not said"
DATES = ("2017-12-31", "2018-12-31", "2019-08-15", "2020-03-31", "2020-12-31", "2021-06-30")
HINDSIGHT_DAYS = 150  # after which every event is written down
LAGS = ("0", "1", "2", "3", "> 3", "none")
TRENDS = ("rising", "falling")
KEY = ["household_id", "as_of"]
ROW = ["household_id", "month", "recorded_on"]
MOST_WRONG = 0.005  # aim in the two modes, the table withheld


def main() -> None:
    args = arguments()
    cases = [one for seed in range(args.seeds) for one in measure(args.households, args.months, seed)]
    verdicts = pd.concat([case.verdicts for case in cases], ignore_index=True)
    months = pd.concat([case.months for case in cases if case.months is not None], ignore_index=True)
    parts = [verdict_table(verdicts), gap_table(verdicts), inference_table(months)]
    title = f"{args.households:,} households × {args.months} months × {args.seeds} seeds, as of "
    text = "\n".join([title + ", ".join(DATES) + "; shares in %.", "", *parts])
    print(text)
    if args.out:
        args.out.write_text(text, encoding="utf-8")
    check(verdicts)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--households", type=int, default=3000)
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="Markdown")
    return parser.parse_args()


@dataclass(frozen=True)
class Case:
    """One county under one office, its table stated or withheld."""

    verdicts: pd.DataFrame
    months: pd.DataFrame | None


def measure(households: int, months: int, seed: int) -> Iterator[Case]:
    """Judge one life under every office, with the table and without."""
    for office in OFFICES:
        profile = simulate.load_profile(office)
        prompt = with_recording(profile, prompt=1.0, unlucky=None, ceasing=None)
        whole, late = (made(p, households, months, seed) for p in (prompt, profile))
        truth = judged(whole, whole.frames, promise(whole))
        if office == OFFICES[0]:
            changed = late_events(whole, truth)
            print(f"seed {seed}: events and members written down later change {changed:.2%} of verdicts")
        withheld = {name: frame for name, frame in late.frames.items() if name != "recorded"}
        about = promise(late)
        statements = [(STATED, late.frames, about), (WITHHELD, withheld, about)]
        if about.recording_delay_days:
            statements.append((UNSAID, withheld, About(data_through=about.data_through)))
        for statement, frames, about in statements:
            labels = {"office": office, "statement": statement, "seed": seed}
            given = judged(late, frames, about)
            compared = compare(given, truth, late.frames, whole.frames)
            inferred = None if statement == STATED else inference(from_frames(frames, about), late, about)
            yield Case(compared.assign(**labels), None if inferred is None else inferred.assign(**labels))


def with_recording(profile: simulate.Profile, **changes: Any) -> simulate.Profile:
    recording = profile.recording.model_copy(update=changes)
    return profile.model_copy(update={"recording": recording})


def made(profile: simulate.Profile, households: int, months: int, seed: int) -> simulate.SimulatedCounty:
    return simulate.simulate_county(
        households=households, months=months, seed=seed, profile=profile, truth_at=()
    )


def promise(county: simulate.SimulatedCounty) -> About:
    return About(**{name: value for name, value in county.about.items() if name != "simulated"})


def dates_of(county: simulate.SimulatedCounty) -> list[dt.date]:
    days = [dt.date.fromisoformat(day) for day in DATES]
    return [day for day in days if day <= county.about["data_through"]]


def judged(
    county: simulate.SimulatedCounty, frames: dict[str, pd.DataFrame], about: About, later: int = 0
) -> pd.DataFrame:
    """Return the verdicts, by what was known so many days later."""
    moments = [Moment(day, day + dt.timedelta(days=later)) for day in dates_of(county)]
    out = rules.evaluate_rules(from_frames(frames, about), NATIONAL, moments)
    out["as_of"] = pd.to_datetime(out["as_of"])
    unclear = out["unknown"].str.split(";").map(lambda ids: bool(set(ids) & set(MONEY)))
    out["verdict"] = out["category"].where((out["category"] != "none") | ~unclear, "unknown")
    columns = ["verdict", "outcome", "pcni", "previous_pcni", "net_income", "lag_months", "period_from",
               "period_to", "income_reason", "verdict_depends"]  # fmt: skip
    return out[[*KEY, *columns]]


def late_events(whole: simulate.SimulatedCounty, truth: pd.DataFrame) -> float:
    """Return the share of verdicts that events and members written down later change."""
    later = judged(whole, whole.frames, promise(whole), HINDSIGHT_DAYS)
    both = truth.merge(later, on=KEY, suffixes=("", "_later"))
    return float((both["verdict"] != both["verdict_later"]).mean())


def compare(
    given: pd.DataFrame, truth: pd.DataFrame, late: dict[str, pd.DataFrame], whole: dict[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return a row a household and as-of: what the verdict is against that of whole records."""
    t = given.merge(truth, on=KEY, suffixes=("", "_true"), validate="one_to_one")
    t = t[t["income_reason_true"].ne("no_persons")].reset_index(drop=True)
    same, unknown = t["verdict"] == t["verdict_true"], t["verdict"] == "unknown"
    t["result"] = np.select([same, unknown], ["right", "unknown"], "wrong")
    t["missed"] = (t["result"] == "wrong") & t["verdict"].eq("none")
    t["depends"] = (t["result"] == "wrong") & t["verdict_depends"].astype(bool)
    t["let_go"] = (t["outcome"] == "eliminate") & (t["outcome_true"] != "eliminate")
    lag = t["lag_months"].astype("float").fillna(-1)
    t["lag"] = pd.Categorical(
        np.select([lag < 0, lag > 3], ["none", "> 3"], lag.astype(int).astype(str)), LAGS
    )
    known = t["pcni_true"].notna() & t["previous_pcni_true"].notna()
    rising = t["pcni_true"] >= t["previous_pcni_true"]
    t["trend"] = np.where(known, np.where(rising, *TRENDS), "")
    t["clear_with_news"] = t["verdict"].eq("none") & (lag > 0) & has_news(t, late)
    t["wrong_sum"] = (t["net_income"] - sums_of_whole(t, whole)).abs() > 1e-6
    t["gap"] = t["income_reason"] == "gap_in_records"
    return t


def has_news(t: pd.DataFrame, frames: dict[str, pd.DataFrame]) -> np.ndarray:
    """Say whether an event or a change of members after the period's end is known by as-of."""
    events = frames["risk_events"][["household_id", "date", "recorded_on"]]
    members = frames["members"].rename(columns={"valid_from": "date"})
    ended = frames["members"].rename(columns={"valid_to": "date"}).dropna(subset=["date"])
    news = pd.concat([events, *(m[["household_id", "date", "recorded_on"]] for m in (members, ended))])
    rows = t[[*KEY, "period_to"]].assign(place=np.arange(len(t)))
    rows = rows[rows["period_to"] != ""]
    rows["after"] = pd.to_datetime(rows["period_to"]) + pd.offsets.MonthEnd(0)
    rows = rows.merge(news, on="household_id")
    rows = rows[
        (rows["date"] > rows["after"])
        & (rows["date"] <= rows["as_of"])
        & (rows["recorded_on"] <= rows["as_of"])
    ]
    out = np.zeros(len(t), bool)
    out[rows["place"].unique()] = True
    return out


def sums_of_whole(t: pd.DataFrame, whole: dict[str, pd.DataFrame]) -> np.ndarray:
    """Return what whole records add up to over each row's own period; NaN where it has none."""
    ids = pd.Index(t["household_id"].unique())
    income, spending = whole["income"], whole["spending"]
    rows = pd.concat(
        [income, spending[spending["category"] == "production"].assign(amount=lambda f: -f["amount"])]
    )
    ordinals = number(rows["month"])
    first, months = int(ordinals.min()), int(ordinals.max() - ordinals.min() + 1)
    at = ids.get_indexer(rows["household_id"])
    there = at >= 0
    net = np.zeros((len(ids), months + 1))
    np.add.at(net, (at[there], (ordinals - first).to_numpy()[there] + 1), rows["amount"].to_numpy()[there])
    sums = net.cumsum(axis=1)
    out = np.full(len(t), np.nan)
    given = (t["net_income"].notna() & (t["period_to"] != "")).to_numpy()
    place = ids.get_indexer(t["household_id"][given])
    start = (number(t["period_from"][given]) - first).to_numpy()
    stop = (number(t["period_to"][given]) - first + 1).to_numpy()
    out[given] = sums[place, stop] - sums[place, np.maximum(start, 0)]
    return out


def number(months: pd.Series) -> pd.Series:
    return months.str[:4].astype(int) * 12 + months.str[5:7].astype(int) - 1


def inference(county: County, late: simulate.SimulatedCounty, about: About) -> pd.DataFrame:
    """Compare the months that are inferred to be on record with those of the simulator's own table."""
    said = late.frames["recorded"].query("of == 'income'").rename(columns={"month_from": "month"})
    rows = pd.concat([late.frames[name][[*ROW]] for name in ("income", "spending")])
    ids = pd.Index(read_records(county).ids.to_pandas())
    first = int(number(said["month"]).min())
    out = []
    for known in known_records(county, [Moment(day, day) for day in dates_of(late)]):
        day = known.moment.as_of
        months = last_complete_month(day) - first + 1
        true, seen = (on_record(t, day, ids, first, months) for t in (said, rows))
        offset = first - known.panel.first
        guess = known.on.months["income"][:, offset : offset + months]
        ripe = first + np.arange(months) <= last_written_up(day, about.recording_delay_days)
        missed, zero = true & ~guess, true & ~seen
        townships = len(known.places.names)
        out.append({
            "months": true.sum(), "ripe": true[:, ripe].sum(), "waiting": missed[:, ~ripe].sum(),
            "missed": missed[:, ripe].sum(), "invented": (guess & ~true).sum(),
            "zeros": zero[:, ripe].sum(), "late_zeros": (zero & missed)[:, ripe].sum(),
            "townships": townships, "starts": (known.on.starts[:townships] == first).sum(),
        })  # fmt: skip
    return pd.DataFrame(out)


def on_record(rows: pd.DataFrame, day: dt.date, ids: pd.Index, first: int, months: int) -> np.ndarray:
    """Return ``[household, month]``: whether there is a row that was recorded by a day."""
    rows = rows[rows["recorded_on"] <= pd.Timestamp(day)]
    place = (number(rows["month"]) - first).to_numpy()
    inside = place < months
    out = np.zeros((len(ids), months), bool)
    out[ids.get_indexer(rows["household_id"])[inside], place[inside]] = True
    return out


def by_case(rows: pd.DataFrame) -> Iterator[tuple[list[str], pd.DataFrame]]:
    for (office, statement), case in rows.groupby(["office", "statement"], sort=False):
        yield [str(office), str(statement)], case


def markdown(head: list[str], rows: list[list[str]], texts: int) -> str:
    rule = ["---"] * texts + ["---:"] * (len(head) - texts)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)) + "\n"


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2f}" if whole else "–"


def verdict_table(verdicts: pd.DataFrame) -> str:
    head = ["office", "table", "lag", "verdicts", "share", "right", "unknown", "wrong", "wrong, rising",
            "wrong, falling", "missed", "wrong that depend", "clear with news", "wrong sums"]  # fmt: skip
    lines = []
    for labels, case in by_case(verdicts[verdicts["verdict_true"] != "unknown"]):
        for lag, rows in [*case.groupby("lag", observed=True), ("all", case)]:
            result, n = rows["result"], len(rows)
            wrong = rows[result == "wrong"]
            shares = [percent(result.eq(r).sum(), n) for r in ("right", "unknown", "wrong")]
            shares += [percent(wrong["trend"].eq(t).sum(), rows["trend"].eq(t).sum()) for t in TRENDS]
            counts = [str(int(rows[c].sum())) for c in ("missed", "depends", "clear_with_news", "wrong_sum")]
            lines.append([*labels, str(lag), f"{n:,}", percent(n, len(case)), *shares, *counts])
    return markdown(head, lines, 3)


def gap_table(verdicts: pd.DataFrame) -> str:
    head = [
        "office",
        "table",
        "gap_in_records",
        "of these unknown",
        "unknown for another reason",
        "let go wrongly",
    ]
    lines = []
    for labels, case in by_case(verdicts[verdicts["verdict_true"] != "unknown"]):
        unknown, gap = case["result"].eq("unknown"), case["gap"]
        shares = [percent(gap.sum(), len(case)), percent((gap & unknown).sum(), gap.sum())]
        lines.append(
            [*labels, *shares, percent((unknown & ~gap).sum(), len(case)), str(int(case["let_go"].sum()))]
        )
    return markdown(head, lines, 2)


def inference_table(months: pd.DataFrame) -> str:
    head = ["office", "table", "months on record", "not ripe", "missed", "invented", "true zeros",
            "called late", "township starts found"]  # fmt: skip
    lines = []
    for labels, case in by_case(months):
        n = case.drop(columns=["office", "statement", "seed"]).sum()
        shares = [("waiting", "months"), ("missed", "ripe"), ("invented", "months")]
        lines.append([
            *labels, f"{n['months']:,}", *(percent(n[a], n[b]) for a, b in shares), f"{n['zeros']:,}",
            percent(n["late_zeros"], n["zeros"]), f"{n['starts']} of {n['townships']}",
        ])  # fmt: skip
    return markdown(head, lines, 2)


def check(verdicts: pd.DataFrame) -> None:
    """Assert what must hold with the table stated; say where the modes miss the aims."""
    stated = verdicts[verdicts["statement"] == STATED]
    assert not (stated["result"] == "wrong")[stated["lag"] == "0"].any(), "a verdict at lag 0 is wrong"
    for column in ("wrong_sum", "clear_with_news", "let_go"):
        assert not stated[column].any(), column
    modes = verdicts[(verdicts["statement"] == WITHHELD) & (verdicts["office"] != OFFICES[0])]
    for office, rows in modes.groupby("office"):
        wrong = (rows["result"] == "wrong").mean()
        print(f"{office}, table withheld: {wrong:.2%} wrong (aim: at most {MOST_WRONG:.1%})")


if __name__ == "__main__":
    main()
