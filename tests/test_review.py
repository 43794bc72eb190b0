"""``detector review``: a running process, a real browser, decisions that survive a kill, a corpus that is one."""

import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from test_report_browser import ALLOWED_IN_TEXT, CHROMIUM, HOSTILE, PROVENANCE, Visit, axe, browser, spread, sync_api
from test_serve import Service, httpx, started

from detector.cli import main
from detector.corpora import read_jsonl
from detector.errors import ConfigError, DetectorError, InputError
from detector.spans import Document, Span
from detector.techniques import NAMES
from detector.web.decisions import Decision, Review, decision
from detector.web.reviews import Reviews, log_of
from detector.writers.json import annotation, dumps

assert browser  # the fixture

TEXT = "They want to destroy 😀 everything we love.\nAre you with us\r\nor with the traitors?\nNobody asked them.\n"
LOVE = Span(13, 42, "loaded-language", 0.4)
US = Span(43, 81, "false-dilemma", 0.6)
TRAITORS = Span(68, 80, "name-calling", 0.3)
DOCUMENT = Document("a.txt", TEXT, meta={"title": "A text"}, n_read=len(TEXT)).with_spans([LOVE, US, TRAITORS])

needs_browser = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}")


def key(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.technique


_RUNNING: list[Service] = []


@pytest.fixture(autouse=True, scope="module")
def nothing_left_running() -> Iterator[None]:
    """Ends what a test that failed has left."""
    yield
    for service in _RUNNING:
        if service.process.poll() is None:
            service.stop(signal.SIGKILL)


def begin(path: Path, *documents: Document) -> Service:
    """A running review of these documents; the files are ``in.jsonl``, ``out.jsonl`` and the log."""
    rows = [dumps(annotation(document, PROVENANCE)) + "\n" for document in documents]
    if rows:
        (path / "in.jsonl").write_text("".join(rows), encoding="utf-8")
    _RUNNING.append(started("review", str(path / "in.jsonl"), "--out", str(path / "out.jsonl"), "--no-browser"))
    return _RUNNING[-1]


# -- what decisions mean ----------------------------------------------------------------------------------------------


def reviewed(*decisions: Decision) -> Review:
    review = Review(DOCUMENT, PROVENANCE)
    for one in decisions:
        review.decide(one)
    return review


def test_decisions_make_an_annotated_document():
    move = Decision("change", key(US), (62, 81, "false-dilemma"))
    relabel = Decision("change", (62, 81, "false-dilemma"), (62, 81, "doubt"))
    mark = Decision("add", (85, 97, "doubt"))
    review = reviewed(Decision("accept", key(LOVE)), move, relabel, Decision("reject", key(TRAITORS)), mark)
    result = review.result
    assert [(key(span), span.confidence) for span in result.spans] == [
        (key(LOVE), 1.0),
        ((62, 81, "doubt"), 1.0),
        ((85, 97, "doubt"), 1.0),
    ]
    counts = {"n_accepted": 1, "n_rejected": 1, "n_added": 1, "n_changed": 1}
    assert result.meta["review"] == {"model": PROVENANCE.model(), **counts}
    assert [judgement.was for judgement in review.judgements] == [None, key(US), None, None]
    review.decide(Decision("reject", (85, 97, "doubt")))  # what a person marked by mistake is gone
    assert len(review.judgements) == 3
    for _ in range(6):
        review.decide(Decision("undo"))
    assert review.judgements == Review(DOCUMENT, PROVENANCE).judgements


def test_a_document_is_done_when_a_person_says_so_and_nothing_is_open():
    accepted = [Decision("accept", key(span)) for span in DOCUMENT.spans]
    review = reviewed(*accepted)
    assert not review.done
    review.decide(Decision("done"))
    assert review.done
    review.decide(Decision("clear", key(LOVE)))
    assert not review.done
    with pytest.raises(InputError, match=r"^1 finding undecided"):
        review.decide(Decision("done"))
    with pytest.raises(InputError, match=r"^3 findings undecided"):
        reviewed().decide(Decision("done"))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"action": "burn"}, "there is no action 'burn'"),
        ({"action": "accept"}, "its span"),
        ({"action": "done", "span": {"start": 0, "end": 1, "technique": "doubt"}}, "its span"),
        ({"action": "add", "span": {"start": 0, "end": 1, "technique": "dout"}}, "no technique has the slug 'dout'"),
        ({"action": "add", "span": {"start": 0.0, "end": 1, "technique": "doubt"}}, "a span has start"),
        ({"action": "add", "span": {"start": 42, "end": 43, "technique": "doubt"}}, "no words are selected"),
        ({"action": "add", "span": {"start": -5, "end": 3, "technique": "doubt"}}, "is not inside the text"),
        ({"action": "add", "span": {"start": 5, "end": 999, "technique": "doubt"}}, "is not inside the text"),
        ({"action": "accept", "span": {"start": 0, "end": 4, "technique": "doubt"}}, "there is no such finding"),
        ({"action": "undo"}, "there is nothing to undo"),
    ],
)
def test_what_cannot_be_decided_is_told(row: dict[str, Any], says: str):
    with pytest.raises(DetectorError, match=r"^[^\n]+$") as told:
        Review(DOCUMENT, PROVENANCE).decide(decision(row, TEXT))
    assert says in str(told.value)


