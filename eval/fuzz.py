"""Damaged files for every reader, the decoder, settings, model folders, and what `report` and `convert` take.

    nice -n 19 python eval/fuzz.py --minutes 60 [--seed N] [TARGET ...]

Files that are as they should be are changed at random (bits, chunks, numbers, the values inside JSON, the parts inside
zip files), and read in a process of their own, with a limit on its time and memory. Whatever is neither success nor an
error in one line is a find: its smallest file is kept in ``tests/data/fuzz/TARGET``, where `tests/test_fuzz.py` tries
it again for good. The same seed makes the same files. ``eval/results/fuzz.json`` adds up the runs of each target with
seeds of their own, for a find has been mended before the next run; ``finds`` are those of the last one.
"""

from __future__ import annotations

import argparse
import gzip
import io
import itertools
import json
import os
import random
import re
import resource
import signal
import sys
import time
import traceback
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer
from fuzz_targets import TARGETS, Target
from provenance import RESULTS, record

from detector.errors import DetectorError

FOUND = Path(__file__).parents[1] / "tests" / "data" / "fuzz"
RECORD = RESULTS / "fuzz.json"
SECONDS, WAITING, MEGABYTES = 20, 300, 1000
"""Limits of one file: of computing, of waiting, and of the memory that it takes beyond what there was before."""
BATCH = 200
LARGEST = 1_000_000
NUMBERS = (0, -1, 1, 2, 255, 2**31 - 1, 2**32, 2**63, -(2**63), 10**18, 10**400)
VALUES: tuple[Any, ...] = (
    *(None, True, False, "", "x", [], {}, [[]], 0, -1, 1, 2**31, 2**63, 10**30, 0.5, 1e308, float("nan"), float("inf")),
    *("\ud800", "\0", "../../etc/passwd", "a" * 5000, "%s%n{0}{{1}}", "\u202e\x1b[2J", "doubt+doubt", [1, "a"]),
)
TOKENS = (
    *(
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n\n",
        b'"',
        b"'",
        b"\t",
        b",",
        b"<",
        b">",
        b"]]>",
        b"{",
        b"[" * 3000,
    ),
    *(b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"&a;", b"<div>" * 500, b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"%PDF-1.7"),
    *(b"NaN", b"1e999", b"-->", b"\x1b[2J", b"=\n", b"0x1", b"\xe2\x80\xa8", b"endobj", b"stream\n", b"../" * 30),
)


@dataclass
class Tally:
    """What became of the files of one target; ``finds`` has the smallest file of each kind of failure."""

    n_cases: int = 0
    n_refused: int = 0
    seconds: float = 0.0
    finds: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def add(self, outcome: str, name: str, data: bytes) -> None:
        """Counts a file."""
        self.n_cases += 1
        self.n_refused += outcome == "refused"
        known = self.finds.get(outcome)
        if outcome not in ("read", "refused") and (known is None or len(data) < len(known[1])):
            self.finds[outcome] = name, data


def case(target: Target, chooser: random.Random) -> tuple[str, bytes]:
    """One of the target's files, changed one to four times; its name and bytes."""
    name = chooser.choice(sorted(target.files))
    data = target.files[name]
    for _ in range(chooser.choice((1, 1, 2, 4))):
        data = changed(name, data, chooser, list(target.files.values()))
    return name, data[:LARGEST]


def changed(name: str, data: bytes, chooser: random.Random, others: list[bytes]) -> bytes:
    """The bytes with one change, most often one that keeps the file's structure."""
    suffix = name.rpartition(".")[2]
    inside = {
        "json": in_json,
        "jsonl": in_json,
        "jsonld": in_json,
        "sarif": in_json,
        "safetensors": in_header,
        "gz": in_gzip,
    }
    inside |= dict.fromkeys(("zip", "docx", "epub"), in_zip)
    if suffix in inside and chooser.random() < 0.7:
        try:
            return inside[suffix](data, chooser)
        except Exception:
            pass  # it has been damaged before
    return in_bytes(data, chooser, others)


