"""How long a report takes to make, to open and to answer, for a text of 100,000 words.

    python eval/bench_report.py [--words 100000] [--findings 8000] [--model DIR]

The text repeats the words of the sample article in random order and the findings lie at random places, so the numbers
depend on sizes alone. In brackets is how long the processor, or the page's main thread, was busy: on a machine with
other work that tells more than the clock does. With --model (or a shipped model), detection of the same text is timed
for comparison. Needs Debian's Chromium (or what CHROMIUM names) and Playwright.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TypeVar

from playwright.sync_api import Page, sync_playwright

from detector.errors import DetectorError
from detector.report.html import article_page
from detector.spans import Document, Span
from detector.techniques import NAMES
from detector.writers.provenance import Provenance

ROOT = Path(__file__).parents[1]
SEED = ROOT / "seeds" / "why-asian-nato-finds-no-support.txt"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PATIENCE = 300_000  # milliseconds
PAINTED = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
Result = TypeVar("Result")


def long_document(n_words: int, n_findings: int, *, one_line: bool = False) -> Document:
    """A text of this many words in paragraphs of 80, with findings of all techniques at random places."""
    draw = random.Random(0)
    words = SEED.read_text(encoding="utf-8").split()
    step = n_words if one_line else 80
    text = "\n".join(" ".join(draw.choices(words, k=min(step, n_words - i))) for i in range(0, n_words, step))
    starts = sorted(draw.sample(range(len(text) - 100), n_findings))
    spans = [Span(start, start + draw.randint(6, 90), draw.choice(NAMES), round(draw.random(), 3)) for start in starts]
    return Document("long.txt", text).with_spans(spans, n_read=len(text))


def timed(action: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds that an action took, and what came back."""
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


def main_thread(tab: Page) -> Callable[[], float]:
    """What tells the processor time that the main thread of a page has taken so far, in seconds."""
    session = tab.context.new_cdp_session(tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")

    return seconds


def measure(document: Document) -> None:
    """Print the times for one document."""
    made_by = Provenance("0", "none", "none")
    before = time.process_time()
    seconds, page = timed(lambda: article_page(document, made_by, created=date(2025, 1, 1)))
    size = f"{len(page.encode()) / 1e6:.1f} MB, {len(document.spans):,} findings"
    print(f"making the page    {seconds:6.2f} s  (processor {time.process_time() - before:.2f} s; {size})")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "report.html"
        file.write_text(page, encoding="utf-8", newline="")
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=ARGUMENTS, timeout=PATIENCE
        )
        tab = chromium.new_page(viewport={"width": 1280, "height": 900})
        tab.set_default_timeout(PATIENCE)
        blank = Path(folder) / "blank.html"
        blank.write_text("<!doctype html><title>.</title>", encoding="utf-8")
        tab.goto(blank.as_uri())  # so that the file is opened in the same process
        busy = main_thread(tab)

        def opened() -> None:
            tab.goto(file.as_uri(), wait_until="load")
            tab.evaluate(PAINTED)

        before = busy()
        print(
            f"opening it         {timed(opened)[0]:6.2f} s  (loaded and painted; main thread {busy() - before:.2f} s)"
        )
        for name, action in (
            ("a click on a mark", "document.querySelector('#f3').click()"),
            ("a click in a list", "document.querySelector('#n60 .go').click()"),
            ("key k, to the end", "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'k', bubbles: true}))"),
            ("a family off", "document.querySelector('[data-family]').click()"),
            ("theme", "document.dispatchEvent(new KeyboardEvent('keydown', {key: 't', bubbles: true}))"),
        ):
            started = "const started = performance.now()"
            inside = f"async () => {{ {started}; {action}; await ({PAINTED})(); return performance.now() - started }}"
            before = busy()
            seconds = tab.evaluate(inside) / 1000
            print(f"{name:18} {seconds:6.2f} s  (main thread {busy() - before:.2f} s)")
        chromium.close()


def detection(document: Document, folder: str | None) -> None:
    """Print how long the model takes for the same text, where there is a model."""
    from detector.detect import load

    try:
        model = load(folder)
        before = time.process_time()
        seconds = timed(lambda: model.find(document.text))[0]
        print(f"detecting          {seconds:6.2f} s  (processor {time.process_time() - before:.2f} s)")
    except DetectorError as error:
        print(f"detecting          not timed: {error}")


def main() -> None:
    """Measure a text of many paragraphs and one of a single line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=100_000)
    parser.add_argument("--findings", type=int, default=8_000)
    parser.add_argument("--model")
    chosen = parser.parse_args()
    document = long_document(chosen.words, chosen.findings)
    measure(document)
    detection(document, chosen.model)
    print("\nthe same in a single line:")
    measure(long_document(chosen.words, chosen.findings, one_line=True))


if __name__ == "__main__":
    main()
