"""Take the pictures of the how-to 导入数据.md: every step is carried out on made-up files, and looked at.

``python docs/office/take_import.py`` needs soffice, pdftoppm and chromium beside the locked packages. Nobody
in the files exists.
"""

from __future__ import annotations

import html
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import openpyxl
from PIL import Image, ImageChops

HERE = Path(__file__).resolve().parent
TOOL = Path(sys.executable).with_name("riskmodel")
DPI, COLOURS, MARGIN = 90, 24, 8
EDITOR = """body { font: 14px/1.5 'Noto Sans Mono CJK SC', monospace; margin: 10px; width: 980px }
.asked { background: #FFF2B3 }"""
ROSTER = ["乡镇", "行政村", "户编号", "户类型", "脱贫年度", "人编号"]
ROSTER += ["与户主关系", "出生年月", "性别", "健康状况", "是否参保"]
MONEY = ["户编号", "工资性收入", "生产经营性收入", "财产性收入", "转移性收入", "生产经营性支出"]
TOWNSHIPS = {"清河镇": ("东村", "西村"), "东山乡": ("上村", "下村")}
HOUSES = 6  # of each township


def number(township: int, house: int) -> str:
    """Return the number of a household."""
    return f"5301{township + 1:02d}{house + 1:04d}"


def write_sheet(path: Path, name: str, lines: Iterable[Sequence[object]]) -> None:
    """Write a workbook of one sheet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = name
    for line in lines:
        sheet.append(list(line))
    book.save(path)


def write_files(folder: Path) -> None:
    """Write a roster of two townships, and what each says of a year's income, with what goes wrong in it."""
    people: list[list[object]] = []
    for t, (township, villages) in enumerate(TOWNSHIPS.items()):
        for h in range(HOUSES):
            home = [
                township,
                villages[h % 2],
                number(t, h),
                "脱贫户" if h % 3 else "一般农户",
                2018 if h % 3 else None,
            ]
            people.append([*home, number(t, h) + "01", "户主", f"19{60 + h}-03", "男", "健康", "是"])
            people.append([*home, number(t, h) + "02", "配偶", f"19{62 + h}-08", "女", "慢性病", "是"])
    people[4][9] = "身体不好"
    people[9][7] = None
    write_sheet(
        folder / "农户花名册.xlsx", "农户", [["某县农户花名册（截至2022年1月15日）"], ROSTER, *people]
    )
    first = [[number(0, h), 2.4 + h / 10, 0.8, 0, 0.36, 0.3] for h in range(HOUSES)]
    first[1][2], first[2][4], first[4][1] = "待核", None, "/"
    write_sheet(folder / "清河镇收支.xlsx", "2021年", [["清河镇2021年农户收支"], MONEY, *first])
    second = [[number(1, h), 24_000 + 900 * h, 8_000, 0, 3_600, 3_000] for h in range(HOUSES)]
    second[3][0], second[5][3] = "5301029999", "无"
    write_sheet(folder / "东山乡收支.xlsx", "2021年", [["东山乡2021年农户收支（单位：元）"], MONEY, *second])


def run(*command: object) -> None:
    """Run one command, its output on stderr."""
    subprocess.run([str(c) for c in command], check=True, stdout=sys.stderr)


def save(picture: Image.Image, name: str) -> None:
    """Save a picture without its blank margins, in few colours."""
    plain = picture.convert("RGB")
    box = ImageChops.difference(plain, Image.new("RGB", plain.size, "white")).getbbox()
    left, top, right, bottom = box or (0, 0, *plain.size)
    room = max(left - MARGIN, 0), max(top - MARGIN, 0), right + MARGIN, bottom + MARGIN
    plain.crop(room).quantize(COLOURS).save(HERE / name, optimize=True)


def take_sheet(book: Path, sheet: str, name: str, work: Path, rows: int = 0) -> None:
    """Take a picture of the first page of one sheet as it prints; of so many rows where some are given."""
    copy = openpyxl.load_workbook(book)
    for other in copy.sheetnames:
        if other != sheet:
            del copy[other]
    if rows:
        copy[sheet].delete_rows(rows + 1, copy[sheet].max_row)
    copy[sheet].oddFooter.left.text = copy[sheet].oddFooter.right.text = None
    copy.save(work / "one.xlsx")
    run("soffice", "--headless", "--convert-to", "pdf", "--outdir", work, work / "one.xlsx")
    run("pdftoppm", "-r", DPI, "-png", "-singlefile", "-f", 1, "-l", 1, work / "one.pdf", work / "one")
    save(Image.open(work / "one.png"), name)


def take_map(text: str, name: str, work: Path, mark: dict[str, str], around: str, lines: int) -> None:
    """Take a picture of some lines of a map as an editor shows them, those with a mark in colour."""
    every = text.splitlines()
    start = max(next(i for i, line in enumerate(every) if around in line) - 3, 0)
    shown = []
    for line in every[start : start + lines]:
        style = next((c for begin, c in mark.items() if line.strip().startswith(begin)), "")
        shown.append(f'<div class="{style}">{html.escape(line).replace(" ", "&nbsp;") or "&nbsp;"}</div>')
    page = work / "page.html"
    page.write_text(f"<meta charset=utf-8><style>{EDITOR}</style>{''.join(shown)}", encoding="utf-8")
    run(
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--window-size=1040,760", f"--screenshot={work / 'page.png'}", page.as_uri(),
    )  # fmt: skip
    save(Image.open(work / "page.png"), name)


def fill_in(book: Path, township: str, out: Path) -> None:
    """Fill in a township's list as the township would: amounts, a month, a word of the list."""
    answers = {"C4": "0.75", "E5": "0.4", "B7": "2.9", "J7": "慢性病", "H12": "1966-08"}
    copy = openpyxl.load_workbook(book)
    sheet = copy[township]
    head = [cell.value for cell in sheet[1]]
    cell, given = head.index("单元格"), head.index("改正后内容")
    for row in sheet.iter_rows(min_row=2):
        row[given].value = answers.get(str(row[cell].value))
    copy.save(out)


def main() -> None:
    """Carry out every step and take its picture."""
    with tempfile.TemporaryDirectory() as home:
        work = Path(home)
        files, plan, data = work / "表格", work / "对照表.yaml", work / "数据"
        write_files(files)
        run(TOOL, "import", "template", work / "模板.xlsx")
        take_sheet(work / "模板.xlsx", "填表说明", "import_template.png", work, rows=30)
        run(TOOL, "import", "guess", files, "--out", plan)
        asked = plan.read_text(encoding="utf-8")
        take_map(asked, "import_questions.png", work, {"# ?": "asked"}, "清河镇收支.xlsx", 22)
        answer = "- file: 清河镇收支.xlsx\n  sheet: 2021年\n"
        plan.write_text(asked.replace(answer, f"{answer}  unit: 万元\n"), encoding="utf-8")
        run(TOOL, "import", "table", files, "--map", plan, "--into", data)
        reading = data / "reading.xlsx"
        take_sheet(reading, "汇总", "import_summary.png", work)
        take_sheet(reading, "清河镇", "problems.png", work)
        fill_in(reading, "清河镇", work / "清河镇.xlsx")
        take_sheet(work / "清河镇.xlsx", "清河镇", "import_filled.png", work)
        run(
            TOOL,
            "import",
            "table",
            files,
            "--map",
            plan,
            "--into",
            data,
            "--corrections",
            work / "清河镇.xlsx",
        )
        take_sheet(reading, "已销号", "import_closed.png", work)


if __name__ == "__main__":
    main()
