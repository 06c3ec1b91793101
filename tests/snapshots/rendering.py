"""Files as texts that can be compared: what varies from run to run is replaced, numbers are rounded."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd

# Significant digits kept: linear algebra differs in the last ones from machine to machine.
DIGITS = 6
# Of a longer table the first and last rows are shown; a hash speaks for all.
ROWS, HEAD, TAIL = 60, 20, 5
# Not text, and not for comparing: what a model learnt shows in its scores. Listed by name alone.
OMITTED = {".skops", ".json.gz", ".pkl", ".png", ".db", ".duckdb", ".lock"}

_LONG = re.compile(r"(?<![\w.])-?\d+\.\d{4,}(?:[eE][-+]?\d+)?(?![\w.])")
_HEX = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_MODEL_ID = re.compile(r"\bm-[0-9a-f]{32}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")
_DATA = re.compile(r"(<script type=\"application/json\"[^>]*>)(.*?)(</script>)", re.DOTALL)
_SHA = re.compile(r"SHA-256 [0-9a-f]{64}")
_VERSION = re.compile(r"(?<![\w.-])\d+\.\d+\.\d+(?![\w-]|\.\d)")
_EFFORT = re.compile(r"\d+\.\d+ (minutes|GiB)|\d+/\d+(?=[,)])")
_SECONDS = re.compile(r"\[\s*\d+ s\]")
_EMBEDDED = re.compile(r"data:([\w/+.-]+);base64,([A-Za-z0-9+/=]+)")


class Renderer:
    """Makes a text of what a verb wrote or said; paths below `home` and `root` lose their beginning."""

    def __init__(self, home: Path, root: Path) -> None:
        self._paths = [(f"{p}/", "") for p in (str(home.resolve()), str(home))]
        self._paths += [(str(home.resolve()), "."), (str(root), "<root>")]

    def text(self, text: str) -> str:
        """Return a text without what differs between two runs of the same code."""
        for path, said in self._paths:
            text = text.replace(path, said)
        text = _EMBEDDED.sub(lambda m: f"<embedded {m[1]} {_digest(m[2])}>", text)
        text = _HEX.sub("<run>", _MODEL_ID.sub("<model>", text))
        text = _SECONDS.sub("[<seconds>]", _TIME.sub("<time>", text))
        text = _VERSION.sub("<version>", _SHA.sub("SHA-256 <digest>", text))
        text = text.replace(f"{dt.date.today():%Y-%m-%d}", "<today>")
        return _LONG.sub(lambda m: _rounded(float(m[0])), text)

    def value(self, value: Any) -> str:
        """Return JSON, a line a value, rounded."""
        return self.text("\n".join(_json_lines(_plain(value))))

    def file(self, path: Path) -> str | None:
        """Return a file as text; nothing for what is only listed."""
        kind = path.suffix
        if kind in OMITTED:
            return None
        if kind == ".parquet":
            return self.table(pd.read_parquet(path))
        if kind == ".xlsx":
            return self.text(workbook(path))
        text = path.read_text(encoding="utf-8-sig")
        if kind == ".json":
            return self.value(json.loads(text))
        if kind == ".svg":  # its page shows it too
            return f"{text.count('<') - text.count('</')} elements, {_digest(self.text(text))}\n"
        if kind == ".md" and "minutes" in text:
            text = _EFFORT.sub("<effort>", text)
        if kind == ".csv":
            return _shortened(self.text(text))
        return self.page(text) if kind == ".html" else self.text(text)

    def table(self, frame: pd.DataFrame) -> str:
        """Return a data frame as CSV below the types of its columns."""
        types = "".join(f"# {name}: {dtype}\n" for name, dtype in frame.dtypes.items())
        return types + _shortened(self.text(frame.to_csv(index=False)))

    def page(self, text: str) -> str:
        """Return a page, a line an element; data for its scripts as JSON files are shown."""
        text = _DATA.sub(lambda m: f"{m[1]}\n{self.value(json.loads(m[2]))}\n{m[3]}", text)
        text = re.sub(r">\s*<", ">\n<", self.text(text)).strip() + "\n"
        # The bench says how long a panel took, in the last column of one table.
        before, heading, after = text.partition(">seconds</span>\n</th>\n</tr>")
        table, end, rest = after.partition("</table>")
        text = before + heading + re.sub(r"<td>\d+</td>(?=\n</tr>)", "<td><seconds></td>", table) + end + rest
        return text

    def runs(self, store: Path) -> str:
        """Return what an MLflow store holds: names with values that do not vary, and names of artifacts."""
        import mlflow

        client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{store.resolve()}")
        lines = []
        for experiment in sorted(client.search_experiments(), key=lambda e: e.name):
            runs = sorted(client.search_runs([experiment.experiment_id]), key=lambda r: str(r.info.run_name))
            for run in runs:
                lines.append(f"# experiment {experiment.name}, run {run.info.run_name}, {run.info.status}")
                for kind in ("params", "tags", "metrics"):
                    held = getattr(run.data, kind)
                    lines += [f"{kind[:-1]} {k} = {_logged(held[k])}" for k in sorted(held)]
                lines += [f"artifact {name}" for name in _artifacts(client, run.info.run_id)]
        for model in sorted(client.search_registered_models(), key=lambda m: m.name):
            lines.append(f"# registered model {model.name}: {dict(sorted(model.aliases.items()))}")
            lines += [f"tag {k} = {_logged(v)}" for k, v in sorted(model.tags.items())]
        return self.text("\n".join(lines) + "\n")


def _logged(value: Any) -> str:
    return _rounded(value) if isinstance(value, float) else str(value)


def _artifacts(client: Any, run_id: str, path: str | None = None) -> list[str]:
    out = []
    for one in client.list_artifacts(run_id, path):
        out += _artifacts(client, run_id, one.path) if one.is_dir else [one.path]
    return sorted(out)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _rounded(value: float) -> str:
    return format(value, f".{DIGITS}g")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _varying(k, v) or _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return float(_rounded(value)) if isinstance(value, float) else value


def _varying(name: str, value: Any) -> str | None:
    """Return what stands for times and for digests of files, whose bytes hold run ids."""
    if name in ("seconds", "cpu_seconds", "peak_gib"):
        return f"<{name}>"
    is_digest = isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value)
    return (
        "<digest>" if is_digest and not re.search(r"fingerprint|feature_set_hash|experiment", name) else None
    )


def _json_lines(value: Any, before: str = "", after: str = "") -> list[str]:
    """Return JSON, a line a list or table row without further ones inside; long lists shortened."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not any(isinstance(v, dict | list) and v for v in inner) and not (
        isinstance(value, dict) and before == ""
    ):
        return [f"{before}{json.dumps(value, ensure_ascii=False)}{after}"]
    pad = " " * (len(before) - len(before.lstrip()) + 1)
    if isinstance(value, dict):
        pairs = [(f"{pad}{json.dumps(k, ensure_ascii=False)}: ", v) for k, v in value.items()]
    else:
        pairs = [(pad, v) for v in value]
    parts = [_json_lines(v, name, "," if k < len(pairs) else "") for k, (name, v) in enumerate(pairs, 1)]
    if len(parts) > ROWS:
        whole = _digest(json.dumps(value, ensure_ascii=False))
        parts = [
            *parts[:HEAD],
            [f"{pad}... {len(parts) - HEAD - TAIL} more; all: {whole} ..."],
            *parts[-TAIL:],
        ]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = [line for part in parts for line in part]
    return [before + opening, *lines, pad[1:] + closing + after]


