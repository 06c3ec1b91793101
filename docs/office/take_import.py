"""Take the picture of a problem list: a simulated county's files are read, one township's list is shown.

``python docs/office/take_import.py`` needs chromium beside the locked packages. Nobody in it exists.
"""

from __future__ import annotations

import html
import subprocess
import tempfile
from pathlib import Path

import openpyxl

from riskmodel import importing, simulate

HERE = Path(__file__).resolve().parent
ROWS, COLUMNS = 9, 12
STYLE = """body { font: 13px sans-serif; margin: 8px; background: white }
table { border-collapse: collapse } td { border: 1px solid #bbb; padding: 3px 6px; max-width: 210px }
tr:first-child td { background: #DCE6F1; font-weight: bold }
td:nth-child(12) { background: #FFF9DB; min-width: 90px }"""


def problem_list(work: Path) -> str:
    """Return the first rows of a township's list as a page."""
    county = simulate.simulate_county(households=80, months=36, seed=2, truth_at=())
    simulate.office_files(county, work / "files", seed=2, unreadable_per_mille=8)
    importing.write_import(importing.import_files([work / "files"]), work / "data")
    book = openpyxl.load_workbook(work / "data" / "reading.xlsx", read_only=True)
    lines = list(book[book.sheetnames[2]].iter_rows(max_row=ROWS, max_col=COLUMNS, values_only=True))
    cells = ("".join(f"<td>{html.escape(str(v or ''))}</td>" for v in line) for line in lines)
    rows = "".join(f"<tr>{line}</tr>" for line in cells)
    return f"<meta charset=utf-8><style>{STYLE}</style><table>{rows}</table>"


def main() -> None:
    """Take the picture."""
    with tempfile.TemporaryDirectory() as home:
        page = Path(home) / "page.html"
        page.write_text(problem_list(Path(home)), encoding="utf-8")
        subprocess.run(
            [
                "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--window-size=1500,560", f"--screenshot={HERE / 'problems.png'}", page.as_uri(),
            ],
            check=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
