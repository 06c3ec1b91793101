"""The office's page in a real browser: from an empty folder to a printed list and visits taken in."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from riskmodel import simulate
from riskmodel.data import read_county
from riskmodel.runs import training
from tests.month.conftest import AS_OF, VISITS, Office, small

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(
        not (BROWSER and DRIVER),
        reason="needs chromium and chromedriver (Debian: apt install chromium-driver)",
    ),
]
SECONDS = 60


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    home = tmp_path_factory.mktemp("office")
    county, store = home / "县数据", home / "mlflow.db"
    made = simulate.simulate_county(households=560, months=48, seed=5, truth_at=[])
    simulate.write_simulated_county(made, county)
    return Office(county, store, training.train(small(), read_county(county), store).run_id)


@pytest.fixture
def page(office: Office, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program as the verb starts it; its link."""
    call = [
        sys.executable,
        "-c",
        "from riskmodel.cli import main; main()",
        "office",
        "--no-browser",
        "--lang",
        "zh",
    ]
    places = ["--out", str(tmp_path / "months"), "--store", str(office.store)]
    program = subprocess.Popen(
        [*call, *places], stderr=subprocess.PIPE, text=True, cwd=tmp_path, encoding="utf-8"
    )
    assert program.stderr is not None
    line = program.stderr.readline()
    yield program, line[line.index("http") :].strip()
    program.terminate()
    program.wait(30)
    program.stderr.close()


