"""A simulated county as an office would hand it over: workbooks, township files, and the slips of typing.

What `riskmodel.importing` reads is written here from a county whose tables are known, so that the import
can be held against them: lists as they stand on one day, totals a year wide with a title and a header of
two rows, months a township and kind in one file each, Excel or text, with dates, amounts and numbers typed as
people type them. Some amounts are made unreadable; they are returned, for they must come back as unknown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from riskmodel.data import codes
from riskmodel.errors import UsageError
from riskmodel.io import atomic, new_workbook, write_cell
from riskmodel.simulate.assembly import SimulatedCounty

Form = Literal["xlsx", "csv"]
_SOURCES = ("wage", "business", "property", "transfer")
_CATEGORIES = ("production", "medical", "education", "housing", "living")
_UNREADABLE = ("待核实", "约{}", "不详", "—", "?")
_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
_YES, _NO = ("是", "√", "有"), ("否", "×", "无")
# How townships write a month, and a day; each keeps to one way.
_MONTHS: tuple[Callable[[int, int], object], ...] = (
    lambda y, m: f"{y}年{m}月",
    lambda y, m: f"{y}-{m:02d}",
    lambda y, m: y * 100 + m,
)
_DAYS: tuple[Callable[[dt.date], object], ...] = (
    lambda d: d,
    lambda d: f"{d.year}.{d.month}.{d.day}",
    lambda d: f"{d.year}年{d.month}月{d.day}日",
)
_PER_MILLE = 1000


@dataclass(frozen=True)
class OfficeFiles:
    """What was written.

    Parameters
    ----------
    files
        In the order in which they were written.
    unreadable
        ``household_id, of, item, month_from, month_to`` of every amount that was made unreadable.
    """

    files: tuple[Path, ...]
    unreadable: pd.DataFrame


@dataclass
class _Sheet:
    """One sheet: lines above the header, header rows, records, lines below."""

    name: str
    header: list[list[str]]
    rows: list[list[object]]
    above: list[str] = field(default_factory=list)
    below: list[list[object]] = field(default_factory=list)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)

    def lines(self) -> Iterator[Sequence[object]]:
        """Yield every line."""
        yield from ([line] for line in self.above)
        yield from self.header
        yield from self.rows
        yield from self.below


def office_files(
    county: SimulatedCounty | Mapping[str, pd.DataFrame],
    folder: str | Path,
    seed: int = 0,
    *,
    monthly_years: int = 2,
    unreadable_per_mille: float = 2.0,
    form: Form = "xlsx",
) -> OfficeFiles:
    """Write a county as an office would hand it over.

    Parameters
    ----------
    county
        From `simulate_county`, or its frames.
    folder
        Where to; made if it is not there.
    seed
        Of the slips.
    monthly_years
        How many of the last calendar years are kept by month and township; those before are yearly totals.
    unreadable_per_mille
        Of all amounts, how many are made unreadable.
    form
        Of the large files; ``csv`` are GB18030, as Excel saves them.

    Returns
    -------
    OfficeFiles
        The files, and which amounts nobody can read.

    Raises
    ------
    UsageError
        If a number is below zero.

    Examples
    --------
    >>> import tempfile
    >>> from riskmodel import simulate
    >>> county = simulate.simulate_county(households=20, months=24, truth_at=())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = simulate.office_files(county, folder, seed=1, monthly_years=1)
    ...     sorted({path.suffix for path in made.files}), made.files[0].name
    (['.csv', '.xlsx'], '农户信息.xlsx')
    """
    if monthly_years < 0 or unreadable_per_mille < 0:
        raise UsageError("monthly_years and unreadable_per_mille are not below zero")
    frames = county.frames if isinstance(county, SimulatedCounty) else dict(county)
    office = _Office(frames, Path(folder), np.random.default_rng(seed), unreadable_per_mille, form)
    return office.write(monthly_years)


class _Office:
    """An office that writes its files."""

    def __init__(
        self,
        frames: Mapping[str, pd.DataFrame],
        folder: Path,
        rng: np.random.Generator,
        per_mille: float,
        form: Form,
    ) -> None:
        self.frames, self.folder, self.rng, self.form = frames, folder, rng, form
        self.per_mille = per_mille
        self.files: list[Path] = []
        self.unreadable: list[dict[str, Any]] = []
        months = sorted(frames["recorded"]["month_from"].unique())
        self.end = pd.Timestamp(months[-1]) + pd.offsets.MonthEnd(0)
        self.years = sorted({int(m[:4]) for m in months if m.endswith("-12")})
        self.amounts = self._amounts()

    def write(self, monthly_years: int) -> OfficeFiles:
        """Write every file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        yearly = self.years[: len(self.years) - monthly_years]
        self._book("农户信息", [self._households(), self._members()])
        if yearly:
            self._book("历年收支", [self._year(year, in_10000=at == 0) for at, year in enumerate(yearly)])
        for year in self.years[len(yearly) :]:
            self._months(year)
        events = [sheet for make in (self._events, self._monitoring, self._support) for sheet in make()]
        if events:
            self._book("监测帮扶", events, form="xlsx")
        columns = ["household_id", "of", "item", "month_from", "month_to"]
        return OfficeFiles(tuple(self.files), pd.DataFrame(self.unreadable, columns=columns))

    # ------------------------------------------------------------ lists

    def _current(self, table: str, key: str) -> pd.DataFrame:
        """Return what is known of each on the last day, and since when there is it."""
        rows = self.frames[table]
        known = rows[(rows["recorded_on"] <= self.end) & (rows["valid_from"] <= self.end)]
        last = known.sort_values(["valid_from", "recorded_on"], kind="stable").drop_duplicates(
            key, keep="last"
        )
        since = known.groupby(key)["valid_from"].min()
        return last.assign(since=last[key].map(since)).sort_values(key)

    def _households(self) -> _Sheet:
        rows = self._current("households", "household_id")
        members = self._current("members", "member_id")
        persons = members[members["valid_to"].isna()].groupby("household_id").size()
        year = self.end.year
        columns = {
            "序号": range(1, len(rows) + 1),
            "乡镇": rows["township"],
            "行政村": rows["village"],
            "村民小组": rows["group"],
            "户编号": self._ids(rows["household_id"]),
            "户类型": rows["registration"].map(codes("households", "registration")),
            "脱贫年度": [None if y != y else int(y) for y in rows["lifted_year"]],
            "是否低保": self._ticks(rows["dibao"]),
            "特困供养": self._ticks(rows["tekun"]),
            "易地搬迁": self._ticks(rows["relocated"]),
            "是否危房": self._ticks(~rows["housing_safe"].astype(bool)),
            "饮水是否安全": self._ticks(rows["water_safe"]),
            "建档日期": [d.date() for d in rows["since"]],
            "家庭人口数": rows["household_id"].map(persons).fillna(0).astype(int),
        }  # fmt: skip
        title = f"农户基本情况表（截至{year}年{self.end.month}月{self.end.day}日）"
        return _sheet("农户", columns, above=[title])

    def _members(self) -> _Sheet:
        rows = self._current("members", "member_id")
        word = {
            name: codes("members", name)
            for name in ("sex", "relation", "schooling", "health", "work_capacity")
        }
        columns = {
            "户编号": self._ids(rows["household_id"]),
            "成员编号": rows["member_id"],
            "与户主关系": rows["relation"].map(word["relation"]),
            "性别": rows["sex"].map(word["sex"]),
            "出生年月": [f"{int(m[:4])}.{m[5:]}" for m in rows["birth_month"]],
            "在校生状况": rows["schooling"].map(word["schooling"]),
            "健康状况": rows["health"].map(word["health"]),
            "残疾等级": ["无" if g == 0 else f"{'零一二三四'[int(g)]}级" for g in rows["disability_grade"]],
            "劳动能力": rows["work_capacity"].map(word["work_capacity"]),
            "是否参加医保": self._ticks(rows["insured"]),
            "户籍是否在本户": self._ticks(rows["hukou"]),
            "是否常住": self._ticks(rows["resident"]),
            "增加日期": [d.date() for d in rows["since"]],
            "减少日期": [None if d is pd.NaT else d.date() for d in rows["valid_to"]],
            "减少原因": rows["change_reason"].where(rows["valid_to"].notna()),
        }  # fmt: skip
        return _sheet("家庭成员", columns)

    # ------------------------------------------------------------ amounts

    def _amounts(self) -> pd.DataFrame:
        """Return one row for each household and month on record: every source and category, 0 where none."""
        on_record = self.frames["recorded"]
        base = on_record[on_record["of"] == "income"][["household_id", "month_from", "recorded_on"]]
        out = base.rename(columns={"month_from": "month"}).set_index(["household_id", "month"])
        for table, column, items in (("income", "source", _SOURCES), ("spending", "category", _CATEGORIES)):
            rows = self.frames[table]
            wide = rows.pivot_table(
                index=["household_id", "month"], columns=column, values="amount", aggfunc="sum", fill_value=0
            )
            wide = wide.reindex(columns=list(items), fill_value=0)
            out[list(items)] = wide.reindex(out.index).fillna(0)
        homes = self._current("households", "household_id").set_index("household_id")
        out = out.reset_index()
        out = self._with_blank_months(out[out["household_id"].isin(homes.index)])
        return out.assign(
            township=out["household_id"].map(homes["township"]), year=out["month"].str[:4].astype(int)
        )

    def _with_blank_months(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Add rows for months that are not yet written up: the form lists every household each month."""
        members = self._current("members", "member_id")
        present = members.loc[members["valid_to"].isna(), "household_id"].unique()
        first = rows.groupby("household_id")["month"].min().reindex(present).dropna()
        every = np.array(sorted(self.frames["recorded"]["month_from"].unique()), dtype=object)
        pairs = pd.MultiIndex.from_product([first.index, every], names=["household_id", "month"]).to_frame(
            False
        )
        pairs = pairs[pairs["month"] >= pairs["household_id"].map(first)]
        return rows.merge(pairs, on=["household_id", "month"], how="outer")

    def _year(self, year: int, *, in_10000: bool) -> _Sheet:
        """Return a year's sheet: only households of which every month is on record."""
        rows = self.amounts[self.amounts["year"] == year]
        whole = rows.groupby("household_id")["recorded_on"].transform("count") == 12
        totals = rows[whole].groupby(["township", "household_id"], sort=True)[[*_SOURCES, *_CATEGORIES]].sum()
        totals = totals.reset_index()
        scale = 10_000 if in_10000 else 1
        span = f"{year}-01", f"{year}-12"
        values = {name: self._typed(totals, "income", name, scale, *span) for name in _SOURCES}
        values |= {name: self._typed(totals, "spending", name, scale, *span) for name in _CATEGORIES}
        words = _item_words()
        heads = ["乡镇", "户编号", *(words[n] for n in values)]
        groups = ["", "", "家庭收入", *[""] * (len(_SOURCES) - 1), "家庭支出", *[""] * (len(_CATEGORIES) - 1)]
        groups[:2] = heads[:2]
        ids = self._ids(totals["household_id"])
        lines = [list(line) for line in zip(totals["township"], ids, *values.values(), strict=True)]
        first = len(_SOURCES)
        sheet = _Sheet(
            f"{year}年",
            [groups, [*["", ""], *heads[2:]]],
            lines,
            above=[
                f"{year}年农户家庭收支情况表",
                f"单位：{'万元' if in_10000 else '元'}    填报日期：{year + 1}年4月20日",
            ],
            merged=[(3, 0, 4, 0), (3, 1, 4, 1), (3, 2, 3, first + 1), (3, first + 2, 3, len(heads) - 1)],
        )
        total = [round(float(totals[name].sum()) / scale, 4) for name in values]
        sheet.below = [["合计", None, *total], ["填表说明：收入为全年毛收入，没有的填 0，不清楚的请注明。"]]
        return sheet

    def _months(self, year: int) -> None:
        """Write a year's files: one a township, incomes and spendings side by side."""
        rows = self.amounts[self.amounts["year"] == year].sort_values(["household_id", "month"])
        for at, (township, own) in enumerate(rows.groupby("township", sort=True)):
            month, day = _MONTHS[at % len(_MONTHS)], _DAYS[at % len(_DAYS)]
            columns: dict[str, Sequence[object]] = {
                "户编号": self._ids(own["household_id"]),
                "月份": [month(int(m[:4]), int(m[5:])) for m in own["month"]],
            }
            words = _item_words()
            for table, items in (("income", _SOURCES), ("spending", _CATEGORIES)):
                for item in items:
                    header = f"{words[item]}（元）"
                    columns[header] = self._typed(own, table, item, 1, None, None)
            columns["录入日期"] = [None if d is pd.NaT else day(d.date()) for d in own["recorded_on"]]
            form: Form = "csv" if self.form == "csv" or at % 3 == 2 else "xlsx"
            sheet = _sheet("月度收支", columns, above=[f"{township}{year}年农户月度收支台账"])
            self._book(f"{township}/{township}{year}年月度收支", [sheet], form=form)

    def _typed(
        self, rows: pd.DataFrame, table: str, item: str, scale: int, first: str | None, last: str | None
    ) -> list[object]:
        """Return amounts as people type them; some cannot be read, and are noted."""
        n = len(rows)
        draw = self.rng.random(n)
        lost = self.rng.random(n) < self.per_mille / _PER_MILLE
        out: list[object] = []
        months = rows["month"] if first is None else [first] * n
        for at, (household, amount, month) in enumerate(
            zip(rows["household_id"], rows[item].tolist(), months, strict=True)
        ):
            if amount != amount:  # not yet written up
                out.append(None)
            elif lost[at]:
                word = _UNREADABLE[int(draw[at] * len(_UNREADABLE))].format(int(amount))
                out.append(word)
                self.unreadable.append(
                    {"household_id": household, "of": table, "item": item, "month_from": month,
                     "month_to": last or month}
                )  # fmt: skip
            else:
                out.append(_money(amount, scale, draw[at]))
        return out

    # ------------------------------------------------------------ events

    def _events(self) -> Iterator[_Sheet]:
        rows = self._known("risk_events")
        if len(rows):
            cause, channel = codes("risk_events", "cause"), codes("risk_events", "channel")
            columns = {
                "户编号": rows["household_id"],
                "排查日期": _days(rows["date"]),
                "风险类型": rows["cause"].map(cause),
                "损失金额": rows["loss"],
                "发现渠道": rows["channel"].map(channel),
                "记录编号": rows["row_id"],
                "录入日期": _days(rows["recorded_on"]),
            }
            yield _sheet("风险排查", columns)

    def _monitoring(self) -> Iterator[_Sheet]:
        rows = self._known("monitoring")
        if len(rows):
            cause, category = codes("risk_events", "cause"), _categories()
            causes = [
                "、".join(cause[c] for c in text.split(";")) if isinstance(text, str) else None
                for text in rows["causes"]
            ]
            columns = {
                "户编号": rows["household_id"],
                "发生日期": _days(rows["date"]),
                "事项": rows["event"].map(codes("monitoring", "event")),
                "监测对象类别": rows["category"].map(category),
                "致贫返贫风险": causes,
                "录入日期": _days(rows["recorded_on"]),
            }
            yield _sheet("监测对象", columns)

    def _support(self) -> Iterator[_Sheet]:
        rows = self._known("support")
        if len(rows):
            columns = {
                "户编号": rows["household_id"],
                "帮扶日期": _days(rows["date"]),
                "帮扶措施": rows["measure"].map(codes("support", "measure")),
                "对应风险": rows["cause"].map(codes("risk_events", "cause")),
                "金额": rows["amount"],
                "结束日期": _days(rows["end_date"]),
                "录入日期": _days(rows["recorded_on"]),
            }
            yield _sheet("帮扶措施", columns)

    def _known(self, table: str) -> pd.DataFrame:
        rows = self.frames.get(table)
        return pd.DataFrame() if rows is None else rows.sort_values(["household_id", "date", "recorded_on"])

    # ------------------------------------------------------------ cells and files

    def _ids(self, ids: pd.Series) -> list[object]:
        """Return household numbers as typed: a few with full-width digits or blanks around them."""
        draw = self.rng.random(len(ids))
        return [
            str(i).translate(_FULL_WIDTH) if d < 0.003 else f" {i} " if d < 0.008 else i
            for i, d in zip(ids, draw, strict=True)
        ]

    def _ticks(self, values: pd.Series) -> list[str]:
        words = int(self.rng.integers(len(_YES)))
        return [_YES[words] if v else _NO[words] for v in values]

    def _book(self, name: str, sheets: Sequence[_Sheet], form: Form | None = None) -> None:
        """Write sheets as one workbook, or each as a text file."""
        if (form or self.form) == "xlsx":
            path = self.folder / f"{name}.xlsx"
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic(path) as temporary, new_workbook(temporary) as book:
                for sheet in sheets:
                    _write_sheet(book, sheet)
            self.files.append(path)
            return
        for sheet in sheets:
            path = self.folder / (f"{name}_{sheet.name}.csv" if len(sheets) > 1 else f"{name}.csv")
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [",".join("" if v is None else _quoted(v) for v in line) for line in sheet.lines()]
            with atomic(path) as temporary:
                temporary.write_bytes(("\r\n".join(lines) + "\r\n").encode("gb18030"))
            self.files.append(path)


def _sheet(name: str, columns: Mapping[str, Any], above: Sequence[str] = ()) -> _Sheet:
    values = [[v if v == v else None for v in column] for column in columns.values()]
    return _Sheet(name, [list(columns)], [list(line) for line in zip(*values, strict=True)], list(above))


def _write_sheet(book: Any, sheet: _Sheet) -> None:
    page = book.add_worksheet(sheet.name)
    day = book.add_format({"num_format": "yyyy/m/d"})
    middle = book.add_format({"align": "center", "valign": "vcenter"})
    covered = set()
    for r1, c1, r2, c2 in sheet.merged:  # rows from 1, columns from 0
        text = sheet.header[r1 - 1 - len(sheet.above)][c1]
        page.merge_range(r1 - 1, c1, r2 - 1, c2, text, middle)
        covered |= {(r, c) for r in range(r1 - 1, r2) for c in range(c1, c2 + 1)}
    for row, line in enumerate(sheet.lines()):
        for column, value in enumerate(line):
            if value is not None and (row, column) not in covered:
                write_cell(page, row, column, value, day if isinstance(value, dt.date) else None)


def _quoted(value: object) -> str:
    text = f"{value:%Y/%m/%d}" if isinstance(value, dt.date) else str(value)
    return f'"{text}"' if "," in text or '"' in text else text


def _money(amount: float, scale: int, draw: float) -> object:
    """Return an amount as typed: mostly a number, sometimes with signs, separators or full width."""
    if scale > 1:
        return round(amount / scale, 4)
    if draw < 0.01:
        return f"{int(amount):,}"
    if draw < 0.015:
        return f"￥{int(amount)}"
    if draw < 0.02:
        return f"{int(amount)}元"
    if draw < 0.022:
        return str(int(amount)).translate(_FULL_WIDTH)
    return int(amount)


def _days(column: pd.Series) -> list[dt.date | None]:
    return [None if d is pd.NaT else d.date() for d in column]


def _item_words() -> dict[str, str]:
    return {
        **codes("income", "source"), **codes("spending", "category"),
        "medical": "医疗自付支出", "education": "教育支出", "housing": "住房支出", "living": "生活支出",
    }  # fmt: skip


def _categories() -> dict[str, str]:
    return {
        "unstable_lifted": "脱贫不稳定户",
        "marginal": "边缘易致贫户",
        "sudden_hardship": "突发严重困难户",
    }
