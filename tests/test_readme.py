"""The README and the pages of the documentation are true: what they show is what commands print and what there is.

``console`` blocks are run and compared (see `docs/fill.py`); figures may differ from machine to machine,
and findings at a threshold between a CPU with products of 8-bit numbers and one without. ``python``
blocks are run. ``sh`` blocks are not: their `make` targets, `detector` options and Python files must exist.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import typer.main
from conftest import SHARED_DATA

from detector.backends.onnx import multiplies_whole_numbers
from detector.cli import app

sys.path.append(str(Path(__file__).parents[1] / "docs"))

from fill import (
    ELISION,
    FILLED_WITH_DOT_PRODUCTS,
    HELD_OUT,
    PATIENCE,
    Step,
    blocks,
    elided,
    environment,
    make_place,
    run,
    steps,
)

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CORPORA = "../shared"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def of_pages(language: str) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for block in blocks(page.read_text(encoding="utf-8"), language):
            yield page, block


def pattern(output: str) -> re.Pattern[str]:
    """What an output must match: digits are any digits, a line of ``…`` is any lines."""
    return re.compile("".join(map(line_pattern, output.rstrip("\n").split("\n"))))


def line_pattern(line: str) -> str:
    if line == ELISION:
        return r"(?:.*\n)*?"
    return re.sub(r"(\\ )+", r"\\s+", re.sub(r"\d+", r"\\d+", re.escape(line))) + r"\n"


@pytest.fixture(scope="module")
def place_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """The checkout in which the commands of a page are run, one after the other."""

    @cache
    def place(page: Path) -> Path:
        return make_place(tmp_path_factory.mktemp("page"), SHARED_DATA)

    return place


CONSOLE = [(page, step) for page, block in of_pages("console") for step in steps(block)]


@pytest.mark.parametrize(("page", "step"), CONSOLE, ids=[f"{name_of(p)}-{s.command[:50]}" for p, s in CONSOLE])
def test_a_console_command_prints_what_its_page_shows(place_of: Callable[[Path], Path], page: Path, step: Step):
    if CORPORA in step.command and not SHARED_DATA.is_dir():
        pytest.skip("the training corpora are not beside the checkout")
    if HELD_OUT.as_posix() in step.command and not (place_of(page) / HELD_OUT).is_dir():
        pytest.skip("the checkout has no history: `make held-out` fails")
    if step.command.startswith("detector review "):
        pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install .[web]")
    said = run(step.command, place_of(page))
    if step.output.strip() and not pattern(step.output).fullmatch(said.rstrip("\n") + "\n"):
        if multiplies_whole_numbers() != FILLED_WITH_DOT_PRODUCTS:
            pytest.skip("the pages were filled on another kind of CPU, where findings at a threshold differ")
        pytest.fail(said)


PYTHON = [page for page in PAGES if blocks(page.read_text(encoding="utf-8"), "python")]


@pytest.mark.parametrize("page", PYTHON, ids=name_of)
def test_the_python_examples_of_a_page_run(place_of: Callable[[Path], Path], page: Path):
    program = "\n".join(blocks(page.read_text(encoding="utf-8"), "python"))
    subprocess.run([sys.executable, "-c", program], cwd=place_of(page), env=environment(), check=True, timeout=PATIENCE)


SHELL = [(page, line) for page, block in of_pages("sh") for line in block.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize(("page", "line"), SHELL, ids=[f"{name_of(p)}-{line[:50]}" for p, line in SHELL])
def test_a_command_that_is_not_run_exists(page: Path, line: str):
    words = shlex.split(line, comments=True)
    if words[:1] == ["make"]:
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        assert set(words[1:]) <= set(targets)
    elif words[:1] == ["python"] and words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file()
    elif "detector" in words:  # behind a pipe, `timeout` or a variable
        words = words[words.index("detector") + 1 :]
        group = typer.main.get_command(app)
        with click.Context(group, info_name="detector") as context:
            name, command, rest = group.resolve_command(context, words)
            assert command is not None, name
            command.make_context(name, [word for word in rest if word != "&"], parent=context)


def test_the_readme_opens_with_the_two_commands():
    first = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "sh")[0].split()
    assert "demo" in first
    assert "test" in first


def test_what_elisions_stand_for():
    assert pattern("a 1\n…\nz").fullmatch("a 22\nz\n")
    assert pattern("a 1\n…\nz").fullmatch("a 2\nb\nc\nz\n")
    assert not pattern("a 1\n…\nz").fullmatch("a 2\nz\nb\n")
    shown, new = "a 1\n…\nm 1\n…\nz 1\n", "a 2\nb\nc\nm 2\nd\ne\nz 2\n"
    assert elided(shown, new) == "a 2\n…\nm 2\n…\nz 2\n"
    assert pattern(elided(shown, new)).fullmatch(new)
