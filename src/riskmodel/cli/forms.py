"""The verb of forms and reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskmodel.cli.common import (
    READING,
    USAGE,
    JsonFlag,
    LangOption,
    LineOption,
    MeasuresOption,
    NamesOption,
    ParamOption,
    ReadingOptions,
    read_people,
    say,
    tell,
    verb,
    warn,
)

if TYPE_CHECKING:
    from riskmodel.forms import OfMonth
    from riskmodel.households import KnownCounty

NOT_SIGNED = (
    "no page of first use is signed for these data: --form first-use writes it; once it is signed, "
    "--signed-by UNIT --signed-on DATE --document NUMBER"
)


@verb
def forms(
    data: Annotated[Path | None, typer.Argument(metavar="DATA", help="Folder of tables, or DuckDB.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="The day spoken of.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")] = Path(
        "out/forms"
    ),
    form: Annotated[
        list[str] | None, typer.Option("--form", metavar="ID", help="Which form; repeatable. See --list.")
    ] = None,
    month: Annotated[
        Path | None, typer.Option("--month", metavar="MONTHDIR", help="Whose list says whom to visit.")
    ] = None,
    household: Annotated[
        list[str] | None, typer.Option("--household", metavar="ID", help="Only of these; repeatable.")
    ] = None,
    ruleset: Annotated[
        str | None, typer.Option("--ruleset", metavar="ID", help="Default: the month's, else national-2021.")
    ] = None,
    param: ParamOption = None,
    line: LineOption = None,
    names: NamesOption = None,
    measures: MeasuresOption = None,
    templates: Annotated[
        Path | None, typer.Option("--templates", metavar="DIR", help="The office's own templates.")
    ] = None,
    write_templates: Annotated[
        Path | None, typer.Option("--write-templates", metavar="DIR", help="Write templates to change.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="What forms there are.")] = False,
    signed_by: Annotated[
        str | None, typer.Option("--signed-by", help="Unit and office that signed the page of first use.")
    ] = None,
    signed_on: Annotated[
        str | None, typer.Option("--signed-on", metavar="DATE", help="When it was signed.")
    ] = None,
    document: Annotated[str | None, typer.Option("--document", help="Number of the signed page.")] = None,
    lang: LangOption = "zh",
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Fill the forms and reports of the official documents from the data: Word and Excel, in Chinese."""
    from riskmodel import forms as office_forms

    if listing:
        _list(lang, as_json)
        return
    if write_templates is not None:
        paths = office_forms.write_form_templates(write_templates)
        tell({"templates": str(write_templates), "written": len(paths)}, as_json)
        return
    if data is not None and signed_by is not None:
        tell({"signed": str(_sign(data, signed_by, signed_on, document))}, as_json)
        return
    if data is None or as_of is None:
        say("riskmodel forms needs DATA and --as-of DATE; or --list, or --write-templates DIR")
        raise typer.Exit(USAGE)
    if office_forms.read_signature(data) is None:
        warn(NOT_SIGNED)
    default = ruleset or office_forms.DEFAULT_RULES
    of_month = office_forms.read_month(month, ruleset) if month else office_forms.OfMonth(default)
    records = _records(data, as_of, out, of_month, param, line, names, measures, household, reading)
    written = office_forms.write_forms(records, out, form, templates)
    for one in written:
        if one.skipped:
            warn(f"{one.id} {one.zh}: {one.skipped}")
    files = {one.id: [str(path) for path in one.files] for one in written if one.files}
    tell({"out": str(out), "forms": len(files), "files": sum(map(len, files.values())),
          "entries": {one.id: one.entries for one in written if one.files}}, as_json)  # fmt: skip


def _list(lang: str, as_json: bool) -> None:
    from riskmodel.forms import available_forms

    known = available_forms()
    if as_json:
        shown = {"id", "number", "zh", "en", "source", "kind", "on_request"}
        tell({"forms": [f.model_dump(include=shown) for f in known.values()]}, as_json)
        return
    for form in known.values():
        typer.echo(
            f"{form.id}  {form.number or '-'}  {form.text('zh' if lang == 'zh' else 'en')}  ({form.source})"
        )


def _sign(data: Path, signed_by: str, signed_on: str | None, document: str | None) -> Path:
    import datetime as dt

    from riskmodel.forms import record_signature
    from riskmodel.households import to_date

    today = dt.date.today()
    day = to_date(signed_on) if signed_on else today
    return record_signature(data, signed_by, day, document or "", today)


def _records(
    data: Path, as_of: str, out: Path, month: OfMonth, param: list[str] | None, line: list[str] | None,
    names: Path | None, measures: Path | None, household: list[str] | None, reading: ReadingOptions,
) -> Any:  # fmt: skip
    from riskmodel.cases import open_case_log
    from riskmodel.data import secret_key
    from riskmodel.explanation import proposed_measures
    from riskmodel.forms import FormRecords
    from riskmodel.households import known_county, to_date
    from riskmodel.rules import load_rules, read_overrides

    chosen = load_rules(month.ruleset)
    params = read_overrides(chosen, param, line, [to_date(as_of)], month.params)
    people = read_people(names, reading.pseudonymise)
    county = reading.read_county(data, out=out, as_of=as_of)
    known = known_county(county, as_of)
    if people is not None:
        from riskmodel.scoring import names_by_current_number

        people = names_by_current_number(people, known)
        people = people[[c for c in ("household_id", "head_name", "contact", "phone") if c in people]]
    key = secret_key() if reading.pseudonymise else None
    return FormRecords(
        known,
        chosen,
        params,
        people,
        _known_only(known, household),
        month.planned,
        proposed_measures(measures),
        open_case_log(data, key),
        processing=month.processing,
    )


def _known_only(known: KnownCounty, household: list[str] | None) -> tuple[str, ...]:
    """Return the households asked for; one that is not known by the day is refused."""
    from riskmodel.errors import UsageError

    if not household:
        return ()
    there = set(known.townships.index.astype(str))
    for one in household:
        if one not in there:
            raise UsageError(f"no household {one!r} is known by {known.as_of}")
    return tuple(household)
