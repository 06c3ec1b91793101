"""Fan charts: what has been as a line, what is ahead as bands that widen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from riskmodel.presentation.svg import LANGS, Axis, Plot, Words, element

PAST, AHEAD = "#334155", "#0072b2"
BANDS = (("95", "0.18"), ("80", "0.35"))


@dataclass(frozen=True)
class MonthAxis(Axis):
    """An axis of months: ``names`` are their texts, from place ``low`` on."""

    names: tuple[str, ...] = ()

    def ticks(self, wanted: int = 5) -> list[float]:
        """Return every so many months, the first included."""
        step = max(1, math.ceil(len(self.names) / wanted))
        return [self.low + k for k in range(0, len(self.names), step)]

    def text(self, value: float) -> str:
        """Return a month's text."""
        return self.names[round(value - self.low)]


@dataclass(frozen=True)
class HorizonAxis(Axis):
    """An axis of months ahead: ticks stand where something was forecast."""

    horizons: tuple[float, ...] = ()

    def ticks(self, wanted: int = 5) -> list[float]:
        """Return now and the horizons."""
        return [0.0, *self.horizons]


class Fan(Plot):
    """A plot with bands."""

    def band(
        self, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], colour: str, opacity: str
    ) -> None:
        """Add a filled band between two lines."""
        there = [self.at(x, y) for x, y in zip(xs, highs, strict=True)]
        back = [self.at(x, y) for x, y in zip(reversed(xs), reversed(lows), strict=True)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*there, *back])
        self._parts.append(element("polygon", points=points, fill=colour, fill_opacity=opacity))


def counts_fan(
    past: pd.DataFrame,
    ahead: pd.DataFrame,
    words: Mapping[str, Words],
    title: Words,
    langs: Sequence[str] = LANGS,
) -> str:
    """Draw the months that have been and those ahead.

    Parameters
    ----------
    past : DataFrame
        ``month, count`` in order.
    ahead : DataFrame
        ``month, mean, low_80, high_80, low_95, high_95`` in order.
    words : mapping
        ``month, households, past, forecast``, each in both languages.
    title : mapping of language to text
    langs : sequence of str

    Returns
    -------
    str
        One SVG element.
    """
    months = (*past["month"], *ahead["month"])
    highest = max([*past["count"], *ahead["high_95"], 1.0])
    x = MonthAxis(words["month"], 0, len(months) - 1, percent=False, names=months)
    plot = Fan(x, Axis(words["households"], 0, highest * 1.05, percent=False), title, langs)
    at = [float(len(past) + k) for k in range(len(ahead))]
    for level, opacity in BANDS:
        plot.band(at, list(ahead[f"low_{level}"]), list(ahead[f"high_{level}"]), AHEAD, opacity)
    plot.line([float(k) for k in range(len(past))], past["count"], PAST, name=words["past"])
    plot.line(at, ahead["mean"], AHEAD, name=words["forecast"])
    return plot.svg()


def below_fan(
    now: float, ahead: pd.DataFrame, words: Mapping[str, Words], title: Words, langs: Sequence[str] = LANGS
) -> str:
    """Draw how many households will be below the line, from now to the horizons.

    Parameters
    ----------
    now : float
        Households below at as-of.
    ahead : DataFrame
        ``horizon_months, mean, low_80, …`` in order.
    words : mapping
        ``months_ahead, households, forecast``.
    title : mapping of language to text
    langs : sequence of str

    Returns
    -------
    str
        One SVG element.
    """
    xs = [0.0, *(float(h) for h in ahead["horizon_months"])]
    highest = max([now, *ahead["high_95"], 1.0])
    x = HorizonAxis(words["months_ahead"], 0, xs[-1], percent=False, horizons=tuple(xs[1:]))
    plot = Fan(x, Axis(words["households"], 0, highest * 1.1, percent=False), title, langs)
    for level, opacity in BANDS:
        plot.band(xs, [now, *ahead[f"low_{level}"]], [now, *ahead[f"high_{level}"]], AHEAD, opacity)
    plot.line(xs, [now, *ahead["mean"]], AHEAD, name=words["forecast"])
    return plot.svg()
