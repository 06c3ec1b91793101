"""The signed page before first use in a county: what it says of the data, and who signed it, once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import yaml

from riskmodel.data import contract
from riskmodel.errors import InputRefused, UsageError
from riskmodel.forms.records import FormRecords, Record, day_text, listed, phrase
from riskmodel.io import read_yaml, write_text

SIGNED = "first-use.yaml"
# What the law counts as sensitive (by its words), and the table that has it; minors are told by their number.
SENSITIVE = {
    "members_health": "members", "members_disability": "members", "spending": "spending",
    "households": "households", "income": "income", "assets": "assets",
}  # fmt: skip
MINOR_AGE = 18


def pages_of_first_use(data: FormRecords, params: Record) -> list[Record]:
    """Return the page: what is held, of how many, what is worked out by machine; else it is empty."""
    people = [m for members in data.members.values() for m in members]
    held = [phrase(f"sensitive.{name}") for name, table in SENSITIVE.items() if data.known.has(table)]
    tables = listed(t.zh for name, t in contract().tables.items() if data.known.has(name))
    return [{
        "as_of": day_text(data.as_of), "households": len(data.homes), "people": len(people),
        "minors": sum(m["age"] < MINOR_AGE for m in people), "tables": tables, "sensitive": listed(held),
        "ruleset": phrase("named_by", name=data.ruleset.name_zh, id=data.ruleset.id),
        "processing": data.processing or phrase("rules_only"),
        "fingerprint": data.known.fingerprint[:12],
    }]  # fmt: skip


def signature_file(data: str | Path) -> Path:
    """Return where it stands who signed: in the county's folder, or beside its DuckDB file."""
    path = Path(data)
    return path / SIGNED if path.is_dir() else path.with_name(f"{path.stem}-{SIGNED}")


def read_signature(data: str | Path) -> dict[str, Any] | None:
    """Return who signed the page of first use and when; None where nobody did.

    Parameters
    ----------
    data
        The county's folder or file.

    Returns
    -------
    dict or None
        ``signed_by, signed_on, document, recorded_on``.
    """
    path = signature_file(data)
    return dict(read_yaml(path)) if path.is_file() else None


def record_signature(
    data: str | Path, signed_by: str, signed_on: dt.date, document: str, recorded_on: dt.date
) -> Path:
    """Write down who signed the page of first use: once, never over what stands.

    Parameters
    ----------
    data
        The county's folder or file.
    signed_by
        Unit and office (a role, no name).
    signed_on
        Day of the signature.
    document
        Number of the signed page in the office's files.
    recorded_on
        Day it is written down.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If who signed, or the document's number, is empty, or the day is after today.
    InputRefused
        If it is signed already.
    """
    if not signed_by.strip() or not document.strip():
        raise UsageError("who signed (unit and office) and the document's number are needed")
    if signed_on > recorded_on:
        raise UsageError(f"signed on {signed_on}, after {recorded_on}")
    path = signature_file(data)
    if path.is_file():
        raise InputRefused(f"{path}: signed already on {read_yaml(path).get('signed_on')}; it is asked once")
    content = {"signed_by": signed_by.strip(), "signed_on": f"{signed_on}", "document": document.strip(),
               "recorded_on": f"{recorded_on}"}  # fmt: skip
    return write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), path)