def test_a_book_of_decisions_is_read_again_in_seconds():
    spans = [Span(i, i + 4, "doubt", 0.4) for i in range(0, 20_000, 5)]
    review = Review(Document("a", "They " * 4_000).with_spans(spans), PROVENANCE)
    started = time.process_time()
    for span in spans:
        review.decide(Decision("accept", key(span)))
    review.decide(Decision("done"))
    assert review.done
    assert time.process_time() - started < 5


def test_a_span_changed_by_a_space_only_is_accepted():
    start, end, technique = key(LOVE)
    assert TEXT[end].isspace()
    wider = {"start": start, "end": end + 1, "technique": technique}
    row = {"action": "change", "span": wider | {"end": end}, "to": wider}
    assert decision(row, TEXT) == Decision("accept", key(LOVE))


@pytest.mark.parametrize("theirs", [b'{"id": 1}\nnot whole', b"not whole", b"\x00"])
def test_a_file_of_others_in_the_place_of_the_log_stays_as_it_is(tmp_path: Path, theirs: bytes):
    out = tmp_path / "out.jsonl"
    log_of(out).write_bytes(theirs)
    with pytest.raises(InputError, match=r"out\.decisions\.jsonl:1: is no log of reviews"):
        Reviews(out)
    assert log_of(out).read_bytes() == theirs


def test_a_log_whose_first_line_was_cut_off_begins_anew(tmp_path: Path):
    out = tmp_path / "out.jsonl"
    log_of(out).write_bytes(b'{"format": "det')
    reviews = Reviews(out)
    reviews.add(DOCUMENT, PROVENANCE)
    reviews.close()
    assert len(log_of(out).read_bytes().splitlines()) == 2


def test_a_line_of_the_log_with_an_unknown_technique_is_named(tmp_path: Path):
    out = tmp_path / "out.jsonl"
    reviews = Reviews(out)
    reviews.decide(reviews.add(DOCUMENT, PROVENANCE), Decision("accept", key(LOVE)))
    reviews.close()
    log_of(out).write_bytes(log_of(out).read_bytes().replace(b"loaded-language", b"no-such"))
    with pytest.raises(
        InputError, match=r"out\.decisions\.jsonl:2: is not as it was written \(no technique has the slug"
    ):
        Reviews(out)


