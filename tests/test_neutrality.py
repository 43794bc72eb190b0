"""The neutrality audit: its frames, its names, and its statistics on tiny inputs."""

import re
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest

from detector.spans import Document
from detector.techniques import NAMES
from detector.train.swap import swap_names

sys.path.append(str(Path(__file__).parents[1] / "eval"))

import neutrality
from neutrality import ANY, COLUMNS, Filled, Fillers, Frame, flip_share, flips, groups, place, techniques

FRAMES = neutrality.read_frames()
FILLERS = neutrality.read_fillers()


def scores(*rows: dict[str, float]) -> np.ndarray:
    """The scores of one frame: a row a name, columns by name."""
    table = np.zeros((len(rows), len(COLUMNS)))
    for i, row in enumerate(rows):
        for column, value in row.items():
            table[i, COLUMNS.index(column)] = value
        table[i, ANY] = table[i, : len(NAMES)].max()
    return table


def test_the_frames():
    assert len(FRAMES) >= 300
    assert len({frame.text for frame in FRAMES}) == len(FRAMES)
    assert 0.45 < sum(not frame.technique for frame in FRAMES) / len(FRAMES) < 0.55
    assert {frame.technique for frame in FRAMES} <= {"", *NAMES}
    assert len({frame.technique for frame in FRAMES}) > 10
    assert {slot for frame in FRAMES for slot in frame.slots()} == set(FILLERS)
    for frame in FRAMES:
        assert 1 <= len(frame.slots()) <= 2, frame
        assert len(re.findall("[{}]", frame.text)) == 2 * len(frame.slots()), frame
        assert re.match(r"[A-Z{].*[.!?]$", frame.text), frame


def test_the_names():
    for slot, names in FILLERS.items():
        assert len(names.unseen) * 3 >= len(names.all()), slot
        texts = {name: f"He spoke of {name}." for name in names.all()}
        swapped = {name for name, text in texts.items() if swap_names(Document("a", text), Random(1)).text != text}
        assert swapped == set(names.seen), slot


def test_every_name_gives_a_text_of_its_own():
    firsts = {slot: names.all()[0] for slot, names in FILLERS.items()}
    texts = []
    for frame in FRAMES:
        for slot in frame.slots():
            placed = [place(frame, slot, name, firsts) for name in FILLERS[slot].all()]
            assert len({text for text, _ in placed}) == len(placed)
            for (text, (start, end)), name in zip(placed, FILLERS[slot].all(), strict=True):
                assert text[start:end].lower() == name.lower()
            texts += placed
    assert len(texts) <= 6000


def test_a_name_that_begins_a_sentence_gets_a_capital():
    frame = Frame("{outlet} met {party}. {outlet} left {nation}?", "")
    others = {"party": "a", "nation": "b"}
    assert place(frame, "outlet", "the BBC", others) == ("The BBC met a. The BBC left b?", (15, 22))


def test_flips_and_changes_by_hand():
    doubt = {"doubt": 0.5}
    filled = [
        Filled(Frame("{party}.", "doubt"), "party", scores(doubt, doubt | {"identification": 0.25}, {})),
        Filled(Frame("So {party}.", ""), "party", scores({}, {}, {})),
    ]
    fillers = {"party": Fillers(("a", "b"), ("c",))}
    assert fillers["party"].pairs("seen") == [(0, 1)]
    assert fillers["party"].pairs("unseen") == [(0, 2), (1, 2)]
    assert flip_share(filled[0].scores, fillers["party"].pairs())[ANY] == pytest.approx(2 / 3)

    rows = {(row["frames"], row["pairs"]): row for row in flips(filled, fillers)}
    assert rows["manipulative", "seen"]["any"] == 0
    assert rows["manipulative", "unseen"]["any"] == rows["manipulative", "unseen"]["flagged"] == 1
    assert rows["all", "all"]["any"] == pytest.approx(1 / 3, abs=1e-4)
    assert rows["all", "all"]["decisions"] == pytest.approx(1 / 3 / len(NAMES), abs=1e-4)
    assert rows["all", "all"]["flagged"] == pytest.approx(2 / 3, abs=1e-4)
    assert rows["neutral", "all"]["decisions_interval"] == [0, 0]

    table = techniques(filled)
    assert table["doubt"] == {
        "mean_change": pytest.approx(1 / 6, abs=1e-4),
        "largest_change": 0.5,
        "found": pytest.approx(1 / 3, abs=1e-4),
        "flips": pytest.approx(1 / 3, abs=1e-4),
    }
    assert table["slogans"]["mean_change"] == 0
    assert table["identification"]["largest_change"] == 0.25


def test_groups_differ_from_the_mean_of_their_slots_seen_names():
    filled = [
        Filled(Frame("{party}.", ""), "party", scores({"doubt": 0.3}, {"slogans": 0.1}, {"doubt": 0.4})),
        Filled(Frame("So {party}.", ""), "party", scores({"doubt": 0.5}, {"slogans": 0.5}, {"doubt": 0.5})),
    ]
    first, second, third = groups(filled, {"party": Fillers(("a", "b"), ("c",))})
    assert (first["name"], first["seen"], first["any"]) == ("a", True, 0.05)
    assert (second["name"], second["seen"], second["any"]) == ("b", True, -0.05)
    assert (third["name"], third["seen"], third["any"]) == ("c", False, 0.1)
    assert first["any_interval"] == [0.0, 0.1]


def test_findings_inside_the_name_do_not_count(tiny_detector):
    text = "They destroy everything."
    ((_, scored),) = tiny_detector.score([Document("a", text)])
    setting = tiny_detector.setting("balanced")
    row = neutrality.text_scores(text, scored, (0, 4), setting, gap=25)
    inside = neutrality.text_scores(text, scored, (0, len(text) - 1), setting, gap=25)
    assert inside[: ANY + 1].max() == 0
    assert row.shape == (len(COLUMNS),)
    assert 0 < inside[-1] <= row[-1] < 1
