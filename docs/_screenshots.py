"""Take the pictures of the published pages for the documentation.

    .venv/bin/python docs/_screenshots.py PAGES CELL

PAGES is a folder that `harness report --format html` wrote, CELL the id of a cell that failed.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
WIDTH = 1200


def main() -> int:
    """Write the pictures; return 2 where the arguments are not as above."""
    chromium = shutil.which("chromium")
    if len(sys.argv) != 3 or chromium is None:  # noqa: PLR2004
        print("write docs/_screenshots.py PAGES CELL; it takes chromium (apt-get install chromium)")
        return 2
    pages, cell = Path(sys.argv[1]).absolute(), sys.argv[2]
    wanted = {
        "site-first": ("index.html", "light", 1080),
        "site-cell": (f"cell.html#cell={quote(cell)}", "light", 1000),
        "site-latency": ("latency.html", "dark", 1400),
    }
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for name, (address, scheme, height) in wanted.items():
            page = browser.new_page(
                viewport={"width": WIDTH, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page.goto(f"file://{pages}/{address}")
            page.wait_for_selector("html[data-ready]", state="attached")
            page.screenshot(path=IMAGES / f"{name}.png")
            page.close()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