def in_bytes(data: bytes, chooser: random.Random, others: list[bytes]) -> bytes:
    """One change that knows nothing of the format."""
    at, length = chooser.randrange(len(data) + 1), int(2 ** chooser.uniform(0, 10))
    head, chunk, tail = data[:at], data[at : at + length], data[at + length :]
    match chooser.randrange(8):
        case 0:
            return head + bytes(byte ^ 1 << chooser.randrange(8) for byte in chunk[:4]) + chunk[4:] + tail
        case 1:
            return head
        case 2:
            return head + tail
        case 3:
            return head + chunk * chooser.choice((2, 9, 300)) + tail
        case 4:
            return head + chooser.choice(TOKENS) + chunk + tail
        case 5:
            other = chooser.choice(others)
            start = chooser.randrange(len(other) + 1)
            return head + other[start : start + length] + tail
        case 6:
            return head + chooser.randbytes(len(chunk)) + tail
    numbers = list(re.finditer(rb"\d+", data)) or [re.search(b"", data)]
    found = chooser.choice(numbers)
    return data[: found.start()] + str(chooser.choice(NUMBERS)).encode() + data[found.end() :]


def in_json(data: bytes, chooser: random.Random) -> bytes:
    """A value changed, dropped, doubled, wrapped or swapped in the whole, or in one of the lines."""
    lines = data.split(b"\n") if data.count(b"\n{") else [data]
    at = chooser.randrange(len(lines))
    value = [json.loads(lines[at])]
    every = list(places(value))
    holder, key = chooser.choice(every)
    match chooser.randrange(6):
        case 0 | 1:
            holder[key] = chooser.choice(VALUES)
        case 2:
            del holder[key]
        case 3:
            other, inner = chooser.choice(every)
            holder[key] = json.loads(json.dumps(other[inner]))
        case 4:
            for _ in range(chooser.choice((1, 2, 500))):
                holder[key] = [holder[key]] if chooser.random() < 0.5 else {"x": holder[key]}
        case 5 if isinstance(holder, list):
            holder[key:key] = holder[key : key + 1] * chooser.choice((1, 100))
        case _:
            holder.update({str(chooser.choice(VALUES)): holder[key]} if isinstance(holder, dict) else {})
    lines[at] = (json.dumps(value[0]) if value else "").encode()
    return b"\n".join(lines)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place inside a JSON value, as what holds it and its key there."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def in_zip(data: bytes, chooser: random.Random) -> bytes:
    """A part changed, dropped, renamed or there twice."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = chooser.randrange(len(parts))
    name, part = parts[at]
    match chooser.randrange(6):
        case 0:
            del parts[at]
        case 1:
            parts[at] = chooser.choice(("../../x.txt", "/x.txt", name.upper(), "x" * 300, "a/" * 60 + name)), part
        case _:
            parts[at] = name, changed(name, part, chooser, [part for _, part in parts])
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", chooser.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))) as archive:
        for name, part in parts:
            archive.writestr(zipfile.ZipInfo(name), part)
    return written.getvalue()


def in_header(data: bytes, chooser: random.Random) -> bytes:
    """The header of a file of weights changed."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = in_json(data[8:end], chooser)
    return len(header).to_bytes(8, "little") + header + data[end:]


def in_gzip(data: bytes, chooser: random.Random) -> bytes:
    """What is packed changed."""
    return gzip.compress(in_bytes(gzip.decompress(data), chooser, [data]), mtime=0)


def tried(target: Target, name: str, data: bytes, folder: Path) -> str:
    """``read`` or ``refused``, else what went wrong: the kind of error and the line of the package it came from."""
    for other, content in {**target.around, name: data}.items():
        (folder / other).parent.mkdir(parents=True, exist_ok=True)
        (folder / other).write_bytes(content)
    before = _memory()
    try:
        target.read(folder, folder / name)
    except DetectorError as error:
        if "\n" in str(error) or "MemoryError" in str(error):
            return f"not one line, or out of memory: {error!s:.100}"
        return "refused"
    except (SystemExit, typer.Exit) as end:
        code = end.exit_code if isinstance(end, typer.Exit) else end.code
        return {0: "read", None: "read", 2: "refused"}.get(code, f"exit code {code}")
    except BaseException as error:
        own = [f for f in traceback.extract_tb(error.__traceback__) if "/detector/" in f.filename]
        where = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "elsewhere"
        return f"{type(error).__name__} at {where}: {error!s:.100}"
    finally:
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    return f"memory: {grown:.0f} MB more" if grown > MEGABYTES else "read"


