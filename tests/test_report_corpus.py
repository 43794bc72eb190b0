"""The report on a corpus, without a browser: its files, its numbers, its limits."""

import html
import io
import json
import posixpath
import random
import re
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.cli import main
from detector.cli.report import write_corpus
from detector.errors import InputError
from detector.report import corpus, listing
from detector.report.corpus import corpus_files, page_path
from detector.report.rates import rates
from detector.report.results import Result, read_scored
from detector.spans import Document, Span
from detector.techniques import NAMES
from detector.writers.json import annotation, dumps
from detector.writers.provenance import Provenance

PROVENANCE = Provenance("1.2.3", "tiny", "sha256:00", precision=0.5)
DAY = date(2025, 3, 4)


def document(name: str, text: str, *spans: Span, **meta: str) -> Result:
    return Document(name, text, meta=meta).with_spans(spans), PROVENANCE


RESULTS = [
    document(
        "a.txt", "one two three four peddling", Span(19, 27, "loaded-language", 0.9), outlet="Post", date="2024-01-05"
    ),
    document("b.txt", "peddling again", Span(0, 8, "loaded-language", 0.4), outlet="Post", date="2024-02-01"),
    document("c.txt", "And you? Yes.", Span(0, 8, "straw-man+whataboutism", 0.7), outlet="Mail", date="soon"),
    document("d.txt", ""),
]


def report(results: list[Result] | Iterator[Result]) -> dict[str, str]:
    return dict(corpus_files(results, name="news", created=DAY))


def rows(files: dict[str, str]) -> list[list[object]]:
    """All rows of the data files, in order."""
    data = [files[name] for name in sorted(files) if name.startswith("data/")]
    return [row for text in data for row in json.loads(text.removeprefix("addDocuments(").removesuffix(");\n"))]


def test_the_files_and_their_order():
    names = [name for name, _ in corpus_files(RESULTS, name="news", created=DAY)]
    assert names == [
        "assets/report.css",
        "assets/report.js",
        "assets/corpus.js",
        *(f"documents/0001/{i:06d}.html" for i in range(1, 5)),
        "data/documents-0001.js",
        "documents/list-0001.html",
        "index.html",
    ]


def test_the_table_has_a_row_for_each_document():
    assert rows(report(RESULTS)) == [
        [page_path(1), "a.txt", "Post", "2024-01-05", 5, 1, 1, [[19, 1]]],
        [page_path(2), "b.txt", "Post", "2024-02-01", 2, 1, 0, [[19, 1]]],
        [page_path(3), "c.txt", "Mail", "soon", 3, 1, 1, [[10, 1], [12, 1]]],
        [page_path(4), "d.txt", "", "", 0, 0, 0, []],
    ]


def test_the_index_has_rates_groups_and_examples():
    index = report(RESULTS)["index.html"]
    assert "<strong>4 documents</strong>, 10 words, <strong>3 findings</strong> (2 likely, 1 possible): 300.0" in index
    assert re.search(r"Loaded language</th><td[^>]*>2</td><td[^>]*>200.00</td>", index)
    assert re.search(r"Whataboutism</th><td[^>]*>1</td><td[^>]*>100.00</td>", index)
    assert re.search(r"<bdi>Post</bdi></th><td[^>]*>2</td><td[^>]*>7</td><td[^>]*><strong>285.7</strong>", index)
    assert index.index("<bdi>Post</bdi></th>") < index.index("<bdi>Mail</bdi></th>")
    assert "<bdi>2024-01-05</bdi></th>" in index
    assert "soon</bdi></th>" not in index
    assert index.count('<span class="few">too few</span>') == 4  # an interval of one or two documents would mislead
    examples = re.findall(r'<li><bdi>(.*?)</bdi> <span class="foot">(\w+) · (\d+)% · <a href="([^"]+)"', index)
    assert examples[0] == (
        "And you?".join(['<mark class="distraction">', "</mark> Yes."]),
        "likely",
        "70",
        "documents/0001/000003.html#f1",
    )
    assert [e[1:] for e in examples if "peddling" in e[0]] == [
        ("likely", "90", "documents/0001/000001.html#f1"),
        ("possible", "40", "documents/0001/000002.html#f1"),
    ]
    assert "50% of what was marked" in index