def test_the_log_is_all_it_takes_and_a_line_cut_off_is_dropped(tmp_path: Path):
    out = tmp_path / "out.jsonl"
    reviews = Reviews(out)
    review = reviews.add(DOCUMENT, PROVENANCE)
    reviews.decide(review, Decision("accept", key(LOVE)))
    with pytest.raises(ConfigError, match="is under review already"):
        Reviews(out)
    reviews.close()
    whole = log_of(out).read_bytes()
    for n_bytes in (1, 40, len(whole.splitlines()[-1])):
        log_of(out).write_bytes(whole + whole.splitlines()[-1][:n_bytes])
        again = Reviews(out)
        assert again.by_id["a.txt"].judgements == review.judgements
        assert again.by_id["a.txt"].document == review.document
        again.close()
        assert log_of(out).read_bytes() == whole
    again = Reviews(out)
    with pytest.raises(InputError, match="the text has changed since its review began"):
        again.known(Document("a.txt", "Another text."))
    again.close()
    log_of(out).write_bytes(whole[:30] + whole[31:])
    with pytest.raises(InputError, match=r"out\.decisions\.jsonl:1: is "):
        Reviews(out)
    (tmp_path / "corpus.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match="exists and was not made here"):
        Reviews(tmp_path / "corpus.jsonl")
    assert (tmp_path / "corpus.jsonl").read_text() == "{}\n"


# -- a killed process -------------------------------------------------------------------------------------------------


def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path):
    documents = [Document(f"{i}.txt", TEXT, n_read=len(TEXT)).with_spans(DOCUMENT.spans) for i in range(3)]
    service = begin(tmp_path, *documents)
    draw, answered = random.Random(1), [0, 0, 0]

    def decide() -> None:
        with service.client() as client, suppress(httpx.TransportError):
            while True:
                i = draw.randrange(3)
                start = draw.randrange(60)
                span = {"start": start, "end": start + 9, "technique": draw.choice(NAMES)}
                body = {"version": answered[i], "action": "add", "span": span}
                answer = client.post(f"{i + 1}/decisions", json=body)
                assert answer.status_code == 200, answer.text
                answered[i] += 1

    thread = threading.Thread(target=decide)
    thread.start()
    while sum(answered) < 60:
        time.sleep(0.01)
    assert service.stop(signal.SIGKILL) == -signal.SIGKILL
    thread.join()
    again = begin(tmp_path)
    assert again.stop() == 0
    reviews = Reviews(tmp_path / "out.jsonl")
    kept = [reviews.by_id[document.id].n_decisions for document in documents]
    reviews.close()
    assert sum(answered) <= sum(kept) <= sum(answered) + 1  # one may have been kept and not answered
    assert all(n >= n_answered for n, n_answered in zip(kept, answered, strict=True))


# -- who may look -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = begin(tmp_path_factory.mktemp("plain"), DOCUMENT)
    yield service
    assert service.stop() == 0


def test_only_this_machine_and_only_with_the_token(plain: Service):
    token = plain.address.rstrip("/").rsplit("/", 1)[1]
    base = plain.address.removesuffix(f"{token}/")
    assert base.startswith("http://127.0.0.1:")
    assert len(token) >= 32
    with plain.client() as client:
        page = client.get("1")
        assert page.status_code == 200
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert page.headers["referrer-policy"] == "no-referrer"
        for address in (base, f"{base}1", f"{base}{token[:-1]}/1", f"{base}x{token}/1", f"{base}%2f{token}/1"):
            assert client.get(address).status_code == 404
        port = base.rstrip("/").rsplit(":", 1)[1]
        undo = {"json": {"version": 0, "action": "undo"}}
        for headers in (
            {"Host": f"attacker.invalid:{port}"},
            {"Origin": "http://attacker.invalid"},
            {"Origin": "null"},
        ):
            answer = client.post("1/decisions", headers=headers, **undo)
            assert answer.status_code == 403
            assert not any(name.startswith("access-control") for name in answer.headers)
        assert client.post("1/decisions", content=b" " * 100_001).status_code == 413
        assert client.post("2/decisions", **undo).status_code == client.get("2").status_code == 404
        assert client.get("assets/..%2f..%2fpages.py").status_code == client.get("assets/corpus.js").status_code == 404
        assert client.post("1/decisions", json={"version": 7, "action": "undo"}).status_code == 409
        assert client.post("1/decisions", **undo).status_code == 422
    with socket.create_connection(("127.0.0.1", int(port)), timeout=60) as asking:
        asking.sendall(f"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        assert asking.makefile("rb").readline().split()[1] == b"404"
    assert not any(line.startswith("error") for line in plain.said)


# -- in the browser ---------------------------------------------------------------------------------------------------


class Desk(Visit):
    """A review page; some decisions load it anew."""

    def until(self, expression: str) -> None:
        """Wait until an expression holds, on whichever page is there by then."""
        for _ in range(1200):
            with suppress(sync_api.Error):  # the page went away while it was asked
                if self.page.evaluate(expression):
                    return
            self.page.wait_for_timeout(25)
        raise AssertionError(f"still not so after 30 seconds: {expression}")


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Desk]]:
    """Opens a page of a service; at the end it must have asked for nothing elsewhere and complained of nothing."""
    contexts, visits = [], []

    def call(service: Service, page: str = "1", **options: Any) -> Desk:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(120_000)
        contexts.append(context)
        visits.append((Desk(context.new_page()), service))
        visits[-1][0].page.goto(service.address + page)
        return visits[-1][0]

    yield call
    for context in contexts:
        context.close()
    for one, service in visits:
        assert one.complaints == []
        assert [url for url in one.requests if not url.startswith((service.address, "data:"))] == []


