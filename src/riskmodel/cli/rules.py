"""Verbs of the official rules and the register."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskmodel.cli.common import (
    DONE,
    READING,
    REFUSED,
    USAGE,
    JsonFlag,
    LineOption,
    ParamOption,
    ReadingOptions,
    say,
    tell,
    verb,
)

if TYPE_CHECKING:
    import pandas as pd

    from riskmodel.rules import RuleSet


@verb
def rules(
    data: Annotated[Path | None, typer.Argument(metavar="DATA", help="Folder of tables, or DuckDB.")] = None,
    ruleset: Annotated[str | None, typer.Option("--ruleset", metavar="ID", help="An id or a YAML.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="The day that is spoken of.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".parquet, .csv, .xlsx")] = None,
    param: ParamOption = None,
    line: LineOption = None,
    scores: Annotated[Path | None, typer.Option("--scores", metavar="FILE", help="For cards-2023.")] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="DATE", help="What changed, why?")] = None,
    page: Annotated[Path | None, typer.Option("--page", metavar="DIR", help="The page of rules.")] = None,
    explain: Annotated[str | None, typer.Option("--explain", metavar="HOUSEHOLD", help="Why?")] = None,
    listing: Annotated[bool, typer.Option("--list", help="What rule sets there are.")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh or en: outputs and messages.")] = "zh",
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Judge every household by a rule set; what changed since; list the sets; explain one verdict."""
    if listing:
        _list(as_json)
        return
    if data is None or ruleset is None or as_of is None or not (out or explain or page):
        say("riskmodel rules needs DATA, --ruleset, --as-of, and --out FILE, --page DIR or --explain ID")
        raise typer.Exit(USAGE)
    if since is not None and not (out or page):
        say("riskmodel rules --since DATE writes what changed: add --out FILE or --page DIR")
        raise typer.Exit(USAGE)
    from riskmodel import rules as official
    from riskmodel.households import to_date

    chosen = official.load_rules(ruleset)
    days = [to_date(day) for day in (as_of, since) if day]
    params = official.read_overrides(chosen, param, line, days)
    county = reading.read_county(
        data, out=out.parent if out else page, as_of=[day for day in (as_of, since) if day]
    )
    if explain is not None:
        summary = official.explain_verdict(county, chosen, as_of, explain, params=params, scores=scores)
        tell(summary if as_json else {lang: summary[lang]}, as_json)
        return
    summary = {}
    if page is not None:
        from riskmodel.presentation import write_rules_page

        written = write_rules_page(
            county, chosen, as_of, page, since=since, params=params, scores=scores, lang=lang
        )
        summary["page"] = str(written)
    if out is not None and since is None:
        verdicts = official.evaluate_rules(county, chosen, as_of, params=params, scores=scores)
        dropped = official.find_dropped(county, chosen, as_of, params=params, verdicts=verdicts)
        summary |= _write(official.with_other_readings(verdicts, dropped), out)
        summary["dropped"] = len(dropped)
    elif out is not None:
        summary |= _write_changes(
            official.find_verdict_changes(county, chosen, as_of, since, params=params, scores=scores),
            chosen,
            out,
        )
    tell(summary, as_json)


def _write(verdicts: pd.DataFrame, out: Path) -> dict[str, Any]:
    from riskmodel.io import write_table

    write_table(verdicts, out, sheet="rules")
    categories = verdicts["category"].value_counts().sort_index()
    return {
        "out": str(out),
        "households": len(verdicts),
        "flagged": int(verdicts["flagged"].sum()),
        "categories": {str(k): int(v) for k, v in categories.items()},
    }


def _write_changes(changes: pd.DataFrame, ruleset: RuleSet, out: Path) -> dict[str, Any]:
    from riskmodel import rules as official
    from riskmodel.io import write_table

    for lang in ("zh", "en"):
        changes[f"why_{lang}"] = [
            official.describe_change(ruleset, row, lang)  # type: ignore[arg-type]
            for row in changes.to_dict("records")
        ]
    write_table(changes, out, sheet="changes")
    kinds = changes["kind"].value_counts()
    return {"out": str(out), "changed": len(changes), "kinds": {str(k): int(v) for k, v in kinds.items()}}


def _list(as_json: bool) -> None:
    from riskmodel.rule_files import describe_rule_sets

    sets = describe_rule_sets()
    if as_json:
        tell({"rulesets": sets}, as_json)
        return
    typer.echo("  ".join(sets[0]))
    for row in sets:
        typer.echo("  ".join(str(v) for v in row.values()))
    say("*: an assumption where the source leaves it open; --param NAME=VALUE overrides a parameter")


def _answer(published: Path) -> dict[str, Any]:
    """Check a published ledger; to the shell it is data, however it is written."""
    from riskmodel import register as ledgers
    from riskmodel.errors import InputRefused, SpecError

    try:
        return ledgers.check_published(published)
    except SpecError as exc:
        raise InputRefused(str(exc)) from exc


@verb
def ledger(
    data: Annotated[Path | None, typer.Argument(metavar="DATA", help="Folder of tables, or DuckDB.")] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")] = Path(
        "out/ledger"
    ),
    check: Annotated[Path | None, typer.Option("--check", metavar="FILE", help="A published ledger.")] = None,
    lang: Annotated[str, typer.Option("--lang", help="zh or en: outputs and messages.")] = "zh",
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Balance the register over a period and make the office tables; or check a published ledger."""
    from riskmodel import presentation
    from riskmodel import register as ledgers

    if check is not None:
        answer = _answer(check)
        if as_json:
            tell(answer, as_json)
        else:
            typer.echo(ledgers.describe_check(answer, lang))
        raise typer.Exit(DONE if answer["balanced"] else REFUSED)
    if data is None or first is None or last is None:
        say("riskmodel ledger needs DATA, --from DATE and --to DATE; or --check FILE")
        raise typer.Exit(USAGE)
    county = reading.read_county(data, out=out, as_of=last)
    accounts = ledgers.build_register_accounts(county, first, last)
    presentation.write_register(accounts, out, lang)
    tell({"out": str(out), **ledgers.summarise_accounts(accounts)}, as_json)