class Clicks:
    """A browser and what a person does with it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def wait(self, what: Callable[[], Any], why: str) -> Any:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(Exception):  # an element that was just drawn anew
                if found := what():
                    return found
            time.sleep(0.2)
        raise AssertionError(f"{why}: not seen; the page says: {self.text()[-1500:]}")

    def text(self) -> str:
        return str(self.driver.find_element("css selector", "body").text)

    def find(self, name: str) -> Any:
        return self.wait(
            lambda: next(
                e for e in self.driver.find_elements("css selector", f".rm-{name}") if e.is_displayed()
            ),
            name,
        )

    def click(self, name: str) -> None:
        self.wait(lambda: self.find(name).click() or True, name)

    def says(self, text: str) -> None:
        self.wait(lambda: text in self.text(), text)

    def type(self, name: str, text: str) -> None:
        from selenium.webdriver.common.keys import Keys

        box = self.find(name)
        box = box if box.tag_name == "input" else box.find_element("css selector", "input")
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(text)


@pytest.fixture
def clicks(tmp_path: Path) -> Iterator[Clicks]:
    pytest.importorskip("selenium")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    os.environ["SE_OFFLINE"] = "true"
    options = Options()
    options.binary_location = str(BROWSER)
    for flag in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "window-size=1400,1000",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    where = {"behavior": "allow", "downloadPath": str(tmp_path / "downloads")}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    yield Clicks(driver)
    driver.quit()


def requested(driver: Any) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    kinds = ("Network.requestWillBeSent", "Network.webSocketCreated")
    found = [m["params"] for m in messages if m["method"] in kinds]
    return [params.get("url") or params["request"]["url"] for params in found]


def test_a_month_from_an_empty_folder_to_a_printed_list(
    office: Office, page: tuple[subprocess.Popen[str], str], clicks: Clicks, tmp_path: Path
) -> None:
    program, link = page
    driver = clicks.driver
    home = link.partition("/open")[0]
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        urllib.request.urlopen(home)
    refused.value.close()
    driver.get(link)
    clicks.says("返贫致贫监测")

    # An empty folder, then the county's.
    (tmp_path / "empty").mkdir()
    clicks.type("folder", str(tmp_path / "empty"))
    clicks.click("choose")
    clicks.says("数据不能使用")
    clicks.type("folder", str(office.data))
    clicks.click("choose")
    clicks.says("数据可以使用，截至 2020-12-31")

    # The month, then a household.
    clicks.click("tab-month")
    clicks.type("signed-by", "某县乡村振兴局")
    clicks.type("document", "1")
    clicks.click("sign")
    clicks.says("county@")
    clicks.type("visits", str(VISITS))
    clicks.click("make")
    clicks.find("cancel")
    clicks.find("job-done")
    clicks.says(f"{AS_OF}：名单")
    clicks.click("tab-households")
    clicks.says(f"{VISITS} 户，共 560 户")
    clicks.click("planned")
    clicks.says("560 户，共 560 户")
    clicks.type("search", "H0000356")
    clicks.says("1 户，共 560 户")
    cell = '.rm-households [col-id="township"][role="gridcell"]'
    clicks.wait(lambda: driver.find_element("css selector", cell).click() or True, "a household")
    clicks.find("card")
    clicks.says("H0000356")
    driver.get(home)

    # Download and print.
    clicks.click("tab-files")
    listed = tmp_path / "downloads" / f"{AS_OF}-worklist.xlsx"
    clicks.click("file-list")
    clicks.wait(listed.is_file, "the list")
    clicks.click("file-sheets")
    clicks.wait(lambda: len(driver.window_handles) == 2, "the sheets")
    driver.switch_to.window(driver.window_handles[1])
    clicks.says("入户核查")
    printed = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert printed.startswith(b"%PDF")
    driver.close()
    driver.switch_to.window(driver.window_handles[0])

    # Two townships come back, one with a cell to mend.
    book = openpyxl.load_workbook(listed)
    sheet = book["核查名单"]
    at = {cell.value: cell.column for cell in sheet[1]}
    for row, found in ((2, "属实"), (3, "大概吧")):
        sheet.cell(row, at["核查结果"]).value = found
        sheet.cell(row, at["核查日期"]).value = dt.date(2021, 1, 5)
    book.save(tmp_path / "东河镇.xlsx")
    sheet.cell(2, at["核查结果"]).value = None
    sheet.cell(3, at["核查结果"]).value = "不属实"
    book.save(tmp_path / "西河镇.xlsx")
    before = len(read_county(office.data).frame("visits"))
    clicks.click("tab-returned")
    box = clicks.wait(
        lambda: driver.find_element("css selector", ".rm-drop input[type=file]"), "where to drop"
    )
    box.send_keys(f"{tmp_path / '东河镇.xlsx'}\n{tmp_path / '西河镇.xlsx'}")
    clicks.says("等待收回：东河镇.xlsx、西河镇.xlsx")
    time.sleep(1.0)  # the drop zone grows with its files and moves what stands below
    clicks.click("take")
    clicks.says("东河镇.xlsx：新收 1 户")
    clicks.says("西河镇.xlsx：新收 1 户")
    clicks.says("大概吧")
    assert len(read_county(office.data).frame("visits")) == before + 2

    # Nothing was asked of anybody else, nothing failed, and the program ends from the page.
    urls = [url for url in requested(driver) if not url.startswith(("data:", "blob:", "about:"))]
    assert urls
    assert not [url for url in urls if not url.startswith((home, home.replace("http", "ws")))]
    severe = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert not severe
    clicks.click("stop")
    clicks.find("stopped")
    assert program.wait(SECONDS) == 0


def test_a_month_that_is_stopped_leaves_nothing_half_made(
    office: Office, page: tuple[subprocess.Popen[str], str], clicks: Clicks, tmp_path: Path
) -> None:
    clicks.driver.get(page[1])
    clicks.type("folder", str(office.data))
    clicks.click("choose")
    clicks.says("数据可以使用")
    clicks.click("tab-month")
    if not (office.data / "first-use.yaml").is_file():
        clicks.type("signed-by", "某县乡村振兴局")
        clicks.type("document", "1")
        clicks.click("sign")
    clicks.type("visits", str(VISITS))
    clicks.click("make")
    clicks.says("第 ")
    clicks.click("cancel")
    clicks.find("job-cancelled")
    left = [p.name for p in (tmp_path / "months").rglob(".*") if p.is_file()]
    assert set(left) <= {".riskmodel.lock"}  # nobody holds it any more, as making the month again shows
    clicks.click("make")
    clicks.find("job-done")