SELECT = """words => {
  const text = document.querySelector(".text"), walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  const nodes = []; while (walker.nextNode()) nodes.push(walker.currentNode);
  const from = text.textContent.indexOf(words), to = from + words.length, range = document.createRange();
  let at = 0;
  for (const node of nodes) {
    if (at <= from && from < at + node.length) range.setStart(node, from - at);
    if (at < to && to <= at + node.length) range.setEnd(node, to - at);
    at += node.length;
  }
  getSelection().removeAllRanges(); getSelection().addRange(range);
}"""


def verdicts(one: Desk) -> list[str]:
    return one.page.eval_on_selector_all(
        ".finding",
        "all => all.map(i => i.querySelector('.code').textContent + ' ' + i.querySelector('.verdict').textContent)",
    )


def shows(one: Desk, selector: str, words: str) -> None:
    """Wait until the script of the page runs and an element has these words."""
    one.until(f"document.readyState === 'complete' && document.querySelector({selector!r})?.textContent === {words!r}")


def decided(one: Desk, words: str) -> None:
    shows(one, "#decided", words)


@needs_browser
def test_a_person_reviews_a_text_with_keys(visit: Callable[..., Desk], tmp_path: Path):
    service = begin(tmp_path, DOCUMENT)
    one = visit(service)
    keys = one.page.keyboard
    decided(one, "0 of 3 decided")
    keys.press("a")  # the first is shown before anything is decided about it
    assert one.chosen() == ["1"]
    keys.press("a")
    decided(one, "1 of 3 decided")
    assert one.chosen() == ["2"]
    keys.press("x")
    decided(one, "2 of 3 decided")
    assert verdicts(one) == ["LL accepted", "FD rejected", "NC "]
    keys.press("r")
    keys.type("casting d")
    keys.press("Enter")
    decided(one, "All 3 decided. Mark what is missing, then say done.")
    assert verdicts(one) == ["LL accepted", "FD rejected", "DT accepted"]
    one.page.evaluate(SELECT, "😀 everything")
    keys.press("m")
    assert one.page.locator("#picked").inner_text() == "😀 everything"
    keys.type("em")
    keys.press("Enter")
    decided(one, "All 4 decided. Mark what is missing, then say done.")
    assert one.page.locator(".finding.chosen .sure").inner_text() == "marked by you"
    keys.press("d")
    decided(one, "Done: this text is in the corpus.")
    (document,) = read_jsonl(tmp_path / "out.jsonl").documents
    assert [(document.quote(span), span.technique) for span in document.spans] == [
        ("destroy 😀 everything we love.", "loaded-language"),
        ("😀 everything", "exaggeration"),
        ("the traitors", "doubt"),
    ]
    one.page.evaluate(SELECT, "everything we")
    keys.press("w")  # the finding that was marked last gets other words; the corpus follows
    shows(one, ".finding.chosen .quote", "everything we")
    assert "everything we" in {
        document.quote(s) for document in read_jsonl(tmp_path / "out.jsonl").documents for s in document.spans
    }
    keys.press("u")
    shows(one, ".finding.chosen .quote", "😀 everything")
    assert one.text() == TEXT
    assert service.stop(signal.SIGKILL) == -signal.SIGKILL
    keys.press("x")
    one.until("!document.querySelector('#failure').hidden")
    assert one.complaints.pop().startswith("Failed to load resource")
    before = (tmp_path / "out.jsonl").read_bytes()
    again = begin(tmp_path)
    other = visit(again, "")
    decided(other, "Done: this text is in the corpus.")
    assert again.stop(signal.SIGINT) == 0
    assert "out.jsonl: 1 document done" in again.said[-1]
    assert (tmp_path / "out.jsonl").read_bytes() == before


