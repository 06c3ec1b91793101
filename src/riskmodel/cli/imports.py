"""Verbs that bring files from elsewhere into the contract's tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from riskmodel.cli.common import REFUSED, JsonFlag, LangOption, Pseudonymise, light_verb, say, tell, verb

if TYPE_CHECKING:
    from riskmodel.grids import Skipped
    from riskmodel.i18n import Language
    from riskmodel.importing import ImportMap, ImportResult, SheetGuess

OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to.")]
SourcesArgument = Annotated[list[Path], typer.Argument(metavar="SOURCE…", help="Files or folders.")]
_SHOWN = 20  # questions told on stderr; all of them stand in the report


class ImportCommands(TyperGroup):
    """The general import, then one command for each importer of the registry."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands' names."""
        from riskmodel.importing import IMPORTERS

        return [*GENERAL, *IMPORTERS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; none is loaded before the group is asked."""
        from riskmodel.importing import IMPORTERS

        if cmd_name in GENERAL:
            return _command(cmd_name, GENERAL[cmd_name], None)
        plan = IMPORTERS.get(cmd_name)
        if plan is None:
            return None
        function = _without_file(cmd_name) if plan.data else _with_file(cmd_name, plan.file or "Its file.")
        return _command(cmd_name, function, f"Import {plan.title}")


def _command(name: str, function: Callable[..., None], text: str | None) -> Any:
    one = typer.Typer(rich_markup_mode=None, add_completion=False)
    one.command(name, help=text)(function)
    return typer.main.get_command(one)


@verb
def guess(
    sources: SourcesArgument,
    out: Annotated[Path, typer.Option("--out", metavar="MAP.yaml", help="Where the map is written.")],
    lang: LangOption = "zh",
    as_json: JsonFlag = False,
) -> None:
    """Look at files, sheets and headers, and propose a map of what each holds."""
    from riskmodel.importing import guess_files, question_as_dict, read_sheets

    sheets = read_sheets(sources)
    plan, guesses = guess_files(sheets)
    if not guesses:
        _say_unread(sheets.skipped, _language(lang))
        say(f"riskmodel: nothing in {_named(sources)} can be read as a table, so there is no map to propose")
        raise typer.Exit(REFUSED)
    _write_map(plan, out, guesses, _language(lang))
    questions = [q for g in guesses for q in g.questions]
    _say_questions(questions, _language(lang))
    tell(
        {
            "map": str(out),
            "sheets": [_sheet(g, _language(lang)) for g in guesses],
            "skipped": [
                {"file": s.file, "sheet": s.sheet, "why": s.why.text(_language(lang))} for s in sheets.skipped
            ],
            "asked": [question_as_dict(q, _language(lang)) for q in questions],
        },
        as_json,
    )


def _write_map(plan: ImportMap, path: Path, guesses: list[SheetGuess], language: Language) -> None:
    """Write a map; one of other content that stands there may hold somebody's answers, and is kept."""
    from riskmodel.importing import keep_earlier_file, map_comments, map_text, write_map

    comments = map_comments(guesses, language)
    if kept := keep_earlier_file(path, map_text(plan, comments)):
        say(f"{path} was there with other content; it is kept as {kept}")
    write_map(plan, path, comments)


def _named(sources: list[Path]) -> str:
    return ", ".join(str(one) for one in sources)


def _say_unread(skipped: Iterable[Skipped], language: Language) -> None:
    for one in skipped:
        say(one.why.text(language))


def _sheet(one: SheetGuess, language: Language) -> dict[str, Any]:
    from riskmodel.importing import skip_reason

    why = skip_reason(one.spec.skip)
    return {
        "file": one.spec.file,
        "sheet": one.spec.sheet,
        "tables": sorted({t.table for t in one.spec.tables}),
        "skip": why if isinstance(why, str) else why.text(language),
        "unread": list(one.unread),
    }


@verb
def table(
    sources: SourcesArgument,
    into: Annotated[Path, typer.Option("--into", metavar="DATA", help="Folder of the county's tables.")],
    map_: Annotated[
        Path | None,
        typer.Option("--map", metavar="MAP.yaml", help="What is read; proposed where left out."),
    ] = None,
    corrections: Annotated[
        list[Path] | None,
        typer.Option("--corrections", metavar="LIST.xlsx", help="A problem list, filled in; repeatable."),
    ] = None,
    pseudonymise: Pseudonymise = False,
    lang: LangOption = "zh",
    as_json: JsonFlag = False,
) -> None:
    """Read an office's files into the contract's tables, and account for everything in them."""
    from riskmodel.importing import (
        import_files,
        merge_corrections,
        missing_tables,
        read_corrections,
        read_map,
        refuse_destination,
        stored_corrections,
        write_import,
    )

    refuse_destination(into, sources, corrections or ())
    plan = read_map(map_) if map_ else None
    given = [c for path in corrections or () for c in read_corrections(path)]
    taken = merge_corrections(stored_corrections(into), given)
    result = import_files(sources, plan, taken, pseudonymise_ids=pseudonymise)
    _say_result(result, _language(lang))
    write_import(result, into, _language(lang))
    say(f"the whole account: {into / 'reading.xlsx'}")
    summary = result.as_dict(_language(lang))
    refused = list(result.blocking)
    if refused:
        path = map_ or into / "map.yaml"
        if map_ is None:
            _write_map(result.plan, path, result.guesses, _language(lang))
        say(f"not read before these are answered; edit {path} and give it with --map:")
        _say_questions(refused, _language(lang))
    absent = _say_absent(result, map_) if map_ and map_.is_file() else 0
    tell(summary if as_json else _short(summary), as_json)
    if refused or absent:
        raise typer.Exit(REFUSED)
    lacking = missing_tables(result)
    if lacking:
        nothing = "" if result.assembled.tables else f"nothing was read of {_named(sources)}: "
        say(f"riskmodel: {nothing}no table {', '.join(lacking)} in these files; a county needs them")
        raise typer.Exit(REFUSED)


@verb
def panel(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, Parquet, a workbook, Stata (.dta) or SPSS (.sav).")
    ],
    out: OutArgument,
    map_: Annotated[
        str, typer.Option("--map", metavar="MAP.yaml", help="The panel map, or the id of a packaged one.")
    ],
    as_json: JsonFlag = False,
) -> None:
    """Import a panel of persons or households by a map; see docs/real-panels.md."""
    from riskmodel.importing import import_panel_file

    made = import_panel_file(file, map_, out)
    for sentence in made.told:
        say(sentence)
    summary = {"out": str(out), "households": made.households, "waves": made.waves, "rows": made.rows}
    tell(summary | {"told": list(made.told)} if as_json else summary, as_json)


