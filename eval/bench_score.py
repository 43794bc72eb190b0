"""Speed and memory of `detector score`: 1,000 documents against many, one process against two, Ray against local.

    python eval/bench_score.py [--tiny] [--documents 100000] [--small 1000] [--model DIR] [--articles FILE]

The corpus is made, not committed: each document is a few hundred words of paragraphs drawn (seeded) from the articles
in the JSONL file ``--articles``, or from the one in ``seeds/``; one in two hundred is in another language, as corpora
are, so that the language guard's model is in memory in every run. Every run is the command in a process of its own.

``--tiny`` scores with a model that costs next to nothing (see `tiny`): for the memory at 100,000 documents, which does
not depend on the model, in an hour rather than a day. The share of time outside the encoder is always that of the
shipped model (or ``--model``), on ``--outside`` documents, on one thread.

Memory is that of the largest process of a run (Ray's actors are nobody's children and are not counted). It is never
less than what this script itself has used before, so what is large is done in processes of its own. The numbers go to
``eval/results/bench_score.json`` (``--output``).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SEED = Path(__file__).parents[1] / "seeds" / "why-asian-nato-finds-no-support.txt"
RESULTS = Path(__file__).parent / "results" / "bench_score.json"
WORDS_A_DOCUMENT = (250, 900)
FOREIGN_EVERY = 200
FOREIGN = (
    "Der Gemeinderat hat am Dienstag beschlossen, die alte Brücke über den Bach im kommenden Frühjahr zu erneuern.",
    "Während der Bauzeit müssen Fußgänger einen Umweg gehen, für den etwa zehn Minuten gerechnet werden.",
    "Die Bücherei bleibt in den Ferien nachmittags geöffnet, weil viele Kinder sonst keinen Platz zum Lesen haben.",
)


def main() -> None:
    """Prints a line for each run, and writes all of them to ``--output``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000, help="size of the large corpus; 0: as recorded last")
    parser.add_argument("--small", type=int, default=1_000, help="size of the small corpus")
    parser.add_argument("--model", default=None, help="a model folder in place of the shipped model")
    parser.add_argument("--articles", default=None, help="a JSONL file of articles to draw paragraphs from")
    parser.add_argument("--tiny", action="store_true", help="score with a model of random weights")
    parser.add_argument("--outside", type=int, default=100, help="documents for the share outside the encoder")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where to write the numbers")
    parser.add_argument("--measure-outside", default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure_outside:
        print(json.dumps(outside_encoder(options.measure_outside, options.model)))
        return
    with tempfile.TemporaryDirectory() as folder:
        results = bench(options, Path(folder))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=1) + "\n")


