"""The pictures of reports that the README shows, as small PNG files.

    python eval/screenshots.py report.html  --corpus REPORT_DIR  -o docs/images

``report.html`` is what ``detector report`` made of the sample article, ``REPORT_DIR`` what it made of a folder. Written
are ``report-light.png``, ``report-dark.png``, ``report-phone.png`` and ``corpus.png``. Needs Debian's Chromium (or what
CHROMIUM names), Playwright and Pillow; fonts are those of the machine.
"""

from __future__ import annotations

import argparse
import io
import os
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PATIENCE = 300_000  # milliseconds
N_COLOURS = 256
MOST_BYTES = 300_000


def shoot(browser: Any, page: Path, file: Path, *, theme: str, width: int, height: int, keys: str = "") -> None:
    """Save what a window of this size shows of a page after these keys; refuses a file that is too large."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE)
    tab.goto(page.resolve().as_uri())
    for key in keys:
        tab.keyboard.press(key)
    tab.wait_for_timeout(300)
    picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
    context.close()
    # Maximum coverage keeps rare colours, those of the families; a median cut would turn some of them into greys.
    picture.quantize(N_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(file, optimize=True)
    size = file.stat().st_size
    print(f"{file}  {size // 1000} kB")
    if size > MOST_BYTES:
        raise SystemExit(f"{file}: {size} bytes are more than {MOST_BYTES}: make the window smaller")


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images"))
    chosen = parser.parse_args()
    chosen.output.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS, timeout=PATIENCE)
        for theme in ("light", "dark"):
            file = chosen.output / f"report-{theme}.png"
            shoot(browser, chosen.report, file, theme=theme, width=1280, height=1000, keys="jjj")
        phone = chosen.output / "report-phone.png"
        shoot(browser, chosen.report, phone, theme="light", width=390, height=780, keys="jjj")
        if chosen.corpus:
            file = chosen.output / "corpus.png"
            shoot(browser, chosen.corpus / "index.html", file, theme="light", width=1280, height=1100)
        browser.close()


if __name__ == "__main__":
    main()
