"""A headless Chromium that opens HTML files, for the tests of what charrnn writes for a browser."""

import base64
import json
import re
import shutil
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

CHROMIUM, CHROMEDRIVER = (
    next(filter(None, map(shutil.which, names)), None)
    for names in (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
)
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # as root, and in most containers, there is none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SENT = "Network.requestWillBeSent"
SCHEME = re.compile("file:|https?:")
"""Of pages that a test opens; the browser has some of its own."""
DESKTOP, PHONE = (1280, 900), (390, 844)


class Browser:
    """A browser; ``driver`` is Selenium's own object.

    Parameters
    ----------
    folder : Path
        An empty folder for its profile.
    """

    def __init__(self, folder: Path) -> None:
        options = Options()
        options.binary_location = CHROMIUM
        for option in (*OPTIONS, f"--user-data-dir={folder}"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
        self.driver.set_page_load_timeout(60)
        self.driver.set_script_timeout(60)

    def open(self, path: Path, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> None:
        """Open a file in a window of (width, height) pixels, in a light or a dark scheme."""
        self.command("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1],
                     deviceScaleFactor=1, mobile=size == PHONE)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])
        self.messages(), self.requests()  # of an earlier page
        self.driver.get(path.resolve().as_uri())

    def command(self, name: str, **values: object) -> dict:
        """Send a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, values)

    def run(self, script: str, *values: object) -> object:
        """Return what a script in the page returns; its parameters are in ``arguments``."""
        return self.driver.execute_script(script, *values)

    def find(self, selector: str) -> list:
        """Return the elements that a CSS selector finds."""
        return self.driver.find_elements("css selector", selector)

    def messages(self) -> list[str]:
        """Return what the console got since the last call: errors, and what the policy refused."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return self.run(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the page was opened, its own first."""
        events = (json.loads(entry["message"]) for entry in self.driver.get_log("performance"))
        inner = (event["message"] for event in events)
        sent = [event["params"] for event in inner if event["method"] == SENT]
        return [event["request"]["url"] for event in sent if SCHEME.match(event["documentURL"])]

    def picture(self, path: Path) -> None:
        """Write the whole page as a PNG."""
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        taken = self.command("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(taken["data"]))

    def close(self) -> None:
        """End the browser."""
        self.driver.quit()
