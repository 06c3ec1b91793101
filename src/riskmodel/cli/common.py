"""What every verb shares: exit codes, progress on stderr, summaries on stdout."""

from __future__ import annotations

import datetime as dt
import functools
import inspect
import json
import math
import os
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_type_hints

import typer

from riskmodel.cli.language import asked_language, summary_lines
from riskmodel.errors import InputMissing, InputRefused, RiskmodelError
from riskmodel.i18n import check_language, counted, spoken_language, translate
from riskmodel.io import DEFAULT_STORE, ENDINGS, collect_backups, limit_resources, writable

if TYPE_CHECKING:
    from riskmodel.data import County

DONE, REFUSED, USAGE = 0, 1, 2
OUR_FAULT = 70  # EX_SOFTWARE of sysexits.h: neither the data nor the call can mend it

JsonFlag = Annotated[bool, typer.Option("--json", help="Print a machine-readable summary on stdout.")]
StoreOption = Annotated[Path, typer.Option("--store", help="MLflow's SQLite file (one for demo and verbs).")]
DataArgument = Annotated[Path, typer.Argument(metavar="DATA", help="Folder of tables, or a DuckDB file.")]
AsOfOption = Annotated[str, typer.Option("--as-of", metavar="DATE", help="The day that is spoken of.")]
LangOption = Annotated[str, typer.Option("--lang", help="zh or en: outputs and messages.")]
_Lang = Annotated[
    str | None, typer.Option("--lang", help="Of messages, zh or en: by default the system's language.")
]
Pseudonymise = Annotated[
    bool,
    typer.Option("--pseudonymise", help="Key ids by HMAC (key in RISKMODEL_PSEUDONYM_KEY), drop names."),
]
QuotaOption = Annotated[
    list[str] | None,
    typer.Option(
        "--quota",
        metavar="PLACE[:N|:P%]",
        help="village: a visit for each; village:2: two; township:50%: half the visits shared out by "
        "households; repeatable.",
    ),
]
BeyondOption = Annotated[
    Literal["none", "score", "half", "last"] | None,
    typer.Option(
        "--beyond",
        help="Below the line or under watch, and no rule flags it: none (only by lot), by score, every "
        "second place, or last.",
    ),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME[@YEAR]=VALUE",
        help="A parameter of the rule set; with @YEAR from that year on; repeatable.",
    ),
]
LineOption = Annotated[
    list[str] | None,
    typer.Option(
        "--line",
        metavar="[YEAR=]YUAN",
        help="The rule set's line a head and year; with YEAR= from that year on; repeatable.",
    ),
]
CalendarOption = Annotated[
    Path | None,
    typer.Option("--calendar", metavar="FILE", help="The office's own holidays, YAML, beside the packaged."),
]
SplitOption = Annotated[
    Literal["township", "none"] | None,
    typer.Option("--split", help="township: a workbook for each, for those who visit: no score, no source."),
]
NamesOption = Annotated[
    Path | None, typer.Option("--names", metavar="FILE", help="Names, joined at output, stored nowhere.")
]
MeasuresOption = Annotated[
    Path | None, typer.Option("--measures", metavar="FILE", help="The office's own measures, YAML.")
]


Memory = Annotated[
    str | None, typer.Option("--memory", metavar="SIZE", help="What the table engine may hold: 2GiB.")
]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="Of the table engine and numerical libraries.")
]


@dataclass(frozen=True)
class ReadingOptions:
    """How a county's tables are read: `verb` expands a parameter of this type into these options."""

    max_rejected: Annotated[
        float,
        typer.Option("--max-rejected", min=0, max=1, help="Refuse a table when more than this is rejected."),
    ] = 0.05
    snapshot_on: Annotated[
        str | None,
        typer.Option(
            "--snapshot-on", metavar="DATE", help="When undated household and member rows were taken."
        ),
    ] = None
    pseudonymise: Pseudonymise = False
    memory: Memory = None
    threads: Threads = None

    @property
    def options(self) -> dict[str, Any]:
        """The options as `riskmodel.data.read_county` takes them."""
        return {name: value for name, value in asdict(self).items() if name not in LIMITS}

    def read_county(self, data: Path, *, out: Path | None = None, as_of: Any = None) -> County:
        """Read a county, say what was noticed, and write ``rejected.csv`` and ``cells.csv`` beside it.

        Days asked for that lie where there are no records are warned of here, for every verb.
        """
        from riskmodel import data as counties
        from riskmodel.households import as_moments, dates_outside_records

        days = as_moments(as_of) if as_of else ()  # a wrong date is told before anything is read
        folder = out or Path()
        try:
            county = counties.read_county(data, **self.options)
        except counties.DataRefused as exc:
            if len(exc.rejected):
                say(f"rejected rows, kept whole: {counties.write_rejected(exc.rejected, folder)}")
            raise
        for note in county.notes:
            say(f"note: {note}")
        rejected = county.rejected
        if len(rejected):
            rows, path = rejected.groupby(["file", "row"]).ngroups, counties.write_rejected(rejected, folder)
            say(f"warning: {counted(rows, 'row')} rejected, kept whole in {path}")
        if len(county.cells):
            path = counties.write_cells(county.cells, folder)
            cells = counted(len(county.cells), "cell")
            say(f"warning: {cells} that cannot be read left empty, see {path}")
        for note in dates_outside_records(county, [d.as_of for d in days]) if days else ():
            warn(note)
        return county


