"""The commands that Markdown pages show: found, run in order, and their real output put in place.

    python docs/fill.py README.md docs/*.md docs/howto/*.md

In a ``console`` block, ``$ `` starts a command, and what follows is all that it prints, messages included; a line of
``…`` stands for any lines, none included, and stays where it is. The commands of a page run one after the other in a
fresh checkout of their own; a `detector review` is answered as a person would, over HTTP: the first finding rejected,
the others accepted. Tests compare what pages show with what the same commands print.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.request import ProxyHandler, Request, build_opener

from detector.backends.onnx import multiplies_whole_numbers

ROOT = Path(__file__).parents[1]
PLACE = "rhetoric-detector"
HELD_OUT = Path("runs", "held-out")
"""Where `make held-out` puts the model that annotated documents are left for."""
FILLED_WITH_DOT_PRODUCTS = True
"""Whether the pages were filled on a CPU with products of 8-bit numbers: on another, findings at a threshold differ."""
ELISION = "…"
WIDTH = 100
PATIENCE = 600  # seconds for a command
_SECRET = re.compile(r"(http://127\.0\.0\.1:\d+/)[\w-]{16,}/")
_OPEN = build_opener(ProxyHandler({})).open  # this machine is not behind a proxy


@dataclass(frozen=True)
class Step:
    """A command and the output that a page shows for it."""

    command: str
    output: str


class CommandError(Exception):
    """A command that a page shows has failed."""


def blocks(markdown: str, language: str) -> list[str]:
    """The contents of the fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", markdown, flags=re.MULTILINE | re.DOTALL)


def steps(block: str) -> list[Step]:
    """The commands of a ``console`` block with their outputs.

    >>> steps("$ echo a\\na\\n$ true\\n")
    [Step(command='echo a', output='a\\n'), Step(command='true', output='')]
    """
    return [Step(*part.split("\n", 1)) for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]


def make_place(parent: Path, corpora: Path | None) -> Path:
    """A checkout as a user has it, below ``parent``, where commands may write; with the corpora beside it, if any.

    `make held-out` has been called in it, if the history is there.
    """
    place = parent / PLACE
    place.mkdir()
    for name in ("seeds", "configs", "eval"):
        shutil.copytree(ROOT / name, place / name)
    if corpora is not None and corpora.is_dir():
        (parent / "shared").symlink_to(corpora.parent)
    if subprocess.run(["make", "held-out"], cwd=ROOT, capture_output=True).returncode == 0:
        (place / HELD_OUT.parent).mkdir()
        (place / HELD_OUT).symlink_to(ROOT / HELD_OUT)
    return place


def run(command: str, place: Path) -> str:
    """All that a command prints, the secret of a review left out. Raises CommandError where it fails."""
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=place,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        said = answer(process, place) if command.startswith("detector review ") else ""
        said += process.communicate(timeout=PATIENCE)[0]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode != 0:
        raise CommandError(f"$ {command}\n{said}exit code {process.returncode}")
    return _SECRET.sub(rf"\1{ELISION}/", said)


