"""A ledger's figures for machines: whole, as a summary, and in the form that offices publish."""

from __future__ import annotations

from typing import Any

import pandas as pd

from riskmodel.register.build import Ledger
from riskmodel.register.words import book

FORMAT = "riskmodel-ledger/1"


def summary(ledger: Ledger) -> dict[str, Any]:
    """Return what a verb prints: the open stock's lines in households and persons, and how many findings.

    Parameters
    ----------
    ledger : Ledger

    Returns
    -------
    dict
        ``from, to, balanced, opening … closing`` (each ``{hh, p}``; natural change ``{p}``), ``findings``,
        ``tables`` (ids made), ``data_fingerprint``.
    """
    total = _lines(ledger, "open", {})
    return {
        "from": str(ledger.first),
        "to": str(ledger.last),
        "balanced": True,
        **total,
        "findings": len(ledger.findings),
        "tables": list(ledger.tables),
        "data_fingerprint": ledger.data_fingerprint,
    }


def figures(ledger: Ledger) -> dict[str, Any]:
    """Return the whole ledger as plain values, as ``ledger.json`` holds it.

    Parameters
    ----------
    ledger : Ledger

    Returns
    -------
    dict
        ``total``, ``categories`` and ``townships`` (each with the open stock's lines, and the other stock's
        under ``ever``), ``natural_change``, ``findings``, ``tables`` (records) and ``published`` (the form
        that `riskmodel.register.check` reads).
    """
    categories = {c: _both(ledger, {"category": c}) for c in ledger.categories}
    townships = {t: _both(ledger, {"township": t}) for t in sorted(set(ledger.lines["township"]))}
    return {
        "format": FORMAT,
        "from": str(ledger.first),
        "to": str(ledger.last),
        "known_by": str(ledger.last),
        "balanced": True,
        "data_fingerprint": ledger.data_fingerprint,
        "total": _both(ledger, {}),
        "categories": categories,
        "townships": townships,
        "natural_change": _records(ledger.natural),
        "findings": _records(ledger.findings),
        "tables": {name: _records(frame) for name, frame in ledger.tables.items()},
        "published": published(ledger),
    }


def _both(ledger: Ledger, where: dict[str, str]) -> dict[str, Any]:
    return {**_lines(ledger, "open", where), "ever": _lines(ledger, "ever", where)}


def _lines(ledger: Ledger, stock: str, where: dict[str, str]) -> dict[str, dict[str, int]]:
    some = ledger.lines[ledger.lines["stock"] == stock]
    for column, value in where.items():
        some = some[some[column] == value]
    sums = lookup(some.groupby("line", sort=False)[["hh", "p"]].sum().reset_index(), ["line"], ["hh", "p"])
    out = {}
    for line, word in book().lines.items():
        hh, p = sums.get((line,), [0, 0])
        out[line] = {"p": p} if word.persons_only else {"hh": hh, "p": p}
    return out


def published(ledger: Ledger) -> dict[str, Any]:
    """Return the ledger in the form that offices publish and `riskmodel.register.check` reads.

    ``total`` is everyone ever identified and not struck off, ``eliminated`` and ``remaining`` how they stand
    at the end, ``identified`` who was new in the period; causes are main causes and add up to ``total``.

    Parameters
    ----------
    ledger : Ledger

    Returns
    -------
    dict
    """
    rows = {c: _published_row(ledger, {"category": c}) for c in ledger.categories}
    whole = _published_row(ledger, {})
    out: dict[str, Any] = {
        "period": f"{ledger.first}/{ledger.last}",
        "unit": {"hh": "households", "p": "persons"},
        "categories": rows,
        "total": whole,
    }
    causes = ledger.tables["causes"]
    sums = causes[causes["stock"] == "ever"].groupby("cause", sort=False)[["hh", "p"]].sum()
    out["causes"] = {c: {"hh": int(r["hh"]), "p": int(r["p"])} for c, r in sums.iterrows() if r["hh"]}
    if not out["causes"]:
        del out["causes"]
    for row in rows.values():
        if whole["total"]["hh"]:
            row["share_pct"] = round(100 * row["total"]["hh"] / whole["total"]["hh"], 1)
    return out


def _published_row(ledger: Ledger, where: dict[str, str]) -> dict[str, Any]:
    ever, still = _lines(ledger, "ever", where), _lines(ledger, "open", where)
    total, remaining = ever["closing"], still["closing"]
    return {
        "total": total,
        "eliminated": {unit: total[unit] - remaining[unit] for unit in ("hh", "p")},
        "remaining": remaining,
        "identified": still["identified"],
    }


def _records(frame: Any) -> list[dict[str, Any]]:
    """Return a frame as records: dates as text, missing as null."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{k: _plain(v) for k, v in row.items()} for row in plain.to_dict("records")]


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()[:10]
    return value.item() if hasattr(value, "item") else value


def lookup(frame: pd.DataFrame, keys: list[str], values: list[str]) -> dict[tuple[str, ...], list[int]]:
    """Return counts by their keys, as plain numbers."""
    rows = frame[[*keys, *values]].itertuples(index=False, name=None)
    return {row[: len(keys)]: [int(v) for v in row[len(keys) :]] for row in rows}