READING = ReadingOptions()
LIMITS = ("memory", "threads")  # of the process, not of how a county is read
STORE = DEFAULT_STORE
# Options that name what a verb writes, and what a file's name may end in; so does an argument OUT, a folder.
OUTPUTS: dict[str, tuple[str, ...]] = {
    "--out": ENDINGS,
    "--page": (),
    "--further": (),
    "--sheets": (".html", ".pdf"),
}
# Arguments that name what a verb writes: whether a folder, and what a file's name may end in.
_ARGUMENTS: dict[str, tuple[bool, tuple[str, ...]]] = {"OUT": (True, ()), "OUT.xlsx": (False, (".xlsx",))}
# What the verb now running has warned of.
_WARNED: ContextVar[list[str]] = ContextVar("_WARNED")

F = TypeVar("F", bound=Callable[..., Any])


def say(text: str) -> None:
    """Tell progress, on stderr, in the language of the call."""
    typer.echo(translate(text, spoken_language()), err=True)


def show(text: str) -> None:
    """Print a result, on stdout, in the language of the call."""
    typer.echo(translate(text, spoken_language()))


def verb(function: F) -> F:
    """Turn the errors that riskmodel raises on purpose into one message and the contract's exit code.

    A parameter of the type `ReadingOptions` becomes that type's options on the command line; a verb without
    one takes ``--memory`` and ``--threads`` alone, unless it is a `light_verb`. One that writes nothing in
    either language takes ``--lang`` too, for its messages; given before the verb, it is the verb's.

    Anything else that is raised is a fault of ours: it is named in one line too (an office gains nothing
    from a traceback), and RISKMODEL_DEBUG=1 shows the whole. Where an output (`OUTPUTS`) or the store
    cannot stand, nothing is begun.
    """
    return _as_verb(function, limits=True)


def light_verb(function: F) -> F:
    """As `verb`, for what reads no tables: there is nothing to limit."""
    return _as_verb(function, limits=False)


def _as_verb(function: F, *, limits: bool) -> F:
    parameters, reading = _parameters(function)
    own = [] if reading is not None or not limits else _limit_parameters()
    spoken = any(p.name == "lang" for p in parameters)
    language = [] if spoken else [_language_parameter()]

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _WARNED.set([])
        if (asked := asked_language()) is not None:
            kwargs["lang"] = asked
        lang = kwargs.get("lang") if spoken else kwargs.pop("lang", None)
        given = {p.name: kwargs.pop(p.name, None) for p in own}
        if reading is not None:
            kwargs[reading] = ReadingOptions(**{n: kwargs.pop(n) for n in asdict(READING) if n in kwargs})
            given = {n: getattr(kwargs[reading], n) for n in LIMITS}
        try:
            check_language(lang or "en")
            if given:
                limit_resources(**given)
            _refuse_early(function, kwargs)
            return _tell_backups(function, *args, **kwargs)
        except RiskmodelError as exc:
            if os.environ.get("RISKMODEL_DEBUG"):
                raise
            say(f"riskmodel: {exc}")
            raise typer.Exit(REFUSED if isinstance(exc, InputRefused) else USAGE) from exc
        except (typer.Exit, typer.Abort, KeyboardInterrupt):
            raise
        except Exception as exc:
            if os.environ.get("RISKMODEL_DEBUG"):
                raise
            say(f"riskmodel: a fault of ours: {type(exc).__name__}: {exc}; RISKMODEL_DEBUG=1 shows where")
            raise typer.Exit(OUR_FAULT) from exc

    wrapped.__signature__ = inspect.Signature([*parameters, *own, *language])  # type: ignore[attr-defined]
    return wrapped  # type: ignore[return-value]


