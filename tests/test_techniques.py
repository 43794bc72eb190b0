"""The catalogue is complete, every foreign name maps, and a wrong name is answered with the near ones."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector import techniques
from detector.errors import TechniqueError
from detector.techniques import (
    NAMES,
    Technique,
    all_techniques,
    families,
    guess_inventory,
    inventory,
    inventory_names,
    join,
    members,
    technique,
)

DATA = Path(__file__).parents[2] / "shared" / "data"
NEVER_IN_PTC = {"questioning-the-reputation", "appeal-to-values", "consequential-oversimplification", "appeal-to-time"}

every_technique = pytest.mark.parametrize("record", all_techniques(), ids=NAMES)
every_inventory = pytest.mark.parametrize("name", inventory_names())


def error_of(call, *args: object) -> str:
    with pytest.raises(TechniqueError) as caught:
        call(*args)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1200
    return message


# -- the catalogue ---------------------------------------------------------------------------------------------------


def test_the_records_are_the_23_slugs_in_order():
    assert len(set(NAMES)) == len(NAMES) == 23
    rows = techniques._data()["technique"]
    assert tuple(row["name"] for row in rows) == NAMES == tuple(t.name for t in all_techniques())


@every_technique
def test_every_field_says_something(record: Technique):
    for name in Technique.__dataclass_fields__:
        value = getattr(record, name)
        assert value, name
        if isinstance(value, str):
            assert value == value.strip()
            assert "[[" not in value
    for prose in (record.definition, record.recognise, record.legitimate):
        assert prose.endswith(".")
    assert record.question.endswith("?")


@every_technique
def test_examples_mark_a_quote_and_look_alikes_mark_nothing(record: Technique):
    assert len(record.examples) >= 2
    assert len(record.look_alikes) >= 2
    for example in record.examples:
        assert 0 <= example.start < example.end <= len(example.text)
        assert example.quote == example.quote.strip() != ""
        assert "[[" not in example.text
        assert "]]" not in example.text
    for sentence in record.look_alikes:
        assert "[[" not in sentence


def test_markup_becomes_offsets():
    example = techniques._example("They [[peddle]] lies.")
    assert (example.text, example.start, example.end, example.quote) == ("They peddle lies.", 5, 11, "peddle")


@pytest.mark.parametrize("marked", ["no mark", "[[two]] [[marks]]", "[[open"])
def test_an_example_needs_exactly_one_mark(marked: str):
    with pytest.raises(ValueError, match="unpack"):
        techniques._example(marked)


def test_no_sentence_occurs_twice():
    sentences = [s for t in all_techniques() for s in (*(e.text for e in t.examples), *t.look_alikes)]
    assert len(set(sentences)) == len(sentences)


def test_codes_are_two_or_three_capitals_and_unique():
    codes = [t.code for t in all_techniques()]
    assert len(set(codes)) == len(codes)
    assert all(code.isascii() and code.isalpha() and code.isupper() and 2 <= len(code) <= 3 for code in codes)


def test_families_hold_every_technique_once_in_order():
    assert len(families()) == 6
    assert tuple(slug for family in families() for slug in family.techniques) == NAMES
    for family in families():
        assert family.title
        assert family.description
        assert all(technique(slug).family == family.name for slug in family.techniques)


# -- look-up by name -------------------------------------------------------------------------------------------------


@every_technique
def test_a_technique_is_found_by_slug_title_and_code_however_written(record: Technique):
    for name in (record.name, record.title, record.code):
        for written in (name, name.upper(), name.lower(), name.replace("-", "_"), name.replace(" ", "-"), f" {name} "):
            assert technique(written) is record


@every_inventory
def test_a_technique_is_found_by_every_name_that_means_one(name: str):
    for foreign in inventory(name).names:
        slugs = members(inventory(name).slug(foreign))
        if len(slugs) == 1:
            assert technique(foreign).name == slugs[0]
        elif foreign != "Whataboutism":  # our own name, which wins over the wider meaning it had in 2019
            assert "merges" in error_of(technique, foreign)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Smears", "questioning-the-reputation"),
        ("glittering generalities virtue", "appeal-to-values"),
        ("black and white fallacy", "false-dilemma"),
        ("THOUGHT-TERMINATING CLICHE", "conversation-killer"),
        ("Whataboutism", "whataboutism"),
        ("bandwagon", "appeal-to-popularity"),
    ],
)
def test_older_names_are_understood(name: str, slug: str):
    assert technique(name).name == slug


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("whatabotism", "whataboutism"),
        ("loaded languge", "loaded-language"),
        ("hypocrisy", "appeal-to-hypocrisy"),
        ("labelling", "name-calling"),
        ("hitlerum", "guilt-by-association"),
        ("fear", "appeal-to-fear"),
        ("straw-mann", "straw-man"),
    ],
)
def test_a_wrong_name_suggests_the_near_one(wrong: str, near: str):
    message = error_of(technique, wrong)
    assert repr(wrong) in message
    assert f"did you mean {near}" in message
    assert "`detector techniques`" in message


@pytest.mark.parametrize("wrong", ["", " ", "+", "zzzzqq", "说谎", "x" * 100_000, "two\nlines"])
def test_a_name_like_no_other_points_to_the_list(wrong: str):
    message = error_of(technique, wrong)
    assert "`detector techniques` lists all" in message
    assert "did you mean" not in message


@pytest.mark.parametrize("name", ["Bandwagon,Reductio_ad_hitlerum", "appeal-to-popularity+guilt-by-association"])
def test_a_merged_name_is_refused_with_its_parts(name: str):
    assert "merges guilt-by-association and appeal-to-popularity: name one of them" in error_of(technique, name)


# -- joined techniques -----------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(NAMES), min_size=1))
def test_join_and_members_are_inverse_up_to_order(slugs: list[str]):
    parts = members(join(slugs))
    assert parts == tuple(slug for slug in NAMES if slug in slugs)
    assert join(reversed(slugs)) == join(parts)
    assert members("+".join(reversed(parts))) == parts


@pytest.mark.parametrize("name", ["", "+", "doubt+", "Doubt", "doubt+smears", "loaded language", "doubt++slogans"])
def test_members_takes_slugs_only(name: str):
    assert "no technique has the slug" in error_of(members, name)


def test_members_names_the_part_that_is_wrong():
    message = error_of(members, "straw-man+whatabotism")
    assert "'whatabotism'" in message
    assert "did you mean whataboutism?" in message


# -- inventories -----------------------------------------------------------------------------------------------------


def test_the_inventories_and_their_sizes():
    sizes = {name: len(inventory(name).names) for name in inventory_names()}
    assert sizes == {
        "detector": 23,
        "ptc-14": 14,
        "ptc-18": 18,
        "ptc-19": 19,
        "semeval-2021": 20,
        "semeval-2023": 23,
    }


@every_inventory
def test_every_foreign_name_maps_there_and_back(name: str):
    known = inventory(name)
    assert known.title
    assert len(set(known.names)) == len(known.names)
    seen: list[str] = []
    for foreign in known.names:
        joined = known.slug(foreign)
        assert joined == join(joined.split("+"))
        assert known.foreign(joined) == foreign
        for slug in members(joined):
            assert known.foreign(slug) == foreign
            seen.append(slug)
    assert len(set(seen)) == len(seen)  # no technique has two names in one inventory
    assert known.annotated == set(seen)


@every_inventory
def test_what_an_inventory_does_not_annotate_has_no_name_in_it(name: str):
    for slug in set(NAMES) - inventory(name).annotated:
        assert inventory(name).foreign(slug) is None


def test_what_each_inventory_is_silent_about():
    silent = {name: set(NAMES) - inventory(name).annotated for name in inventory_names()}
    assert silent == {
        "detector": set(),
        "ptc-14": NEVER_IN_PTC | {"obfuscation"},
        "ptc-18": NEVER_IN_PTC,
        "ptc-19": NEVER_IN_PTC,
        "semeval-2021": {"appeal-to-hypocrisy", "consequential-oversimplification", "appeal-to-time"},
        "semeval-2023": set(),
    }


def test_merged_names():
    assert inventory("ptc-14").slug("Whataboutism,Straw_Men,Red_Herring") == (
        "appeal-to-hypocrisy+straw-man+red-herring+whataboutism"
    )
    assert inventory("ptc-14").slug("Bandwagon,Reductio_ad_hitlerum") == "guilt-by-association+appeal-to-popularity"
    assert inventory("ptc-18").slug("Whataboutism") == "appeal-to-hypocrisy+whataboutism"
    assert inventory("ptc-14").foreign("straw-man+whataboutism") == "Whataboutism,Straw_Men,Red_Herring"


def test_techniques_with_different_names_have_no_common_one():
    assert inventory("semeval-2023").foreign("straw-man+whataboutism") is None
    assert inventory("ptc-14").foreign("doubt+slogans") is None
    assert inventory("ptc-14").foreign("doubt+appeal-to-time") is None


def test_foreign_refuses_what_is_no_slug():
    error_of(inventory("ptc-14").foreign, "Doubt")


def test_ptc_19_spells_as_semeval_2023_does():
    for foreign in inventory("ptc-19").names:
        assert inventory("ptc-19").slug(foreign) == inventory("semeval-2023").slug(foreign)


def test_an_inventory_refuses_other_spellings_and_suggests_its_own():
    message = error_of(inventory("ptc-14").slug, "Flag_Waving")
    assert message == "the inventory ptc-14 has no technique 'Flag_Waving': did you mean Flag-Waving?"
    assert "Thought-terminating_Cliches" in error_of(inventory("ptc-14").slug, "zzzz")


def test_a_wrong_inventory_names_them_all():
    message = error_of(inventory, "ptc-15")
    assert all(name in message for name in inventory_names())
    assert inventory("PTC 14") is inventory("ptc-14")


@every_inventory
def test_an_inventory_survives_pickling_and_hashing(name: str):
    known = inventory(name)
    copy = pickle.loads(pickle.dumps(known))
    assert copy == known
    assert hash(copy) == hash(known)
    assert copy.slug(known.names[0]) == known.slug(known.names[0])


@every_inventory
def test_an_inventory_is_guessed_from_its_names(name: str):
    assert guess_inventory(reversed(inventory(name).names)).name == name


@pytest.mark.parametrize(
    ("names", "guess"),
    [
        ([], "ptc-14"),
        (["Doubt"], "ptc-14"),
        (["Doubt", "Bandwagon"], "ptc-18"),
        (["Doubt", "Straw_Man"], "ptc-19"),
        (["Appeal_to_Time", "Doubt"], "semeval-2023"),
        (["Smears"], "semeval-2021"),
        (["doubt", "slogans"], "detector"),
    ],
)
def test_the_smallest_inventory_that_knows_all_names_wins(names: list[str], guess: str):
    assert guess_inventory(names).name == guess
    assert guess_inventory(names * 3).name == guess


def test_names_of_no_one_inventory_are_refused_by_the_best():
    message = error_of(guess_inventory, ["Flag_Waving", "Appeal_to_Time", "Straw_Men"])
    assert message == "the inventory semeval-2023 has no technique 'Straw_Men': did you mean Straw_Man?"


# -- real corpora ----------------------------------------------------------------------------------------------------


def label_rows(folder: Path) -> set[str]:
    return {line.split("\t")[1] for f in folder.glob("*") for line in f.read_text("utf-8").splitlines() if line}


def names_in_memes(file: Path) -> set[str]:
    return {row["technique"] for text in json.loads(file.read_text("utf-8")) for row in text["labels"]}


def names_in_lines(file: Path) -> set[str]:
    return {row["technique"] for line in file.read_bytes().splitlines() for row in json.loads(line)["spans"]}


@pytest.mark.parametrize(
    ("part", "names_of", "expected"),
    [
        ("ptc/train-labels-14", label_rows, "ptc-14"),
        ("ptc/train-labels-19", label_rows, "ptc-19"),
        ("semeval2021-task6/training_set_task2.json", names_in_memes, "semeval-2021"),
        ("semeval2021-task6/dev_set_task2.json", names_in_memes, "semeval-2021"),
        ("checkthat2024/train.jsonl", names_in_lines, "semeval-2023"),
    ],
)
def test_every_name_in_the_real_corpora_maps(part: str, names_of, expected: str):
    if not (DATA / part).exists():
        pytest.skip("the annotated corpora are not beside this checkout")
    names = names_of(DATA / part)
    assert len(names) > 10
    assert guess_inventory(names).name == expected


# -- light -----------------------------------------------------------------------------------------------------------


def test_names_and_members_read_no_data_and_load_nothing_heavy():
    code = """
import sys
from detector.techniques import NAMES, _data, members
members("straw-man+whataboutism")
assert _data.cache_info().currsize == 0
heavy = {"tomllib", "difflib", "torch", "numpy", "transformers", "rich", "typer"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
