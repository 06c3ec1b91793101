"""The page in a real browser: clicks, filters, both languages, 20,000 rows, print, no request."""

from __future__ import annotations

import base64
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from riskmodel import presentation

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (BROWSER and DRIVER),
        reason="needs chromium and chromedriver (Debian: apt install chromium-driver)",
    ),
]
MANY = 20_000
IDS = "[...document.querySelectorAll('#rows tr[data-id] td:nth-child(2)')].map(e => e.innerText)"
COUNT = "document.getElementById('count').innerText"


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("selenium")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    # Selenium must not look for drivers on the network.
    os.environ["SE_OFFLINE"] = "true"
    options = Options()
    options.binary_location = str(BROWSER)
    for flag in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "window-size=1280,1000",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def on_a_list(scores: pd.DataFrame, lang: str) -> pd.DataFrame:
    """The last ten by probability stand on a list, in the order of their numbers; eight are planned."""
    last = scores.sort_values(["probability", "household_id"]).head(10)["household_id"]
    place = pd.Series(range(1, 11), index=sorted(last))
    position = scores["household_id"].map(place)
    told = "第 {} 户，规则（未监测 线下）" if lang == "zh" else "no. {}, rule (new, below line)"
    plan = [None if pd.isna(p) else told.format(int(p)) for p in position]
    return scores.assign(position=position, planned=position <= 8, plan=plan)


