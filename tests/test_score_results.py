"""Part files read back as documents."""

import json
from pathlib import Path

import pytest

from detector.batch.choices import PartFormat
from detector.batch.records import Columns
from detector.batch.results import read_documents
from detector.batch.run import Job, score_corpus
from detector.batch.work import Settings
from detector.errors import InputError
from detector.selection import Selection
from detector.spans import Document


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rows = [{"id": f"d{i}", "text": "They destroy\\neverything. " * i, "outlet": "A"} for i in range(5)]
    path = tmp_path / "c.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("format", list(PartFormat))
def test_documents_come_back_with_their_spans(tiny_detector, corpus: Path, tmp_path, format: PartFormat):
    columns = Columns(keep=("text", "outlet"))
    settings = Settings(
        "0",
        tiny_detector.name,
        tiny_detector.model_hash,
        format=format,
        part_size=2,
        columns=columns,
    )
    out = str(tmp_path / "out")
    score_corpus(Job((str(corpus),), out, settings, precision=0.4), detector=tiny_detector)
    found = list(read_documents(out))
    texts = [json.loads(line)["text"] for line in corpus.read_text().splitlines()]
    expected = list(tiny_detector.annotate(Document(f"d{i}", text) for i, text in enumerate(texts)))
    for (document, provenance), one in zip(found, expected, strict=True):
        assert (document.id, document.text, document.n_read) == (one.id, one.text, len(one.text))
        assert [(s.start, s.end, s.technique) for s in document.spans] == [
            (s.start, s.end, s.technique) for s in one.spans
        ]
        assert document.meta == {"source": str(corpus), "outlet": "A"}
        assert (provenance.model_hash, provenance.precision) == (tiny_detector.model_hash, 0.4)


def test_what_was_left_out_for_its_language_is_not_shown_as_free_of_findings(tiny_detector, tmp_path):
    german = "Der Hund läuft schnell durch den Wald und bellt dabei sehr laut. " * 3
    (tmp_path / "c.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in ("They love", german)))
    settings = Settings(
        "0",
        tiny_detector.name,
        tiny_detector.model_hash,
        columns=Columns(keep=("text",)),
        selection=Selection(quotes="skip", thresholds={"doubt": 0.2}),
        language_guard="skip",
    )
    out = str(tmp_path / "out")
    score_corpus(Job((str(tmp_path / "c.jsonl"),), out, settings), detector=tiny_detector)
    ((document, provenance),) = read_documents(out)
    assert (document.text, provenance.chosen) == ("They love", {"quotes": "skip", "thresholds": {"doubt": 0.2}})


def test_without_texts_there_is_nothing_to_show(tiny_detector, corpus: Path, tmp_path):
    settings = Settings("0", tiny_detector.name, tiny_detector.model_hash)
    score_corpus(Job((str(corpus),), str(tmp_path / "out"), settings), detector=tiny_detector)
    with pytest.raises(InputError, match="holds no texts: score into a new folder with --keep text"):
        list(read_documents(str(tmp_path / "out")))
    with pytest.raises(InputError, match="is no folder of `detector score`"):
        list(read_documents(str(tmp_path)))
