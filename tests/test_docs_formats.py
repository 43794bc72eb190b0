"""The pages about reading, formats and settings name what there is."""

import re
import tomllib
from pathlib import Path

import pytest

from detector.cli.formats import AnnotationFormat
from detector.cli.settings import KEYS, in_force
from detector.readers.sources import KINDS, SUFFIXES
from detector.spans import Document, Span
from detector.writers.catalogue import FORMATS
from detector.writers.json import span_records
from detector.writers.table import COLUMNS

DOCS = Path(__file__).parents[1] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted({*FORMATS, *AnnotationFormat}))
def test_every_format_has_a_row_that_is_right(name: str):
    row = next(line for line in page("formats.md").splitlines() if line.startswith(f"| `{name}`"))
    _, _, suffixes, _, text, confidence, reads, _, _ = (cell.strip() for cell in row.split("|"))
    if name not in FORMATS:
        return
    one = FORMATS[name]
    assert all(f"`{suffix}`" in suffixes for suffix in one.suffixes)
    assert ("folder" in suffixes) is one.folder
    assert reads.split(",")[0] == ("yes" if one.read else "with `--texts`" if one.read_with else "no")
    if one.read or one.read_with:
        assert (text == "yes") is ("text" in one.holds)
        assert (confidence != "no") is ("confidence" in one.holds)


def test_every_field_of_a_finding_is_described():
    fields = span_records(Document("a", "They lie.").with_spans([Span(5, 8, "doubt")]))[0]
    assert all(f"`{field}`" in page("formats.md") for field in (*fields, *COLUMNS))


def test_every_kind_of_source_is_described():
    rows = page("reading.md").split("\n\n")[2]
    assert all(f"`{suffix}`" in rows for suffix in SUFFIXES)
    assert all(f"| {kind} |" in rows for kind in KINDS)


def test_the_example_of_settings_names_all_and_is_valid(tmp_path: Path):
    (example,) = re.findall(r"```toml\n(.*?)```", page("settings.md"), re.DOTALL)
    assert set(tomllib.loads(example)) == set(KEYS)
    (tmp_path / "detector.toml").write_text(example, encoding="utf-8")
    values = in_force(environment={}, start=tmp_path)
    assert all(value.origin.endswith("detector.toml") for value in values.values())