@pytest.fixture(scope="module")
def pages(make_given, tmp_path_factory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("report")
    given = make_given()
    listed = replace(given, scores={lang: on_a_list(frame, lang) for lang, frame in given.scores.items()})
    return {
        "few": presentation.write_report(given, home / "few"),
        "listed": presentation.write_report(listed, home / "listed"),
        "many": presentation.write_report(make_given(MANY, histories=None), home / "many"),
    }


@pytest.fixture
def few(browser, pages):
    browser.get("about:blank")
    open_page(browser, pages["few"])
    return browser


def run(browser, script: str):
    return browser.execute_script(f"return {script}")


def wait(browser, condition: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 60).until(lambda d: d.execute_script(f"return {condition}"))


def open_page(browser, page) -> None:
    """Open a page and wait for its rows: on a busy machine they come a moment after it."""
    browser.get(page.as_uri())
    wait(browser, "document.querySelectorAll('#rows tr[data-id]').length > 0")


def choose(browser, box: str, value: str) -> None:
    event = "input" if box == "search" else "change"
    change = (
        "const box = document.getElementById(arguments[0]); box.value = arguments[1];"
        "box.dispatchEvent(new Event(arguments[2]))"
    )
    browser.execute_script(change, box, value, event)


def test_twenty_thousand_households_filter_search_and_ask_nothing_of_the_network(
    browser, pages, make_given
) -> None:
    scores = (
        make_given(MANY).scores["zh"].sort_values(["probability", "household_id"], ascending=[False, True])
    )
    open_page(browser, pages["many"])
    assert run(browser, IDS) == list(scores["household_id"].head(50))
    assert "共 20,000 户" in run(browser, COUNT)
    here = scores["township"] == "西河镇"
    choose(browser, "township", "西河镇")
    choose(browser, "kind", "flagged")
    assert f"共 {int((here & scores['flagged']).sum()):,} 户" in run(browser, COUNT)
    choose(browser, "kind", "unknown")
    assert f"共 {int((here & scores['pcni'].isna()).sum()):,} 户" in run(browser, COUNT)
    choose(browser, "kind", "")
    choose(browser, "township", "")
    choose(browser, "search", "h012345")
    wait(browser, "document.querySelectorAll('#rows tr[data-id]').length === 1")
    assert run(browser, IDS) == ["H012345"]
    sent = [e["message"] for e in browser.get_log("performance")]
    sent = [message for message in sent if '"Network.requestWillBeSent"' in message]
    assert sent
    assert all('"url":"file:' in m or '"url":"about:' in m or '"url":"data:' in m for m in sent)
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


def test_a_list_keeps_its_order_and_says_why_each_household_is_on_it(browser, pages, make_given) -> None:
    scores = on_a_list(make_given().scores["zh"], "zh")
    order = scores.sort_values("position")["household_id"].head(10).tolist()
    browser.get("about:blank")
    open_page(browser, pages["listed"])
    # The order is the list's, not that of the probabilities, of which these are the lowest.
    assert run(browser, IDS)[:10] == order
    choose(browser, "kind", "planned")
    assert "共 8 户" in run(browser, COUNT)
    assert run(browser, IDS) == order[:8]
    run(browser, "document.querySelector('#rows tr').click()")
    card = "document.getElementById('card').innerText"
    assert "第 1 户，规则（未监测 线下）" in run(browser, card)
    run(browser, "document.getElementById('switch').click()")
    assert "no. 1, rule (new, below line)" in run(browser, card)
    assert run(browser, "document.querySelector('#kind [value=planned]').textContent") == "Visit planned"
    # A page without a list offers no such choice.
    open_page(browser, pages["few"])
    assert run(browser, "document.querySelector('#kind [value=planned]')") is None


def test_search_that_finds_nothing_says_so(few) -> None:
    choose(few, "search", "no such household")
    wait(few, "document.querySelectorAll('#rows tr[data-id]').length === 0")
    assert run(few, "document.getElementById('rows').innerText").strip() == "没有符合条件的农户"


def test_sort_and_pages(few, make_given) -> None:
    scores = make_given().scores["zh"]
    run(few, "document.querySelector('[data-by=pcni]').click()")
    first = run(few, "document.querySelector('#rows tr td:nth-child(6)').innerText")
    assert first == f"{round(scores['pcni'].min()):,}"
    sort = "document.querySelector('[data-by=pcni]').closest('th').getAttribute('aria-sort')"
    assert run(few, sort) == "ascending"
    before = run(few, IDS)
    run(few, "document.getElementById('next').click()")
    assert not set(before) & set(run(few, IDS))
    run(few, "document.getElementById('previous').click()")
    assert run(few, IDS) == before
    # Unknown income sorts last either way: it is not the lowest income.
    run(few, "document.querySelector('[data-by=pcni]').click()")
    assert run(few, "document.querySelector('#rows tr td:nth-child(6)').innerText") == (
        f"{round(scores['pcni'].max()):,}"
    )


def test_card_shows_reasons_and_history_in_both_languages(few) -> None:
    run(few, "document.querySelector('#rows tr').click()")
    card = run(few, "document.getElementById('card').innerText")
    assert "人均纯收入 5,120 元，低于监测线 6,000 元" in card
    assert run(few, "document.querySelectorAll('#card rect').length") > 30
    run(few, "document.getElementById('switch').click()")
    card = run(few, "document.getElementById('card').innerText")
    assert "Net income per head is 5,120 yuan, below the line of 6,000 yuan" in card
    assert "监测线" not in card
    run(few, "document.getElementById('close').click()")
    assert run(few, "document.getElementById('card').open") is False
    visible = run(few, "document.querySelector('main').innerText")
    assert "Rules against models" in visible
    assert "规则与模型对比" not in visible
    assert few.title == "Falling below the line within twelve months"


def test_prints_without_controls(few) -> None:
    pdf = few.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})
    assert base64.b64decode(pdf["data"]).startswith(b"%PDF")
    few.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    controls = "['.tools', '.bar', '.pager'].map(s => getComputedStyle(document.querySelector(s)).display)"
    hidden = run(few, controls)
    few.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert hidden == ["none"] * 3


def test_fits_a_narrow_screen(few) -> None:
    few.set_window_size(700, 900)
    fits = run(few, "document.documentElement.scrollWidth <= window.innerWidth")
    few.set_window_size(1280, 1000)
    assert fits
