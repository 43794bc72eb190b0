"""Damaged files are read, or refused in one line: what `eval/fuzz.py` has found, and fresh ones for each target."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "eval"))

import fuzz
from fuzz_targets import TARGETS

FOUND = sorted(path for path in fuzz.FOUND.rglob("*") if path.is_file())
N_CASES = 20
"""For each target, the same on every machine: `eval/fuzz.py` is for looking further."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=8,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # damaged files are warned about
    pytest.mark.usefixtures("quiet"),
]


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str]) -> None:
    """What is told of damaged files does not show."""


@pytest.mark.parametrize("name", TARGETS)
def test_undamaged_files_are_read(name: str, tmp_path: Path):
    target = TARGETS[name]()
    for i, (file, data) in enumerate(target.files.items()):
        assert fuzz.tried(target, file, data, tmp_path / str(i)) == "read", file


@pytest.mark.skipif(not FOUND, reason="nothing has been found yet")
@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_is_mended(path: Path, tmp_path: Path):
    target = TARGETS[path.parent.name]()
    file = path.name.partition("-")[2].replace("@", "/")
    assert fuzz.tried(target, file, path.read_bytes(), tmp_path) in ("read", "refused")


@pytest.mark.parametrize("name", TARGETS)
def test_freshly_damaged_files_are_read_or_refused(name: str, tmp_path: Path):
    target, chooser = TARGETS[name](), random.Random(name)
    for n in range(N_CASES):
        file, data = fuzz.case(target, chooser)
        assert fuzz.tried(target, file, data, tmp_path / str(n)) in ("read", "refused"), f"{file}: number {n}"


@pytest.mark.parametrize("name", ["report", "convert-json", "convert-label-studio", "convert-sarif"])
def test_any_json_in_any_place_is_read_or_refused(name: str, tmp_path_factory: pytest.TempPathFactory):
    target = TARGETS[name]()
    file, data = min(target.files.items())

    @settings(max_examples=12, deadline=None, database=None)
    @given(place=st.integers(0, 10_000), value=JSON)
    def check(place: int, value: object) -> None:
        whole = [json.loads(data)]
        places = list(fuzz.places(whole))
        holder, key = places[place % len(places)]
        holder[key] = value
        written = json.dumps(whole[0]).encode()
        assert fuzz.tried(target, file, written, tmp_path_factory.mktemp("case")) in ("read", "refused")

    check()
