"""Counterfactual copies: which names are swapped, what stays, and where the spans go."""

import random
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.corpora import Corpus
from detector.names import LISTED, listed
from detector.spans import Document, Span
from detector.techniques import inventory
from detector.train.swap import swap_corpora, swap_names

TABLES = tomllib.loads(LISTED.read_text(encoding="utf-8"))
TOKENS = [
    "Trump",
    "Donald Trump",
    "Russian",
    "the US",
    "CNN",
    "Muslims",
    "women",
    "lie",
    "a disgrace",
    "é",
    "FBI",
    "\nso",  # or a name alone on a line would be in capitals, as a headline is
]


def swapped(text: str, seed: int = 1) -> str:
    return swap_names(Document("a", text), random.Random(seed)).text


class Chosen(random.Random):
    """A generator under which the first name of each pair, by slot type, becomes the second."""

    def __init__(self, pairs: dict[str, tuple[str, str]]) -> None:
        super().__init__(0)
        self.kinds = iter(kind for kind in TABLES if kind != "words")
        self.pairs = pairs

    def sample(self, population, k):
        kind = next(self.kinds)
        rows = [row[0] if isinstance(row[0], str) else row[0][0] for row in TABLES[kind]["names"]]
        pair = [rows.index(name) for name in self.pairs.get(kind, ())]
        return [*pair, *(i for i in population if i not in pair)]


@pytest.mark.parametrize(
    ("pairs", "before", "after"),
    [
        ({"man": ("Donald Trump", "Joe Biden")}, "Donald Trump's men? TRUMP!", "Joe Biden's girls? BIDEN!"),
        ({"man": ("Donald Trump", "Joe Biden")}, "Trumpet, @Trump, anti-Trump", "Trumpet, @Trump, anti-Biden"),
        ({"nation": ("America", "Russia")}, "The United States and US law", "Russia and Russian law"),
        ({"nation": ("America", "Russia")}, "The US army met\nTHE US.", "The Russian army met\nRUSSIA."),
        ({"nation": ("America", "Iran")}, "An American left the US.", "An Iranian left Iran."),
        ({"nation": ("America", "Russia")}, "An American. HELP US NOW", "A Russian. HELP US NOW"),
        ({"nation": ("Russia", "the Soviet Union")}, "Russia fell.", "The Soviet Union fell."),
        ({"outlet": ("CNN", "the BBC")}, "He told CNN, and the CNN host.", "He told the BBC, and the BBC host."),
        ({"outlet": ("the Guardian", "CNN")}, "the Guardian, a guardian, Guardian", "CNN, a guardian, Guardian"),
        ({"religion": ("Islam", "Judaism")}, "Islam, a Muslim, MUSLIMS", "Judaism, a Jewish, JEWS"),
        ({"cause": ("pro-life", "anti-war")}, "Pro-life PRO-LIFE a pro-life", "Anti-war ANTI-WAR an anti-war"),
        ({"woman": ("Theresa May", "Angela Merkel")}, "It may. May came.", "It may. May came."),
        ({"woman": ("Theresa May", "Angela Merkel")}, "Theresa May. May I? May", "Angela Merkel. Merkel I? Merkel"),
    ],
)
def test_form_article_and_capitals_are_kept(pairs, before, after):
    assert swap_names(Document("a", before), Chosen(pairs)).text == after


def test_an_edge_inside_a_name_moves_to_the_edge_of_its_replacement():
    text = "So Donald Trump lies."
    document = Document("a", text, (Span(0, 7, "doubt"), Span(5, 6, "slogans"), Span(10, 20, "loaded-language")))
    copy = swap_names(document, Chosen({"man": ("Donald Trump", "Joe Biden")}))
    assert copy.text == "So Joe Biden lies."
    assert {s.technique: copy.quote(s) for s in copy.spans} == {
        "doubt": "So Joe Biden",
        "slogans": "Joe Biden",
        "loaded-language": "Joe Biden lies",
    }


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(TOKENS), min_size=1), st.data())
def test_each_quote_is_the_old_quote_with_its_names_swapped(tokens, data):
    starts = [5 + sum(len(t) + 3 for t in tokens[:i]) for i in range(len(tokens))]
    pairs = st.tuples(st.integers(0, len(tokens) - 1), st.integers(0, len(tokens) - 1)).map(sorted)
    chosen = data.draw(st.lists(pairs))
    spans = tuple(Span(starts[i], starts[j] + len(tokens[j]), "doubt") for i, j in chosen)
    copy = swap_names(Document("a", " | ".join(["so", *tokens]), spans), random.Random(3))
    new = [swapped(f"so | {t}", 3).removeprefix("so | ") for t in tokens]
    assert copy.text == " | ".join(["so", *new])
    quotes = [" | ".join(new[i : j + 1]) for i, j in chosen]
    assert sorted(copy.quote(s) for s in copy.spans) == sorted(quotes)
    assert all(word not in copy.text for word in ("Trump", "Muslim", "FBI"))


def test_a_text_without_names_stays_and_no_name_stays():
    assert swapped("They lie, and we all know it.") == "They lie, and we all know it."
    for seed in range(30):
        assert "Iran" not in swapped("Iran, Iranian and Iranians", seed)
        assert len(set(swapped("Obama | Trump | Putin | Biden", seed).split(" | "))) == 4


def test_share_seed_and_id_decide_and_order_does_not():
    documents = tuple(Document(str(i), "Trump went to Iran.", (Span(0, 5, "doubt"),)) for i in range(200))
    corpora = {"a": Corpus("a", documents, inventory("detector"))}
    backwards = {"a": Corpus("a", documents[::-1], inventory("detector"))}
    half = swap_corpora(corpora, share=0.5, seed=7)["a"].documents
    assert half == swap_corpora(backwards, share=0.5, seed=7)["a"].documents[::-1]
    assert half != swap_corpora(corpora, share=0.5, seed=8)["a"].documents
    assert 70 < sum(a != b for a, b in zip(half, documents, strict=True)) < 130
    assert [d.id for d in half] == [d.id for d in documents]
    assert swap_corpora(corpora, share=0.0, seed=7) == corpora
    assert all(d.text != "Trump went to Iran." for d in swap_corpora(corpora, share=1.0, seed=7)["a"].documents)


def test_the_names_are_whole():
    words = set(TABLES["words"])
    assert words <= listed().all()
    for kind, table in TABLES.items():
        if kind != "words":
            firsts = [[cell if isinstance(cell, str) else cell[0] for cell in row] for row in table["names"]]
            assert all(len(row) == len(table["forms"]) for row in firsts), kind
            assert len({row[0] for row in firsts}) == len(firsts) >= 2, kind
