"""People's data: columns that name a person are refused, or keyed and dropped on request.

What counts: a header that says name, phone or identity number in either language, and a column most of
whose values look like an 18-digit identity number or a mobile phone number. Under ``pseudonymise`` the
household and member ids of every table are replaced by a keyed hash (HMAC-SHA256), so that they still
match one another but not the office's books, and personal columns are dropped before anything else sees
them; rejected rows carry the keyed ids too.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from riskmodel.county.cells import as_text
from riskmodel.county.headers import normal
from riskmodel.county.messages import Notice
from riskmodel.county.raw import Raw
from riskmodel.county.schema import contract
from riskmodel.errors import InputRefused, UsageError

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
_ID_WITH_BIRTH = r"^[0-9]{6}(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]$"
_MOBILE = r"^1[3-9][0-9]{9}$"
_PADDED = 4  # spaces that a value may carry along
_MOST = 0.5
_FEW = 0.01
_DIGEST_CHARS = 32  # 128 bits: no two of a country's ids meet


def personal_columns(raw: Raw) -> dict[str, str]:
    """Find the columns of one table that name people.

    Parameters
    ----------
    raw : Raw

    Returns
    -------
    dict
        ``c0, c1, …`` to what it looks like: ``name``, ``phone`` or ``identity number``.
    """
    found = {}
    for cell in raw.others:
        header = normal(raw.headers[cell])
        for pattern, what in ((_NAME, "name"), (_PHONE, "phone"), (_IDENTITY, "identity number")):
            if pattern.search(header):
                found[cell] = what
    spec = contract().tables[raw.table].columns
    texts = [c for name, c in raw.at.items() if name in spec and spec[name].type in ("id", "text")]
    looked_at = [c for c in (*texts, *raw.others) if c not in found]
    ids = {c for name, c in raw.at.items() if name in spec and spec[name].type == "id"}
    return found | _by_content(raw, looked_at, ids, row_id=raw.at.get("row_id"))


def _by_content(raw: Raw, cells: list[str], ids: Iterable[str], row_id: str | None) -> dict[str, str]:
    if not cells:
        return {}
    lengths = {c: raw.rows[c].cast("string").length() for c in cells}
    fit = {c: (n.between(11, _PADDED + 11) | n.between(18, _PADDED + 18)).any() for c, n in lengths.items()}
    fitting = raw.rows.aggregate(**fit).to_pyarrow().to_pylist()[0]
    # Matching patterns costs; a column without values of the right length needs none.
    suspects = {c: as_text(raw.rows[c]) for c in cells if fitting[c]}
    if not suspects:
        return {}
    patterns = {"id": _ID_NUMBER, "birth": _ID_WITH_BIRTH, "phone": _MOBILE}
    counts = {f"{c}_{k}": t.re_search(p).sum() for c, t in suspects.items() for k, p in patterns.items()}
    counts |= {f"{c}_n": t.count() for c, t in suspects.items()}
    counted = raw.rows.aggregate(**counts).to_pyarrow().to_pylist()[0]
    found = {}
    for c in suspects:
        n = counted[f"{c}_n"]
        if counted[f"{c}_birth"] > _FEW * n or (counted[f"{c}_id"] > _MOST * n and c != row_id):
            found[c] = "identity number"
        elif counted[f"{c}_phone"] > _MOST * n and c not in ids:
            found[c] = "phone"
    return found


def refuse_personal(raw: Raw) -> None:
    """Refuse a table that names people.

    Raises
    ------
    InputRefused
        Naming the columns, never a value.
    """
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


def pseudonymise(con: Any, raw: Raw, key: bytes) -> tuple[Raw, list[Notice]]:
    """Replace the ids of one table by keyed hashes and drop its personal columns.

    Parameters
    ----------
    con : ibis DuckDB backend
    raw : Raw
    key : bytes

    Returns
    -------
    raw : Raw
    notices : list of Notice
    """
    found = personal_columns(raw)
    ids = [c for name, c in raw.at.items() if name in ID_COLUMNS or (name == "row_id" and c in found)]
    dropped = {c: raw.headers[c] for c in found if c not in ids}
    rows = raw.rows.drop(*dropped) if dropped else raw.rows
    for cell in ids:
        rows = _keyed(rows, cell, key)
    name = f"keyed_{raw.table}"
    keyed = dataclasses.replace(
        raw,
        rows=con.create_table(name, rows, temp=True),
        headers=_without(raw.headers, dropped),
        at={column: c for column, c in raw.at.items() if c not in dropped},
    )
    what = ", ".join(dropped.values())
    return keyed, [Notice("personal columns", {"file": raw.file, "what": what})] if dropped else []


def _keyed(rows: ir.Table, cell: str, key: bytes) -> ir.Table:
    plain = [v for v in rows.select(v=as_text(rows[cell])).distinct().to_pyarrow()["v"].to_pylist() if v]
    lookup = ibis.memtable(
        pa.table(
            {"plain_": plain, "keyed_": [pseudonym(v, key) for v in plain]},
            schema=pa.schema([("plain_", pa.string()), ("keyed_", pa.string())]),
        )
    )
    joined = rows.left_join(lookup, as_text(rows[cell]) == lookup.plain_)
    return joined.mutate(**{cell: joined.keyed_}).drop("plain_", "keyed_")


def _without(headers: Mapping[str, str], dropped: Mapping[str, str]) -> dict[str, str]:
    return {c: header for c, header in headers.items() if c not in dropped}
