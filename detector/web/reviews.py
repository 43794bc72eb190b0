"""The reviews of a call and their two files: every decision at once in a log, every document that is done in a corpus.

The log (``reviewed.decisions.jsonl`` beside ``reviewed.jsonl``) has a line for each document, as annotated, and one for
each decision, synced before it is answered. It is all that it takes to go on after a crash; a last line that was cut
off was never answered, and is dropped. The corpus is made from the log, whole or not at all.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

from detector.corpora.jsonl import write_jsonl
from detector.errors import ConfigError, DetectorError, InputError
from detector.spans import Document
from detector.web.decisions import Decision, Review, decision
from detector.writers.json import annotation, dumps, read_annotation, read_provenance
from detector.writers.provenance import Provenance

_HEADER = {"format": "detector-review", "version": 1}


def log_of(corpus: Path) -> Path:
    """The log beside a corpus."""
    return corpus.with_name(f"{corpus.stem}.decisions.jsonl")


class Reviews:
    """The documents under review, by id, in order; those of earlier calls with the same files among them."""

    def __init__(self, corpus: Path) -> None:
        """Opens the files of this corpus. Raises ConfigError, InputError where they cannot be used."""
        self.corpus = corpus
        self.log = log_of(corpus)
        self.by_id: dict[str, Review] = {}
        if corpus.suffix != ".jsonl":
            raise ConfigError(f"--out {corpus}: is to be a corpus: name a file that ends with .jsonl")
        if corpus.exists() and not self.log.exists():
            raise ConfigError(f"--out {corpus}: exists and was not made here ({self.log.name}): name a new file")
        self._file = self._opened()
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Lets go of the files; a log without a document is no use to anybody."""
        if not self.by_id:
            self.log.unlink(missing_ok=True)
        self._file.close()

    def known(self, document: Document) -> Review | None:
        """The review of this document that an earlier call began; raises InputError where its text was another."""
        review = self.by_id.get(document.id)
        if review is not None and review.document.text != document.text:
            raise InputError(
                f"{document.id}: the text has changed since its review began ({self.log}): name a new file with --out"
            )
        return review

    def add(self, document: Document, provenance: Provenance) -> Review:
        """The review of this document: the one that an earlier call began, or a new one."""
        if not document.id:
            raise InputError("a document has no id: give it one, a corpus needs it")
        begun = self.known(document)
        if begun is not None:
            return begun
        review = Review(document, provenance)
        self._append({"document": annotation(review.document, provenance)})
        self.by_id[document.id] = review
        return review

    def decide(self, review: Review, made: Decision) -> None:
        """Takes a decision once it is on the disk. Raises InputError where it cannot be taken or kept."""
        review.check(made)
        before = review.done
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._append({"id": review.document.id, **made.row(), "time": now})
        review.decide(made)
        if before or review.done:
            self.write_corpus()

    def write_corpus(self) -> None:
        """Writes the documents that are done; nothing where none is and none ever was."""
        done = [review.result for review in self.by_id.values() if review.done]
        if not done and not self.corpus.exists():
            return
        aside = self.corpus.with_name(f".{self.corpus.name}.{os.getpid()}.part")
        try:
            write_jsonl(aside, done)
            with aside.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(aside, self.corpus)
        except OSError as error:
            raise InputError(f"{self.corpus}: cannot be written ({error.strerror}): make room") from None
        finally:
            aside.unlink(missing_ok=True)

    def _opened(self) -> FileIO:
        try:
            file = self.log.open("ab+", buffering=0)  # what is written is written, or an error
        except OSError as error:
            raise ConfigError(f"--out {self.corpus}: cannot be written ({error.strerror}): name another") from None
        if not _locked(file):
            file.close()
            raise ConfigError(f"--out {self.corpus}: is under review already: go on there, or name a new file")
        return file

    def _read(self) -> None:
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        rows = self._rows(whole)
        place, header = next(rows, (f"{self.log}:1", None))
        begun = _line(_HEADER).startswith(data)
        if header != _HEADER and not begun:
            raise InputError(f"{place}: is no log of reviews of this version: name a new file with --out")
        self._file.truncate(len(whole))
        if header is None:
            self._append(_HEADER)
            _sync_folder(self.log.parent)
        for place, row in rows:
            try:
                self._replay(row)
            except (DetectorError, KeyError, TypeError, AttributeError) as error:
                raise InputError(f"{place}: is not as it was written ({error!s:.200}): mend it or start anew") from None

    def _rows(self, data: bytes) -> Iterator[tuple[str, Any]]:
        for number, line in enumerate(data.split(b"\n")[:-1], start=1):
            try:
                yield f"{self.log}:{number}", json.loads(line)
            except (ValueError, RecursionError):
                raise InputError(f"{self.log}:{number}: is not JSON: mend it, or name a new file with --out") from None

    def _replay(self, row: Mapping[str, Any]) -> None:
        if "document" in row:
            document = read_annotation(row["document"])
            self.by_id[document.id] = Review(document, read_provenance(row["document"]))
        else:
            review = self.by_id[row["id"]]
            review.decide(decision(row, review.document.text))

    def _append(self, row: Mapping[str, Any]) -> None:
        """Puts a row on the disk, or leaves the log as it was. Raises InputError."""
        line, end = _line(row), self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(end)
            raise InputError(
                f"{self.log}: cannot be written ({error.strerror}): make room, then decide again"
            ) from None


def _line(row: Mapping[str, Any]) -> bytes:
    return dumps(row).encode("utf-8") + b"\n"


def _locked(file: FileIO) -> bool:
    """Whether this process, and no other, has the file now."""
    try:
        import fcntl
    except ImportError:  # not on every system: there, nobody is kept from opening a review twice
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Makes a new name in a folder last, on systems where that takes asking."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
