"""The README is true: its commands run and print what it shows, and what it does not run exists.

In a ``console`` block, ``$ `` starts a command and what follows is its whole output; a line of ``…`` stands for any
lines, and figures may differ in the last digit from machine to machine. A ``sh`` block is not run: its ``make`` targets
and its ``detector`` options must exist.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import typer.main
from conftest import SHARED_DATA

from detector.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Step:
    """A command and the output that the README shows for it."""

    command: str
    output: str


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def steps(block: str) -> list[Step]:
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [Step(*part.split("\n", 1)) for part in parts]


def pattern(output: str) -> re.Pattern[str]:
    """What an output must match: digits are any digits, a line of ``…`` is any lines."""
    return re.compile("\n".join(map(line_pattern, output.rstrip("\n").split("\n"))) + r"\n*")


def line_pattern(line: str) -> str:
    if line == "…":
        return r"(?:.*\n)*?.*"
    return re.sub(r"(\\ )+", r"\\s+", re.sub(r"\d+", r"\\d+", re.escape(line)))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout as a user has it, where commands may write, with the corpora beside it."""
    place = tmp_path_factory.mktemp("readme") / "rhetoric-detector"
    place.mkdir()
    for name in ("seeds", "configs", "eval"):
        shutil.copytree(ROOT / name, place / name)
    if SHARED_DATA.is_dir():
        (place.parent / "shared").symlink_to(SHARED_DATA.parent)
    return place


CONSOLE = [(i, step) for i, block in enumerate(blocks("console")) for step in steps(block)]


@pytest.mark.parametrize(("block", "step"), CONSOLE, ids=[f"{i}-{s.command[:50]}" for i, s in CONSOLE])
def test_a_console_command_prints_what_the_readme_shows(workplace, block, step):
    if "../shared" in step.command and not SHARED_DATA.is_dir():
        pytest.skip("the training corpora are not beside the checkout")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", step.command],
        cwd=workplace,
        env={**os.environ, "PATH": path, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if step.output.strip():
        assert pattern(step.output).fullmatch(done.stdout), done.stdout


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()])
def test_a_command_that_is_not_run_exists(line):
    words = shlex.split(line, comments=True)
    if words[:1] == ["timeout"]:
        words = words[words.index("detector") :]
    if words[:1] == ["make"]:
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        assert set(words[1:]) <= set(targets)
    elif words[:1] == ["detector"]:
        group = typer.main.get_command(app)
        with click.Context(group, info_name="detector") as context:
            name, command, rest = group.resolve_command(context, words[1:])
            assert command is not None, name
            command.make_context(name, rest, parent=context)
    elif words[:1] == ["python"]:
        assert (ROOT / words[1]).is_file()
    elif words:
        assert words[0] == "head", line


def test_the_readme_opens_with_the_two_commands():
    first = blocks("sh")[0].split()
    assert "demo" in first
    assert "test" in first