def _short(summary: dict[str, Any]) -> dict[str, Any]:
    return {
        "tables": summary["tables"],
        "sources": len(summary["sources"]),
        "asked": len(summary["asked"]),
        "unknown": len(summary["unknown"]),
    }


def _say_result(result: ImportResult, language: Language) -> None:
    for one in result.sources:
        name = f"{one.file} {one.sheet}".strip()
        counts = f"{one.used} rows used, {one.rejected} rejected, {one.skipped} skipped"
        why = one.why if isinstance(one.why, str) else one.why.text(language)
        say(f"{name}: {why or counts}")


def _say_absent(result: ImportResult, path: Path) -> int:
    """Tell of the map's columns that a sheet has not, by line; return how many of them keep a table out."""
    lines = path.read_text("utf-8-sig").splitlines()
    found = [f for f in result.assembled.findings.items if f.kind == "header absent"]
    for one in found:
        at = next((n for n, line in enumerate(lines, 1) if one.text in line.partition("#")[0]), 0)
        say(f"{path}: line {at}: no column {one.text} in {one.file} {one.sheet}".rstrip())
    return sum(one.handling == "rejected" for one in found)


def _say_questions(questions: list[Any], language: Language) -> None:
    for one in questions[:_SHOWN]:
        say(f"{one.file} {one.sheet} {one.where}: {one.message().text(language)}")
    if len(questions) > _SHOWN:
        say(f"… and {len(questions) - _SHOWN} more")


def _language(given: str) -> Language:
    return "en" if given == "en" else "zh"


@light_verb
def template(
    out: Annotated[Path, typer.Argument(metavar="OUT.xlsx", help="The workbook to write.")],
    as_json: JsonFlag = False,
) -> None:
    """Write a workbook that an office fills in; `import table … --map template` reads it back."""
    from riskmodel.errors import InputMissing
    from riskmodel.importing import template_sheets, write_template

    if out.exists():
        raise InputMissing(f"{out}: is there already, and may be filled in; give another name")
    write_template(out)
    tell({"out": str(out), "sheets": list(template_sheets())}, as_json)


GENERAL: dict[str, Callable[..., None]] = {
    "guess": guess,
    "table": table,
    "template": template,
    "panel": panel,
}


def _with_file(name: str, what: str) -> Callable[..., None]:
    def run(
        file: Path,
        out: OutArgument,
        as_json: JsonFlag = False,
    ) -> None:
        _import_panel(name, out, file, as_json)

    run.__annotations__["file"] = Annotated[Path, typer.Argument(metavar="FILE", help=what)]
    return verb(run)


def _without_file(name: str) -> Callable[..., None]:
    def run(out: OutArgument, as_json: JsonFlag = False) -> None:
        _import_panel(name, out, None, as_json)

    return verb(run)


def _import_panel(name: str, out: Path, file: Path | None, as_json: bool) -> None:
    from riskmodel.importing import import_panel

    tell({"out": str(out), "rows": import_panel(name, out, file)}, as_json)


importers = typer.Typer(
    cls=ImportCommands,
    help="Bring an office's files, or panels from elsewhere, into the contract's tables.",
    no_args_is_help=True,
)
