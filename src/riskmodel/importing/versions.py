"""One record in several sheets: files of corrections that come later, and ledgers handed over twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import combinations

import pandas as pd

from riskmodel.importing.sheet_layout import text_of
from riskmodel.importing.sheet_rows import SheetRows, is_empty, row_keys
from riskmodel.io import records

_CORRECTION = re.compile(r"更正|订正|修正|勘误|纠错|以本表为准")
_SPAN = ["household_id", "item", "month_from", "month_to"]
_FEWEST = 5  # so many amounts in common are no chance
_SHARE = 0.5  # of the smaller sheet's records that stand in the larger one too


def is_correction(sheet: SheetRows) -> bool:
    """Say whether a sheet's titles or names call it a correction of what was handed over before."""
    above = sheet.grid.rows[: max(min(sheet.layout.header_rows, default=1) - 1, 0)]
    titles = [text_of(value) for line in above for value in line]
    return any(_CORRECTION.search(text) for text in (*titles, sheet.grid.sheet, sheet.grid.file))


class Versions:
    """The amounts of a table that stand in more than one sheet.

    Parameters
    ----------
    rows
        Amounts with household, item, span, ``sheet_no`` and fault.
    say, off
        Add a finding of a row; take its span off record.
    """

    def __init__(self, rows: pd.DataFrame, say: Callable[..., None], off: Callable[..., None]) -> None:
        self.rows, self.say, self.off = rows, say, off

    def take_corrections(self, sheets: Sequence[SheetRows]) -> None:
        """Let amounts of a file of corrections hold in place of those that were handed over before."""
        late = {at for at, sheet in enumerate(sheets) if is_correction(sheet)}
        rows = self.rows
        mine = rows["sheet_no"].isin(late)
        if not mine.any() or mine.all():
            return
        key = row_keys(rows, _SPAN)
        drop: set[object] = set()
        earlier = rows[~mine & key.isin(set(key[mine]))]
        for number, old in earlier.groupby(key[earlier.index], sort=False):
            new = rows[mine & (key == number)]
            known = new[new["fault"].isna()]
            if not len(known):
                drop |= set(new.index)  # a blank cell corrects nothing
                continue
            first = records(known)[0]
            if len(known) > 1 or len(old) > 1:
                drop |= {*new.index, *old.index}
                self.off(first, "contradicts")
                self.say("asked", "correction unclear", first, text=first["text"])
                continue
            day = sheets[first["sheet_no"]].recorded_on
            if day and is_empty(first["recorded_on"]):
                rows.loc[known.index, "recorded_on"] = pd.Series([day], index=known.index, dtype=object)
            old_day = records(old)[0]["recorded_on"]
            if day and (is_empty(old_day) or old_day < day) and old["fault"].isna().all():
                both = [*old.index, *known.index]
                rows.loc[both, "row_id"] = f"c{records(old)[0]['sheet_no']}-{number}"
            else:
                drop |= {*old.index, *new.index} - {known.index[0]}
            self.say("asked", "corrected later", first, text=records(old)[0]["text"])
        self.rows = rows.drop(list(drop))

    def drop_repetitions(self) -> None:
        """Count months once that two sheets hold, where so many are equal that it is no chance.

        Where the two say different amounts of a month, it is unknown; totals are compared elsewhere.
        """
        rows = self.rows
        single = rows[rows["month_from"].eq(rows["month_to"]) & rows["fault"].isna() & rows["row_id"].isna()]
        if not len(single) or single["sheet_no"].nunique() < 2:
            return
        marked = single.assign(key_=row_keys(single, _SPAN), amount=single["amount"].astype(float))
        sums = marked.groupby(["sheet_no", "key_"])["amount"].sum().round(2)
        sums = sums[sums.ne(0)]
        by_sheet = {at: sums[at] for at in sums.index.unique("sheet_no")}
        key = row_keys(single, _SPAN)
        for first, second in combinations(sorted(by_sheet), 2):
            one, other = by_sheet[first], by_sheet[second]
            shared = one.index.intersection(other.index)
            equal = [k for k in shared if one[k] == other[k]]
            fewer = min(len(one), len(other))
            if len(equal) < max(_FEWEST, _SHARE * fewer, _SHARE * len(shared)):
                continue
            again = single[single["sheet_no"].eq(second) & key.isin(shared)]
            differing = single[single["sheet_no"].eq(first) & key.isin(set(shared) - set(equal))]
            lines = records(again)
            self.say("asked", "sheet twice", lines[0], n=len(equal), text=lines[0]["sheet"] or "")
            for row in records(differing.drop_duplicates(_SPAN)):
                self.off(row, "contradicts")
                self.say("asked", "amounts contradict", row, text=row["text"], n=2)
            gone = {*again.index, *differing.index}
            self.rows = self.rows.drop([at for at in gone if at in self.rows.index])


def settle_versions(
    rows: pd.DataFrame,
    sheets: Sequence[SheetRows],
    say: Callable[..., None],
    off: Callable[..., None],
) -> pd.DataFrame:
    """Return amounts after corrections have been taken, and what stands in two sheets counts once.

    Parameters
    ----------
    rows
        Amounts of one table.
    sheets
        What every sheet gave.
    say, off
        As in `Versions`.
    """
    if not len(rows) or rows["sheet_no"].nunique() < 2:
        return rows
    versions = Versions(rows, say, off)
    versions.take_corrections(sheets)
    versions.drop_repetitions()
    return versions.rows


__all__ = ["settle_versions"]