def bench(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All measurements, told as they are made."""
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    print(machine)
    few, small, large = (folder / f"{name}.jsonl" for name in ("few", "small", "large"))
    for path, n in ((few, options.outside), (small, options.small), (large, options.documents)):
        write_corpus(path, n, options.articles)
    outside = json.loads(python(__file__, "--measure-outside", str(few), *model_option(options)).stdout)
    print(f"outside the encoder: {outside['share']:.1%} of {outside['seconds']:.1f} s ({options.outside} documents)")
    if options.tiny:
        python(str(Path(__file__).with_name("tiny.py")), str(folder / "tiny"))
        options.model = str(folder / "tiny")
    runs = {
        "small, 1 process": run(small, folder / "a", options, "--workers", "1"),
        "small, 2 processes": run(small, folder / "b", options, "--workers", "2"),
    }
    if options.documents:
        runs["large, 1 process"] = run(large, folder / "c", options, "--workers", "1")
    else:
        runs["large, 1 process"] = json.loads(options.output.read_text())["runs"]["large, 1 process"]
    if importlib.util.find_spec("ray"):
        runs["small, Ray, 2 actors"] = run(small, folder / "d", options, "--workers", "2", "--engine", "ray")
    same = len({digest(folder / name) for name in "abd" if (folder / name).exists()}) == 1
    growth = runs["large, 1 process"]["peak_mib"] / runs["small, 1 process"]["peak_mib"] - 1
    speed = {name: runs[name]["seconds"] for name in runs if name.startswith("small")}
    print(
        "; ".join(f"{name}: {speed['small, 1 process'] / seconds:.2f} times as fast" for name, seconds in speed.items())
    )
    print(f"memory, large against small: {growth:+.1%}; small runs {'equal' if same else 'DIFFER'} byte for byte")
    return {
        "machine": machine,
        "model": "tiny" if options.tiny else options.model or "shipped",
        "outside_encoder": {"documents": options.outside, **outside},
        "runs": runs,
        "memory_growth": round(growth, 4),
        "same_bytes": same,
    }


def run(corpus: Path, out: Path, options: argparse.Namespace, *arguments: str) -> dict[str, float]:
    """One run of the command: seconds, documents and pieces a second, peak memory of its largest process in MiB."""
    line = [sys.executable, "-m", "detector", "score", str(corpus), "--out", str(out), "--quiet", *arguments]
    start = time.perf_counter()
    process = subprocess.Popen([*line, *model_option(options)])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(line)} failed")
    manifest = json.loads((out / "manifest.json").read_text())
    row = {
        "documents": manifest["n_documents"],
        "pieces": manifest["n_pieces"],
        "seconds": round(seconds, 2),
        "documents_per_second": round(manifest["n_documents"] / seconds, 2),
        "pieces_per_second": round(manifest["n_pieces"] / seconds, 1),
        "peak_mib": round(usage.ru_maxrss / 1024, 1),
    }
    print(f"{' '.join(arguments):32} {json.dumps(row)}", flush=True)
    return row


def outside_encoder(corpus: str, model: str | None) -> dict[str, float]:
    """Seconds of processor time of a run in this process, and the share of them that was not spent in the encoder."""
    import detector
    from detector.batch.run import Job, score_corpus
    from detector.batch.work import Settings

    # One thread is what a worker has; so time of the processor tells, whatever else the machine does.
    loaded = detector.load(model, threads=1)
    inside, encode = 0.0, loaded.backend.encode

    def timed(windows: Any) -> Any:
        nonlocal inside
        start = time.thread_time()  # with one thread the encoder runs in its caller's; others tokenise meanwhile
        try:
            return encode(windows)
        finally:
            inside += time.thread_time() - start

    loaded.backend.encode = timed  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as out:
        start = time.process_time()
        score_corpus(Job((corpus,), out, Settings("bench", loaded.name, loaded.model_hash)), detector=loaded)
        seconds = time.process_time() - start
    return {"seconds": round(seconds, 2), "share": round(1 - inside / seconds, 4)}


def write_corpus(path: Path, n_documents: int, articles: str | None) -> None:
    """A corpus of made documents; the same numbers give the same file."""
    paragraphs, draw = list(real_paragraphs(articles)), random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        for i in range(n_documents):
            wanted, text = draw.randint(*WORDS_A_DOCUMENT), []
            among = FOREIGN if i % FOREIGN_EVERY == 0 else paragraphs
            while sum(len(p.split()) for p in text) < wanted:
                text.append(draw.choice(among))
            row = {"id": f"made-{i}", "outlet": f"outlet-{i % 20}", "text": "\n\n".join(text)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def real_paragraphs(articles: str | None) -> Iterator[str]:
    """The paragraphs of real articles."""
    if articles is None:
        texts = [SEED.read_text(encoding="utf-8")]
    else:
        texts = [json.loads(line)["text"] for line in Path(articles).read_text(encoding="utf-8").splitlines()]
    for text in texts:
        yield from (p.strip() for p in text.split("\n") if len(p.split()) >= 5)


def digest(folder: Path) -> str:
    """What the manifest says of the parts."""
    return json.dumps(json.loads((folder / "manifest.json").read_text())["parts"])


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A script in a process of its own."""
    return subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True)


def model_option(options: argparse.Namespace) -> list[str]:
    """The option that names the model, for a command line."""
    return ["--model", str(options.model)] if options.model else []


if __name__ == "__main__":
    main()
