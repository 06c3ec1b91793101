"""Take the pictures of this folder from the real product: a month of a simulated county, made-up names.

``python docs/office/take.py`` runs what the README's chapter for the office runs, prints the list with
LibreOffice and the visit sheets with chromium, and opens a household's card in a real browser. It needs
soffice, pdftoppm, chromium and chromedriver beside the locked packages; the same versions give the same
pictures. Names are invented here; the county holds none.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
AS_OF, VISITS = "2021-06-30", "60"
SURNAMES = "王李张刘陈杨赵黄周吴"
WIDE = 1080  # pixels of the card's window
LIST_DPI, SHEET_DPI = 110, 60
LIST_ROWS = 470  # pixels of the first page that are kept: header and first households


def run(*command: object) -> None:
    """Run one command, its output on stderr."""
    subprocess.run([str(c) for c in command], check=True, stdout=sys.stderr)


def month(work: Path) -> tuple[Path, Path]:
    """Make the month as the README does; return the list with names and the report."""
    tool = Path(sys.executable).with_name("riskmodel")
    county, store, months = work / "county", work / "mlflow.db", work / "months"
    run(tool, "simulate", county, "--households", 900, "--months", 54, "--seed", 7)
    run(tool, "train", "county", "--data", county, "--store", store)
    ids = pd.read_parquet(county / "households.parquet")["household_id"].drop_duplicates()
    names = pd.DataFrame(
        {
            "户编号": ids,
            "户主姓名": [f"{SURNAMES[i % 10]}某" for i in range(len(ids))],
            "帮扶联系人": [f"{SURNAMES[(7 * i + 3) % 10]}干部" for i in range(len(ids))],
        }
    )
    names.to_csv(work / "names.csv", index=False, encoding="utf-8-sig")
    run(
        tool, "month", county, "--as-of", AS_OF, "--visits", VISITS, "--names", work / "names.csv",
        "--out", months, "--store", store,
    )  # fmt: skip
    return months / f"{AS_OF}-with-names", months / AS_OF / "report" / "report.html"


def first_page(pdf: Path, dpi: int, out: Path, height: int | None = None) -> None:
    """Save the first page of a PDF as a picture, its upper part only if so many pixels are asked for."""
    cut = ["-x", 0, "-y", 0, "-W", 10_000, "-H", height] if height else []
    run("pdftoppm", "-r", dpi, "-png", "-singlefile", "-f", 1, "-l", 1, *cut, pdf, out.with_suffix(""))


def card(report: Path, out: Path) -> None:
    """Open the first household's card in a browser and save what is seen."""
    os.environ["SE_OFFLINE"] = "true"
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("headless=new", "no-sandbox", "disable-gpu", f"window-size={WIDE},1120"):
        options.add_argument(f"--{flag}")
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        browser.get(report.as_uri())
        browser.execute_script("document.querySelector('#rows tr').click(); document.activeElement.blur()")
        browser.save_screenshot(str(out))
    finally:
        browser.quit()


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as home:
        work = Path(home)
        named, report = month(work)
        run("soffice", "--headless", "--convert-to", "pdf", "--outdir", work, named / "worklist.xlsx")
        first_page(work / "worklist.pdf", LIST_DPI, out / "list.png", LIST_ROWS)
        sheets = work / "sheets.pdf"
        run(
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
            f"--print-to-pdf={sheets}", (named / "visit-sheets.html").as_uri(),
        )  # fmt: skip
        first_page(sheets, SHEET_DPI, out / "sheet.png")
        card(report, out / "card.png")


if __name__ == "__main__":
    main()
