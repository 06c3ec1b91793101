"""Charts drawn as SVG text: sharp on screen and paper, a few kilobytes each, words in both languages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from riskmodel.errors import UsageError

LANGS = ("zh", "en")
Words = Mapping[str, str]
Attribute = str | float | None

WIDTH, HEIGHT = 480, 350
LEFT, RIGHT, TOP, BOTTOM = 56, 22, 14, 46
ROW, NAMES, VALUES = 30, 132, 56  # an interval chart's row height, and the room for names and values
INK, FAINT, GRID = "#334155", "#64748b", "#e2e8f0"
FONT = "system-ui,-apple-system,'Segoe UI','Microsoft YaHei','PingFang SC','Noto Sans CJK SC',sans-serif"


@dataclass(frozen=True)
class Chart:
    """A chart that is drawn: its name (of its file and anchor), its title, one SVG element."""

    name: str
    title: Words
    svg: str


def element(name: str, text: str | None = None, /, **attributes: Attribute) -> str:
    """Return one SVG element; ``_`` in attribute names stands for ``-``, None leaves one out.

    Examples
    --------
    >>> element("line", x1=1, stroke_width=2.25)
    '<line x1="1" stroke-width="2.2"/>'
    """
    inside = "".join(
        f' {k.strip("_").replace("_", "-")}="{_value(v)}"'
        for k, v in attributes.items()
        if v not in (None, "")
    )
    return f"<{name}{inside}/>" if text is None else f"<{name}{inside}>{escape(text)}</{name}>"


def _value(value: Attribute) -> str:
    # A tenth of a pixel is finer than any screen shows.
    return escape(value, quote=True) if isinstance(value, str) else f"{round(float(value or 0), 1):g}"


def words(text: Words | str, langs: Iterable[str] = LANGS, /, **attributes: Attribute) -> str:
    """Return one text element a language; the page shows the one that is read."""
    if isinstance(text, str):
        return element("text", text, **attributes)
    return "".join(element("text", text[lang], lang=lang, **attributes) for lang in langs)


@dataclass(frozen=True)
class Axis:
    """One axis: its label in both languages, its range, and whether its ticks are percentages."""

    label: Words
    low: float
    high: float
    percent: bool = True

    def ticks(self, wanted: int = 5) -> list[float]:
        """Return round values within the range, about as many as wanted.

        Examples
        --------
        >>> Axis({"zh": "", "en": ""}, 0, 1).ticks()
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        """
        span = (self.high - self.low) / wanted
        power = 10 ** math.floor(math.log10(span))
        step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= span * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(i * step, 10) + 0.0 for i in range(first, last + 1)]

    def text(self, value: float) -> str:
        """Return a tick's text."""
        return f"{round(100 * value, 6):g}%" if self.percent else f"{value:g}"


