"""The table of the documents of a corpus in files: for the script of the index, and as pages that need no script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from detector.report.pages import file_policy, render
from detector.techniques import all_techniques
from detector.writers.json import dumps

_ROWS_SHOWN = 50
_MOST_ROWS = 500
_MOST_CHARACTERS = 100_000  # of a data file; the page of the same rows stays below 2 MB even where all is escaped


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of the table: where it lies in the report, and the numbers of its first and last document."""

    path: str
    first: int
    last: int


class Listing:
    """Takes in the rows of the table one by one, and gives them back as files, some hundreds in each.

    For every ``data/documents-0001.js`` there is a ``documents/list-0001.html`` with the same rows.
    """

    def __init__(self, corpus: str) -> None:
        self.corpus = corpus
        self.pages: list[ListPage] = []
        self.first_rows: list[dict[str, Any]] = []  # of the table that the index shows without scripting
        self.columns: set[str] = set()  # of outlet and date, those that some document has
        self._rows: list[dict[str, Any]] = []
        self._written: list[str] = []
        self._n_characters = 0

    def add(self, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """The files of the rows before this one, where they are enough for a file; the row itself waits."""
        if self._n_characters > _MOST_CHARACTERS or len(self._rows) == _MOST_ROWS:
            yield from self._files(is_last=False)
        written = dumps(list(row.values()))
        if len(self.first_rows) < _ROWS_SHOWN:
            self.first_rows.append(row)
        self.columns.update(name for name in ("outlet", "date") if row[name])
        self._rows.append(row)
        self._written.append(written)
        self._n_characters += len(written)

    def end(self) -> Iterator[tuple[str, str]]:
        """The files of the rows that still wait, if there are any."""
        if self._rows:
            yield from self._files(is_last=True)

    def _files(self, *, is_last: bool) -> Iterator[tuple[str, str]]:
        number = len(self.pages) + 1
        first = self.pages[-1].last + 1 if self.pages else 1
        page = ListPage(f"documents/list-{number:04d}.html", first, first + len(self._rows) - 1)
        self.pages.append(page)
        yield f"data/documents-{number:04d}.js", "addDocuments([\n" + ",\n".join(self._written) + "\n]);\n"
        yield page.path, self._page(page, number, is_last=is_last)
        self._rows, self._written, self._n_characters = [], [], 0

    def _page(self, page: ListPage, number: int, *, is_last: bool) -> str:
        return render(
            "list.html",
            title=self.corpus,
            page=page,
            previous="" if number == 1 else f"list-{number - 1:04d}.html",
            following="" if is_last else f"list-{number + 1:04d}.html",
            rows=self._rows,
            index="../index.html",
            shared="../assets",
            script_name="",
            policy=file_policy(),
            **row_context(),
        )


def row_context() -> dict[str, list[str]]:
    """What templates need to show a row: codes and families of the techniques, in inventory order."""
    return {"codes": [t.code for t in all_techniques()], "family_names": [t.family for t in all_techniques()]}
