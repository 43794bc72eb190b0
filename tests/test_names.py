"""Names that read alike: for the model, texts that differ by such a name alone are one and the same."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_info, tiny_model, tiny_settings, tiny_tokenizer
from hypothesis import given
from hypothesis import strategies as st

from detector.decode import find_words
from detector.detect import load
from detector.errors import ModelError
from detector.folding import fold
from detector.model import save_model
from detector.names import LISTED, NAMES_FILE, listed
from detector.spans import Document
from detector.windows import cut_windows, tokenize

sys.path.append(str(Path(__file__).parents[1] / "eval"))

import neutrality

TOKENIZER = tiny_tokenizer()
KINDS = {"man", "woman", "cleric", "party", "outlet", "gender"}
"""The kinds that have a stand-in."""
ALIKE = {"party", "leader", "outlet", "gender"}
"""The slots of the audit whose names have a stand-in."""
PARTS = [
    "Trump",
    "Hillary Clinton",
    "the U.S.",
    "Sinn Féin",
    "CNN",
    "MUSLIMS",
    "Фу",
    "\u200b",
    "lie",
    " ",
    "\n",
    "a ",
    "é",
]


def read(text: str) -> str:
    """The text as a model reads it that reads names alike."""
    return listed().read_alike(fold(text)).text


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("Trump lied. TRUMP LIED.", "Guaidó lied. GUAIDÓ LIED."),
        ("Putin and Chinese people", "Guaidó and Chinese people"),
        ("The Democratic Party, a Tory, DEMOCRATS", "The Green Party, a Green, GREENS"),
        (
            "An American told the BBC, and Pope Francis told the Guardian.",
            "An American told Novaya Gazeta, and Cardinal Kasper told Novaya Gazeta.",
        ),
        ("May I? It may be warm in the park.", "May I? It may be warm in the park."),
        ("The women, boys, Moscow and Russia", "The women, women, Moscow and Russia"),
        ("Hillary  Clinton and Beto O’Rourke", "Roberta Metsola and Juan Guaidó"),
        ("He told the\nWall Street\n  Journal, the\n\nBBC", "He told Novaya Gazeta, the\n\nNOVAYA GAZETA"),
        ("Trum\u200bp, Тrump", "Guaidó, Guaidó"),
    ],
)
def test_a_name_reads_as_its_stand_in(given_text, expected):
    assert read(given_text) == expected


def filled() -> list[tuple[str, list[str]]]:
    """Each frame of the audit with each listed name of one of its slots, the other at its first one."""
    fillers = neutrality.read_fillers()
    firsts = {slot: names.all()[0] for slot, names in fillers.items()}
    return [
        (slot, [neutrality.place(frame, slot, name, firsts)[0] for name in fillers[slot].seen])
        for frame in neutrality.read_frames()
        for slot in frame.slots()
        if slot in ALIKE
    ]


def test_every_listed_name_of_the_audit_makes_the_same_text():
    frames = filled()
    assert len(frames) > 100
    as_read = [{read(text) for text in texts} for slot, texts in frames if slot != "leader"]
    assert all(len(texts) == 1 for texts in as_read), [texts for texts in as_read if len(texts) > 1]
    # A leader reads as the man or as the woman of the list.
    assert {len({read(text) for text in texts}) for slot, texts in frames if slot == "leader"} == {2}


@given(st.lists(st.sampled_from(PARTS), max_size=30).map("".join) | st.text(max_size=100))
def test_offsets_lead_back_into_the_text_as_given(text):
    folded = listed().read_alike(fold(text))
    pieces = tokenize(TOKENIZER, text, listed())
    starts, ends = pieces.offsets.T
    assert (np.diff(starts) >= 0).all()
    assert (np.diff(ends) >= 0).all()
    assert ((starts >= 0) & (starts < ends) & (ends <= len(text))).all()
    if folded.text:
        assert len(folded.spread(np.zeros(len(folded.text)))) == len(text)
    words, plain = find_words(text, pieces), fold(text)
    for mention in listed().mentions(plain.text):
        if mention.name.row[0] not in KINDS:
            continue  # its pieces are its own words; those of a stand-in are one word
        ((start, end),) = plain.given(np.array([[mention.start, mention.end]]))
        inside = (starts < end) & (ends > start)
        assert len(set(words.first[inside])) <= 1


def test_windows_are_cut_alike():
    text = ("They want to destroy everything. " * 3 + "Trump lied and nobody minded. ") * 12
    cuts = []
    for name in ("Trump", "Pence"):
        named = text.replace("Trump", name)
        cuts.append(cut_windows(named, tokenize(TOKENIZER, named, listed()), size=30, overlap=6))
    assert len(cuts[0]) > 20
    assert cuts[0] == cuts[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny model that reads names alike."""
    info = replace(tiny_info(), names=listed())
    save_model(tmp_path, tiny_model(), info=info, settings=tiny_settings(), tokenizer=tiny_tokenizer())
    return tmp_path