@needs_browser
def test_several_documents_have_a_list(visit: Callable[..., Desk], tmp_path: Path):
    bare = Document("b.txt", "Nothing is here.", n_read=16)
    service = begin(tmp_path, DOCUMENT, bare)
    one = visit(service, "")
    assert one.page.locator("tbody td").all_inner_texts() == ["A text", "3", "3", "", "b.txt", "0", "0", ""]
    one.page.get_by_text("A text").click()
    decided(one, "0 of 3 decided")
    one.page.keyboard.press("]")
    decided(one, "Nothing was found. Mark what is missing, then say done.")
    one.page.keyboard.press("d")
    decided(one, "Done: this text is in the corpus.")
    one.page.get_by_text("All documents").click()
    shows(one, "tbody tr:last-child td:last-child", "done")
    assert [document.id for document in read_jsonl(tmp_path / "out.jsonl").documents] == ["b.txt"]
    assert service.stop() == 0


@needs_browser
def test_on_a_phone_the_finding_covers_no_message_and_the_list_stays_in_the_page(
    visit: Callable[..., Desk], tmp_path: Path
):
    service = begin(tmp_path, DOCUMENT, Document("b.txt", "Nothing is here.", n_read=16))
    one = visit(service, "", viewport={"width": 320, "height": 568})
    assert one.page.evaluate("document.documentElement.scrollWidth") == 320
    one.page.get_by_text("A text").click()
    decided(one, "0 of 3 decided")
    one.page.keyboard.press("j")
    box = "document.querySelector('{}').getBoundingClientRect()".format
    above = f"{box('.finding.chosen')}.bottom < {box('.desk')}.top"
    one.until(above)
    one.page.evaluate("document.querySelector('#failure').textContent = 'Not kept. '.repeat(20)")
    one.page.evaluate("document.querySelector('#failure').hidden = false")
    one.until(f"{box('#failure')}.height > 50 && {above}")
    assert service.stop() == 0


@needs_browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit: Callable[..., Desk], plain: Service, theme: str):
    one = visit(plain, color_scheme=theme)
    one.page.keyboard.press("j")
    assert axe(one) == []
    one.page.keyboard.press("r")
    assert axe(one) == []
    one.page.keyboard.press("Escape")
    assert one.chosen() == ["1"]


@needs_browser
def test_hostile_articles_are_shown_marked_and_nothing_more(visit: Callable[..., Desk], tmp_path: Path):
    documents = []
    for file in HOSTILE:
        text = file.read_bytes().decode()
        line = text.replace("\n", " ")[:150]
        spans = spread(text).spans
        documents.append(
            Document(f"{file.name}: {line}", text, meta={"title": line}, n_read=len(text)).with_spans(spans)
        )
    service = begin(tmp_path, *documents)
    one = visit(service, "")
    count = "document.querySelectorAll('script, style, link, meta, base, iframe, img, form, object, embed').length"
    assert one.page.evaluate("window.attacked") is None
    assert one.page.evaluate(count) == 9
    counts = set()
    with service.client() as client:
        for number, document in enumerate(documents, start=1):
            one.page.goto(f"{service.address}{number}")
            assert one.text() == document.text
            assert one.page.evaluate("window.attacked") is None
            inside = one.page.eval_on_selector_all(".text *", "all => [...new Set(all.map(one => one.tagName))]")
            assert set(inside) <= ALLOWED_IN_TEXT
            counts.add(one.page.evaluate(count))
            one.page.evaluate("() => getSelection().selectAllChildren(document.querySelector('.text'))")
            one.page.keyboard.press("m")
            one.page.keyboard.type("whata")
            one.page.keyboard.press("Enter")
            one.until("document.readyState === 'complete' && document.querySelector('.finding.accepted')")
            one.page.keyboard.press("j")
            one.page.keyboard.press("a")
            assert one.text() == document.text
            assert client.get(f"{number}").status_code == 200
    assert len(counts) == 1
    assert service.stop() == 0
    reviews = Reviews(tmp_path / "out.jsonl")
    for document in documents:
        whole = [s for s in reviews.by_id[document.id].result.spans if s.technique == "whataboutism"]
        assert document.text.strip() in [document.quote(span) for span in whole]
    reviews.close()


