"""The web UI as people use it, in headless Chromium; the pictures it takes are kept in docs/images."""

import base64
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import element_to_be_clickable, presence_of_element_located
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = pytest.mark.ui

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDTH = 1400
LARGEST_PICTURE = 400_000
SWITCHES = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "hide-scrollbars"),
    *("disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage"),
)
GROUPS = ("market_data", "features", "labels", "quick")
LINE = (
    *("exchange", "raw_bars", "bars", "features", "labels", "splits", "lightgbm", "logistic_regression", "ensemble"),
    *("predictions", "backtest", "tearsheet"),
)
MARGIN = 24
EDGES = """
const [selector, margin] = arguments
const all = [...document.querySelectorAll(selector)].map((each) => each.getBoundingClientRect())
const x = Math.min(...all.map((each) => each.left)) - margin
const y = Math.min(...all.map((each) => each.top)) - margin
const width = Math.max(...all.map((each) => each.right)) + margin - x
return {x, y, width, height: Math.max(...all.map((each) => each.bottom)) + margin - y}
"""
LOOKS = """
const brightness = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 765
const style = getComputedStyle(document.body)
const spilling = [...document.querySelectorAll("body *")].filter((each) =>
  each.getBoundingClientRect().right > innerWidth + 1 && !each.closest(".scroll, pre, svg"))
return {
  title: document.title,
  width: innerWidth,
  needs: document.documentElement.scrollWidth,
  spilling: spilling.map((each) => each.outerHTML.slice(0, 80)),
  page: brightness(style.backgroundColor),
  ink: brightness(style.color),
}
"""
FORGET_ZOOM = "localStorage.removeItem('lineageGraphZoomLevel')"
PREFERENCES = "localStorage['dagster-nav-collapsed'] = 'true'; localStorage['asset-graph-direction'] = '\"horizontal\"'"


