"""A published ledger as it is typed in (contract, "A published ledger, to be checked")."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from riskmodel.errors import SpecError
from riskmodel.io.specs import Spec, parse_spec, read_yaml

Unit = Literal["hh", "p"]
UNITS: tuple[Unit, ...] = ("hh", "p")
UNIT_NAMES = {"hh": "households", "p": "persons"}
Count = Annotated[int, Field(strict=True, ge=0)]
ColumnName = Literal[
    "total", "eliminated", "remaining", "identified", "rolled_back", "re_marked", "removed",
    "label_withdrawn", "natural_increase", "natural_decrease", "opening", "closing",
]  # fmt: skip


class Amounts(Spec):
    """One cell: households and persons, either may be left out."""

    hh: Count | None = None
    p: Count | None = None


class Row(Spec):
    """One row: any of the columns, and the share of the categories' totals that was printed."""

    total: Amounts | None = None
    eliminated: Amounts | None = None
    remaining: Amounts | None = None
    identified: Amounts | None = None
    rolled_back: Amounts | None = None
    re_marked: Amounts | None = None
    removed: Amounts | None = None
    label_withdrawn: Amounts | None = None
    natural_increase: Amounts | None = None
    natural_decrease: Amounts | None = None
    opening: Amounts | None = None
    closing: Amounts | None = None
    share_pct: Annotated[Decimal, Field(ge=0, allow_inf_nan=False)] | None = None

    def cell(self, column: str, unit: Unit) -> int | None:
        """Return what is printed in a column, None where it is left out."""
        amounts = getattr(self, column)
        return None if amounts is None else getattr(amounts, unit)


class Published(Spec):
    """A published ledger. Any cell may be left out; what is left out is unknown, never zero."""

    period: str | int | float | dt.date | None = None
    unit: dict[Unit, str] = Field(default_factory=dict)
    categories: dict[str, Row]
    total: Row | None = None
    causes: dict[str, Amounts] = Field(default_factory=dict)
    causes_of: ColumnName = "total"

    def cells(self) -> dict[str, int | Decimal]:
        """Return every printed cell under its path, in the order of the file.

        Examples
        --------
        >>> Published.model_validate({"categories": {"a": {"total": {"hh": 3}}}}).cells()
        {'categories.a.total.hh': 3}
        """
        out: dict[str, int | Decimal] = {}
        for where, row in self.rows().items():
            for column in Row.model_fields:
                if column == "share_pct":
                    if row.share_pct is not None:
                        out[f"{where}.share_pct"] = row.share_pct
                    continue
                for unit in UNITS:
                    if (value := row.cell(column, unit)) is not None:
                        out[f"{where}.{column}.{unit}"] = value
        for cause, amounts in self.causes.items():
            for unit in UNITS:
                if (value := getattr(amounts, unit)) is not None:
                    out[f"causes.{cause}.{unit}"] = value
        return out

    def rows(self) -> dict[str, Row]:
        """Return the rows under their paths: the categories, then the total."""
        out = {f"categories.{name}": row for name, row in self.categories.items()}
        return out | ({"total": self.total} if self.total else {})


def read_published(given: Mapping[str, Any] | str | Path) -> Published:
    """Return a published ledger from a YAML file or from plain values.

    Parameters
    ----------
    given : mapping, str or Path

    Returns
    -------
    Published

    Raises
    ------
    SpecError
        If the file cannot be read or a key is wrong; the message names file, key and what is allowed.
    """
    if isinstance(given, Mapping):
        return parse_spec(dict(given), Published, "published ledger")
    content = read_yaml(given)
    node = yaml.compose(Path(given).read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    try:
        return parse_spec(_as_printed(content, node), Published, given)
    except SpecError as exc:
        allowed = ", ".join(Row.model_fields)
        raise SpecError(
            f"{exc}\n{given}: columns are {allowed}; cells are {{hh: …, p: …}}, whole numbers"
        ) from exc


def _as_printed(content: Any, node: yaml.Node | None) -> Any:
    """Put each ``share_pct`` back as it was typed: 72.30 promises one digit more than 72.3."""
    if not isinstance(content, dict) or not isinstance(node, yaml.MappingNode):
        return content
    typed = {str(key.value): value for key, value in node.value}
    out = {key: _as_printed(value, typed.get(str(key))) for key, value in content.items()}
    if isinstance(out.get("share_pct"), float) and "share_pct" in typed:
        out["share_pct"] = str(typed["share_pct"].value)
    return out
