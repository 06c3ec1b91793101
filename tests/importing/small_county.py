"""A county's files as an office keeps them, generated: every class of trap once or more, and what is true.

Names, numbers and telephones are invented; `SECRETS` are those that no output may hold.
"""

from __future__ import annotations

import random
from pathlib import Path

import openpyxl

from tests.importing.sheets import person_number

TOWNSHIPS = ("东河镇", "西山乡")
HOUSES = [f"5301010{i:02d}" for i in range(1, 21)]
PHONE = "13800001234"
SOURCES = {"wage": "工资性收入", "business": "生产经营性收入", "transfer": "转移性收入"}


def members() -> list[tuple[str, str, str, str]]:
    """Return household, name, identity number and relation of everybody."""
    out = []
    for i, house in enumerate(HOUSES):
        born = f"19{50 + i}0{1 + i % 9}15"
        out.append((house, f"赵甲{i}", person_number(born, 2 * i + 1), "户主"))
        out.append((house, f"钱乙{i}", person_number(f"19{51 + i}0{1 + i % 9}16", 2 * i + 2), "配偶"))
    return out


def secrets() -> list[str]:
    """Return every name and identity number, and the telephone."""
    return [PHONE, *(name for _, name, _, _ in members()), *(number for _, _, number, _ in members())]


def amounts(seed: int = 15) -> dict[tuple[str, str, int], int]:
    """Return the true amounts: household, source and year to yuan."""
    chance = random.Random(seed)
    return {
        (house, source, year): chance.randrange(3_000, 60_000, 50)
        for house in HOUSES
        for source in SOURCES
        for year in (2019, 2020)
    }


def township(house: str) -> str:
    """Return the township of a household."""
    return TOWNSHIPS[HOUSES.index(house) % 2]


def write_county(folder: Path, seed: int = 15) -> None:
    """Write the files of the county into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _roster(folder / "农户花名册_20210112.csv")
    _incomes(folder / "农户收入.xlsx", amounts(seed))
    (folder / "说明.docx").write_bytes(b"PK")


def _roster(path: Path) -> None:
    """Write one row a member with the household's columns repeated, in GB18030; numbers as typed."""
    header = "乡镇,行政村,户编号,户类型,脱贫年度,姓名,身份证号,与户主关系,健康状况,是否参保,联系电话"
    lines = [header]
    for at, (house, name, number, relation) in enumerate(members()):
        shown = f" {house}" if at % 7 == 0 else f"{house}.0" if at % 5 == 0 else house
        kind, year = ("脱贫户", "2018年") if HOUSES.index(house) % 3 else ("一般农户", "")
        typed = number.lower() if at % 2 else f"'{number}"
        row = [township(house), "上村", shown, kind, year, name, typed, relation, "健康", "√", PHONE]
        lines.append(",".join(row))
    lines.append("注：截至1月12日,,,,,,,,,,")
    path.write_bytes("\r\n".join(lines).encode("gb18030"))


def _incomes(path: Path, true: dict[tuple[str, str, int], int]) -> None:
    """Write a sheet a year, one in 万元, with subtotals, a hidden estimate and cells that say nothing."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for year in (2019, 2020):
        sheet = book.create_sheet(f"{year}年")
        unit = "万元" if year == 2019 else "元"
        sheet.append([f"某县农户收入统计表（{year}年）"])
        sheet.append([f"单位：{unit}", None, f"填报日期：{year + 1}年4月6日"])
        sheet.append(["序号", "户编号", "乡镇", "初估", "收入", None, None, "合计"])
        sheet.append([None, None, None, None, *SOURCES.values(), None])
        sheet.merge_cells("E3:G3")
        sheet.column_dimensions["D"].hidden = True
        for place in TOWNSHIPS:
            own = [h for h in HOUSES if township(h) == place]
            for at, house in enumerate(own, 1):
                cells = [true[house, source, year] for source in SOURCES]
                shown = [c / 10_000 if year == 2019 else c for c in cells]
                sheet.append([at, house, place, 1, *map(_typed, shown), sum(shown)])
            sheet.append(["小计", None, place, None, 1, 1, 1, 3])
        if year == 2020:
            for cell, typed in (("E5", "待核"), ("F6", "-"), ("G7", None), ("E8", "无")):
                sheet[cell] = typed
            sheet["H5"] = sheet["H6"] = sheet["H7"] = sheet["H8"] = None
    book.create_sheet("空")
    book.save(path)


def _typed(amount: float) -> object:
    """Return an amount as somebody may type it."""
    if isinstance(amount, float):
        return amount
    return f"￥{amount:,}" if amount % 3 == 0 else f"{amount}元" if amount % 7 == 0 else amount


# The cells of 2020 that say nothing: household, source, why.
OPEN = (
    (HOUSES[0], "wage", "unreadable"),
    (HOUSES[2], "business", "unreadable"),
    (HOUSES[4], "transfer", "unreadable"),
    (HOUSES[6], "wage", "unreadable"),
)
