"""Findings as lines that other programs know: ``path:line:column: …`` of compilers, and GitHub's annotations.

Lines and columns count from 1, columns in code points, in the text that was read (which ``--save-text`` keeps).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from detector.spans import Document, LineIndex
from detector.writers.json import dumps, span_records
from detector.writers.provenance import Provenance

_LONGEST_QUOTE = 200


def write_lines(documents: Iterable[Document], provenance: Provenance) -> Iterator[bytes]:
    """``path:line:column: technique confidence "quote"``, the quote as a JSON string, long ones cut in the middle."""
    for document in documents:
        for span in span_records(document):
            place = f"{_on_one_line(document.id)}:{span['line']}:{span['column']}"
            line = f"{place}: {span['technique']} {span['confidence']:.2f} {dumps(_cut(span['quote']))}\n"
            yield line.encode("utf-8", "replace")  # an id may hold half a surrogate pair


def write_github(documents: Iterable[Document], provenance: Provenance) -> Iterator[bytes]:
    """A workflow command a finding: GitHub shows it beside the line of the file."""
    for document in documents:
        lines = LineIndex(document.text)
        for span in span_records(document):
            yield f"::notice {_properties(document, span, lines)}::{_escaped(_message(span))}\n".encode(
                "utf-8", "replace"
            )


def _properties(document: Document, span: dict[str, Any], lines: LineIndex) -> str:
    end_line, end_column = lines.position(span["end"])
    columns = {"col": span["column"], "endColumn": end_column} if end_line == span["line"] else {}
    values = {"file": document.id, "line": span["line"], "endLine": end_line, **columns, "title": span["title"]}
    return ",".join(f"{key}={_escaped(str(value), more=True)}" for key, value in values.items())


def _message(span: dict[str, Any]) -> str:
    quoted = (
        f" (in the words of {span['speaker']})" if span["speaker"] else " (in a quotation)" if span["in_quote"] else ""
    )
    return f"“{_cut(span['quote'])}”: {span['title'].lower()}, confidence {span['confidence']:.0%}{quoted}"


def _escaped(text: str, *, more: bool = False) -> str:
    """The text as GitHub's runner reads it back; ``more`` is needed in the value of a property."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if more else text


def _cut(quote: str) -> str:
    half = _LONGEST_QUOTE // 2
    return quote if len(quote) <= _LONGEST_QUOTE else f"{quote[:half]} … {quote[-half:]}"


def _on_one_line(id: str) -> str:
    return dumps(id)[1:-1] if any(c < " " or c in "\x7f\u2028\u2029" for c in id) else id
