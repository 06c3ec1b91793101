"""People's data: columns that name a person are refused, or keyed and dropped on request.

What counts: a header that says name, phone or identity number in either language, and values, of every row
and column, read or not, that hold an 18-character identity number or a mobile phone number, alone or
inside a text. One such value is enough, but where the office's own ids may look the same: ids of 18 digits
count as identity numbers only where more than 1 % of them hold a birth date, and an id of eleven digits, or
an amount, is no phone. Under ``pseudonymise`` the household and member ids of every table are replaced by a
keyed hash (HMAC-SHA256), so that they still match one another but not the office's books; personal columns
that nobody reads are dropped before anything else sees them, and in columns that are read the single values
are keyed; rejected rows carry no more than that either.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from riskmodel.data import compiled
from riskmodel.data.parse import as_text
from riskmodel.data.schema import contract, normal_header
from riskmodel.data.sources import RawTable
from riskmodel.errors import InputRefused, UsageError
from riskmodel.i18n import Message

KEY_VARIABLE = "RISKMODEL_PSEUDONYM_KEY"
ID_COLUMNS = ("household_id", "member_id", "old_id", "new_id")
_PERSON = r"(full|first|last|given|family|head|householder|member|person|contact|applicant|visitor)"
_NAME = re.compile(rf"姓名|联系人|^户主(名|名字)?$|^名字$|^({_PERSON}_?)?(name|surname)$|^xing_?ming$")
_PHONE = re.compile(r"电话|手机|phone|mobile|(^|_)tel($|_)")
_IDENTITY = re.compile(
    r"身份证|证件号|公民身份|残疾证号|id_?card|identity|citizen|national_id|^id_(no|number)$"
)
_ID_NUMBER = r"^[0-9]{17}[0-9Xx]$"
# Digits 7 to 14 of an identity number are a birth date; a serial number hits one in 1 of 1,000 cases or so.
_BIRTH = r"(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"
_IDENTITY_IN = rf"(^|[^0-9])[1-9][0-9]{{5}} ?{_BIRTH} ?[0-9]{{3}}([0-9]($|[^0-9])|[Xx])"
_NUMBER = r"(\+?86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}"
# Letters a to f and points beside the digits: a hash or a fraction, not a number to dial.
_MOBILE_IN = rf"(^|[^0-9a-fA-F.]){_NUMBER}($|[^0-9a-fA-F])"
# In an id the digits may be a serial number: only beside what no id holds are they a phone.
_MOBILE_BESIDE = rf"[^0-9A-Za-z_.-]{_NUMBER}($|[^0-9a-fA-F])|(^|[^0-9a-fA-F.]){_NUMBER}[^0-9A-Za-z_.-]"
_DIGITS = r"[0-9][0-9 -]{9}"
_SHORTEST = 11  # characters of a phone number
_MOST = 0.5
_FEW = 0.01
_DIGEST_CHARS = 32  # 128 bits: no two of a country's ids meet


def personal_columns(raw: RawTable) -> dict[str, str]:
    """Find the columns of one table that name people."""
    found: dict[str, str] = {}
    for cell in raw.others:
        header = normal_header(raw.headers[cell])
        for pattern, what in ((_NAME, "name"), (_PHONE, "phone"), (_IDENTITY, "identity number")):
            if pattern.search(header):
                found[cell] = what
    return found | _by_content(raw, [c for c in raw.headers if c not in found])


def _by_content(raw: RawTable, cells: list[str]) -> dict[str, str]:
    types = {c: _type(raw, c) for c in cells}
    # Amounts, dates and codes that the file holds as numbers cannot hide a text.
    cells = [c for c in cells if types[c] in ("id", "text", "") or raw.rows[c].type().is_string()]
    if not cells:
        return {}
    county = compiled.Columns(raw.rows.get_backend())
    counted = compiled.fetch_arrow(county, _lengths, cells, rows=raw.rows).to_pylist()[0]
    found: dict[str, str] = {}
    for c in cells:
        if (counted[f"{c}_longest"] or 0) >= _SHORTEST:
            hits = compiled.fetch_arrow(county, _hits, c, _patterns(types[c]), rows=raw.rows).to_pylist()[0]
            what = _verdict(hits, counted[f"{c}_n"], serials=c == raw.at.get("row_id"))
            found |= {c: what} if what else {}
    return found


def _lengths(county: compiled.Shape, cells: list[str], rows: ir.Table) -> ir.Table:
    """Count each column's values and the characters of its longest."""
    counts = {f"{c}_n": rows[c].count() for c in cells}
    return rows.aggregate(**counts, **{f"{c}_longest": rows[c].cast("string").length().max() for c in cells})


def _hits(county: compiled.Shape, cell: str, patterns: Mapping[str, str], rows: ir.Table) -> ir.Table:
    """Count the values that match each pattern."""
    column = rows[cell]
    text = as_text(column) if column.type().is_floating() else column.cast("string")
    rows = text.name("v").as_table()
    # Matching costs: most values lack a run of digits, and one plain search tells.
    rows = rows.filter(rows.v.length() >= _SHORTEST).filter(rows.v.re_search(_DIGITS))
    text = as_text(rows.v)
    return rows.aggregate(**{k: text.re_search(p).sum().fill_null(0) for k, p in patterns.items()})