def _shortened(text: str) -> str:
    lines = text.splitlines()
    if len(lines) <= ROWS:
        return text
    between = f"... {len(lines) - HEAD - TAIL - 1} rows more; all: {_digest(text)} ..."
    return "\n".join([*lines[: HEAD + 1], between, *lines[-TAIL:]]) + "\n"


def workbook(path: Path) -> str:
    """Return a workbook as lines: sheets, what holds for a sheet, and a line a cell with its format."""
    book = openpyxl.load_workbook(path)
    out = [f"defined name {n} = {d.attr_text}" for n, d in sorted(book.defined_names.items())]
    for sheet in book.worksheets:
        out += _sheet(sheet)
    return "\n".join(out) + "\n"


def _sheet(sheet: Any) -> list[str]:
    out = [f"== sheet {sheet.title} ({sheet.sheet_state}), {sheet.dimensions}"]
    protection = sheet.protection
    facts = {
        "freeze": sheet.freeze_panes,
        "filter": sheet.auto_filter.ref,
        "protected": protection.sheet or None,
        "orientation": sheet.page_setup.orientation,
        "paper": sheet.page_setup.paperSize,
        "fit": (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight),
        "titles": sheet.print_title_rows,
        "area": sheet.print_area or None,
        "header": sheet.oddHeader.center.text,
        "footer": sheet.oddFooter.center.text,
        "merged": sorted(str(r) for r in sheet.merged_cells.ranges) or None,
        "tab": sheet.sheet_properties.tabColor.rgb if sheet.sheet_properties.tabColor else None,
    }
    out += [f"{name}: {value}" for name, value in facts.items() if value is not None]
    for letter, column in sorted(sheet.column_dimensions.items()):
        hidden = " hidden" if column.hidden else ""
        out.append(f"column {letter} ({column.min}-{column.max}): {column.width:.4g}{hidden}")
    rows = {n: r for n, r in sheet.row_dimensions.items() if r.height is not None or r.hidden}
    out += [f"row {n}: {r.height}{' hidden' if r.hidden else ''}" for n, r in sorted(rows.items())[:ROWS]]
    for one in sheet.data_validations.dataValidation:
        out.append(
            f"validation {one.sqref} {one.type} {one.operator} {one.formula1} {one.formula2} "
            f"blank={one.allowBlank} {one.errorTitle}: {one.error} {one.promptTitle}: {one.prompt}"
        )
    for area in sheet.conditional_formatting:
        for rule in area.rules:
            fill = rule.dxf.fill.bgColor.rgb if rule.dxf and rule.dxf.fill else None
            out.append(f"conditional {area.sqref} {rule.type} {rule.operator} {rule.formula} fill={fill}")
    lines = ["\n".join(_cell(cell) for cell in row if _shown(cell)) for row in sheet.iter_rows()]
    lines = [line for line in lines if line]
    if len(lines) > ROWS:
        whole = _digest("\n".join(lines))
        gap = f"... {len(lines) - HEAD - TAIL} rows more; all: {whole} ..."
        lines = [*lines[:HEAD], gap, *lines[-TAIL:]]
    return out + lines


def _shown(cell: Any) -> bool:
    return cell.value is not None or (cell.has_style and cell.fill.fill_type is not None)


def _cell(cell: Any) -> str:
    value = _rounded(cell.value) if isinstance(cell.value, float) else repr(cell.value)
    marks = []
    if cell.number_format != "General":
        marks.append(cell.number_format)
    if cell.fill.fill_type:
        marks.append(f"fill {cell.fill.fgColor.rgb}")
    if cell.font.b:
        marks.append("bold")
    if cell.font.color is not None and cell.font.color.type == "rgb":
        marks.append(f"colour {cell.font.color.rgb}")
    if cell.alignment.wrap_text:
        marks.append("wrap")
    if cell.alignment.horizontal:
        marks.append(cell.alignment.horizontal)
    if not cell.protection.locked:
        marks.append("unlocked")
    if cell.hyperlink:
        marks.append(f"link {cell.hyperlink.target or cell.hyperlink.location}")
    if cell.comment:
        marks.append(f"comment {cell.comment.text!r}")
    return f"{cell.coordinate} {value}" + (f" [{'; '.join(marks)}]" if marks else "")
