"""The browser in which pages are looked at.

Chromium and its driver (Debian: chromium, chromium-driver). Where they are missing a test is skipped;
AIGATEWAY_REQUIRE_BROWSER=1 makes that a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver

#: Set where a browser's run that was skipped must not pass for a good one.
_REQUIRE = "AIGATEWAY_REQUIRE_BROWSER"

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def open_browser(folder: Path) -> Iterator[webdriver.Chrome]:
    """A browser with nothing in it, which keeps what it has to in `folder`; what it logs can be asked for."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    program = shutil.which("chromedriver")
    if not browser or not program:
        missing = "no Chromium with its chromedriver is installed"
        if os.environ.get(_REQUIRE) == "1":
            pytest.fail(f"{missing}, and {_REQUIRE}=1 says that the page has to be tested in one")
        pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*_FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(program))
    try:
        yield driver
    finally:
        driver.quit()