def _verdict(hits: Mapping[str, int], n: int, serials: bool) -> str | None:
    """Say what a column of n values holds; serials: a mere row number may have 18 digits."""
    serial = hits.get("id", 0) > _MOST * n
    if hits["identity"] > (_FEW * n if serial else 0) or (serial and not serials):
        return "identity number"
    return "phone" if hits.get("phone") else None


def _type(raw: RawTable, cell: str) -> str:
    """Return the contract's type of a column, nothing for one that it does not know."""
    spec = contract().tables[raw.table].columns
    return next((spec[name].type for name, c in raw.at.items() if c == cell and name in spec), "")


def _patterns(kind: str) -> dict[str, str]:
    """Return what is looked for in a column of one of the contract's types."""
    if kind == "id":
        return {"identity": _IDENTITY_IN, "id": _ID_NUMBER, "phone": _MOBILE_BESIDE}
    if kind in ("amount", "number"):
        return {"identity": _IDENTITY_IN}
    if kind == "text":
        return {"identity": _IDENTITY_IN, "id": _ID_NUMBER, "phone": _MOBILE_IN}
    return {"identity": _IDENTITY_IN, "phone": _MOBILE_IN}


def refuse_personal_data(raw: RawTable) -> None:
    """Refuse a table that names people."""
    found = personal_columns(raw)
    if found:
        columns = ", ".join(f"{raw.headers[c]!r} (looks like: {what})" for c, what in found.items())
        raise InputRefused(
            f"{raw.file}: personal data in column {columns}; remove it, or read with --pseudonymise "
            f"and a secret key in the environment variable {KEY_VARIABLE}"
        )


def secret_key() -> bytes:
    """Return the key for pseudonyms from the environment.

    Raises
    ------
    UsageError
        If the variable is not set.
    """
    key = os.environ.get(KEY_VARIABLE, "")
    if not key:
        raise UsageError(f"--pseudonymise needs a secret key in the environment variable {KEY_VARIABLE}")
    return key.encode()


def pseudonym(value: str, key: bytes) -> str:
    """Return the keyed hash of an id.

    Examples
    --------
    >>> pseudonym("h1", b"k") == pseudonym("h1", b"k") != pseudonym("h1", b"other")
    True
    """
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:_DIGEST_CHARS]


def pseudonymise_table(con: Any, raw: RawTable, key: bytes) -> tuple[RawTable, list[Message]]:
    """Replace the ids of one table by keyed hashes and drop its personal columns."""
    found = personal_columns(raw)
    ids = [c for name, c in raw.at.items() if name in ID_COLUMNS or (name == "row_id" and c in found)]
    dropped = {c: raw.headers[c] for c in found if c in raw.others}
    rows = raw.rows.drop(*dropped) if dropped else raw.rows
    for cell in ids:
        rows = _keyed(rows, cell, key)
    for cell in set(found) - set(ids) - set(dropped):
        rows = _keyed(rows, cell, key, only=tuple(_patterns(_type(raw, cell)).values()))
    name = f"keyed_{raw.table}"
    keyed = dataclasses.replace(
        raw,
        rows=con.create_table(name, rows, temp=True),
        headers=_without(raw.headers, dropped),
        at={column: c for column, c in raw.at.items() if c not in dropped},
    )
    single = {c: raw.headers[c] for c in found if c not in ids and c not in dropped}
    changed = {"personal columns": dropped, "personal values": single}
    notices = [
        Message(f"data.notices.{notice}", {"file": raw.file, "what": ", ".join(columns.values())})
        for notice, columns in changed.items()
        if columns
    ]
    return keyed, notices


def _keyed(rows: ir.Table, cell: str, key: bytes, only: tuple[str, ...] = ()) -> ir.Table:
    """Replace the values of a column by keyed hashes: all, or those that match one of some patterns."""
    texts = rows.select(v=as_text(rows[cell])).distinct()
    if only:
        texts = texts.filter(texts.v.re_search("|".join(f"({p})" for p in only)))
    plain = [v for v in texts.to_pyarrow()["v"].to_pylist() if v]
    lookup = ibis.memtable(
        pa.table(
            {"plain_": plain, "keyed_": [pseudonym(v, key) for v in plain]},
            schema=pa.schema([("plain_", pa.string()), ("keyed_", pa.string())]),
        )
    )
    joined = rows.left_join(lookup, as_text(rows[cell]) == lookup.plain_)
    replaced = joined.keyed_.coalesce(joined[cell].cast("string")) if only else joined.keyed_
    return joined.mutate(**{cell: replaced}).drop("plain_", "keyed_")


def _without(headers: Mapping[str, str], dropped: Mapping[str, str]) -> dict[str, str]:
    return {c: header for c, header in headers.items() if c not in dropped}
