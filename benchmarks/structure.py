"""Measure how the package is cut, named and joined, and set two revisions side by side.

``python benchmarks/structure.py [ROOT] [--json FILE] [--list [FIGURE]] [--check]`` measures one checkout;
``--before REV`` sets it beside another revision, as a Markdown table. The standard library is enough, but
for one figure: what ``import riskmodel.rules`` loads is asked of a Python that has the dependencies.

How it is counted, from the syntax trees under ``src/riskmodel``:

* An *importer* of a module is another module that imports it or a name from it, inside functions and under
  ``TYPE_CHECKING`` too. ``from riskmodel.a import x`` imports ``riskmodel.a.x`` where that is a module, and
  else the ``__init__`` of ``riskmodel.a``, whoever defines ``x``. An ``__init__`` (with its stub and what
  ``lazy_loader.attach`` is given) is an importer like any other. The figure of *users* leaves these out
  and follows names through them to the module that defines them.
* A *subpackage* is the first package or module below ``riskmodel``. An import is of another subpackage's
  inner module when it names a module below that subpackage's ``__init__``; a pair of modules counts once.
* *Statements* are statement nodes but bare strings: layout, comments and docstrings do not matter.
* An *entry* is a line of a numpydoc section Parameters or Returns; it has a description when indented text
  follows, or when it is a sentence that ends in a full stop.
* A *word file* is a YAML file of ``src`` or ``reports`` nine in ten of whose values stand under ``zh`` or
  ``en``. A function loads it when it, or a constant of its module that it uses, holds the file's name.
* A module has its *own test file* where ``tests`` has ``test_NAME.py`` in the same folder.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TypeVar

PACKAGE = "riskmodel"
SIMULATOR = "simulate"  # the one subpackage named here: nothing that runs an office may import it
LONGEST_MODULE = 500  # lines; the project's style
# The issue: "≤ 25 with one importer, each with a reason", of the rooms there were; importing adds its steps.
MOST_SINGLE_IMPORTERS = 65
# What the laboratory alone reaches past a door, inside a function: it loads models, which its door does not.
PAST_A_DOOR = ("riskmodel.cli.county -> riskmodel.simulate.lower_bound",)
WORD_SHARE = 0.9  # of values, at d16ef3d: word files 0.98 and more, declarations 0.84 and less

# Why a module with one user is right to stand alone: ``name: reason`` a line. ``--check`` wants one each.
REASONS = Path(__file__).with_name("single_users.txt")

SECTIONS = {"Parameters", "Returns"}
TAG = re.compile(r"</?(?:html|head|body|section|article|nav|h[1-6]|p|div|span|table|t[rdh]|[uo]l|li|d[lt])\b")
WORD_VALUE = re.compile(r"\b(?:zh|en):")
YAML_VALUE = re.compile(r"^\s*(?:- )?\"?[^:\"#]+\"?: *[^ #]")
# What the issue found written more than once: a function whose name holds this is one definition of it.
WRITTEN_AGAIN = {
    "Holm": r"(?:^|_)holm(?:_|$)",
    "Wilson": r"(?:^|_)wilson(?:_|$)",
    "Kaplan-Meier": r"(?:^|_)kaplan_meier(?:_|$)",
    "month end": r"(?:^|_)(?:month_ends?|end_of_month|last_day)(?:_|$)",
    "sheet name": r"(?:^|_)sheet_names?(?:_|$)",
}
PLAIN_VERBS = ("build", "write", "read", "run")  # names that do not say what is built or written
Function = ast.FunctionDef | ast.AsyncFunctionDef
Text = ast.Constant | ast.JoinedStr
Documented = Function | ast.ClassDef | ast.Module
Node = TypeVar("Node", bound=ast.AST)


@dataclass(frozen=True)
class Module:
    """One file of the package, parsed."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def is_init(self) -> bool:
        """Whether this is a package's ``__init__``."""
        return self.path.name == "__init__.py"

    @property
    def lines(self) -> int:
        """Lines of the file."""
        return len(self.text.splitlines())

    @property
    def subpackage(self) -> str:
        """The first name below the package; empty for the package itself."""
        return [*self.name.split("."), ""][1]

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes of the syntax tree."""
        return tuple(ast.walk(self.tree))


@dataclass(frozen=True)
class Import:
    """One import of a module of ours: which, what name of it, and whether it runs when the module loads."""

    module: str
    name: str
    at_load: bool


@dataclass(frozen=True)
class Figure:
    """One measured value and the things it counts; None where it could not be measured."""

    value: float | None
    items: tuple[str, ...] = ()


Measure = Callable[["Checkout"], Figure]


class Checkout:
    """The modules of one checkout and what each imports of the others."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.modules: dict[str, Module] = {}
        source = root / "src"
        for path in sorted((source / PACKAGE).rglob("*.py")):
            name = ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
            text = path.read_text(encoding="utf-8")
            self.modules[name] = Module(name, path, text, ast.parse(text))
        if not self.modules:
            raise SystemExit(f"{root}: no Python file under src/{PACKAGE}; name the top of a checkout")

    def nodes(self, kind: type[Node]) -> Iterator[tuple[str, Node]]:
        """Yield module name and node for all nodes of one kind."""
        for m in self.modules.values():
            yield from ((m.name, node) for node in m.nodes if isinstance(node, kind))

    def functions(self) -> list[tuple[str, Function]]:
        """Return module name and node of all functions and methods."""
        return [*self.nodes(ast.FunctionDef), *self.nodes(ast.AsyncFunctionDef)]

    @cached_property
    def imports(self) -> dict[str, tuple[Import, ...]]:
        """Module to what it imports of the others."""
        return {name: tuple(self._imports(m)) for name, m in self.modules.items()}

    def _imports(self, module: Module) -> Iterator[Import]:
        at_load = set(_nodes_at_load(module.tree))
        stub = module.path.with_suffix(".pyi")
        more = ast.walk(ast.parse(stub.read_text(encoding="utf-8"))) if stub.is_file() else ()
        package = module.name if module.is_init else module.name.rpartition(".")[0]
        for node in (*module.nodes, *more):
            for base, name in _imported(node, package):
                if f"{base}.{name}" in self.modules and name not in self._rebound(base):
                    yield Import(f"{base}.{name}", "", node in at_load)
                elif base in self.modules:
                    yield Import(base, name, node in at_load)

    def _rebound(self, package: str) -> set[str]:
        """Return names that an ``__init__`` takes out of its modules: there the name is not the module."""
        tree = self.modules[package].tree if package in self.modules else ast.Module([], [])
        taken = (n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module != package)
        return {alias.asname or alias.name for node in taken for alias in node.names}

    def importers(self, *, through_init: bool = False) -> dict[str, set[str]]:
        """Return module to its importers, or to its users, found through ``__init__``."""
        out: dict[str, set[str]] = {name: set() for name in self.modules}
        for name, imports in self.imports.items():
            if not (through_init and self.modules[name].is_init):
                for target in (self._home(one) if through_init else one.module for one in imports):
                    out[target].add(name)
        return {name: by - {name} for name, by in out.items()}

    def _home(self, one: Import) -> str:
        """Return the module that defines an imported name, which ``__init__`` re-exports."""
        for _ in self.modules:  # no chain of re-exports is longer
            behind = [i for i in self.imports[one.module] if i.name == one.name and i.module != one.module]
            if not (one.name and self.modules[one.module].is_init and behind):
                break
            one = behind[0]
        return one.module