def test_the_chart_has_a_band_only_where_the_table_has_an_interval():
    days = {"2024-01-01": 5, "2024-01-02": 6, "2024-01-03": 2, "2024-01-04": 7}
    dated = [document(f"{day}-{i}", "a b c " * (i + 1), date=day) for day, n in days.items() for i in range(n)]
    index = report(dated)["index.html"]
    assert index.count('<span class="few">too few</span>') == 1
    chart = re.search(r'<svg class="line".*?</svg>', index, re.DOTALL)[0]
    bands = [re.findall(r"(\S+),", corners) for corners in re.findall(r'<polygon points="(.*?)"', chart)]
    assert bands == [["0.0", "366.7", "366.7", "0.0"], ["1097.0", "1103.0", "1103.0", "1097.0"]]
    assert chart.count("<circle") == 4


def test_document_pages_share_assets_and_lead_back():
    page = report(RESULTS)["documents/0001/000001.html"]
    assert 'href="../../assets/report.css"' in page
    assert 'src="../../assets/report.js"' in page
    assert 'href="../../index.html"' in page
    assert "<style>" not in page
    assert "unsafe" not in page
    assert len(page) < 12_000


def test_a_corpus_without_documents_outlets_or_dates_is_a_report_too():
    index = report([])["index.html"]
    assert "<strong>0 documents</strong>" in index
    assert 'id="outlets"' not in report([RESULTS[3]])["index.html"]


def test_long_spans_of_time_are_cut_to_months_or_years():
    def dated(n: int, step: int) -> list[Result]:
        days = [date.fromordinal(date(1990, 1, 1).toordinal() + i * step) for i in range(n)]
        return [document(str(i), "a b", date=day.isoformat()) for i, day in enumerate(days)]

    assert "<bdi>1990-01</bdi></th>" in report(dated(60, 20))["index.html"]
    assert "<bdi>1990</bdi></th>" in report(dated(90, 130))["index.html"]


def test_dates_without_marks_are_cut_where_a_month_ends():
    days = [date.fromordinal(date(1990, 1, 1).toordinal() + i * 20) for i in range(60)]
    written = ("%Y%m%d", "%Y-%m-%d", "%Y%m%dT101500", "%Y/%m/%d")
    dated = [document(str(i), "a b", date=day.strftime(written[i % 4])) for i, day in enumerate(days)]
    index = report(dated)["index.html"]
    assert set(re.findall(r"<bdi>(19[^<]*)</bdi></th>", index)) == {f"{day:%Y-%m}" for day in days}


def test_meta_of_other_types_and_hostile_meta_are_only_text():
    odd = Document("x", "a", meta={"outlet": 3, "date": ["<b>"], "title": {"a": 1}})
    bad = "</script><script>window.attacked=1</script>\u2028<img src=x onerror=attack()>"
    hostile = Document(bad, bad, meta={"outlet": bad, "date": bad, "title": bad}).with_spans([Span(0, 9, "doubt", 0.9)])
    files = report([(odd, PROVENANCE), (hostile, replace(PROVENANCE, model_name=bad, strictness=bad))])
    for name, text in files.items():
        if name.endswith(".html"):
            assert "<img" not in text
            assert len(re.findall(r"<script", text)) == (0 if "/list-" in name else 2)
    assert all("\u2028" not in text for name, text in files.items() if name.startswith("data/"))
    assert rows(files)[1][2].startswith("</script>")


def many(n: int) -> Iterator[Result]:
    draw = random.Random(0)
    text = "the words of a document that goes on for a while and then ends\n" * 8
    for i in range(n):
        spans = [Span(a, a + 12, draw.choice(NAMES), draw.random()) for a in sorted(draw.sample(range(400), i % 9))]
        meta = {"outlet": f"Outlet {i % 40}", "date": f"20{i % 25:02d}-{i % 12 + 1:02d}-01", "title": "ü" * (i % 90)}
        yield Document(f"{i}.txt", text, meta=meta).with_spans(spans), PROVENANCE