class Plot:
    """A chart with two linear axes; parts are drawn in the order they are added."""

    def __init__(self, x: Axis, y: Axis, title: Words, langs: Sequence[str] = LANGS) -> None:
        self.x, self.y, self.title, self.langs = x, y, title, langs
        self._parts: list[str] = []
        self._legend: list[tuple[Words, str, str]] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixel of a point."""
        across = (x - self.x.low) / (self.x.high - self.x.low)
        up = (y - self.y.low) / (self.y.high - self.y.low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def line(
        self, xs: Iterable[float], ys: Iterable[float], colour: str, dash: str = "", name: Words | None = None
    ) -> None:
        """Add a line; with a name it stands in the legend, without one it is a thin reference."""
        points = " ".join("{:.1f},{:.1f}".format(*self.at(x, y)) for x, y in zip(xs, ys, strict=True))
        width = 1.2 if name is None else 2
        self._parts.append(
            element("polyline", points=points, fill="none", stroke=colour, stroke_width=width,
                    stroke_dasharray=dash, stroke_linejoin="round")
        )  # fmt: skip
        if name is not None:
            self._legend.append((name, colour, dash))

    def point(self, x: float, y: float, low: float, high: float, colour: str) -> None:
        """Add a point with an upright interval (left out where it is not a number)."""
        px, py = self.at(x, y)
        if math.isfinite(low) and math.isfinite(high):
            y1, y2 = (self.at(x, min(max(end, self.y.low), self.y.high))[1] for end in (low, high))
            self._parts.append(
                element(
                    "line", x1=px, x2=px, y1=y1, y2=y2, stroke=colour, stroke_opacity="0.45", stroke_width=1.5
                )
            )
        self._parts.append(element("circle", cx=px, cy=py, r=3, fill=colour))

    def upright(self, x: float, label: Words) -> None:
        """Add an upright dashed line with a label beside its foot."""
        px, top = self.at(x, self.y.high)
        foot = self.at(x, self.y.low)[1]
        self._parts.append(element("line", x1=px, x2=px, y1=top, y2=foot, stroke=INK, stroke_dasharray="3 3"))
        self._parts.append(words(label, self.langs, x=px + 5, y=foot - 7, font_size=11, fill=INK))

    def svg(self) -> str:
        """Return the chart as one SVG element."""
        rows = -(-len(self._legend) // 2)
        out = [_open(WIDTH, HEIGHT + 20 * rows, self.title, self.langs), *self._frame(), *self._parts]
        for i, (name, colour, dash) in enumerate(self._legend):
            x, y = LEFT + (i % 2) * 205, HEIGHT + 8 + 20 * (i // 2)
            stroke = {"stroke": colour, "stroke_dasharray": dash}
            out.append(element("line", x1=x, x2=x + 26, y1=y - 4, y2=y - 4, stroke_width=2.5, **stroke))
            out.append(words(name, self.langs, x=x + 33, y=y, font_size=12, fill=INK))
        return "".join([*out, "</svg>"])

    def _frame(self) -> list[str]:
        out = []
        small: dict[str, Attribute] = {"font_size": 11, "fill": FAINT}
        for tick in self.x.ticks():
            px, foot = self.at(tick, self.y.low)
            out.append(element("line", x1=px, x2=px, y1=TOP, y2=foot, stroke=GRID))
            out.append(words(self.x.text(tick), x=px, y=foot + 16, text_anchor="middle", **small))
        for tick in self.y.ticks():
            left, py = self.at(self.x.low, tick)
            right = self.at(self.x.high, tick)[0]
            out.append(element("line", x1=left, x2=right, y1=py, y2=py, stroke=GRID))
            out.append(words(self.y.text(tick), x=left - 6, y=py + 4, text_anchor="end", **small))
        label: dict[str, Attribute] = {"font_size": 12, "fill": INK, "text_anchor": "middle"}
        turned = f"translate(14 {(TOP + HEIGHT - BOTTOM) / 2:g}) rotate(-90)"
        out.append(words(self.x.label, self.langs, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 8, **label))
        out.append(words(self.y.label, self.langs, transform=turned, **label))
        return out


@dataclass(frozen=True)
class Interval:
    """One row of an interval chart."""

    name: Words
    value: float
    low: float
    high: float
    colour: str


def intervals(
    rows: Sequence[Interval], axis: Axis, title: Words, zero: bool = False, langs: Sequence[str] = LANGS
) -> str:
    """Draw values with their intervals, one row each.

    Parameters
    ----------
    rows : sequence of Interval
        One labelled estimate with its limits each, drawn from top to bottom.
    axis : Axis
        Range, ticks and heading of the horizontal axis.
    title : mapping of language to text
        What the drawing shows, read out where it cannot be seen.
    zero : bool
        Values are differences in percentage points: mark zero, for an interval across it shows none.
    langs : sequence of str
        Languages to draw it in.

    Returns
    -------
    str
        One SVG element.
    """
    foot = TOP + ROW * len(rows)
    right = WIDTH - RIGHT - VALUES

    def at(value: float) -> float:
        return NAMES + (value - axis.low) / (axis.high - axis.low) * (right - NAMES)

    out = [_open(WIDTH, foot + BOTTOM, title, langs)]
    for tick in axis.ticks():
        strong = zero and tick == 0
        stroke: dict[str, Attribute] = {
            "stroke": INK if strong else GRID,
            "stroke_dasharray": "3 3" if strong else "",
        }
        out.append(element("line", x1=at(tick), x2=at(tick), y1=TOP, y2=foot, **stroke))
        out.append(
            words(axis.text(tick), x=at(tick), y=foot + 16, font_size=11, fill=FAINT, text_anchor="middle")
        )
    for i, row in enumerate(rows):
        y = TOP + ROW * (i + 0.5)
        label: dict[str, Attribute] = {"y": y + 4, "font_size": 12, "fill": INK, "text_anchor": "end"}
        out.append(words(row.name, langs, x=NAMES - 10, **label))
        if math.isfinite(row.low) and math.isfinite(row.high):
            ends = {"x1": at(row.low), "x2": at(row.high), "y1": y, "y2": y, "stroke_width": 3}
            out.append(
                element("line", stroke=row.colour, stroke_opacity="0.45", stroke_linecap="round", **ends)
            )
        out.append(element("circle", cx=at(row.value), cy=y, r=4.5, fill=row.colour))
        text = f"{100 * row.value:+.1f}" if zero else f"{row.value:.3f}"
        out.append(words(text, x=WIDTH - RIGHT, **label))
    middle = {"x": (NAMES + right) / 2, "y": foot + BOTTOM - 8, "font_size": 12}
    return "".join([*out, words(axis.label, langs, fill=INK, text_anchor="middle", **middle), "</svg>"])


def _open(width: float, height: float, title: Words, langs: Sequence[str]) -> str:
    named = " / ".join(title[lang] for lang in langs)
    head = element(
        "svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:g} {height:g}", role="img",
        aria_label=named, font_family=FONT,
    )  # fmt: skip
    return head.removesuffix("/>") + ">"


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
    """Draw the months that have been and those ahead."""
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
    """Draw how many households will be below the line, from now to the horizons."""
    xs = [0.0, *(float(h) for h in ahead["horizon_months"])]
    highest = max([now, *ahead["high_95"], 1.0])
    x = HorizonAxis(words["months_ahead"], 0, xs[-1], percent=False, horizons=tuple(xs[1:]))
    plot = Fan(x, Axis(words["households"], 0, highest * 1.1, percent=False), title, langs)
    for level, opacity in BANDS:
        plot.band(xs, [now, *ahead[f"low_{level}"]], [now, *ahead[f"high_{level}"]], AHEAD, opacity)
    plot.line(xs, [now, *ahead["mean"]], AHEAD, name=words["forecast"])
    return plot.svg()


def use_chinese() -> str:
    """Make matplotlib draw Chinese; call it before a figure is made.

    Returns
    -------
    str
        The font's name, Noto Sans SC (SIL Open Font License).

    Raises
    ------
    UsageError
        If matplotlib or the font is not installed: the extra to install is named.
    """
    try:
        from matplotlib import font_manager, rcParams
        from pylopdf_fonts_zh_cn import sans_path
    except ImportError as exc:
        raise UsageError(
            f"{exc.name} is not installed: it comes with the extra 'notebook' "
            "(pip install 'riskmodel[notebook]')"
        ) from exc

    font_manager.fontManager.addfont(sans_path())
    name = str(font_manager.FontProperties(fname=sans_path()).get_name())
    # Signs that it lacks (×, a hat on a letter) come from the font that matplotlib brings.
    rcParams["font.family"] = [name, *(f for f in rcParams["font.family"] if f != name)]
    return name