def _nodes_at_load(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run when the module loads: not in functions, not for the type checker alone."""
    for child in ast.iter_child_nodes(tree):
        typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if not isinstance(child, Function) and not typing_only:
            yield child
            yield from _nodes_at_load(child)


def _imported(node: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """Yield what a node imports as (module, name in it), whether or not it is ours."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        up = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
        base = ".".join([*up, *([node.module] if node.module else [])])
        yield from ((base, alias.name) for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "attach":
        yield from ((package, text) for text in _texts(node))
    elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "import_module":
        yield from ((text, "") for text in _texts(node))


def _texts(node: ast.AST) -> set[str]:
    return {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def count(items: Iterable[str]) -> Figure:
    """Return the number of items with the items."""
    listed = tuple(items)
    return Figure(len(listed), listed)


def single(by: dict[str, set[str]]) -> list[tuple[str, str]]:
    """Return the modules that one other module imports or uses, each with that other."""
    return [(name, min(others)) for name, others in by.items() if len(others) == 1]


def one_importer(c: Checkout) -> Figure:
    return count(f"{name} <- {by}" for name, by in single(c.importers()))


def one_importer_init(c: Checkout) -> Figure:
    pairs = ((name, by) for name, by in single(c.importers()) if c.modules[by].is_init)
    return count(f"{name} <- {by}" for name, by in pairs if name.startswith(f"{by}."))


def one_user(c: Checkout) -> Figure:
    users = single(c.importers(through_init=True))
    return count(f"{name} <- {by}" for name, by in users if not c.modules[name].is_init)


def registers(module: Module) -> bool:
    """Say whether a module registers members of a family (models, sections, verbs …) or is its registry."""
    if any(
        isinstance(n, ast.AnnAssign) and n.value and "Registry(" in ast.unparse(n.value)
        for n in module.tree.body
    ):
        return True
    calls = [n.value for n in module.tree.body if isinstance(n, ast.Expr)]
    calls += [d for n in module.tree.body if isinstance(n, ast.FunctionDef) for d in n.decorator_list]
    names = [ast.unparse(call.func if isinstance(call, ast.Call) else call) for call in calls]
    return any(re.search(r"\.register$|\.command$|^verb$|^report_section$", name) for name in names)


def one_import_user(c: Checkout) -> Figure:
    """Modules with one user, without those that are reached by name through a registry."""
    users = single(c.importers(through_init=True))
    pairs = ((name, by) for name, by in users if not c.modules[name].is_init)
    return count(f"{name} <- {by}" for name, by in pairs if not registers(c.modules[name]))


def too_long(c: Checkout) -> Figure:
    return count(f"{m.name} {m.lines}" for m in c.modules.values() if m.lines > LONGEST_MODULE)


def statements(c: Checkout) -> Figure:
    names = (c.modules[name].subpackage or "(root)" for name, n in c.nodes(ast.stmt) if not _is_text(n))
    sizes = Counter(names)
    return Figure(sizes.total(), tuple(f"{name} {size:,}" for name, size in sorted(sizes.items())))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)


def documentation(c: Checkout) -> Figure:
    """Percent of lines that are docstrings or nothing but a comment."""
    whole = sum(m.lines for m in c.modules.values())
    docs = sum(_length(n) for _, n in c.nodes(ast.Expr) if _is_text(n))
    tokens = (t for m in c.modules.values() for t in tokenize.generate_tokens(io.StringIO(m.text).readline))
    comments = sum(t.type == tokenize.COMMENT and t.line.lstrip().startswith("#") for t in tokens)
    parts = (f"docstrings {100 * docs / whole:.1f}", f"comments {100 * comments / whole:.1f}")
    return Figure(round(100 * (docs + comments) / whole, 1), parts)


def bare_entries(c: Checkout) -> Figure:
    documented = ((name, n) for name, n in c.nodes(ast.AST) if isinstance(n, Documented))
    texts = ((f"{name}:{getattr(n, 'lineno', 1)}", ast.get_docstring(n) or "") for name, n in documented)
    return count(f"{where} {entry}" for where, text in texts for entry in _entries_without_description(text))


def _entries_without_description(docstring: str) -> Iterator[str]:
    text = docstring.splitlines()
    heads = [i for i, below in enumerate(text[1:]) if re.fullmatch("-{3,}", below) and text[i].strip()]
    for head, end in zip(heads, [*heads, len(text)][1:], strict=True):
        body = [line for line in text[head + 2 : end] if line.strip() and text[head] in SECTIONS]
        for line, after in pairwise([*body, ""]):
            if not line[0].isspace() and not line.endswith(".") and not after[:1].isspace():
                yield line


def _length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def longer_than(limit: int) -> Measure:
    return lambda c: count(f"{m}.{f.name} {_length(f)}" for m, f in c.functions() if _length(f) > limit)


def inner_imports(only_at_load: bool) -> Measure:
    def measure(c: Checkout) -> Figure:
        subpackage = {name: m.subpackage for name, m in c.modules.items()}
        inner = ((m, one) for m in c.modules for one in c.imports[m] if one.module.count(".") >= 2)
        other = ((m, one) for m, one in inner if subpackage[m] not in ("", subpackage[one.module]))
        pairs = {(m, one.module) for m, one in other if one.at_load or not only_at_load}
        return count(f"{name} -> {target}" for name, target in sorted(pairs))

    return measure


def zh_literals(c: Checkout) -> Figure:
    """Keys ``"zh"`` of dictionaries, and texts given as ``zh="…"``, which is the same thing."""
    keys = ((name, key) for name, node in c.nodes(ast.Dict) for key in node.keys if key)
    texts = ((name, node.value) for name, node in c.nodes(ast.keyword) if node.arg == "zh")
    literals = [f"{name}:{key.lineno}" for name, key in keys if getattr(key, "value", "") == "zh"]
    return count([*literals, *(f"{name}:{n.lineno}" for name, n in texts if isinstance(n, Text))])


def zh_modules(c: Checkout) -> Figure:
    return count(sorted({item.partition(":")[0] for item in zh_literals(c).items}))


def word_files(c: Checkout) -> Figure:
    names = []
    for path in sorted(p for top in ("src", "reports") for p in (c.root / top).rglob("*.yaml")):
        values = [line for line in path.read_text(encoding="utf-8").splitlines() if YAML_VALUE.match(line)]
        words = sum(bool(WORD_VALUE.search(line)) for line in values)
        if words and words >= WORD_SHARE * len(values):
            names.append(path.relative_to(c.root).as_posix())
    return count(names)


def word_loaders(c: Checkout) -> Figure:
    files = {Path(item).name for item in word_files(c).items}
    assigned = [(name, node) for name, node in c.nodes(ast.Assign) if _texts(node.value) & files]
    constants = {(name, t.id) for name, node in assigned for t in node.targets if isinstance(t, ast.Name)}
    names = []
    for name, f in c.functions():
        used = {(name, n.id) for n in ast.walk(f) if isinstance(n, ast.Name)}
        if _texts(f) & files or used & constants:
            names.append(f"{name}.{f.name}")
    return count(names)


def environments(c: Checkout) -> Figure:
    calls = ((name, n.lineno, ast.unparse(n.func)) for name, n in c.nodes(ast.Call))
    return count(f"{name}:{line}" for name, line, called in calls if called.endswith("Environment"))


def modules_where(holds: Callable[[ast.AST], bool]) -> Measure:
    return lambda c: count(m.name for m in c.modules.values() if any(holds(n) for n in m.nodes))


def uses_xlsxwriter(node: ast.AST) -> bool:
    return any(module.split(".")[0] == "xlsxwriter" for module, _ in _imported(node, PACKAGE))


def draws_svg(node: ast.AST) -> bool:
    """Say whether a node writes ``<svg``, builds an element "svg" or asks an object for its ``.svg()``."""
    if isinstance(node, ast.Call):
        named = bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value == "svg"
        return named or (isinstance(node.func, ast.Attribute) and node.func.attr == "svg")
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and "<svg" in node.value


def writes_html(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) and any(TAG.search(text) for text in _texts(node))


def functions_named(pattern: str) -> Measure:
    """Return the measure of functions at the top of a module whose name holds a pattern."""
    return lambda c: count(
        f"{m.name}.{node.name}"
        for m in c.modules.values()
        for node in m.tree.body
        if isinstance(node, Function) and re.search(pattern, node.name)
    )


def simulator_loaded(c: Checkout) -> Figure:
    """Modules of the simulator that ``import riskmodel.rules`` loads, in a process of its own."""
    source = str((c.root / "src").resolve())
    code = f"import json, sys, {PACKAGE}.rules as r; print(json.dumps([r.__file__, *sys.modules]))"
    command, environment = [sys.executable, "-B", "-c", code], {**os.environ, "PYTHONPATH": source}
    process = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)
    home, *loaded = [""] if process.returncode else json.loads(process.stdout.splitlines()[-1])
    if not home or not Path(home).resolve().is_relative_to(source):
        return Figure(None, (f"not measured: {home or process.stderr.strip()[-200:]}",))
    return count(sorted(name for name in loaded if f"{name}.".startswith(f"{PACKAGE}.{SIMULATOR}.")))


def share_with_tests(c: Checkout) -> Figure:
    """Percent of modules with their own test file; its items are those without."""
    own = {m.name: m.path.relative_to(c.root / "src" / PACKAGE) for m in c.modules.values() if not m.is_init}
    tests = c.root / "tests"
    missing = [name for name, p in own.items() if not (tests / p.parent / f"test_{p.name}").is_file()]
    return Figure(round(100 * (1 - len(missing) / max(len(own), 1)), 1), tuple(missing))


@dataclass(frozen=True)
class Row:
    """One figure of the table: its key, what it is, what is wanted, how it is measured."""

    key: str
    label: str
    wanted: str
    measure: Measure


ROWS: tuple[Row, ...] = (
    Row("modules", "modules under `src/riskmodel`", "about half as many", lambda c: count(c.modules)),
    Row("lines", "lines", "", lambda c: Figure(sum(m.lines for m in c.modules.values()))),
    Row("one_importer", "modules with one importer", "≤ 25, each with a reason", one_importer),
    Row("one_importer_init", "… of which the importer is their own `__init__`", "", one_importer_init),
    Row("one_user", "modules with one user", "", one_user),
    Row("one_import_user", "… that register nothing", "≤ 25, each with a reason", one_import_user),
    Row("too_long", "modules over 500 lines", "0", too_long),
    Row(
        "median_lines",
        "median lines of a module",
        "≤ 200",
        lambda c: Figure(median(m.lines for m in c.modules.values())),
    ),
    Row("statements", "statements", "−10 % or more", statements),
    Row("documentation", "docstring and comment lines, %", "", documentation),
    Row("bare_entries", "docstring entries without a description", "0", bare_entries),
    Row("over_40", "functions over 40 lines", "", longer_than(40)),
    Row("over_80", "functions over 80 lines", "", longer_than(80)),
    Row("inner_imports", "imports of another subpackage's inner modules", "0", inner_imports(False)),
    Row("inner_imports_at_load", "… of which run when the module loads", "0", inner_imports(True)),
    Row("zh_literals", '`"zh":` literals in Python', "0", zh_literals),
    Row("zh_modules", "modules with such literals", "0", zh_modules),
    Row("word_files", "word files", "one catalogue", word_files),
    Row("word_loaders", "functions that load word files", "1", word_loaders),
    Row("environments", "jinja environments", "1", environments),
    Row("workbook_writers", "modules that call xlsxwriter", "1", modules_where(uses_xlsxwriter)),
    Row("svg_modules", "modules that draw SVG", "one chart module", modules_where(draws_svg)),
    Row("html_modules", "modules with HTML in f-strings", "0", modules_where(writes_html)),
    *(Row(f"called_{n}", f"functions called `{n}`", "0", functions_named(f"^{n}$")) for n in PLAIN_VERBS),
    Row("simulator_loaded", "simulator modules loaded by `import riskmodel.rules`", "0", simulator_loaded),
    Row("tested", "modules with their own test file, %", "tests mirror `src`", share_with_tests),
    *(Row(f"again_{n}", f"definitions of {n}", "≤ 1", functions_named(p)) for n, p in WRITTEN_AGAIN.items()),
)


def measure_checkout(root: Path) -> dict[str, Figure]:
    """Measure every figure of a checkout."""
    checkout = Checkout(root)
    return {row.key: row.measure(checkout) for row in ROWS}


def measure_revision(root: Path, revision: str) -> dict[str, Figure]:
    """Measure a revision of the repository at ``root``, unpacked into a temporary folder."""
    packed = subprocess.run(["git", "-C", str(root), "archive", revision], stdout=subprocess.PIPE, check=True)
    with tempfile.TemporaryDirectory() as home, tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(home, filter="data")
        return measure_checkout(Path(home))


def list_problems(figures: dict[str, Figure], reasons: dict[str, str]) -> list[str]:
    """Return every limit that is passed, in words."""
    names = [item.partition(" <- ")[0] for item in figures["one_import_user"].items]
    out = [f"{item} lines: over {LONGEST_MODULE}; split it" for item in figures["too_long"].items]
    out += [f"importing {PACKAGE}.rules: {item}" for item in figures["simulator_loaded"].items]
    past = (item for item in figures["inner_imports"].items if item not in PAST_A_DOOR)
    out += [f"{item}: an inner module of another subpackage; take the name from its door" for item in past]
    if len(names) > MOST_SINGLE_IMPORTERS:
        out.append(f"{len(names)} modules have one user; at most {MOST_SINGLE_IMPORTERS} may")
    out += [f"{name} has one user and no reason in single_users.txt" for name in names if name not in reasons]
    gone = (name for name in reasons if name not in names)
    return out + [f"{name} is in single_users.txt but has not one user" for name in gone]


def number(figure: Figure) -> str:
    """Return a value for the table."""
    return "not measured" if figure.value is None else f"{figure.value:,.1f}".removesuffix(".0")


def table(now: dict[str, Figure], before: dict[str, Figure] | None = None) -> str:
    """Return the Markdown table, with the statements of each subpackage below it."""
    columns = [one for one in (before, now) if one is not None]
    heads = ["before", "now"][-len(columns) :]
    out = ["| | " + " | ".join([*heads, "wanted"]) + " |", "|---|" + "---:|" * len(heads) + "---|"]
    for row in ROWS:
        out.append(f"| {row.label} | {' | '.join(number(one[row.key]) for one in columns)} | {row.wanted} |")
    for head, one in zip(heads, columns, strict=True):
        out.append(f"\nStatements by subpackage, {head}: {', '.join(one['statements'].items)}.")
    return "\n".join(out)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and say whether a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--before", metavar="REV", help="a revision to set beside")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write values and items")
    keys = [row.key for row in ROWS]
    parser.add_argument("--list", nargs="?", const="one_importer", choices=keys, help="what a figure counts")
    parser.add_argument("--check", action="store_true", help="exit 1 where a limit is passed")
    options = parser.parse_args(arguments)
    now = measure_checkout(options.root)
    sides = {"now": now}
    if options.before:
        sides = {"before": measure_revision(options.root, options.before), **sides}
    if options.json:
        whole = {side: {key: asdict(one) for key, one in figures.items()} for side, figures in sides.items()}
        options.json.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if options.list:
        print("\n".join(now[options.list].items))
        return 0
    if options.check:
        lines = REASONS.read_text(encoding="utf-8").splitlines()
        reasons = dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))
        problems = list_problems(now, reasons)
        print("\n".join(problems) or "no limit is passed")
        return 1 if problems else 0
    print(table(now, sides.get("before")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