def test_many_documents_take_little_memory():
    n = 150
    tracemalloc.start()
    for name, _ in corpus_files(many(n), name="many", created=DAY):
        if name == page_path(50):
            before = tracemalloc.get_traced_memory()[0]
        if name == page_path(n):
            after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert (after - before) / (n - 50) < 4_000  # bytes kept of a document; its page alone has more


def test_many_documents_stay_in_small_files(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(corpus, "document_page", lambda *_, **__: "")  # of these, only the number matters here
    n = 2500
    files = report(many(n))
    assert len(rows(files)) == n
    assert [name for name in files if name.startswith("data/")] == [f"data/documents-{i:04d}.js" for i in range(1, 6)]
    assert page_path(n) in files
    assert max(len(text.encode()) for text in files.values()) < 1_000_000


def linked(files: dict[str, str]) -> set[str]:
    """The pages that links lead to from the index, without any script."""
    seen, waiting = set(), ["index.html"]
    while waiting:
        page = waiting.pop()
        if page not in seen:
            seen.add(page)
            hrefs = re.findall(r'<a [^>]*href="([^"#]+)', files[page])
            waiting += [posixpath.normpath(posixpath.join(posixpath.dirname(page), href)) for href in hrefs]
    return seen


def test_every_page_is_reached_without_scripting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listing, "_MOST_ROWS", 60)
    monkeypatch.setattr(corpus, "document_page", lambda *_, **__: "")
    files = report(many(150))
    assert linked(files) == {name for name in files if name.endswith(".html")}
    assert '<a href="documents/list-0003.html">121–150</a>' in files["index.html"]
    assert "Documents 61 to 120," in files["documents/list-0002.html"]


def test_lists_of_hostile_names_stay_below_two_megabytes():
    name = "\u202e<" * 100
    many_names = (document(f"{i}", "", title=name, outlet=name, date=name) for i in range(600))
    files = report(many_names)
    assert max(len(text.encode()) for text in files.values()) < 2_000_000


def long_document(*, one_line: bool) -> Document:
    draw = random.Random(1)
    text = (" " if one_line else "\n").join(
        "plain words & “quoted” <b>words</b> again, once more." for _ in range(6_000)
    )
    starts = sorted(draw.sample(range(len(text) - 100), 4_000))
    return Document("long.txt", text).with_spans(
        [Span(a, a + draw.randint(5, 90), draw.choice(NAMES), 0.5) for a in starts], n_read=len(text)
    )


@pytest.mark.parametrize("one_line", [False, True])
def test_a_text_too_long_for_a_page_goes_on_over_several(one_line: bool):
    long = long_document(one_line=one_line)
    files = report([(long, PROVENANCE)])
    parts = [name for name in files if name.startswith("documents/0001/")]
    assert parts == ["documents/0001/000001.html"] + [
        f"documents/0001/000001-{i}.html" for i in range(2, len(parts) + 1)
    ]
    assert len(parts) > 1
    assert max(len(files[name].encode()) for name in parts) < 2_000_000
    assert linked(files) == {"index.html", *parts}
    texts = [re.search(r'<div class="text[^>]*>(.*?)</div></div></div>\n', files[name], re.DOTALL)[1] for name in parts]
    assert "".join(html.unescape(re.sub(r"<[^<>]*>", "", text)) for text in texts) == long.text
    numbers = [re.findall(r'<li id="n(\d+)"', files[name]) for name in parts]
    assert [int(n) for found in numbers for n in found] == [*range(1, 4_001)]
    for name, found in zip(parts, numbers, strict=True):
        assert re.findall(r'<mark[^>]* id="f(\d+)"', files[name]) == found
    record = json.loads(re.search(r'id="record">(.*?)</script>', files[parts[1]], re.DOTALL)[1])["documents"][0]
    assert (record["part"], record["n_parts"], record["n_findings"]) == (2, len(parts), 4_000)
    for href in re.findall(r'<a href="(documents/[^"]+#f\d+)"', files["index.html"]):
        page, _, place = href.partition("#")
        assert f'id="{place}"' in files[page]


