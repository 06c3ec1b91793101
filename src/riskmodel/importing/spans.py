"""Spans of months: their ends, runs of them, and years that hold quarters that are stated too."""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any


def month_end(ordinal: int) -> dt.date:
    """Return the last day of a month."""
    year, month = divmod(int(ordinal), 12)
    return dt.date(year, month + 1, calendar.monthrange(year, month + 1)[1])


def month_runs(months: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and last of each run of months without a gap."""
    out: list[tuple[int, int]] = []
    for month in months:
        if out and month == out[-1][1] + 1:
            out[-1] = out[-1][0], month
        else:
            out.append((month, month))
    return out


class WholesAndParts:
    """Years, half-years and quarters of one household and source, one group at a time."""

    def __init__(self, say: Callable[..., None]) -> None:
        self.say = say
        self.dropped: list[object] = []
        self.derived: dict[object, Decimal] = {}
        self.added: list[dict[str, Any]] = []

    def settle(self, rows: list[dict[str, Any]]) -> None:
        """Settle the rows of one household and source, the shortest spans first."""
        spans = [(int(r["month_from"]), int(r["month_to"])) for r in rows]
        if len(set(spans)) < len(spans):
            return  # two rows of one span are a correction or a contradiction
        alive = sorted(rows, key=lambda r: int(r["month_to"]) - int(r["month_from"]))
        for whole in list(alive):
            first, last = int(whole["month_from"]), int(whole["month_to"])
            inside = [
                r for r in alive if r is not whole and first <= r["month_from"] and r["month_to"] <= last
            ]
            inside.sort(key=lambda r: int(r["month_from"]))
            if inside and all(a["month_to"] < b["month_from"] for a, b in itertools.pairwise(inside)):
                kept = self._one(whole, inside)
                alive = [r for r in alive if r in kept or (r is not whole and r not in inside)]

    def _one(self, whole: dict[str, Any], parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Settle one whole and the parts inside it; return which rows stay."""
        gaps = _gaps(whole, parts)
        open_parts = [p for p in parts if p["fault"] is not None]
        known = sum((p["amount"] for p in parts if p["fault"] is None), Decimal(0))
        readable = whole["fault"] is None
        if not gaps and not open_parts:
            if readable and abs(whole["amount"] - known) > max(Decimal(1), abs(known) / 100):
                self._say("asked", "check total", whole, f"{known.normalize():f}")
            return self._drop([whole], parts)
        if not readable:
            return [whole, *parts] if gaps else self._drop([whole], parts)
        rest = whole["amount"] - known
        if len(gaps) + len(open_parts) > 1 or (rest < 0 and whole["item"] != "business_net"):
            if rest < 0:
                self._say("asked", "check total", whole, f"{known.normalize():f}")
            self._say("told", "whole holds", whole, f"{known.normalize():f}")
            return self._drop(parts, [whole])
        if open_parts:
            self.derived[open_parts[0]["at"]] = rest
            open_parts[0].update(amount=rest, fault=None)
            self._say("told", "part from whole", open_parts[0], f"{rest.normalize():f}")
            return self._drop([whole], parts)
        first, last = gaps[0]
        new = {**whole, "month_from": first, "month_to": last, "amount": rest}
        new.pop("at")
        self.added.append(new)
        self._say("told", "part from whole", new, f"{rest.normalize():f}")
        return self._drop([whole], parts)

    def _drop(self, out: list[dict[str, Any]], rest: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.dropped += [row["at"] for row in out]
        return rest

    def _say(self, handling: str, kind: str, row: dict[str, Any], given: str) -> None:
        self.say(handling, kind, row, text=row["text"], given=given)


def _gaps(whole: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Return the spans of a whole that none of its parts covers."""
    out, start = [], int(whole["month_from"])
    for part in parts:
        if int(part["month_from"]) > start:
            out.append((start, int(part["month_from"]) - 1))
        start = int(part["month_to"]) + 1
    return [*out, (start, int(whole["month_to"]))] if start <= int(whole["month_to"]) else out
