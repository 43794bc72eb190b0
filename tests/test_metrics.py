import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import CorpusError
from detector.metrics import (
    ReliabilityBin,
    SpanScore,
    bootstrap,
    calibration_error,
    characters,
    f1_interval,
    flc,
    score_documents,
    semeval2021,
    si,
    tc,
)
from detector.spans import Document, Span
from detector.techniques import inventory

ALL = [si, flc, tc, semeval2021, characters]
MERGING = [si, flc, tc, characters]

ranges = st.tuples(st.integers(0, 40), st.integers(1, 15)).map(lambda r: (r[0], r[0] + r[1]))
named = st.tuples(st.sampled_from(["doubt", "slogans", "repetition"]), ranges).map(lambda n: (n[0], *n[1]))
span_lists = st.lists(named, max_size=8)


def sums(score):
    return pytest.approx((score.n_predicted, score.n_gold, score.precision_sum, score.recall_sum))


def plain(score):
    return score.n_predicted, score.n_gold, score.precision_sum, score.recall_sum


# -- hand-computed ---------------------------------------------------------------------------------------------------


def test_si_gives_partial_credit():
    # 5 of the predicted 20 characters, 5 of the gold 10; the second gold span is missed.
    score = si([("doubt", 10, 20), ("slogans", 50, 60)], [("doubt", 15, 35)])
    assert plain(score) == (1, 2, 0.25, 0.5)
    assert (score.precision, score.recall) == (0.25, 0.25)
    assert score.f1 == 0.25
    assert score.by_technique == {}


def test_si_credits_one_prediction_for_each_gold_span_that_it_covers():
    score = si([("doubt", 0, 4), ("doubt", 6, 10)], [("doubt", 0, 10)])
    assert plain(score) == (1, 2, 0.8, 2.0)
    assert score.f1 == pytest.approx(2 * 0.8 / 1.8)


def test_si_ignores_techniques():
    assert si([("doubt", 0, 10)], [("slogans", 0, 10)]).f1 == 1.0


def test_si_keeps_touching_spans_apart():
    score = si([("doubt", 0, 5), ("doubt", 5, 10)], [("doubt", 0, 10)])
    assert plain(score) == (1, 2, 1.0, 2.0)


def test_si_merges_spans_that_share_one_character():
    score = si([("doubt", 0, 6), ("slogans", 5, 10)], [("doubt", 0, 10)])
    assert plain(score) == (1, 1, 1.0, 1.0)


def test_si_merges_nested_spans_on_both_sides():
    nested = [("doubt", 0, 10), ("slogans", 2, 5), ("doubt", 4, 8)]
    assert plain(si(nested, [("doubt", 0, 20)])) == (1, 1, 0.5, 1.0)
    assert plain(si([("doubt", 0, 20)], nested)) == (1, 1, 1.0, 0.5)


def test_flc_merges_within_a_technique_only():
    gold = [("doubt", 0, 6), ("doubt", 5, 10), ("slogans", 5, 15)]
    score = flc(gold, [("doubt", 0, 20), ("repetition", 0, 5)])
    assert plain(score) == (2, 2, 0.5, 1.0)
    assert plain(score.by_technique["doubt"]) == (1, 1, 0.5, 1.0)
    assert plain(score.by_technique["slogans"]) == (0, 1, 0.0, 0.0)
    assert plain(score.by_technique["repetition"]) == (1, 0, 0.0, 0.0)


def test_flc_gives_nothing_for_the_right_characters_with_another_technique():
    score = flc([("doubt", 0, 10)], [("slogans", 0, 10)])
    assert plain(score) == (1, 1, 0.0, 0.0)
    assert score.f1 == 0.0


def test_flc_keeps_touching_spans_apart():
    score = flc([("doubt", 0, 5), ("doubt", 5, 10)], [("doubt", 2, 7)])
    assert sums(score) == (1, 2, 3 / 5 + 2 / 5, 3 / 5 + 2 / 5)


def test_semeval2021_merges_nothing():
    gold = [("doubt", 0, 10), ("doubt", 0, 5)]
    score = semeval2021(gold, [("doubt", 0, 10)])
    assert plain(score) == (1, 2, 1.5, 2.0)
    assert score.precision == 1.5  # as the official scorer has it
    assert plain(flc(gold, [("doubt", 0, 10)])) == (1, 1, 1.0, 1.0)


def test_tc_counts_identical_spans_as_a_multiset():
    gold = [("doubt", 0, 5), ("slogans", 0, 5), ("doubt", 7, 9)]
    assert tc(gold, [("slogans", 0, 5), ("doubt", 0, 5), ("slogans", 7, 9)]).f1 == pytest.approx(2 / 3)
    assert tc(gold, [("doubt", 0, 5), ("doubt", 0, 5), ("doubt", 7, 9)]).f1 == pytest.approx(2 / 3)
    assert tc([*gold, gold[0]], [gold[0], gold[0], gold[0], gold[2]]).f1 == pytest.approx(3 / 4)