def test_rates_and_intervals():
    counts = np.array([[1, 0], [3, 0], [2, 5]])
    words = np.array([100, 300, 200])
    first, second = rates(counts, words)
    assert (first.n, first.rate, first.low, first.high) == (6, 10.0, 10.0, 10.0)
    assert second.rate == pytest.approx(1000 * 5 / 600)
    assert second.low == 0.0
    assert second.high > second.rate
    assert rates(counts, words) == rates(counts, words)
    assert rates(np.array([[2]]), np.array([0]))[0].rate == 0.0


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 500)), min_size=1, max_size=20))
def test_an_interval_holds_what_samples_can_give(pairs: list[tuple[int, int]]):
    counts, words = np.array([[n] for n, _ in pairs]), np.array([w for _, w in pairs])
    (rate,) = rates(counts, words, n_samples=60)
    alone = [1000 * n / w for n, w in pairs]
    assert min(alone) - 1e-9 <= rate.low <= rate.high <= max(alone) + 1e-9


def test_the_bootstrap_agrees_with_theory():
    draw = np.random.default_rng(1)
    counts, words = draw.poisson(4, size=(400, 1)), np.full(400, 1000)
    (rate,) = rates(counts, words)
    half = 1.96 * counts.std() / 20
    assert rate.low == pytest.approx(rate.rate - half, abs=0.06)
    assert rate.high == pytest.approx(rate.rate + half, abs=0.06)


def scored(folder: Path, keep: list[str]) -> Path:
    """A folder as `detector score` writes it, with one document."""
    settings = {"version": "1", "model_name": "m", "model_hash": "h", "strictness": "strict", "min_confidence": 0.0}
    settings |= {"only": [], "ignore": [], "text_column": "text", "keep": keep}
    (folder / "manifest.json").write_text(json.dumps({"settings": settings, "finished": True, "n_errors": 0}))
    span = {"start": 0, "end": 8, "technique": "doubt", "confidence": 0.5}
    row = {
        "id": "a",
        "source": "s",
        "n_characters_read": 14,
        "spans": [span],
        "text": "peddling again",
        "outlet": "Post",
    }
    (folder / "part-000000.jsonl").write_text(json.dumps(row) + "\n")
    return folder


def test_what_score_wrote_is_read_where_it_kept_the_texts(tmp_path: Path):
    ((found, provenance),) = read_scored(scored(tmp_path, ["text", "outlet"]))
    assert (found.text, found.spans, found.meta["outlet"]) == ("peddling again", (Span(0, 8, "doubt", 0.5),), "Post")
    assert provenance.strictness == "strict"
    with pytest.raises(InputError, match="--keep text"):
        list(read_scored(scored(tmp_path, ["outlet"])))


def test_what_score_wrote_and_is_damaged_is_told_and_left_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    folder = tmp_path / "run"
    folder.mkdir()
    row = json.loads((scored(folder, ["text", "outlet"]) / "part-000000.jsonl").read_text())
    beyond = {**row, "id": "b", "spans": [{**row["spans"][0], "end": 99}]}
    unknown = {**row, "id": "c", "spans": [{**row["spans"][0], "technique": "no-such"}]}
    lines = [json.dumps(one) + "\n" for one in (beyond, unknown, {**row, "id": "d"})]
    (folder / "part-000001.jsonl").write_text("half a li")
    (folder / "part-000002.jsonl").write_text("".join(lines))
    with pytest.raises(SystemExit) as ended:
        main(["report", str(folder), "-o", str(tmp_path / "report")])
    assert ended.value.code == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert [(word in error) for error, word in zip(errors, ("part-000001", "b: a span", "no-such"), strict=True)] == [
        True
    ] * 3
    assert "<strong>2 documents</strong>" in (tmp_path / "report" / "index.html").read_text()
    (folder / "part-000000.jsonl").unlink()
    (folder / "part-000002.jsonl").unlink()
    with pytest.raises(SystemExit) as ended:
        main(["report", str(folder), "-o", str(tmp_path / "none")])
    assert ended.value.code == 2
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("finished", [True, False])
def test_a_run_that_did_not_come_to_its_end_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str], finished: bool):
    folder = tmp_path / "run"
    folder.mkdir()
    manifest = json.loads((scored(folder, ["text", "outlet"]) / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"finished": finished}))
    with pytest.raises(SystemExit) as ended:
        main(["report", str(folder), "-o", str(tmp_path / "report")])
    assert not ended.value.code
    assert (f"{folder}: the run is not finished: " in capfd.readouterr().err) == (not finished)
    assert (tmp_path / "report" / "index.html").is_file()


