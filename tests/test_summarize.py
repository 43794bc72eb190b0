"""Rates over part files: against sums made by hand, intervals against theory, and every output."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.batch import summary
from detector.batch.choices import PartFormat
from detector.batch.records import Columns, Record
from detector.batch.run import MANIFEST
from detector.batch.schema import encode, make_row
from detector.batch.summary import NO_VALUE, Question, Results, as_table, compare, poisson_table, summarize
from detector.cli import main
from detector.cli.summarize import to_csv
from detector.errors import ConfigError, InputError
from detector.spans import Span
from detector.techniques import NAMES

KEEP = ("outlet", "date")
HASHES = {"model_hash": "sha256:m", "settings_hash": "sha256:s"}
GOLD = [  # outlet, date, words, techniques with the confidence of their spans
    ("A", "2024-01-05", 100, {"doubt": (0.9, 0.4), "slogans": (0.5,)}),
    ("A", "2024-01-20T10:00:00", 300, {"doubt": (0.7,)}),
    ("A", "2024-02-01", 100, {}),
    ("B", "nonsense", 500, {"slogans": (0.8,) * 5}),
    ("B", None, 500, {"slogans": (0.6,) * 15, "loaded-language": (0.3,)}),
    ("", "2024-02-02", 0, {}),
]


def record(i: int, outlet: str | None, date: str | None, n_words: int, found: dict[str, tuple[float, ...]]):
    words = [f"w{j}" for j in range(n_words)]
    spans, at = [], 0
    for technique, confidences in found.items():
        for confidence in confidences:
            spans.append(Span(at * 3, at * 3 + 2, technique, confidence))
            at = (at + 1) % 10
    return Record(f"c:{i}", i, f"d{i}", " ".join(words), (outlet, date)), tuple(spans)


def write_results(folder: Path, documents, *, format: PartFormat = PartFormat.PARQUET, finished: bool = True) -> Path:
    """A folder as `detector score` leaves it, in parts of two documents."""
    folder.mkdir()
    rows = []
    for i, document in enumerate(documents):
        made, spans = record(i, *document)
        rows.append(make_row(made, spans, n_read=len(made.text), hashes=HASHES, keep=KEEP))
    for part, start in enumerate(range(0, len(rows), 2)):
        name = f"part-{part:06d}.{format}"
        (folder / name).write_bytes(encode(rows[start : start + 2], format=format, keep=KEEP))
    manifest = {"settings": {"keep": list(KEEP)}, "finished": finished, "n_errors": 0}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_results(tmp_path / "out", GOLD)


def rates(rows, kind: str = "technique"):
    return {(*row.group, row.name): (row.n_spans, row.rate) for row in rows if row.kind == kind and row.n_spans}


@pytest.mark.parametrize("format", list(PartFormat))
def test_rates_are_spans_per_thousand_words(tmp_path, format: PartFormat):
    results = Results(str(write_results(tmp_path / "out", GOLD, format=format)))
    rows = summarize(results, Question())
    assert rates(rows) == {("doubt",): (3, 2.0), ("slogans",): (21, 14.0), ("loaded-language",): (1, 0.6667)}
    assert rates(rows, "all") == {("all",): (25, 16.6667)}
    assert rates(rows, "family") == {
        ("attack-on-reputation",): (3, 2.0),
        ("call",): (21, 14.0),
        ("manipulative-wording",): (1, 0.6667),
    }
    assert {row.name for row in rows if row.kind == "technique"} == set(NAMES)


def test_groups_are_values_of_kept_columns(folder: Path):
    rows = summarize(Results(str(folder)), Question(by=("outlet",)))
    assert rates(rows) == {
        ("A", "doubt"): (3, 6.0),
        ("A", "slogans"): (1, 2.0),
        ("B", "slogans"): (20, 20.0),
        ("B", "loaded-language"): (1, 1.0),
    }
    sizes = {row.group[0]: (row.n_documents, row.n_words) for row in rows}
    assert sizes == {"A": (3, 500), "B": (2, 1000), NO_VALUE: (1, 0)}
    (nobody,) = [row for row in rows if row.group == (NO_VALUE,) and row.kind == "all"]
    assert (nobody.rate, nobody.low, nobody.high) == (None, None, None)


@pytest.mark.parametrize("format", list(PartFormat))
def test_the_name_of_a_folder_is_no_value(tmp_path, format: PartFormat):
    (tmp_path / "outlet=C").mkdir()
    results = Results(str(write_results(tmp_path / "outlet=C" / "id=3", GOLD, format=format)))
    assert results.overview().n_duplicate_ids == 0
    assert {row.group for row in summarize(results, Question(by=("outlet",)))} == {("A",), ("B",), (NO_VALUE,)}


def test_months_are_taken_from_the_date(folder: Path):
    rows = summarize(Results(str(folder)), Question(by=("outlet", "month")))
    groups = [row.group for row in rows if row.kind == "all"]
    assert groups == [(NO_VALUE, "2024-02"), ("A", "2024-01"), ("A", "2024-02"), ("B", NO_VALUE)]
    assert rates(rows)["A", "2024-01", "doubt"] == (3, 7.5)


@pytest.mark.parametrize(
    "date", ["2024-03", "20240305", "20240305T101500Z", " 2024-03-05 ", "2024/3/5", "2024-03-05T10:15Z"]
)
def test_a_month_is_taken_from_any_date_of_iso_8601(tmp_path, date: str):
    documents = [("A", date, 10, {"doubt": (0.9,)}), ("A", "2024", 10, {}), ("A", "20241305", 10, {})]
    rows = summarize(Results(str(write_results(tmp_path / "out", documents))), Question(by=("month",)))
    assert [row.group for row in rows if row.kind == "all"] == [(NO_VALUE,), ("2024-03",)]


def test_dates_that_are_none_are_told(tmp_path, capsys):
    documents = [("A", "2024-03", 10, {}), ("A", "13/02/2024", 10, {}), ("A", "", 10, {}), ("A", "in May", 10, {})]
    folder = write_results(tmp_path / "out", documents)
    assert Results(str(folder)).undated("date") == (2, "13/02/2024")
    with pytest.raises(SystemExit) as ended:
        main(["summarize", str(folder), "--by", "month"])
    assert not ended.value.code
    assert "2 documents with a date that is no date, such as '13/02/2024': write 2024-01-31" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["summarize", str(folder), "-o", str(tmp_path / "a.xlsx")])
    assert ended.value.code == 2


def test_examples_are_the_surest_wordings_once_each(folder: Path):
    rows = summarize(Results(str(folder)), Question(n_examples=2))
    by_name = {row.name: row for row in rows if row.kind == "technique"}
    assert [(e.quote, e.confidence, e.id) for e in by_name["doubt"].examples] == [("w0", 0.9, "d0"), ("w1", 0.4, "d0")]
    assert [(e.quote, e.confidence) for e in by_name["slogans"].examples] == [("w0", 0.8), ("w1", 0.8)]
    assert by_name["doubt"].examples[0].quote == "w0", "the same words in d1 are less sure"


@pytest.mark.parametrize("n_examples", [125_000, 10**30])
def test_all_examples_can_be_asked_for(folder: Path, n_examples: int):
    few, many = (summarize(Results(str(folder)), Question(n_examples=n)) for n in (1000, n_examples))
    assert many == few


def normal_documents(n: int, mean: float, seed: int):
    counts = np.random.default_rng(seed).poisson(mean, n)
    return [("A" if i % 2 else "B", None, 100, {"doubt": (0.5,) * int(c)}) for i, c in enumerate(counts)]


def test_intervals_are_as_wide_as_theory_says(tmp_path):
    folder = write_results(tmp_path / "out", normal_documents(400, 4.0, 1))
    (row,) = [r for r in summarize(Results(str(folder)), Question(n_resamples=4000)) if r.name == "doubt"]
    standard_error = 10 * np.sqrt(4.0 / 400)  # of a mean of Poisson counts, per 1,000 words
    assert row.low is not None
    assert row.high is not None
    assert row.low < row.rate < row.high
    assert (row.high - row.low) / (2 * 1.96 * standard_error) == pytest.approx(1, rel=0.15)


def test_batches_and_threads_do_not_change_an_interval(tmp_path, monkeypatch):
    folder = write_results(tmp_path / "out", normal_documents(50, 3.0, 2))
    rows = summarize(Results(str(folder)), Question(by=("outlet",)))
    monkeypatch.setattr(summary, "_BATCH", 7)
    assert summarize(Results(str(folder)), Question(by=("outlet",))) == rows
    assert summarize(Results(str(folder)), Question(by=("outlet",), seed=1)) != rows


def test_compare_gives_the_difference_with_its_interval(tmp_path):
    lively = [("A", None, 100, {"doubt": (0.5,) * (3 + i % 3)}) for i in range(60)]
    sober = [("B", None, 100, {"doubt": (0.5,) * (i % 2)}) for i in range(60)]
    results = Results(str(write_results(tmp_path / "out", [*lively, *sober])))
    (row,) = [d for d in compare(results, "outlet=A", "outlet=B", Question()) if d.name == "doubt"]
    assert (row.rate_a, row.rate_b, row.difference) == (40.0, 5.0, 35.0)
    assert row.low is not None
    assert row.high is not None
    assert 30 < row.low < 35 < row.high < 40
    (mirror,) = [d for d in compare(results, "outlet=B", "outlet=A", Question()) if d.name == "doubt"]
    assert (mirror.difference, mirror.low, mirror.high) == (-35.0, -row.high, -row.low)
    absent = [d for d in compare(results, "outlet=A", "outlet=B", Question()) if d.name == "slogans"]
    assert (absent[0].difference, absent[0].low, absent[0].high) == (0.0, 0.0, 0.0)


def test_the_table_of_draws_is_a_poisson_distribution():
    table = poisson_table()
    assert len(table) == 65_536
    assert table.mean() == pytest.approx(1, abs=1e-4)
    assert table.var() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("question", "complaint"),
    [
        (Question(by=("nix",)), "no column 'nix' in .* .there are outlet, date, source.: score with --keep nix"),
        (Question(by=("month",), date_column="day"), "no column 'day' in .*: score with --keep day"),
        (Question(by=("language",)), "no column 'language' in .*: choose one of these"),
    ],
)
def test_a_column_that_was_not_kept_is_named(folder: Path, question: Question, complaint: str):
    with pytest.raises(ConfigError, match=complaint):
        summarize(Results(str(folder)), question)


@pytest.mark.parametrize(
    ("a", "b", "complaint"),
    [
        ("outlet", "outlet=B", "give COLUMN=VALUE"),
        ("outlet=A", "date=B", "two values of one column"),
        ("outlet=A", "outlet=A", "two values of one column"),
        ("outlet=A", "outlet=O'Hara", "outlet=O'Hara: no document in .* has this value"),
    ],
)
def test_a_comparison_of_nothing_is_refused(folder: Path, a: str, b: str, complaint: str):
    with pytest.raises((ConfigError, InputError), match=complaint):
        compare(Results(str(folder)), a, b, Question())


def test_too_many_groups_are_refused(folder: Path, monkeypatch):
    monkeypatch.setattr(summary, "MAX_GROUPS", 2)
    with pytest.raises(ConfigError, match="--by outlet: makes more than 2 groups: choose a coarser column"):
        summarize(Results(str(folder)), Question(by=("outlet",)))


def test_what_is_no_result_is_refused(tmp_path, folder: Path):
    with pytest.raises(InputError, match="is no folder of `detector score`"):
        Results(str(tmp_path))
    with pytest.raises(InputError, match=r"part-000000.parquet: is no folder of `detector score`"):
        Results(str(folder / "part-000000.parquet"))
    (folder / "part-000001.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(InputError, match=r"a part file cannot be read .*run `detector score` again to mend it"):
        summarize(Results(str(folder)), Question())


# -- the command ------------------------------------------------------------------------------------------------------


def run(capfd, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["summarize", *arguments])
    captured = capfd.readouterr()
    return stop.value.code or 0, captured.out, captured.err


def test_the_table_shows_groups_rates_and_examples(folder: Path, capfd):
    code, out, err = run(capfd, str(folder), "--by", "outlet", "--examples", "1")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "6 documents, 1,500 words, 25 spans."
    at = lines.index("outlet: A (3 documents, 500 words)")
    doubt = next(i for i in range(at, len(lines)) if lines[i].startswith("doubt "))
    assert re.fullmatch(r"doubt +3 +6\.00   \d+\.\d\d to \d+\.\d\d", lines[doubt])
    assert lines[doubt + 1] == "    0.90 “w0” (d0)"


def test_csv_and_parquet_hold_the_same(folder: Path, tmp_path, capfd):
    code, out, _ = run(capfd, str(folder), "--by", "outlet", "--format", "csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    code, nothing, _ = run(
        capfd, str(folder), "--by", "outlet", "--format", "parquet", "--output", str(tmp_path / "s.parquet")
    )
    assert (code, nothing) == (0, "")
    table = pq.read_table(tmp_path / "s.parquet").to_pylist()
    assert len(rows) == len(table) == 3 * (1 + 6 + len(NAMES))
    for one, other in zip(rows, table, strict=True):
        assert one["outlet"] == other["outlet"]
        assert one["rate"] == ("" if other["rate"] is None else str(other["rate"]))
        assert json.loads(one["examples"]) == other["examples"]


def test_the_suffix_means_a_format_and_any_line_end_stays_in_its_cell(folder: Path, tmp_path, capfd):
    for suffix in ("csv", "parquet"):
        run(capfd, str(folder), "--by", "outlet", "-o", str(tmp_path / f"s.{suffix}"))
    assert len(list(csv.DictReader(io.StringIO((tmp_path / "s.csv").read_text())))) == 3 * (1 + 6 + len(NAMES))
    assert pq.read_table(tmp_path / "s.parquet").num_rows == 3 * (1 + 6 + len(NAMES))
    run(capfd, str(folder), "-o", str(tmp_path / "t.csv"), "-f", "table")
    assert (tmp_path / "t.csv").read_text().startswith("6 documents, ")
    table = pa.table({"outlet": ["a\rb", "c\nd"], "n": [1, 2]})
    rows = list(csv.reader(io.StringIO(to_csv(table), newline="")))
    assert rows == [["outlet", "n"], ["a\rb", "1"], ["c\nd", "2"]]


def test_compare_is_a_table_too(folder: Path, capfd):
    code, out, _ = run(capfd, str(folder), "--compare", "outlet=A", "outlet=B")
    assert code == 0
    assert "A: outlet=A, B: outlet=B" in out
    assert re.search(r"^slogans +2\.00 +20\.00 +-18\.00   -?\d+\.\d\d to -?\d+\.\d\d$", out, re.MULTILINE)
    code, out, _ = run(capfd, str(folder), "--compare", "outlet=A", "outlet=B", "-f", "csv")
    assert out.splitlines()[0] == "kind,name,rate_a,rate_b,difference,low,high"


def test_what_a_reader_should_know_is_said(tmp_path, capfd):
    twice = write_results(tmp_path / "out", GOLD, finished=False)
    path = twice / "part-000000.parquet"
    table = pq.read_table(path)
    same = table.set_column(0, "id", pa.array(["d5"] * len(table)))
    pq.write_table(same, path)
    _, _, err = run(capfd, str(twice))
    assert "the run is not finished: these are the parts there are" in err
    assert "2 documents with an id that another has too; all are counted" in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--format", "parquet"), "error: --format parquet: is no text: name a file with --output"),
        (("--by", "outlet", "--compare", "outlet=A", "outlet=B"), "error: --compare and --by: give one of them"),
        (("--by", "nix"), "error: no column 'nix'"),
    ],
)
def test_errors_are_one_line(folder: Path, capfd, arguments: tuple[str, ...], complaint: str):
    code, out, err = run(capfd, str(folder), *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(complaint)
    assert err.count("\n") == 1


def test_scored_documents_are_summarised(tiny_detector, tiny_model_folder, tmp_path):
    from detector.batch.run import Job, score_corpus
    from detector.batch.work import Settings

    lines = ({"text": "They want to destroy everything we love.", "outlet": "AB"[i % 2]} for i in range(9))
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = Settings("0", tiny_detector.name, tiny_detector.model_hash, columns=Columns(keep=("outlet",)))
    for format in PartFormat:
        job = Job((str(tmp_path / "c.jsonl"),), str(tmp_path / format), replace(settings, format=format))
        score_corpus(job, detector=tiny_detector)
    one, other = (summarize(Results(str(tmp_path / f)), Question(by=("outlet",))) for f in PartFormat)
    assert one == other
    assert [row.n_documents for row in one if row.kind == "all"] == [5, 4]
    assert sum(row.n_spans for row in one if row.kind == "all") > 0


def test_a_group_called_as_a_field_keeps_its_values(tmp_path):
    documents = [("AB"[i % 2], None, 10, {"doubt": (0.5,)}) for i in range(4)]
    rows = summarize(Results(str(write_results(tmp_path / "r", documents))), Question(("outlet",), n_resamples=9))
    table = as_table(rows, ("kind",))
    assert table.column_names[0] == "by_kind"
    assert set(table["by_kind"].to_pylist()) == {"A", "B"}
    assert set(table["kind"].to_pylist()) != {"A", "B"}


def test_a_table_in_parquet_follows_a_link(tmp_path, folder: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.parquet").symlink_to(tmp_path / "real" / "t.parquet")
    command = ["summarize", str(folder), "-f", "parquet", "--examples", "0", "--resamples", "100", "-o"]
    with pytest.raises(SystemExit) as stop:
        main([*command, str(tmp_path / "link.parquet")])
    assert not stop.value.code
    assert pq.read_table(tmp_path / "real" / "t.parquet").num_rows
    assert (tmp_path / "link.parquet").is_symlink()