def _tell_backups(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a verb; whatever an office wrote that was put aside meanwhile is told."""
    with collect_backups() as kept:
        try:
            return function(*args, **kwargs)
        finally:
            for path in kept:
                warn(f"a file that somebody changed is written anew; what stood in it is kept as {path}")


def _parameters(function: Callable[..., Any]) -> tuple[list[inspect.Parameter], str | None]:
    """Return a verb's parameters as typer shall see them, and the name of the one that was expanded."""
    parameters, reading = [], None
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        if hints[parameter.name] is ReadingOptions:
            reading = parameter.name
            parameters += _parameters(ReadingOptions)[0]
        else:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))
    return [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters], reading


def _limit_parameters() -> list[inspect.Parameter]:
    return [p for p in _parameters(ReadingOptions)[0] if p.name in LIMITS]


def _language_parameter() -> inspect.Parameter:
    return inspect.Parameter("lang", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_Lang)


def _refuse_early(function: Callable[..., Any], given: dict[str, Any]) -> None:
    """Refuse what every verb takes and none can use, before any work is done."""
    for name, (folder, endings) in _outputs(function).items():
        if isinstance(given.get(name), Path):
            writable(given[name], folder=folder, endings=endings)
    if isinstance(given.get("store"), Path):
        _can_stand(given["store"])


def _outputs(function: Callable[..., Any]) -> dict[str, tuple[bool, tuple[str, ...]]]:
    """Return a verb's parameters that name an output: whether each is a folder, and what files end in."""
    out = {}
    for name, hint in get_type_hints(function, include_extras=True).items():
        for option in getattr(hint, "__metadata__", ()):
            # Inside Annotated, typer keeps the first name as the default until it builds the command.
            names = (getattr(option, "default", None), *(getattr(option, "param_decls", None) or ()))
            metavar = getattr(option, "metavar", None)
            for given in OUTPUTS.keys() & {n for n in names if isinstance(n, str)}:
                endings = (".yaml", ".yml") if metavar == "MAP.yaml" else OUTPUTS[given]
                out[name] = (metavar == "DIR", endings)
            if isinstance(option, typer.models.ArgumentInfo) and metavar in _ARGUMENTS:
                out[name] = _ARGUMENTS[metavar]
    return out


def _can_stand(store: Path) -> None:
    """Refuse a store where no file can be: found out after training, it would cost all of that time."""
    if store.is_dir():
        raise InputMissing(f"{store}: cannot be written: it is a folder; name a file, such as {STORE}")
    there = next(parent for parent in store.absolute().parents if parent.exists())
    if not there.is_dir():
        raise InputMissing(f"{store}: cannot be written: {there}: it is no folder")


def warn(text: str, spoken: str = "") -> None:
    """Tell a warning, on stderr (as `spoken`, if given) and under ``warnings`` in the summary of `tell`."""
    say(f"warning: {spoken or text}")
    _WARNED.get([]).append(text)


def tell(summary: dict[str, Any], as_json: bool) -> None:
    """Print a verb's summary on stdout: as JSON for machines (in English), else a line a key."""
    if as_json:
        if _WARNED.get([]):
            summary = {**summary, "warnings": [*summary.get("warnings", []), *_WARNED.get([])]}
        sys.stdout.write(_json(summary) + "\n")
        return
    if spoken_language() == "zh":
        sys.stdout.writelines(line + "\n" for line in summary_lines(summary))
        return
    for key, value in summary.items():
        sys.stdout.write(f"{key}: {_json(value) if isinstance(value, list | dict) else value}\n")


def _json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, default=str, allow_nan=False)


def _plain(value: Any) -> Any:
    """Return plain values; what is not a number has no word in JSON but null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, dt.datetime) and value == value and value.time() == dt.time():
        return value.date()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_people(names: Path | None, pseudonymise: bool) -> Any:
    """Read the office's file of names; where the county's ids are keyed, its ids are keyed alike."""
    if names is None:
        return None
    from riskmodel.data import secret_key
    from riskmodel.scoring import pseudonymise_names, read_names

    found = read_names(names)
    return pseudonymise_names(found, secret_key()) if pseudonymise else found