def test_tc_by_technique():
    score = tc(
        [("doubt", 0, 5), ("slogans", 7, 9), ("doubt", 20, 30)], [("doubt", 0, 5), ("doubt", 7, 9), ("doubt", 20, 30)]
    )
    assert score.by_technique["doubt"].precision == pytest.approx(2 / 3)
    assert score.by_technique["doubt"].recall == 1.0
    assert score.by_technique["slogans"].f1 == 0.0


def test_tc_needs_identical_ranges():
    assert tc([("doubt", 0, 5)], [("doubt", 0, 6)]).f1 == 0.0


def test_characters_count_once():
    score = characters([("doubt", 0, 10), ("slogans", 5, 10)], [("doubt", 5, 20)])
    assert plain(score) == (15, 10, 5.0, 5.0)
    assert plain(score.by_technique["doubt"]) == (15, 10, 5.0, 5.0)
    assert plain(score.by_technique["slogans"]) == (0, 5, 0.0, 0.0)


@pytest.mark.parametrize("metric", ALL)
def test_empty_gold(metric):
    score = metric([], [("doubt", 0, 5)])
    assert (score.n_gold, score.precision, score.recall, score.f1) == (0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("metric", ALL)
def test_empty_predictions(metric):
    score = metric([("doubt", 0, 5)], [])
    assert (score.n_predicted, score.precision, score.recall, score.f1) == (0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("metric", ALL)
def test_nothing_to_find_and_nothing_predicted_is_right_as_the_official_scorers_say(metric):
    score = metric([], [])
    assert score == SpanScore()
    assert (score.precision, score.recall, score.f1) == (0.0, 0.0, 1.0)


# -- properties ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", MERGING)
@given(spans=span_lists)
def test_spans_score_perfectly_against_themselves(metric, spans):
    score = metric(spans, spans)
    assert score.f1 == pytest.approx(1.0)
    assert all(part.f1 == pytest.approx(1.0) for part in score.by_technique.values())


@pytest.mark.parametrize("metric", ALL)
@given(gold=span_lists, predicted=span_lists, data=st.data())
def test_order_never_matters(metric, gold, predicted, data):
    shuffled = metric(data.draw(st.permutations(gold)), data.draw(st.permutations(predicted)))
    assert shuffled == metric(gold, predicted)


@pytest.mark.parametrize("metric", ALL)
@given(gold=span_lists, predicted=span_lists)
def test_precision_and_recall_swap_when_the_sides_do(metric, gold, predicted):
    there, back = metric(gold, predicted), metric(predicted, gold)
    assert there.precision == pytest.approx(back.recall)
    assert there.recall == pytest.approx(back.precision)


@pytest.mark.parametrize("metric", ALL)
@given(documents=st.lists(st.tuples(span_lists, span_lists), max_size=4))
def test_sums_add_up_over_documents(metric, documents):
    total = sum((metric(*document) for document in documents), SpanScore())
    # The same spans in one long text, each document far behind the one before.
    gold = [(t, 100 * i + s, 100 * i + e) for i, (spans, _) in enumerate(documents) for t, s, e in spans]
    predicted = [(t, 100 * i + s, 100 * i + e) for i, (_, spans) in enumerate(documents) for t, s, e in spans]
    whole = metric(gold, predicted)
    assert sums(total) == plain(whole)
    assert total.by_technique.keys() == whole.by_technique.keys()
    for name, part in whole.by_technique.items():
        assert sums(total.by_technique[name]) == plain(part)


@given(gold=span_lists, predicted=span_lists)
def test_si_equals_its_definition_on_sets_of_characters(gold, predicted):
    gold_sets, predicted_sets = merged_sets(gold), merged_sets(predicted)
    precision_sum = sum(len(s & t) / len(s) for s in predicted_sets for t in gold_sets)
    recall_sum = sum(len(s & t) / len(t) for s in predicted_sets for t in gold_sets)
    assert sums(si(gold, predicted)) == (len(predicted_sets), len(gold_sets), precision_sum, recall_sum)


@given(gold=span_lists, predicted=span_lists)
def test_semeval2021_equals_its_definition_on_all_pairs(gold, predicted):
    pairs = [(g, p) for g in gold for p in predicted if g[0] == p[0]]
    shared = [len({*range(*g[1:])} & {*range(*p[1:])}) for g, p in pairs]
    precision_sum = sum(n / (p[2] - p[1]) for n, (_, p) in zip(shared, pairs, strict=True))
    recall_sum = sum(n / (g[2] - g[1]) for n, (g, _) in zip(shared, pairs, strict=True))
    assert sums(semeval2021(gold, predicted)) == (len(predicted), len(gold), precision_sum, recall_sum)


@pytest.mark.parametrize("metric", ALL)
def test_a_book_takes_seconds_not_minutes(metric):
    gold = [("doubt", 100 * i, 100 * i + 30) for i in range(10_000)]
    predicted = [("doubt", 100 * i + 10, 100 * i + 50) for i in range(10_000)]
    begun = time.process_time()
    score = metric(gold, predicted)
    assert time.process_time() - begun < 5
    assert score.n_predicted >= 10_000


def merged_sets(spans):
    """Sets of characters, joined as long as two of them share one."""
    sets = [set(range(start, end)) for _, start, end in spans]
    while pair := next(((a, b) for a in sets for b in sets if a is not b and a & b), None):
        sets = [s for s in sets if s is not pair[0] and s is not pair[1]] + [pair[0] | pair[1]]
    return sets


# -- documents -------------------------------------------------------------------------------------------------------


def document(id, *spans):
    return Document(id, "x" * 100, tuple(Span(start, end, technique) for technique, start, end in spans))


def test_with_an_inventory_merged_techniques_meet_their_members():
    merged = inventory("ptc-14").slug("Whataboutism,Straw_Men,Red_Herring")
    gold = [document("1", (merged, 0, 10), ("doubt", 20, 30))]
    predicted = [document("1", ("straw-man", 0, 6), ("whataboutism", 5, 10), ("appeal-to-time", 20, 30))]
    (score,) = score_documents(flc, gold, predicted, inventory=inventory("ptc-14"))
    assert plain(score) == (1, 2, 1.0, 1.0)  # appeal to time has no name there and is left out
    assert set(score.by_technique) == {"Whataboutism,Straw_Men,Red_Herring", "Doubt"}
    (raw,) = score_documents(flc, gold, predicted)
    assert plain(raw) == (3, 2, 0.0, 0.0)


def test_a_gold_document_without_prediction_counts():
    gold = [document("1", ("doubt", 0, 5)), document("2", ("doubt", 0, 5))]
    scores = score_documents(si, gold, [document("2", ("doubt", 0, 5))])
    assert [plain(score) for score in scores] == [(0, 1, 0.0, 0.0), (1, 1, 1.0, 1.0)]


def test_spans_without_a_technique_can_be_identified():
    gold, predicted = [document("1", ("", 0, 5))], [document("1", ("doubt", 0, 5))]
    assert score_documents(si, gold, predicted)[0].f1 == 1.0
    assert score_documents(flc, gold, predicted, inventory=inventory("ptc-14"))[0].n_gold == 0


def test_predictions_for_another_corpus_are_refused():
    with pytest.raises(CorpusError, match="predicted document '2': no gold document has this id"):
        score_documents(si, [document("1")], [document("2")])
    with pytest.raises(CorpusError, match="gold document '1': the id occurs twice"):
        score_documents(si, [document("1"), document("1")], [])


# -- calibration and intervals ---------------------------------------------------------------------------------------


def test_calibration_error_by_hand():
    found = calibration_error([0.95, 0.85, 0.85, 0.1], [True, True, False, False])
    assert [b.n_predictions for b in found.bins] == [1, 2, 1]
    assert found.bins[1] == ReliabilityBin(0.8, 0.9, 2, 0.85, 0.5)
    assert found.error == pytest.approx((1 * 0.1 + 2 * 0.35 + 1 * 0.05) / 4)


def test_the_last_bin_includes_certainty():
    assert calibration_error([1.0, 1.0], [True, True], n_bins=5).bins == (ReliabilityBin(0.8, 1.0, 2, 1.0, 1.0),)
    assert calibration_error([1.0], [True]).error == 0.0
    assert calibration_error([1.0], [False]).error == 1.0


def test_calibration_error_without_predictions():
    assert calibration_error([], []).error == 0.0


def test_calibration_error_refuses_what_it_cannot_pair():
    with pytest.raises(ValueError, match="zip"):
        calibration_error([0.5], [])
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibration_error([1.5], [True])


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1), st.integers(1, 20))
def test_calibration_error_is_a_share(pairs, n_bins):
    found = calibration_error(*zip(*pairs, strict=True), n_bins=n_bins)
    assert 0 <= found.error <= 1
    assert sum(b.n_predictions for b in found.bins) == len(pairs)
    assert all(b.low - 1e-9 <= b.confidence <= b.high + 1e-9 for b in found.bins)


def test_bootstrap_brackets_the_statistic():
    scores = [SpanScore(1, 1, float(i % 2), float(i % 2)) for i in range(100)]
    low, high = bootstrap(scores, lambda score: score.f1)
    assert 0.38 < low < 0.43  # 0.5 ± 1.96 · √(0.25 / 100)
    assert 0.57 < high < 0.62
    assert bootstrap(scores, lambda score: score.f1) == (low, high)
    assert bootstrap(scores, lambda score: score.f1, seed=1) != (low, high)


def test_bootstrap_is_narrower_with_more_documents():
    scores = [SpanScore(2, 1, i % 3 / 2, i % 3 / 3) for i in range(30)]
    few, many = bootstrap(scores, lambda s: s.recall), bootstrap(scores * 10, lambda s: s.recall)
    assert few[0] < many[0] < many[1] < few[1]


def test_an_interval_of_f1_counts_draws_without_any_span_as_nothing():
    assert f1_interval([SpanScore(2, 2, 0.4, 0.4)] * 3 + [SpanScore()] * 17) == (0.0, pytest.approx(0.2))


def test_bootstrap_needs_documents():
    with pytest.raises(ValueError, match="one document"):
        bootstrap([], lambda score: score.f1)
