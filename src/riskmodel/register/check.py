"""Checking a published ledger: which relations are broken, and which cell explains it.

The search takes the fewest changed cells. A cell is named when changing it alone mends more than one broken
relation and breaks none that holds, and no other cell could do as well; then cells are tried two and three
together, which must mend more relations than they are cells. What is left is told as a broken group, with
the cells that could each mend it as ``suspects``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from riskmodel.register.published import UNIT_NAMES, Unit, read_published
from riskmodel.register.relation import Relation, Share, as_number
from riskmodel.register.relations import relations
from riskmodel.register.repair import named_cells, single_repairs
from riskmodel.register.words import check_lang

FORMAT = "riskmodel-ledger-check/1"


def check(published: Mapping[str, Any] | str | Path) -> dict[str, Any]:
    """Check a published ledger against itself.

    Parameters
    ----------
    published : mapping, str or Path
        Plain values, or a YAML file, in the contract's form.

    Returns
    -------
    dict
        ``balanced`` (bool); ``findings``: a list of ``where, printed, expected, relations`` (texts), and for
        a group without one guilty cell ``suspects`` (``where, expected``: cells that could each mend it);
        ``shares``: each printed share that follows, and from what (``households``, ``persons``);
        ``relations_checked``: how many relations had all their cells printed; ``format``, ``period``.

    Raises
    ------
    SpecError
        If the file or a key is wrong.

    References
    ----------
    Data contract, "A published ledger, to be checked".

    Examples
    --------
    >>> answer = check({
    ...     "categories": {
    ...         "a": {"total": {"hh": 317}, "eliminated": {"hh": 129}, "remaining": {"hh": 125}},
    ...         "b": {"total": {"hh": 827}, "eliminated": {"hh": 582}, "remaining": {"hh": 245}},
    ...     },
    ...     "total": {"eliminated": {"hh": 774}},
    ... })
    >>> [(f["where"], f["printed"], f["expected"]) for f in answer["findings"]]
    [('categories.a.eliminated.hh', 129, 192)]
    """
    read = read_published(published)
    cells = {path: Fraction(value) for path, value in read.cells().items()}
    every = relations(read)
    findings = _findings(every, cells)
    shares = [r for r in every if isinstance(r, Share)]
    bases = {r.where: basis for r in shares if (basis := r.basis(cells))}
    return {
        "format": FORMAT,
        "period": None if read.period is None else str(read.period),
        "balanced": not findings,
        "findings": findings,
        "shares": {where: UNIT_NAMES[basis] for where, basis in bases.items()},
        "relations_checked": len(every),
    }


def _findings(every: list[Relation], cells: dict[str, Fraction]) -> list[dict[str, Any]]:
    told = {id(r): r.tell(cells) for r in every}
    named = named_cells(every, cells)
    mended = dict(cells)
    out = []
    for path, value in named.items():
        broken = [r for r in every if path in r.terms and not r.holds(cells)]
        out.append(_finding(path, cells[path], value, [told[id(r)] for r in broken]))
        mended[path] = value
    prefer = _prevailing_basis(every, mended)
    for relation in every:
        if not relation.holds(mended):
            out.append(_group(relation, every, mended, prefer))
    order = {path: i for i, path in enumerate(cells)}
    return sorted(out, key=lambda f: order.get(f["where"], len(order)))


def _finding(where: str, printed: Fraction, expected: Fraction | None, told: Iterable[str]) -> dict[str, Any]:
    return {
        "where": where,
        "printed": as_number(printed),
        "expected": None if expected is None else as_number(expected),
        "relations": list(told),
    }


def _group(
    relation: Relation, every: list[Relation], cells: dict[str, Fraction], prefer: Unit
) -> dict[str, Any]:
    told = [relation.tell(cells)]
    if isinstance(relation, Share):
        expected = relation.expected(cells, prefer)
        return _finding(relation.where, cells[relation.where], expected, told)
    found = _finding(relation.where, *relation.sides(cells), told)
    suspects = [r for r in single_repairs(every, cells, least=1) if id(relation) in r.mends]
    return {**found, "suspects": [{"where": r.path, "expected": as_number(r.value)} for r in suspects]}


def _prevailing_basis(every: list[Relation], cells: dict[str, Fraction]) -> Unit:
    """Return the unit that the other printed shares follow from; households where they do not say."""
    found = [r.basis(cells) for r in every if isinstance(r, Share)]
    return "p" if found.count("p") > found.count("hh") else "hh"


def check_text(answer: Mapping[str, Any], lang: str = "zh") -> str:
    """Return the answer of `check` as text for a reader.

    Parameters
    ----------
    answer : mapping
    lang : str
        ``zh`` or ``en``.

    Returns
    -------
    str

    Raises
    ------
    UsageError
        If the language is unknown.
    """
    words = _WORDS[check_lang(lang)]
    if not answer["relations_checked"]:
        return words["nothing"]
    lines = [words["checked"].format(n=answer["relations_checked"])]
    lines.append(
        words["findings"].format(n=len(answer["findings"])) if answer["findings"] else words["balanced"]
    )
    for finding in answer["findings"]:
        lines.append(words["finding"].format(**finding))
        lines += [f"  {text}" for text in finding["relations"]]
        if suspects := finding.get("suspects"):
            told = ", ".join(f"{s['where']} = {s['expected']}" for s in suspects)
            lines.append(f"  {words['suspects']}{told}")
    lines += [f"{where}{words[basis]}" for where, basis in answer["shares"].items()]
    return "\n".join(lines)


_WORDS = {
    "zh": {
        "nothing": "没有可核对的关系：单元格不全",
        "checked": "核对关系 {n} 条",
        "findings": "不符 {n} 处：",
        "balanced": "全部平衡",
        "finding": "{where}：印作 {printed}，应为 {expected}",
        "suspects": "以下任一处之误均可说明：",
        "households": "：按户数计",
        "persons": "：按人数计",
    },
    "en": {
        "nothing": "nothing could be checked: too many cells are left out",
        "checked": "relations checked: {n}",
        "findings": "findings: {n}",
        "balanced": "all balance",
        "finding": "{where}: printed {printed}, expected {expected}",
        "suspects": "any one of these would explain it: ",
        "households": ": from households",
        "persons": ": from persons",
    },
}
