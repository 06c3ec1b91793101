"""Keyed hashes in place of an office's numbers, in every table and every sentence of an import."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace

import pandas as pd

from riskmodel.data import KEY_VARIABLE, pseudonym
from riskmodel.errors import InputRefused
from riskmodel.importing.findings import Finding, Findings
from riskmodel.importing.id_reading import read_person_numbers

_COLUMNS = {"household": ("household_id", "old_id", "new_id"), "member": ("member_id",)}
_LISTS = (("household", "households", "household_id"), ("member", "members", "member_id"))
_WORD = re.compile(r"[0-9A-Za-z\u4e00-\u9fff._-]+")
_LIKE_A_NUMBER = re.compile(r"^[A-Za-z]{0,4}\d{8,}[A-Za-z]?$")  # of a household that no list has
_FEW = 0.01  # serial numbers of 18 digits pass for identity numbers now and then


def refuse_identity_numbers(tables: dict[str, pd.DataFrame], kinds: Collection[str]) -> None:
    """Refuse numbers of households or members that are identity numbers, unless they are replaced.

    Raises
    ------
    InputRefused
        With what to do.
    """
    for kind, table, column in (
        ("household", "households", "household_id"),
        ("member", "members", "member_id"),
    ):
        if kind in kinds or table not in tables or column not in tables[table]:
            continue
        ids = tables[table][column].dropna().unique()
        valid = sum(fault is None for fault in read_person_numbers(list(ids)).faults)
        if len(ids) and valid > _FEW * len(ids):
            raise InputRefused(
                f"{column}: {valid} of {len(ids)} are identity numbers; import with --pseudonymise and a "
                f"secret key in the environment variable {KEY_VARIABLE}"
            )


def pseudonymise(
    tables: dict[str, pd.DataFrame], findings: Findings, kinds: Collection[str], key: bytes
) -> tuple[dict[str, pd.DataFrame], Findings]:
    """Replace numbers by keyed hashes.

    Parameters
    ----------
    tables
        As the contract has them.
    findings
        Their households and texts are replaced alike.
    kinds
        ``household``, ``member`` or both.
    key
        The county's secret; the same key gives the same hashes, so that later files join.

    Returns
    -------
    tables, findings
        The same with hashes; a number of a row is hashed with those of members, as it may hold one.
    """
    columns = {c for kind in kinds for c in _COLUMNS[kind]}
    known: dict[str, str] = {}

    def keyed(value: object) -> object:
        if value is None or value != value:
            return value
        return known.setdefault(str(value), pseudonym(str(value), key))

    out = {
        name: frame.assign(**{c: frame[c].map(keyed) for c in frame if c in columns})
        for name, frame in tables.items()
    }
    return out, replace(findings, items=[_said(item, known, keyed) for item in findings.items])


def _said(item: Finding, known: dict[str, str], keyed: Callable[[object], object]) -> Finding:
    """Return a finding without the numbers that are replaced."""

    def word(given: str) -> str:
        return str(keyed(given)) if given in known or _LIKE_A_NUMBER.match(given) else given

    def plain(text: str) -> str:
        return _WORD.sub(lambda match: word(match[0]), text)

    return replace(
        item,
        household_id=str(keyed(item.household_id)) if item.household_id else "",
        text=plain(item.text),
        values={k: plain(v) if isinstance(v, str) else v for k, v in item.values.items()},
    )