# -- the command ------------------------------------------------------------------------------------------------------


def test_texts_are_found_once_and_the_corpus_is_scored(tmp_path: Path, tiny_model_folder: Path, capsys, monkeypatch):
    from detector.cli import review

    (tmp_path / "a.txt").write_text("They want to destroy everything we love. " * 3)
    monkeypatch.chdir(tmp_path)

    def accept_all(reviews: Reviews, shown: list[Review], **_: object) -> None:
        for one in shown:
            for judgement in one.judgements:
                reviews.decide(one, Decision("accept", key(judgement.span)))
            reviews.decide(one, Decision("done"))

    monkeypatch.setattr(review, "serve", accept_all)
    for model in (str(tiny_model_folder), "nowhere"):  # what is under review already needs no model
        with pytest.raises(SystemExit) as stop:
            main(["review", "a.txt", "--model", model])
        assert stop.value.code == 0
        assert capsys.readouterr().err.splitlines()[-1] == "a.reviewed.jsonl: 1 document done"
    evaluate = ["evaluate", "--corpus", "jsonl", "--file", "a.reviewed.jsonl", "--out", "scores"]
    with pytest.raises(SystemExit) as stop:
        main([*evaluate, "--model", str(tiny_model_folder), "--strictness", "balanced"])
    assert stop.value.code == 0
    assert json.loads((tmp_path / "scores" / "metrics.json").read_text())
    with pytest.raises(SystemExit) as stop:
        main(["review", "a.txt", "--out", os.devnull])
    assert stop.value.code == 2
    assert "name a file that ends with .jsonl" in capsys.readouterr().err


def test_the_corpus_of_a_folder_lies_beside_it(tmp_path: Path, monkeypatch):
    from detector.cli.review import _beside

    (tmp_path / "news").mkdir()
    monkeypatch.chdir(tmp_path / "news")
    beside = tmp_path / "news.reviewed.jsonl"
    assert [_beside(str(name)) for name in (tmp_path / "news", ".", "./")] == [beside] * 3
    with pytest.raises(InputError, match="/: has no place for the corpus beside it"):
        _beside("/")


def test_a_text_that_has_changed_is_left_out_and_the_others_are_reviewed(
    tmp_path: Path, tiny_model_folder: Path, capsys, monkeypatch
):
    from detector.cli import review

    monkeypatch.chdir(tmp_path)
    shown: list[list[str]] = []
    monkeypatch.setattr(review, "serve", lambda _, these, **__: shown.append([one.document.id for one in these]))
    texts = tmp_path / "texts"
    texts.mkdir()
    for changed in (False, True):
        for name in "abc":
            words = "nothing" if changed and name == "b" else "everything"
            (texts / f"{name}.txt").write_text(f"They want to destroy {words} we love.")
            found = Document(name, words, (Span(0, 4, "doubt"),))
            with (tmp_path / "found.jsonl").open("a" if name > "a" else "w") as file:
                file.write(dumps(annotation(found, PROVENANCE)) + "\n")
        with pytest.raises(SystemExit) as stop:
            main(["review", "texts", "found.jsonl", "--out", "r.jsonl", "--model", str(tiny_model_folder)])
        assert stop.value.code == (2 if changed else 0)
    assert shown == [
        ["texts/a.txt", "texts/b.txt", "texts/c.txt", "a", "b", "c"],
        ["texts/a.txt", "texts/c.txt", "a", "c"],
    ]
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert [line.partition(": the text has changed")[0] for line in errors] == ["error: texts/b.txt", "error: b"]
