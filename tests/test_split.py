from pathlib import Path

import pytest

from detector.corpora import folds, read_ptc
from detector.corpora.split import near_duplicates
from detector.spans import Document

DATA = Path(__file__).parents[2] / "shared" / "data"


def words(first, last):
    return " ".join(f"word{i}" for i in range(first, last))


def made_documents(n):
    return [Document(f"doc-{i}", words(1000 * i, 1000 * i + 60)) for i in range(n)]


def test_every_document_has_a_fold_and_every_fold_has_documents():
    found = folds(made_documents(200), n_folds=5)
    assert set(found) == {0, 1, 2, 3, 4}
    assert all(25 <= found.count(fold) <= 60 for fold in range(5))


def test_folds_do_not_depend_on_order_or_company():
    documents = made_documents(30)
    by_id = dict(zip([d.id for d in documents], folds(documents), strict=True))
    assert folds(documents[::-1]) == [by_id[d.id] for d in documents[::-1]]
    assert folds(documents[7:8]) == [by_id["doc-7"]]


def test_folds_are_the_same_on_every_machine():
    assert folds(made_documents(8), seed=0) == [0, 3, 0, 3, 1, 2, 4, 2]


def test_another_seed_gives_other_folds():
    assert folds(made_documents(50), seed=0) != folds(made_documents(50), seed=1)


def test_30_percent_of_the_smaller_documents_sequences_make_a_near_duplicate():
    small = Document("small", words(0, 17))  # ten sequences of eight words
    three = Document("three", words(0, 10) + " " + words(100, 300))
    two = Document("two", words(0, 9) + " " + words(400, 600))
    assert near_duplicates([small, three, two]) == [(0, 1)]


def test_case_and_punctuation_make_no_difference():
    text = words(0, 30)
    loud = text.upper().replace(" ", ", ") + "!"
    assert near_duplicates([Document("a", text), Document("b", loud)]) == [(0, 1)]


def test_near_duplicates_of_near_duplicates_share_a_fold():
    chain = [Document(f"c{i}", words(40 * i, 40 * i + 80)) for i in range(12)]
    assert (0, 2) not in near_duplicates(chain)
    assert len(set(folds(chain))) == 1


def test_a_group_goes_where_its_smallest_id_goes_alone():
    twins = [Document("z", words(0, 30)), Document("a", words(0, 30))]
    assert folds(twins) == folds(twins[1:]) * 2


def test_short_texts_are_near_duplicates_only_if_they_are_alike():
    documents = [Document("1", "Shut up!"), Document("2", "shut up"), Document("3", "Shut it"), Document("4", "")]
    assert near_duplicates([*documents, Document("5", "…")]) == [(0, 1)]


def test_no_documents():
    assert folds([]) == []


@pytest.mark.skipif(not DATA.exists(), reason="the corpora are not beside this checkout")
def test_near_duplicates_of_ptc_stay_together():
    documents = read_ptc(DATA / "ptc" / "train-articles", DATA / "ptc" / "train-labels-14").documents
    found, pairs = folds(documents), near_duplicates(documents)
    assert len(pairs) > 10
    assert all(found[first] == found[second] for first, second in pairs)
    assert all(55 <= found.count(fold) <= 95 for fold in range(5))
