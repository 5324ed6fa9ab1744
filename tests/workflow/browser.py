"""A headless Chromium that keeps what a page asked for and complained of.

Packages chromium and chromium-driver of Debian.
"""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

from debian import lacking as lacking_programs
from selenium import webdriver
from selenium.webdriver.chrome.service import Service


def lacking() -> str:
    """Why there can be no browser here; empty if there can."""
    programs = ("chromium", "chromedriver")
    return lacking_programs(programs, ("chromium", "chromium-driver"))


@contextmanager
def browser(width: int = 1280, height: int = 800, scripts: bool = True):
    """A driver whose window has this inner size; scripts: whether pages may run any."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    if not scripts:
        settings = {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", settings)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.command_executor.client_config.timeout = 600  # seconds, on a busy machine
    try:
        resize(driver, width, height)
        yield driver
    finally:
        driver.quit()


def resize(driver, width: int = 1280, height: int = 800) -> None:
    """Give its window this inner size."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def opened(driver, file: Path) -> tuple[list[str], list[str]]:
    """Open a file: what it asked for beside itself and its own data, and what went wrong."""
    driver.get_log("performance"), driver.get_log("browser")
    address = file.resolve().as_uri()
    driver.get(address)
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    own = ("data:", "chrome:", address)
    wrong = [entry["message"] for entry in driver.get_log("browser")]
    return [url for url in asked if not url.startswith(own)], wrong