def test_the_command_makes_a_folder_and_makes_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "results"
    results.mkdir()
    lines = [dumps(annotation(*result)) for result in RESULTS]
    for n in (4, 2):
        (results / "part-0001.jsonl").write_text("\n".join(lines[:n]) + "\n")
        with pytest.raises(SystemExit) as stop:
            main(["report", "results", "-o", "out"])
        assert not stop.value.code
        assert len(list((tmp_path / "out" / "documents" / "0001").glob("*.html"))) == n
        assert f"<strong>{n} documents</strong>" in (tmp_path / "out" / "index.html").read_text()


def test_texts_beside_findings_are_told_and_shown_where_a_pattern_names_them(tmp_path: Path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "a.json").write_text(dumps(annotation(*RESULTS[0])))
    (mixed / "b.txt").write_text("They want to destroy everything we love.")
    for options, n, told in (
        ([], 1, "mixed: holds findings: 1 text beside them passed over"),
        (["--glob", "*", "--model", "fast"], 2, "--model: no effect on findings that are in a file already"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["report", "mixed", "-o", "out", *options])
        assert not stop.value.code
        assert told in capfd.readouterr().err
        assert f"<strong>{n} document" in (tmp_path / "out" / "index.html").read_text()


def test_findings_may_come_through_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for n in (1, 2):
        lines = "\n".join(dumps(annotation(*result)) for result in RESULTS[:n])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(lines.encode()))))
        with pytest.raises(SystemExit) as stop:
            main(["report", "-", "-o", str(tmp_path / "out.html")])
        assert not stop.value.code
        assert "schema_version" not in (tmp_path / "out.html").read_text()


def test_after_a_kill_the_same_command_makes_the_report(tmp_path: Path):
    killed = (
        "import os, signal, sys; from detector.cli.report import write_corpus\n"
        "write_corpus((os.kill(os.getpid(), signal.SIGKILL) for _ in '1'), 'results', sys.argv[1])"
    )
    out = tmp_path / "out"
    assert subprocess.run([sys.executable, "-c", killed, out], check=False).returncode == -signal.SIGKILL
    assert list(out.iterdir())
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "r.jsonl").write_text(dumps(annotation(*RESULTS[0])) + "\n")
    with pytest.raises(SystemExit) as stop:
        main(["report", str(tmp_path / "results"), "-o", str(out)])
    assert not stop.value.code
    assert sorted(path.name for path in out.iterdir()) == ["assets", "data", "documents", "index.html"]


def test_no_folder_of_somebody_else_is_taken_for_half_a_report(tmp_path: Path):
    out = tmp_path / "out"
    mine = out / ".report-drafts" / "draft.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(InputError, match="is not empty and holds no report"):
        write_corpus(iter(()), "results", str(out))
    assert mine.read_text() == "mine"
    mine.rename(tmp_path / "draft.txt")
    mine.parent.rmdir()
    write_corpus(iter(RESULTS), "results", str(out))
    mine.parent.symlink_to(tmp_path)
    write_corpus(iter(RESULTS), "results", str(out))
    assert mine.read_text() == "mine"