def test_a_model_folder_keeps_its_names(folder, tiny_detector):
    model = load(folder)
    assert model.info.names == listed()
    assert model.model_hash != tiny_detector.model_hash
    texts = [f"{name} and {outlet} want to destroy everything we love." for name, outlet in PAIRS]
    for strictness in model.settings:
        spans = [model.find(text, strictness=strictness) for text in texts]
        assert any(spans)
        assert all(a == b for a, b in combinations(spans, 2))
    (folder / NAMES_FILE).unlink()
    plain = load(folder)
    assert plain.info.names is None
    assert plain.model_hash == tiny_detector.model_hash
    assert plain.find(texts[0]) == tiny_detector.find(texts[0])


PAIRS = (("Trump", "CNN"), ("Biden", "PBS"), ("Obama", "NPR"))
"""Names as long as one another: confidence depends a little on a span's length in characters, and so do gaps."""


def test_a_model_saved_without_names_leaves_none_behind(folder):
    save_model(folder, tiny_model(), info=tiny_info(), settings=tiny_settings(), tokenizer=tiny_tokenizer())
    assert load(folder).info.names is None


def test_names_of_ones_own(folder):
    source = LISTED.read_text(encoding="utf-8").replace('["Mike Pence", "Pence"]', '["Anna Example", "Example"]')
    (folder / NAMES_FILE).write_text(source, encoding="utf-8")
    names = load(folder).info.names
    assert names is not None
    assert names.read_alike(fold("Example lied.")).text == "Guaidó lied."
    assert pickle.loads(pickle.dumps(names)) == names


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("forms = 1", "names.toml: [man] must have a list of forms"),
        (
            'forms = ["a", "b"]\nnames = [["Trump"]]',
            "names.toml: [man] must have rows of names, with a cell for each form",
        ),
        ('forms = ["a"]\nnames = [["-x"]]', "names.toml: [man]: '-x' is no name"),
        ('forms = ["a"]\nnames = [[7]]', "names.toml: [man]: 7 is no name"),
        ('forms = ["a"]\nnames = [["Trump"]]\nreads_as = "Biden"', "names.toml: [man] reads as 'Biden'"),
        ('forms = ["a"]\nnames = [["Trump"]]\nattributive = "b"', "must name one of its forms as the attributive one"),
        (f'forms = ["a"]\nnames = {[[f"A {i}"] for i in range(501)]}', "more than 500 names begin with 'A'"),
        (f'forms = ["a"]\nnames = {[[f"A{i}"] for i in range(20_001)]}', "more than 20,000 names"),
        ('forms = ["a"]\nnames = []\nhostile = 1', "must be a table of forms, names"),
    ],
)
def test_a_damaged_list_is_refused(folder, damage, reason):
    (folder / NAMES_FILE).write_text(f"[man]\n{damage}\n", encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        load(folder)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_documents_are_read_alike_at_any_length(folder):
    model = load(folder)
    text = "Trump and Obama want to destroy everything we love. " * 30
    other = text.replace("Trump", "Putin").replace("Obama", "Pence")
    first, second = model.annotate([Document("a", text), Document("b", other)])
    assert len(first.spans) == len(second.spans) > 10
