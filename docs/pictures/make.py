"""Make the manual's pictures anew: the demo's board in Chromium, after enough live scans to see them.

    .venv/bin/python docs/pictures/make.py

Needs what the browser tests need: /usr/bin/chromium, and playwright in the environment.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

HERE = Path(__file__).resolve().parent
CHROMIUM = "/usr/bin/chromium"
WINDOW = ViewportSize(width=1600, height=1000)
LIVE_S = 25  # a scan a second: by then rows and numbers have moved
UP_S = 60


def take(page: Page, url: str, target: Path) -> None:
    """The board at `url` when it has lived for a while, as a PNG."""
    page.goto(url)
    expect(page.locator("#live-state")).to_have_text("live")
    time.sleep(LIVE_S)
    page.locator("#find").blur()
    page.screenshot(path=target, scale="css")


def main() -> None:
    """Run the demo, take the pictures, end the demo."""
    command = [str(Path(sys.executable).with_name("wipline-hub")), "demo", "--port", "0", "--seconds", str(UP_S)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]) as browser,
    ):
        assert demo.stdout is not None
        said = iter(demo.stdout.readline, "")
        url = next(found[0] for line in said if (found := re.search(r"http://127\.0\.0\.1:\d+/", line)))
        page = browser.new_page(viewport=WINDOW, color_scheme="light")
        take(page, url, HERE / "board.png")
        demo.terminate()
        demo.communicate()


if __name__ == "__main__":
    main()
