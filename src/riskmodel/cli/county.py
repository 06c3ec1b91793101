"""Verbs that simulate, check or import a county's tables."""

from __future__ import annotations

import datetime as dt
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskmodel.cli.common import (
    READING,
    REFUSED,
    USAGE,
    DataArgument,
    JsonFlag,
    ParamOption,
    ReadingOptions,
    light_verb,
    say,
    show,
    tell,
    verb,
    warn,
)
from riskmodel.errors import InputMissing, InputRefused
from riskmodel.i18n import spoken_language

if TYPE_CHECKING:
    from riskmodel.data import County
    from riskmodel.households import Need, Threshold
    from riskmodel.i18n import Language
    from riskmodel.rules import RuleSet
    from riskmodel.simulate import SimulationSpec

# Where the expressions of a rule set stand.
_EXPRESSIONS = {"quantities", "conditions", "categories", "tiers", "focus", "outcomes"}


@verb
def check(
    data: DataArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")] = Path(
        "out/check"
    ),
    reading: ReadingOptions = READING,
    lang: Annotated[str, typer.Option("--lang", help="zh or en: outputs and messages.")] = "zh",
    ruleset: Annotated[
        list[str] | None,
        typer.Option(
            "--ruleset",
            metavar="ID",
            help="Incomes are tested for heaps at its line; repeatable (default national-2021).",
        ),
    ] = None,
    line: Annotated[
        list[str] | None,
        typer.Option(
            "--line",
            metavar="[YEAR=]YUAN",
            help="And at this amount a head and year; with YEAR= from that year on; repeatable.",
        ),
    ] = None,
    param: ParamOption = None,
    error_log: Annotated[
        Path | None, typer.Option("--spoiled", metavar="LOG", help="Score against simulate --dirty's log.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check a county's tables: rejected rows, doubtful ones, and a summary of their quality."""
    from riskmodel import data as counties
    from riskmodel import rules
    from riskmodel.households import availability_check, bunching_check, fingerprint

    if error_log is not None and not error_log.is_file():
        raise InputMissing(f"{error_log}: no such log; simulate --dirty writes OUT/spoiled/spoiled.csv")
    rulesets = ruleset or ["national-2021"]
    thresholds = _thresholds(rulesets, line or [], param)
    summary, county = counties.check_county(
        data,
        out,
        further=[
            availability_check(_needs()),
            bunching_check(thresholds),
            rules.dropped_check(rulesets[0]),
        ],
        lang=lang,
        **reading.options,
    )
    if county is not None and not summary["refused"]:
        summary["data_through"] = county.data_through
        summary["data_fingerprint"] = fingerprint(county, county.data_through)
    if error_log is not None and county is not None:
        summary["spoiled"] = _score(error_log, out)
    for english, spoken in zip(_late(summary, "en"), _late(summary, spoken_language()), strict=True):
        warn(english, spoken)
    for heap in _heaps(summary):
        warn(heap)
    tell(summary if as_json else _short(summary, out), as_json)
    for reason in summary["refusals"]:
        say(f"riskmodel: {reason}")
    if summary["refused"]:
        raise typer.Exit(REFUSED)


def _late(summary: dict[str, Any], language: Language) -> list[str]:
    """Say which records come late and which levels of them differ, a sentence each."""
    from riskmodel import data as counties

    levels = counties.level_sentences(summary.get("levels", []), language)
    return [*counties.later_lines(summary, language), *levels]


def _thresholds(rulesets: list[str], lines: list[str], param: list[str] | None) -> dict[str, Threshold]:
    """Return the lines that incomes may be heaped at: those of rule sets, fixed amounts, one by year."""
    from riskmodel import rules

    chosen = [rules.load_rules(name) for name in rulesets]
    out: dict[str, Threshold] = {
        one.id: partial(_line_of, one, rules.read_overrides(one, param)) for one in chosen
    }
    for text in (text for text in lines if "=" not in text):
        yuan = rules.read_overrides(rules.load_rules("national-2021"), None, [text])["line"]
        out[f"{yuan:g}"] = partial(_fixed, yuan)
    if by_year := [text for text in lines if "=" in text]:
        params = rules.read_overrides(chosen[0], param, by_year)
        out[", ".join(by_year)] = partial(_line_of, chosen[0], params)
    return out


def _needs() -> dict[str, Need]:
    """Return what each packaged rule set and feature set takes of the records."""
    from riskmodel import features, rules
    from riskmodel.households import AccountingPeriod, Need

    needs: dict[str, Need] = {}
    for name in rules.available_rule_sets():
        ruleset = rules.load_rules(name)
        said = ruleset.model_dump_json(include=_EXPRESSIONS)
        sums = ["income"]
        sums += ["previous"] if "previous_pcni" in said or "income_drop" in said else []
        sums += ["rigid"] if "rigid" in said else []
        needs[name] = Need("ruleset", ruleset.period(), tuple(sums))
    for name in features.available_feature_sets():
        chosen = features.load_feature_set(name)
        months = {True: 0, False: 0}  # the longest window that ends with the last completed month, or not
        for f in chosen.features:
            if f.source in ("income", "spending") and f.window:
                strict = f.ends == "last_completed"
                months[strict] = max(months[strict], f.window + f.lag)
        period = AccountingPeriod(months=chosen.period_months)
        items = tuple(str(f.column) for f in chosen.features if f.source == "indicators")
        window = max(months.values())
        needs[name] = Need(
            "feature_set", period, window=window, follows_lag=not months[True], indicators=items
        )
    return needs


def _line_of(
    ruleset: RuleSet, params: dict[str, Any], county: County, days: list[dt.date]
) -> dict[dt.date, float | None]:
    from riskmodel import rules
    from riskmodel.households import Moment

    known_by = max(county.known_through, days[-1])
    return rules.poverty_lines(county, ruleset, [Moment(day, known_by) for day in days], params)


def _fixed(yuan: float, county: County, days: list[dt.date]) -> dict[dt.date, float | None]:
    return dict.fromkeys(days, yuan)


def _heaps(summary: dict[str, Any]) -> list[str]:
    """Say where incomes are heaped, a sentence a place and line."""
    sentences: dict[tuple[str, str], str] = {}
    for row in sorted(summary.get("heaps", {}).get("warned", []), key=lambda row: row["p"]):
        place = row["place"] or "the county"
        sentences.setdefault(
            (place, row["threshold"]),
            f"{place}: incomes are heaped just {row['side']} {row['line']:g} yuan ({row['threshold']}): "
            f"{row['below']} below and {row['above']} above within {row['window']:.1%}, "
            f"p {row['p_adjusted']:.2g} corrected for all looks; see heaped.csv",
        )
    return list(sentences.values())


def _score(log: Path, out: Path) -> list[dict[str, Any]]:
    """Say how many of the slips of a spoiled county this check found."""
    import pandas as pd

    from riskmodel import simulate

    files = (log, *(out / name for name in ("rejected.csv", "suspects.csv", "heaped.csv")))
    given = [pd.read_csv(path) for path in files if path.is_file()]
    return [
        {str(k): v for k, v in row.items()} for row in simulate.detection_rates(*given).to_dict("records")
    ]


def _short(summary: dict[str, Any], out: Path) -> dict[str, Any]:
    """Return what a person wants to read at once; the whole stands in quality.md and quality.json."""
    tables = {
        name: f"{table['read']} read, {table['rejected']} rejected"
        for name, table in summary["tables"].items()
    }
    shown = ("absent", "suspects", "data_through", "data_fingerprint")
    rest = {k: summary[k] for k in shown if summary.get(k)}
    for row in summary.get("spoiled", []):
        why = f" ({row['why']})" if row["why"] and row["found"] < row["spoiled"] else ""
        counted = f"{row['found']} of {row['spoiled']} found" if row["spoiled"] else str(row["found"])
        rest[f"spoiled: {row['slip']}"] = counted + why
    return {"refused": summary["refused"], **tables, **rest, "see": str(out / "quality.md")}


HOUSEHOLDS, MONTHS = 3000, 60
# Truth from 1,000 futures takes some 10 ms a household and date: of larger counties a sample is told.
ALL_TOLD, TRUTH_SAMPLE = 5000, 2000


@light_verb
def simulate(
    out: Annotated[Path | None, typer.Argument(metavar="OUT", help="Folder to write to.")] = None,
    households: Annotated[
        int | None, typer.Option("--households", min=20, help=f"How many (default {HOUSEHOLDS}).")
    ] = None,
    months: Annotated[int, typer.Option("--months", min=24, help="Whole months.")] = MONTHS,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that is drawn.")] = 0,
    profile: Annotated[
        str, typer.Option("--profile", help="An id (docs/simulator.md lists them) or a YAML.")
    ] = "default",
    futures: Annotated[
        int, typer.Option("--futures", min=0, help="Futures a truth is averaged over; 0 for no truth.")
    ] = 1000,
    truth_at: Annotated[
        list[str] | None, typer.Option("--truth-at", metavar="DATE", help="Month ends; repeatable.")
    ] = None,
    horizon: Annotated[
        list[int] | None,
        typer.Option("--horizon", min=1, max=24, help="Months ahead of truth; repeatable (default 12)."),
    ] = None,
    truth_sample: Annotated[
        int | None,
        typer.Option(
            "--truth-sample",
            min=1,
            help=f"Truth for so many households, drawn (default: all up to {ALL_TOLD}, else {TRUTH_SAMPLE}).",
        ),
    ] = None,
    register: Annotated[
        str | None,
        typer.Option(
            "--register", metavar="RULESET", help="The rule set its register goes by: an id or a YAML."
        ),
    ] = None,
    dirty: Annotated[
        str | None, typer.Option("--dirty", metavar="ID|FILE", help="Spoil records: default, or a YAML.")
    ] = None,
    recorded: Annotated[
        bool,
        typer.Option("--recorded/--no-recorded", help="Whether table recorded states what is on record."),
    ] = True,
    bracket: Annotated[
        bool,
        typer.Option(
            "--bracket",
            help="Also what records can tell at least, by a learner that is shown the truth of other "
            "counties: lower_bound.parquet. Takes a minute or two of processor time a horizon.",
        ),
    ] = False,
    validate: Annotated[
        bool, typer.Option("--validate", help="No county: measure the profile against published figures.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Simulate a county in the data contract, with its true risks in truth.parquet; or --validate it."""
    if validate:
        _validate(profile, households, seed, as_json)
        return
    if out is None:
        say("riskmodel simulate needs OUT, the folder to write to; or --validate")
        raise typer.Exit(USAGE)
    if bracket and futures == 0:
        say("riskmodel simulate --bracket compares with the truth: it needs --futures above 0")
        raise typer.Exit(USAGE)
    from riskmodel import simulate as simulation

    _not_a_real_county(out)
    spoiling = simulation.load_error_profile(dirty) if dirty else None
    flag_rule = None
    if register:
        flag_rule = simulation.register_rule(register)
    size = households or HOUSEHOLDS
    if truth_sample is None and size > ALL_TOLD:
        truth_sample = TRUTH_SAMPLE
    county = simulation.load_profile(profile)
    asked = simulation.simulation_spec(
        households=size,
        months=months,
        seed=seed,
        profile_name=county if recorded else simulation.without_recorded(county),
        futures=futures,
        flag_rule=flag_rule,
        truth_at=truth_at or None,
        horizon=horizon or 12,
        truth_sample=truth_sample,
    )
    plan = asked.plan
    say(f"simulating {plan.households} households over {plan.months} months (profile {profile}, seed {seed})")
    if register:
        say(f"its register goes by {asked.register}")
    if asked.truth_at and truth_sample and size > truth_sample:
        say(f"truth for {truth_sample} of them, drawn at random (--truth-sample)")
    files = simulation.write_simulated_blocks(asked, out, spoiling)
    if spoiling is not None:
        say(f"spoiled on purpose; what was done to which row: {files[-1]}")
    summary = _summary(asked, out, files)
    tell(summary | (_bracket(asked, out) if bracket else {}), as_json)


def _bracket(asked: SimulationSpec, out: Path) -> dict[str, Any]:
    """Write what records can tell at least beside the truth; returned is what it was learned from."""
    from riskmodel.data import read_county
    from riskmodel.io import write_table
    from riskmodel.runs import load_experiment, read_truth
    from riskmodel.simulate import LOWER_BOUND, lower_bound

    truth = read_truth(out)
    if truth is None or truth.empty:
        raise InputRefused("no date has a truth, so none can be learned: ask for others (--truth-at)")
    say("learning from the true chances of other counties what records can tell at least (--bracket)")
    found = lower_bound.lower_bound_chances(load_experiment("county"), asked, read_county(out), truth, say)
    write_table(found, out / LOWER_BOUND)
    sizes = {name: int(found[name].max()) for name in ("households", "columns")}
    return {"lower_bound": {"rows": len(found)} | sizes}


def _not_a_real_county(out: Path) -> None:
    """Refuse to write over a county that was not simulated: nobody could bring it back."""
    import yaml

    from riskmodel.simulate import TABLES

    there = [p.name for name in TABLES for p in sorted(out.glob(f"{name}.*"))] if out.is_dir() else []
    about = out / "about.yaml"
    made_up = about.is_file() and "simulated" in (yaml.safe_load(about.read_text(encoding="utf-8")) or {})
    if there and not made_up:
        raise InputRefused(
            f"{out} holds tables that were not simulated ({', '.join(there)}): name another folder"
        )


def _summary(asked: SimulationSpec, out: Path, files: list[Path]) -> dict[str, Any]:
    import pyarrow.parquet as pq

    rows = {f.stem: pq.read_metadata(f).num_rows for f in files if f.suffix == ".parquet"}
    truth = rows.pop("truth", 0)
    plan = asked.plan
    return {
        "out": str(out),
        "households": plan.households,
        "months": plan.months,
        "seed": plan.seed,
        "register": asked.register,
        "rows": rows,
        "truth_rows": truth,
    }


def _validate(profile: str, households: int | None, seed: int, as_json: bool) -> None:
    from riskmodel import simulate as simulation

    size = households or simulation.VALIDATION_HOUSEHOLDS
    say(f"simulating {size} households over eight years (profile {profile}, seed {seed})")
    table = simulation.validate_profile(profile, households=size, seed=seed)
    counted = simulation.summarise_validation(table)
    if as_json:
        tell(
            {"profile": profile, "households": size, **counted, "targets": table.to_dict("records")}, as_json
        )
        return
    show(simulation.describe_validation(table))
    show(
        f"\nmet: {counted['fitted_met']} of {counted['fitted']} fitted, "
        f"{counted['checked_met']} of {counted['checked']} only checked"
    )