class Page:
    """One browser window on one web UI."""

    def __init__(self, driver, address):
        self.driver = driver
        self.address = address

    def open(self, path, height=900, width=WIDTH):
        """Open a page in a window of some size, and wait until it stands still."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(self.address + path)
        self.settle()

    def shows(self, path, text):
        """Open a page, and tell whether it shows a text."""
        self.open(path)
        return text in self.text

    def settle(self):
        """Wait until text has come and has not changed for two seconds, but for numbers, among which are clocks."""
        self.text = ""
        WebDriverWait(self.driver, 120, poll_frequency=2).until(self._stands_still)

    def _stands_still(self, driver):
        before = self.text
        self.text = driver.find_element(By.TAG_NAME, "body").text
        same = re.sub(r"\d+", "", self.text) == re.sub(r"\d+", "", before)
        return bool(self.text) and same and "Loading" not in self.text

    def find(self, kind, text, seconds=60):
        """Wait for an element of a kind that shows a text."""
        path = f"//{kind}[contains(normalize-space(.), '{text}')]"
        return WebDriverWait(self.driver, seconds).until(presence_of_element_located((By.XPATH, path)))

    def press(self, text, within=""):
        """Press the button with a text as soon as it can be pressed."""
        path = f"{within}//button[contains(normalize-space(.), '{text}')]"
        WebDriverWait(self.driver, 60).until(element_to_be_clickable((By.XPATH, path))).click()

    def dialog_buttons(self, text):
        """List the buttons of an open dialog with exactly this text, once it is there."""
        path = f"//*[@role='dialog']//button[normalize-space(.)='{text}']"
        WebDriverWait(self.driver, 60).until(element_to_be_clickable((By.XPATH, path)))
        return self.driver.find_elements(By.XPATH, path)

    def picture(self, name, around=None):
        """Keep what the window shows, or the part of it around all elements that a selector finds."""
        part = {} if around is None else {"clip": {**self.driver.execute_script(EDGES, around, MARGIN), "scale": 1}}
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", **part})
        content = base64.b64decode(taken["data"])
        assert len(content) < LARGEST_PICTURE
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / f"{name}.png").write_bytes(content)


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    for switch in (*SWITCHES, f"user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(f"--{switch}")
    driver = webdriver.Chrome(options, Service(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def page(browser, finished_ui) -> Page:
    page = Page(browser, finished_ui.address)
    page.open("/reports/")
    browser.execute_script(PREFERENCES)
    return page


@pytest.fixture
def looked_at(browser, finished_line) -> Iterator[Callable[..., dict[str, Any]]]:
    """Open a finished page as a file, in a window of some width and scheme; tell how wide and how bright it is."""
    size = {"height": 900, "deviceScaleFactor": 1, "mobile": False}

    def look(name: str, width: int, scheme: str) -> dict[str, Any]:
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**size, "width": width})
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.get((finished_line.reports / name).as_uri())
        return browser.execute_script(LOOKS)

    before = browser.current_window_handle
    browser.switch_to.new_window("tab")
    yield look
    browser.close()
    browser.switch_to.window(before)


def test_observing_the_exchange_shows_what_it_offers(page, finished_ui, until):
    page.open("/assets/exchange")
    page.press("Observe")
    page.find("*", "Launched run")
    until(lambda: finished_ui.latest_run()["status"] == "SUCCESS", 120)
    page.open("/assets/exchange")
    page.find("td", "2020-01-01 00:00")


def test_a_backfill_from_its_dialog_fills_the_partitions_that_are_missing(page, until):
    predictions = "/assets/quick/predictions?view=partitions"
    page.open(predictions, height=760)
    assert "Missing (2)" in page.text
    page.press("Materialize")
    for choose_all in page.dialog_buttons("All"):
        choose_all.click()
    page.find("*[@role='dialog']", "6 partitions")
    page.settle()
    page.picture("backfill")
    page.press("Launch backfill")
    until(lambda: page.shows(predictions, "Materialized (6)"), 240)
    assert page.shows("/runs?view=backfills", "quick / predictions")
    page.find("a", "View").click()
    page.find("*", "100% completed")
    page.find("*", "Succeeded")
    page.open(page.driver.current_url.removeprefix(page.address), height=420)
    page.picture("backfill-page")


def test_a_materialized_tearsheet_opens_by_its_link(page, finished_ui, until):
    for stage in ("backtest", "tearsheet"):
        before = finished_ui.latest_run()["runId"]
        page.open(f"/assets/quick/{stage}")
        page.press("Materialize")
        run = until(lambda old=before: (newest := finished_ui.latest_run())["runId"] != old and newest)["runId"]
        until(lambda run=run: finished_ui.status(run) == "SUCCESS", 120)
        page.open(f"/runs/{run}")
        page.find("*", "Success")
    page.open("/assets/quick/tearsheet", height=1150)
    page.find("td", "Deflated Sharpe ratio")
    assert page.driver.find_element(By.XPATH, "//td//img").get_property("naturalWidth") > 400
    page.picture("tearsheet-asset")
    page.find("a", "/reports/quick/tearsheet.html").click()
    page.driver.switch_to.window(page.driver.window_handles[-1])
    page.settle()
    assert page.driver.current_url == f"{page.address}/reports/quick/tearsheet.html"
    assert page.driver.find_element(By.TAG_NAME, "h1").text == "Quick"
    assert "simulated market" in page.text.lower()
    page.open("/reports/quick/tearsheet.html", height=1858, width=1100)
    page.picture("tearsheet")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 820, 400])
def test_finished_pages_fit_any_window_by_day_and_by_night(looked_at, width, scheme):
    for name in ("quick/tearsheet.html", "quick/model_comparison.html", "leaderboard.html"):
        seen = looked_at(name, width, scheme)
        assert "Nightfold" in seen["title"], name
        assert (seen["width"], seen["spilling"]) == (width, []), name
        assert seen["needs"] <= width, name
        lighter, darker = (seen["page"], seen["ink"]) if scheme == "light" else (seen["ink"], seen["page"])
        assert lighter > darker + 0.6, name


def test_the_graph_shows_the_whole_line(page):
    groups = ",".join(f"global@global:{group}" for group in GROUPS)
    page.open(f"/asset-groups?expanded={groups}")
    for name in LINE:
        page.find("*[name()='svg']//*", name[:6])  # long names are shortened in the middle
    page.driver.execute_script(FORGET_ZOOM)
    page.open("/assets/quick/tearsheet?view=lineage&lineageScope=upstream&lineageDepth=12", height=900, width=2400)
    page.picture("asset-graph", around="foreignObject")


def test_a_model_shows_its_numbers_and_their_course(page):
    page.open("/assets/quick/lightgbm", height=1040)
    assert {"log_loss", "cpu_seconds", "experiment: quick", "layer: train"} <= set(page.text.splitlines())
    columns = page.driver.find_element(By.XPATH, "//*[text()='Columns']")
    columns.click()  # folds them up, on every page
    page.press("Plots")
    page.find("*", "cpu_seconds")
    page.settle()
    page.picture("asset")
    columns.click()


def test_bars_show_what_each_column_means(page):
    assert page.shows("/assets/bars", "Highest traded price")
    assert "Row count" in page.text