def environment() -> dict[str, str]:
    """What commands run with: this Python's programs first, a terminal's width, no network and no browser."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "COLUMNS": str(WIDTH), "HF_HUB_OFFLINE": "1", "BROWSER": "true"}


def answer(process: subprocess.Popen[str], place: Path) -> str:
    """What a `detector review` has said by the time it is told to end, the documents all being reviewed."""
    assert process.stdout is not None
    said = _until_address(process.stdout)
    found = _SECRET.search(said)
    if found is None:
        raise CommandError(said)
    log = re.search(r"decisions are in ([^)]+)\)", said)
    assert log is not None, said
    rows = [json.loads(line) for line in (place / log[1]).read_text(encoding="utf-8").splitlines()]
    documents = [row["document"] for row in rows if "document" in row]
    for number, document in enumerate(documents, start=1):
        review(f"{found[0]}{number}/decisions", document["spans"])
    os.killpg(process.pid, signal.SIGINT)
    return said


def _until_address(stream: IO[str]) -> str:
    said = ""
    while line := stream.readline():
        said += line
        if _SECRET.search(line):
            break
    return said


def review(address: str, spans: list[Mapping[str, Any]]) -> None:
    """Sends a decision about each span, the first rejected and the others accepted, and that the document is done."""
    keys = [{name: span[name] for name in ("start", "end", "technique")} for span in spans]
    made: list[dict[str, Any]] = [{"action": "accept" if i else "reject", "span": key} for i, key in enumerate(keys)]
    for version, row in enumerate([*made, {"action": "done"}]):
        body = json.dumps({"version": version, **row}).encode()
        _OPEN(Request(address, body, {"Content-Type": "application/json"}), timeout=60).close()


def filled(markdown: str, place: Path) -> str:
    """The page with the output of its commands as they are now. Raises CommandError."""

    def block(match: re.Match[str]) -> str:
        shown = "".join(f"$ {step.command}\n{refreshed(step, place)}" for step in steps(match[1]))
        return f"```console\n{shown}```"

    return re.sub(r"^```console\n(.*?)^```$", block, markdown, flags=re.MULTILINE | re.DOTALL)


def refreshed(step: Step, place: Path) -> str:
    """The output of a command as it is now, with the elisions of what the page shows; nothing where that is nothing."""
    new = run(step.command, place)
    return elided(step.output, new) if step.output.strip() else step.output


def elided(shown: str, new: str) -> str:
    """New output cut like what was shown: as many lines before an elision, between two, and after.

    >>> elided("a 1\\n…\\nz 1\\n", "a 2\\nb\\nc\\nz 2\\n")
    'a 2\\n…\\nz 2\\n'
    >>> elided("…\\nb 1\\nc 1\\n…\\n", "a\\nb 2\\nc 2\\nd\\n")
    '…\\nb 2\\nc 2\\n…\\n'
    """
    lines = new.rstrip("\n").split("\n")
    first, *rest = _segments(shown)
    if not rest:
        return "\n".join(lines) + "\n"
    *middle, last = rest
    kept, at = lines[: len(first)], len(first)
    for segment in middle:
        at = _place(segment, lines, at)
        kept += [ELISION, *lines[at : at + len(segment)]]
        at += len(segment)
    kept += [ELISION, *lines[max(at, len(lines) - len(last)) :][: len(last)]]
    return "\n".join(kept) + "\n"


def _segments(shown: str) -> list[list[str]]:
    segments: list[list[str]] = [[]]
    for line in shown.rstrip("\n").split("\n"):
        if line == ELISION:
            segments.append([])
        else:
            segments[-1].append(line)
    return segments


def _place(segment: list[str], lines: list[str], at: int) -> int:
    """Where the first line of a segment is now, its figures aside."""
    wanted = re.sub(r"\d+", "0", segment[0])
    for i, line in enumerate(lines[at:], start=at):
        if re.sub(r"\d+", "0", line) == wanted:
            return i
    raise CommandError(f"no line is like {segment[0]!r} any more: mend the page by hand")


def main() -> None:
    """Fill the pages that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE.md")
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "data", metavar="DIR")
    given = parser.parse_args()
    if multiplies_whole_numbers() != FILLED_WITH_DOT_PRODUCTS:
        parser.error(f"fill all pages, and say FILLED_WITH_DOT_PRODUCTS = {not FILLED_WITH_DOT_PRODUCTS} in this file")
    for page in given.pages:
        before = page.read_text(encoding="utf-8")
        if not blocks(before, "console"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            after = filled(before, make_place(Path(folder), given.corpora))
        page.write_text(after, encoding="utf-8")
        sys.stdout.write(f"{page}: {'filled' if after != before else 'as it was'}\n")


if __name__ == "__main__":
    main()
