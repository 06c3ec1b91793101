"""A panel's amounts: income or consumption of the household, in one year's prices, per equivalent adult.

Nothing that is not known becomes an amount: a code of no answer is refused or left unknown, and an
observation whose persons, scale or prices are not known has no income per head, never one of 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from riskmodel.errors import InputRefused
from riskmodel.importing.panel_columns import PanelColumns, plain_code
from riskmodel.importing.panel_map import Figure, PanelMap
from riskmodel.importing.panel_persons import equivalent_persons

LOSSES = "business_net"  # the one source of the contract that can be negative
_NO_ANSWER = {*range(-9, 0), *(-int(digit * n) for digit in "6789" for n in range(2, 7))}
_OFTEN = 5  # a highest amount that stands in so many rows is a top code, or a code of no answer


@dataclass
class PanelAmounts:
    """The amounts of a panel by its map.

    Parameters
    ----------
    columns, plan
        The file and its map.
    t
        ``household_id, month``, in the order of the rows.
    persons
        How many live there, empty where it is not known.
    children
        Returns how many of them count as children in an equivalence scale.
    """

    columns: PanelColumns
    plan: PanelMap
    t: pd.DataFrame
    persons: pd.Series
    children: Callable[[], pd.Series]

    def by_source(self) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
        """Return amounts by source, whether an income was given, and whether it can be divided."""
        spec = self.plan.income
        if spec.poor is not None:
            not_poor = 1 - self._flag(spec.poor, "income.poor")
            return self._of_household(pd.DataFrame({spec.source: not_poor}), not_poor.notna(), self.persons)
        amounts = {s: self._amount(given, f"income.sources.{s}", s) for s, given in spec.sources.items()}
        whole = None
        if spec.amount is not None:
            whole = self._amount(spec.amount, "income.amount", LOSSES if amounts else spec.source)
        if whole is not None and not amounts:
            amounts[spec.source] = whole
        elif whole is not None and spec.rest:
            named = pd.concat(amounts.values(), axis=1).sum(axis=1)
            amounts[spec.rest] = (
                whole - named + amounts.get(spec.rest, pd.Series(0.0, index=self.t.index)).fillna(0)
            )
        frame = pd.DataFrame(amounts)
        told = self.columns.figure(spec.answered, "income.answered") if spec.answered else whole
        answered = frame.notna().any(axis=1) if told is None else told.notna()
        scale = equivalent_persons(self.plan.persons, self.persons, self.children())
        factor = spec.times / self._deflator(answered) * self.persons / scale
        return self._of_household(frame, answered, factor)

    def _of_household(
        self, frame: pd.DataFrame, answered: pd.Series, factor: pd.Series
    ) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
        """Bring the figures of a roster's persons together; they are repeated, or each person's own."""
        if self.plan.persons.kind == "roster":
            key = [self.t["household_id"], self.t["month"]]
            if self.plan.income.of == "person":
                frame = frame.fillna(0).groupby(key).transform("sum")
                answered = answered.groupby(key).transform("all")
            else:
                by = frame.groupby(key)
                differs = (by.transform("max") - by.transform("min") > 0.005).any(axis=1)
                if differs.any():
                    raise self._refused(
                        differs,
                        "the persons of one household have different figures of income (in {n} rows): "
                        "where each row gives its person's own, write income: {{of: person}}, and they are "
                        "added up",
                    )
                frame = by.transform("max")
                answered = answered.groupby(key).transform("any")
        return frame.mul(factor, axis=0), answered, factor.notna()

    def _amount(self, given: Figure, where: str, source: str) -> pd.Series:
        """Return a figure of money in which no code of no answer, and no loss out of place, is left."""
        values = self.columns.figure(given, where)
        negative = values < 0
        coded = negative & values.isin(_NO_ANSWER)
        if coded.any() and not self.plan.income.losses:
            codes = ", ".join(plain_code(v) for v in sorted(values[coded].unique()))
            raise self._refused(
                coded,
                f"{where} is {values[coded].iloc[0]:g} (in {{n}} rows with {codes}): a code of no answer is "
                f"no amount; write missing: [{codes}], or income: {{{{losses: true}}}} where they are losses",
            )
        if negative.any() and source != LOSSES:
            raise self._refused(
                negative,
                f"{where} is {values[negative].iloc[0]:g} (in {{n}} rows, lowest {values.min():g}), and only "
                f"{LOSSES} can be a loss: write source: {LOSSES}, or most({given}, 0), or name codes of no "
                "answer in missing",
            )
        self._tell_top(values, where)
        return values

    def _tell_top(self, values: pd.Series, where: str) -> None:
        top = values.max()
        again = int((values == top).sum())
        if again >= _OFTEN and again >= 0.001 * len(values) and top > 2 * values.median():
            self.columns.told.append(
                f"the highest {where}, {plain_code(float(top))}, stands in {again} rows: a top code is kept "
                "as the least that it means; a code of no answer belongs to missing"
            )

    def _flag(self, given: Figure, where: str) -> pd.Series:
        values = self.columns.figure(given, where)
        wrong = values.notna() & ~values.isin([0, 1])
        if wrong.any():
            raise self._refused(
                wrong,
                f"{where} is {values[wrong].iloc[0]:g}, neither 1 nor 0 (in {{n}} rows); write a comparison, "
                f"such as {given} == 1",
            )
        return values

    def _deflator(self, answered: pd.Series) -> pd.Series:
        """Return what amounts are divided by; refused where an amount has no price level."""
        money, t = self.plan.money, self.t
        if money.deflator is None:
            return pd.Series(1.0, index=t.index)
        if isinstance(money.deflator, str):
            index = self.columns.figure(money.deflator, "money.deflator")
            wrong = answered & ~(index > 0)
            if wrong.any():
                raise self._refused(
                    wrong, f"money.deflator ({money.deflator}) must be above 0 (in {{n}} rows it is not)"
                )
            return index / money.base
        series = {str(k): v for k, v in money.deflator.items()}
        year = (t["month"] // 12).astype(int).astype(str)
        month = year + "-" + (t["month"] % 12 + 1).astype(int).astype(str).str.zfill(2)
        index = month.map(series).fillna(year.map(series)).astype(float)
        if index.isna().any():
            raise InputRefused(
                f"money.deflator has no index for {month[index.isna()].iloc[0]}: give every year or month "
                f"of the file ({', '.join(sorted(year[index.isna()].unique())[:10])})"
            )
        return index / money.base

    def _refused(self, which: pd.Series, why: str) -> InputRefused:
        row, name = self.columns.row_number(which), self.columns.file.name
        return InputRefused(f"{name}: row {row}: {why.format(n=int(which.sum()))}")
