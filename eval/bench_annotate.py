"""Speed and memory of annotating on the CPU: one article of 1,000 words, then 75 articles of very different lengths.

    python eval/bench_annotate.py [--model DIR] [--articles DIR] [--megabytes N]

Each measurement runs in a process of its own. Without ``--articles`` the texts are made from the article in ``seeds/``.
With ``--megabytes`` one text of that size is read, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SEED = Path(__file__).parents[1] / "seeds" / "why-asian-nato-finds-no-support.txt"
N_ARTICLES = 75


def main() -> None:
    """Prints a line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=None, help="a model folder in place of the shipped model")
    parser.add_argument("--articles", default=None, help="a folder of .txt files in place of made texts")
    parser.add_argument("--megabytes", type=float, default=None, help="one text of this size in place of the others")
    parser.add_argument("--measure", default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        made = list(texts(int(options.measure), options.articles))
        if options.megabytes:
            made = [one_text(made, int(1e6 * options.megabytes))]
        print(json.dumps(measure(made, options.model)))
        return
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}")
    print(f"detector --help: {seconds_of_help():.2f} s")
    print(f"{'texts':>6}{'words':>9}{'pieces':>9}{'start-up s':>12}{'seconds':>9}{'pieces/s':>10}{'peak MiB':>10}")
    for n_texts in (N_ARTICLES,) if options.megabytes else (1, N_ARTICLES, 2 * N_ARTICLES):
        row = run(n_texts, options)
        print(
            f"{row['texts']:6d}{row['words']:9d}{row['pieces']:9d}{row['start_up']:12.2f}{row['seconds']:9.2f}"
            f"{row['pieces'] / row['seconds']:10.0f}{row['peak_mib']:10.0f}"
        )


def seconds_of_help() -> float:
    """The best of five runs of ``detector --help``."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "detector", "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


def run(n_texts: int, options: argparse.Namespace) -> dict[str, Any]:
    """One measurement in a new process."""
    command = [sys.executable, __file__, "--measure", str(n_texts)]
    for name in ("model", "articles", "megabytes"):
        if getattr(options, name):
            command += [f"--{name}", str(getattr(options, name))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure(read: list[str], model: str | None) -> dict[str, Any]:
    """Start-up (import and load, seconds), then seconds for the texts, their words and pieces, and the peak in MiB.

    Memory is handled as the command line does.
    """
    start = time.perf_counter()
    import detector
    from detector.memory import keep_no_large_blocks

    keep_no_large_blocks()
    loaded = detector.load(model)
    ready = time.perf_counter()
    words = pieces = 0
    for document in loaded.annotate(detector.Document(str(i), text) for i, text in enumerate(read)):
        words += len(document.text.split())
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for text in read:
        pieces += len(loaded.tokenize(text))
    counts = {"texts": len(read), "words": words, "pieces": pieces}
    return {"start_up": ready - start, "seconds": done - ready, **counts, "peak_mib": peak}


def texts(n_texts: int, articles: str | None) -> Iterator[str]:
    """One text of 1,000 words, or several of 20 to 2,000 words, made from the seed article or a folder's files."""
    if articles:
        files = sorted(Path(articles).glob("*.txt"))
        yield from (files[i % len(files)].read_text(encoding="utf-8") for i in range(n_texts))
        return
    words = SEED.read_text(encoding="utf-8").split(" ")
    for i in range(n_texts):
        n_words = 1000 if n_texts == 1 else 20 + (i * 7919) % 1981
        start = i * 31 % len(words)
        yield " ".join(words[(start + j) % len(words)] for j in range(n_words))


def one_text(parts: list[str], n_characters: int) -> str:
    """The texts as paragraphs of one, over again up to so many characters."""
    text = "\n\n".join(parts)
    return (text * (n_characters // len(text) + 1))[:n_characters]


if __name__ == "__main__":
    main()
