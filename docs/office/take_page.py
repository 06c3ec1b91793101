"""Take the pictures of the office's page (docs/office-page.md) from a running page and a simulated county.

``python docs/office/take_page.py`` simulates a county, trains its model, opens `riskmodel office` and does a
month by clicking. ``--work DIR`` keeps (and takes up) the county; it needs chromium and chromedriver.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd

HERE = Path(__file__).resolve().parent
AS_OF = "2021-06-30"
WIDE, HIGH = 1280, 860
SECONDS = 300


def run(*command: object) -> None:
    """Run one command, its output on stderr."""
    subprocess.run([str(c) for c in command], check=True, stdout=sys.stderr)


def make_county(work: Path) -> Path:
    """Simulate a county and train its model, once."""
    tool, county, store = Path(sys.executable).with_name("riskmodel"), work / "县数据", work / "mlflow.db"
    if not county.is_dir():
        run(tool, "simulate", county, "--households", 900, "--months", 54, "--seed", 7, "--futures", 0)
        run(tool, "train", "county", "--data", county, "--store", store)
    return county


class Page:
    """The page in a browser, with what a person does."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def wait(self, what: Callable[[], Any], why: str) -> Any:
        """Wait until something is there."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(Exception):  # an element that was just drawn anew
                if found := what():
                    return found
            time.sleep(0.2)
        raise SystemExit(f"{why}: not seen")

    def find(self, name: str) -> Any:
        """Return the visible element of a name."""
        found = f".rm-{name}"
        return self.wait(
            lambda: next(e for e in self.browser.find_elements("css selector", found) if e.is_displayed()),
            name,
        )

    def click(self, name: str) -> None:
        """Click it."""
        self.wait(lambda: self.find(name).click() or True, name)

    def says(self, text: str) -> None:
        """Wait for a text."""
        self.wait(lambda: text in self.browser.find_element("css selector", "body").text, text)

    def type(self, name: str, text: str) -> None:
        """Write into a field."""
        from selenium.webdriver.common.keys import Keys

        box = self.find(name)
        box = box if box.tag_name == "input" else box.find_element("css selector", "input")
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(text)

    def take(self, name: str) -> None:
        """Save what is seen, in few colours: a page of words needs no more."""
        from PIL import Image

        time.sleep(1.0)
        path = HERE / f"page_{name}.png"
        self.browser.save_screenshot(str(path))
        Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)


def contradict(county: Path, book: Path, out: Path) -> None:
    """Fill in the list of a township with a slip, and have the data say something else of one household."""
    filled = openpyxl.load_workbook(book)
    sheet = filled["核查名单"]
    at = {cell.value: cell.column for cell in sheet[1]}
    home = sheet.cell(2, at["户编号"]).value
    for row, found in ((2, "属实"), (3, "不属实"), (4, "大概吧")):
        sheet.cell(row, at["核查结果"]).value = found
        sheet.cell(row, at["核查日期"]).value = dt.date(2021, 7, 5)
    filled.save(out)
    visits = pd.read_parquet(county / "visits.parquet")
    row = pd.DataFrame([{"household_id": home, "outcome": "not_confirmed", "row_id": "c-1"}])
    row = row.assign(date=dt.date(2021, 7, 5), recorded_on=dt.date(2021, 7, 6))
    for column in visits.select_dtypes("datetime"):
        row[column] = pd.to_datetime(row[column])
    if "row_id" not in visits:
        visits["row_id"] = None
    pd.concat([visits[visits["row_id"].ne("c-1")], row]).to_parquet(county / "visits.parquet", index=False)


def pictures(page: Page, county: Path, months: Path, work: Path) -> None:
    """Do a month by clicking, and take a picture of each step."""
    page.says("返贫致贫监测")
    page.click("tab-data")
    page.type("folder", str(county))
    page.click("choose")
    page.says("数据可以使用")
    page.take("data")
    page.click("tab-month")
    if not (county / "first-use.yaml").is_file():
        page.type("signed-by", "某县乡村振兴局")
        page.type("document", "1")
        page.click("sign")
    page.type("visits", "45")
    page.click("make")
    page.says("评分")
    page.take("month")
    page.find("job-done")
    page.click("tab-households")
    page.says("点一户看详情")
    page.take("households")
    cell = '.rm-households [col-id="township"][role="gridcell"]'
    page.wait(lambda: page.browser.find_element("css selector", cell).click() or True, "a household")
    page.find("card")
    page.take("card")
    page.browser.refresh()
    page.click("tab-files")
    page.click("fill-forms")
    page.says("填写表册：完成")
    page.take("files")
    contradict(county, months / AS_OF / "worklist.xlsx", work / "东河镇.xlsx")
    page.click("tab-returned")
    box = page.wait(
        lambda: page.browser.find_element("css selector", ".rm-drop input[type=file]"), "where to drop"
    )
    box.send_keys(str(work / "东河镇.xlsx"))
    page.click("take")
    page.says("矛盾")
    page.find("take_list")
    page.take("returned")
    page.click("tab-cases")
    page.click("find-cases")
    page.find("cases")
    page.says("等")
    page.take("cases")


def main() -> None:
    """Take all of them."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--work", type=Path, default=None)
    given = options.parse_args()
    os.environ["SE_OFFLINE"] = "true"
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory() as temporary:
        work = (given.work or Path(temporary)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        county, months = make_county(work), work / "months"
        shutil.rmtree(months, ignore_errors=True)
        call = [sys.executable, "-c", "from riskmodel.cli import main; main()", "office", "--no-browser"]
        places = ["--lang", "zh", "--out", str(months), "--store", str(work / "mlflow.db")]
        program = subprocess.Popen([*call, *places], stderr=subprocess.PIPE, encoding="utf-8", cwd=work)
        assert program.stderr is not None
        line = program.stderr.readline()
        chosen = Options()
        chosen.binary_location = shutil.which("chromium") or ""
        for flag in ("headless=new", "no-sandbox", "disable-gpu", f"window-size={WIDE},{HIGH}"):
            chosen.add_argument(f"--{flag}")
        browser = webdriver.Chrome(options=chosen, service=Service(shutil.which("chromedriver")))
        try:
            browser.get(line[line.index("http") :].strip())
            pictures(Page(browser), county, months, work)
        finally:
            browser.quit()
            program.terminate()


if __name__ == "__main__":
    main()
