"""Verbs of the official rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskmodel.cli.common import (
    DONE,
    REFUSED,
    USAGE,
    JsonFlag,
    MaxRejected,
    Pseudonymise,
    SnapshotOption,
    read_county,
    say,
    tell,
    verb,
)

if TYPE_CHECKING:
    import pandas as pd


@verb
def rules(
    data: Annotated[Path | None, typer.Argument(metavar="DATA", help="Folder of tables, or DuckDB.")] = None,
    ruleset: Annotated[str | None, typer.Option("--ruleset", metavar="ID", help="An id or a YAML.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".parquet, .csv, .xlsx")] = None,
    param: Annotated[list[str] | None, typer.Option("--param", metavar="NAME=VALUE")] = None,
    scores: Annotated[Path | None, typer.Option("--scores", metavar="FILE", help="For cards-2023.")] = None,
    explain: Annotated[str | None, typer.Option("--explain", metavar="HOUSEHOLD", help="Why?")] = None,
    listing: Annotated[bool, typer.Option("--list", help="What rule sets there are.")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh or en.")] = "zh",
    max_rejected: MaxRejected = 0.05,
    snapshot_on: SnapshotOption = None,
    pseudonymise: Pseudonymise = False,
    as_json: JsonFlag = False,
) -> None:
    """Judge every household by a rule set; list the sets; explain one verdict."""
    if listing:
        _list(as_json)
        return
    if data is None or ruleset is None or as_of is None or (out is None and explain is None):
        say("riskmodel rules needs DATA, --ruleset ID, --as-of DATE, and --out FILE or --explain HOUSEHOLD")
        raise typer.Exit(USAGE)
    from riskmodel import rules as official
    from riskmodel.asof import to_date

    to_date(as_of)
    params = official.parse_overrides(param or [])
    chosen = official.load(ruleset)
    county = read_county(
        data,
        out=out.parent if out else None,
        snapshot_on=snapshot_on,
        max_rejected=max_rejected,
        pseudonymise=pseudonymise,
    )
    if explain is not None:
        told = official.explain(county, chosen, as_of, explain, params=params, scores=scores)
        tell(told if as_json else {lang: told[lang]}, as_json)
        return
    _write(official.evaluate(county, chosen, as_of, params=params, scores=scores), out, as_json)


def _write(verdicts: pd.DataFrame, out: Path | None, as_json: bool) -> None:
    from riskmodel.files import write_table

    if out is None:
        return
    write_table(verdicts, out, sheet="rules")
    categories = verdicts["category"].value_counts().sort_index()
    tell(
        {
            "out": str(out),
            "households": len(verdicts),
            "flagged": int(verdicts["flagged"].sum()),
            "categories": {str(k): int(v) for k, v in categories.items()},
        },
        as_json,
    )


def _list(as_json: bool) -> None:
    from riskmodel import rules as official

    found = official.listing()
    if as_json:
        tell({"rulesets": found.to_dict("records")}, as_json)
        return
    for row in found.to_dict("records"):
        typer.echo("  ".join(str(v) for v in row.values()))


@verb
def ledger(
    data: Annotated[Path | None, typer.Argument(metavar="DATA", help="Folder of tables, or DuckDB.")] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR")] = Path("out/ledger"),
    check: Annotated[Path | None, typer.Option("--check", metavar="FILE", help="A published ledger.")] = None,
    lang: Annotated[str, typer.Option("--lang", help="zh or en.")] = "zh",
    max_rejected: MaxRejected = 0.05,
    snapshot_on: SnapshotOption = None,
    pseudonymise: Pseudonymise = False,
    as_json: JsonFlag = False,
) -> None:
    """Balance the register over a period and make the office tables; or check a published ledger."""
    from riskmodel import ledger as ledgers

    if check is not None:
        answer = ledgers.check(check)
        if as_json:
            tell(answer, as_json)
        else:
            typer.echo(ledgers.check_text(answer, lang))
        raise typer.Exit(DONE if answer["balanced"] else REFUSED)
    if data is None or first is None or last is None:
        say("riskmodel ledger needs DATA, --from DATE and --to DATE; or --check FILE")
        raise typer.Exit(USAGE)
    county = read_county(
        data, out=out, snapshot_on=snapshot_on, max_rejected=max_rejected, pseudonymise=pseudonymise
    )
    made = ledgers.build(county, first, last)
    ledgers.write(made, out, lang)
    tell({"out": str(out), **ledgers.summary(made)}, as_json)
