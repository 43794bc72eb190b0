"""The site of the documentation is built with warnings as errors, is complete, and asks for nothing from elsewhere."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

pytest.importorskip("mkdocs", reason="MkDocs is not installed: pip install '.[docs]'")
pytest.importorskip("material", reason="MkDocs Material is not installed: pip install '.[docs]'")
pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: pip install '.[docs]'")

from detector.cli import app
from detector.techniques import all_techniques, families

sys.path.append(str(Path(__file__).parents[1] / "docs"))

import generate

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def words_of(page: Path) -> str:
    """What an HTML page says."""
    return html.unescape(re.sub(r"<[^>]*>", "", page.read_text(encoding="utf-8")))


def test_the_site_has_all_pages_and_is_sound(site: Path):
    written = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    made = {Path(path).with_suffix(".html") for path, _ in generate.pages()}
    assert written | made <= {path.relative_to(site) for path in site.rglob("*.html")}
    assert not list(site.rglob("*.py*"))


def test_no_page_asks_for_anything_from_elsewhere(site: Path):
    asking = re.compile(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?(?:https?:)?//|<link[^>]*\shref=\"?(?:https?:)?//")
    imported = re.compile(r"@import|url\([\"']?(?:https?:)?//")
    for page in site.rglob("*.html"):
        assert not asking.search(page.read_text(encoding="utf-8")), page
    for sheet in site.rglob("*.css"):
        assert not imported.search(sheet.read_text(encoding="utf-8")), sheet


def test_every_technique_has_its_page(site: Path):
    overview = words_of(site / "techniques" / "index.html")
    for family in families():
        assert family.description in overview
    for one in all_techniques():
        assert one.definition in overview
        text = words_of(site / "techniques" / f"{one.name}.html")
        told = (one.title, one.definition, one.recognise, one.legitimate, one.question, *one.look_alikes, one.source)
        assert all(sentence in text for sentence in (*told, *(example.text for example in one.examples)))


def test_every_command_and_option_is_in_the_reference(site: Path):
    page = (site / "commands.html").read_text(encoding="utf-8")
    group: Any = typer.main.get_command(app)
    parts = re.split(r'<h2 id="detector-(\w+)"', page)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert set(sections) == set(group.commands)
    for name, command in group.commands.items():
        section = html.unescape(sections[name])
        for parameter in command.params:
            written = parameter.opts if parameter.param_type_name == "option" else [parameter.metavar]
            assert all(re.search(rf"<code>[^<]*{re.escape(one)}\b", section) for one in written), (name, written)
    assert re.search(r"--part-size N</code>.*?<code>100</code>", sections["score"], flags=re.DOTALL)


def test_figures_in_the_pages_are_those_of_the_card_and_the_records(site: Path):
    table = generate.card_section("What was measured").splitlines()[-3]
    assert all(cell.strip(" *") in words_of(site / "limits.html") for cell in table.split("|"))
    for record in generate.RESULTS.glob("*.json"):
        assert record.stem.replace("_", " ") in words_of(site / "measurements.html")


def test_a_record_of_any_shape_becomes_markdown():
    record = {
        "n": 2,
        "share": 0.12345,
        "versions": {"python": "3"},
        "kinds": {"a|b": {"n": 1, "f1": {"low": 0.5}}, "c": {"n": 2}},
        "rows": [{"x": 1}, {"y": None}],
        "deep": [[[1]]],
    }
    assert list(generate.figures(record, level=3)) == [
        "- n: 2\n- share: 0.1235\n- versions: python 3",
        "### kinds",
        "|  | n | f1 low |\n|---|---|---|\n| a\\|b | 1 | 0.5 |\n| c | 2 |  |",
        "### rows",
        "| x | y |\n|---|---|\n| 1 |  |\n|  |  |",
        "### deep",
        "1 entries: see the file.",
    ]