def _memory() -> float:
    """The megabytes that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def limited(target: Target, cases: list[tuple[str, bytes]], *, seconds: float) -> list[str]:
    """The outcome of each file up to the first that ended its process, or until time is up: read in a child."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 4 * MEGABYTES * 2**20,) * 2)
        until = time.monotonic() + seconds
        for name, data in itertools.takewhile(lambda _: time.monotonic() < until, cases):
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.setitimer(signal.ITIMER_REAL, WAITING)
            with TemporaryDirectory() as folder:
                outcome = tried(target, name, data, Path(folder))
            os.write(writing, (outcome.replace("\n", " ") + "\n").encode("utf-8", "replace"))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as stream:
        outcomes = [line.rstrip("\n") for line in stream]
    status = os.waitpid(child, 0)[1]
    if status:
        ended = {signal.SIGPROF: "a hang", signal.SIGALRM: "a deadlock"}.get(status & 0x7F, f"status {status}")
        outcomes.append(f"the process ended: {ended}")
    return outcomes


def fuzz(name: str, target: Target, *, minutes: float, seed: int) -> Tally:
    """What was found in so many minutes of computing, in this process and those that it has waited for."""
    tally, number, begun = Tally(), 0, sum(os.times()[:4])
    while tally.seconds < 60 * minutes:
        cases = [case(target, random.Random(f"{seed}/{name}/{number + i}")) for i in range(BATCH)]
        outcomes = limited(target, cases, seconds=60 * minutes - tally.seconds)
        for outcome, (file, data) in zip(outcomes, cases, strict=False):
            tally.add(outcome, file, data)
        number += len(outcomes)
        tally.seconds = sum(os.times()[:4]) - begun
    for file, data in tally.finds.values():
        kept = FOUND / name / f"{zlib.crc32(data):08x}-{file.replace('/', '@')}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(data)
    return tally


def added(before: dict[str, Any], tally: Tally, *, seed: int) -> dict[str, Any]:
    """The record of a target with one more run in it; anew with a seed that was there before: it makes no new files."""
    if seed in before.get("seeds", ()):
        before = {}
    return {
        "n_cases": before.get("n_cases", 0) + tally.n_cases,
        "n_refused": before.get("n_refused", 0) + tally.n_refused,
        "seconds": round(before.get("seconds", 0.0) + tally.seconds, 1),
        "seeds": [*before.get("seeds", ()), seed],
        "finds": list(tally.finds),
    }


def main() -> None:
    """Fuzzes the targets that are named, all by default, and records what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=1.0, help="of computing, for each target")
    parser.add_argument("--seed", type=int, help="one more than any on record where left out")
    given = parser.parse_args()
    results = json.loads(RECORD.read_text(encoding="utf-8"))["targets"] if RECORD.is_file() else {}
    for name in given.targets or TARGETS:
        seed = given.seed or 1 + max(results.get(name, {}).get("seeds", ()), default=0)
        tally = fuzz(name, TARGETS[name](), minutes=given.minutes, seed=seed)
        print(f"{name:<24}{tally.n_cases:7} cases {tally.seconds:6.0f} s {len(tally.finds):3} finds", flush=True)
        for found in tally.finds:
            print(f"  {found}")
        results[name] = added(results.get(name, {}), tally, seed=seed)
        record(
            RECORD.stem, {"python": sys.version.split()[0], "targets": {one: results[one] for one in sorted(results)}}
        )


if __name__ == "__main__":
    main()
