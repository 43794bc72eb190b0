"""What a CORPUS argument means: files, folders, patterns, URLs, data sets and standard input → `Source`."""

from __future__ import annotations

import fnmatch
import glob
import itertools
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, cast

from detector.errors import InputError

RUN_LOCK = ".lock"
"""What a run puts into the folder of its results while it writes there."""
_RESULTS = ("manifest.json", "errors.jsonl", "part-000000.parquet", "part-000000.jsonl")

STANDARD_INPUT = "-"
DATASET_PREFIX = "hf:"


class Kind(StrEnum):
    """How a source is read."""

    TEXT = "text"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"
    ZIP = "zip"
    DATASET = "dataset"
    STANDARD_INPUT = "standard input"


SUFFIXES = {
    ".txt": Kind.TEXT,
    ".jsonl": Kind.JSONL,
    ".ndjson": Kind.JSONL,
    ".json": Kind.JSONL,
    ".csv": Kind.CSV,
    ".tsv": Kind.TSV,
    ".parquet": Kind.PARQUET,
    ".zip": Kind.ZIP,
}
COMPRESSIONS = {".gz": "gz", ".zst": "zst"}
READABLE = ", ".join(SUFFIXES) + " (also with .gz or .zst)"


@dataclass(frozen=True, slots=True)
class Source:
    """A file, a stream or a data set. ``name`` is the path or URL as given; ``size`` in bytes, 0 where unknown."""

    name: str
    kind: Kind
    compression: str | None = None
    size: int = 0

    @classmethod
    def named(cls, name: str, *, size: int = 0) -> Source | None:
        """The source of a file name; None where its suffix is of no kind that is read."""
        stem, compression = name, None
        base, suffix = os.path.splitext(name)
        if suffix.lower() in COMPRESSIONS:
            stem, compression = base, COMPRESSIONS[suffix.lower()]
        kind = SUFFIXES.get(os.path.splitext(stem)[1].lower())
        if kind is None or (compression and kind in (Kind.ZIP, Kind.PARQUET)):
            return None
        return cls(name, kind, compression, size)

    @classmethod
    def inside(cls, archive: Source, member: str) -> Source | None:
        """The source of a member of an archive; None for what is not read there."""
        if member.startswith("__MACOSX/") or os.path.basename(member).startswith("."):
            return None
        found = cls.named(f"{archive.name}/{member}")
        return None if found is None or found.kind == Kind.ZIP else found

    def open(self) -> BinaryIO:
        """The bytes of the file."""
        if is_url(self.name):
            fs, path = file_system(self.name)
            return cast(BinaryIO, fs.open(path, "rb"))
        return open(self.name, "rb")


def is_url(name: str) -> bool:
    """Whether a path is a URL that fsspec opens, such as ``s3://bucket/key``."""
    return "://" in name


def file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it. Raises InputError where its client is not installed."""
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise InputError(f"{url}: cannot be opened ({error}): install the client of this protocol") from None
    return fs, path


def find_sources(corpus: Sequence[str]) -> Iterator[Source]:
    """The sources of a corpus in a fixed order: arguments as given, names sorted inside each.

    Raises InputError for a path that is not there, a folder or pattern without a file that can be read, and a file
    of an unknown kind that was named itself.
    """
    for name in corpus:
        yield from _sources_of(name)


def total_size(corpus: Sequence[str]) -> int:
    """Bytes of all files of a corpus, 0 where it is not known; raises InputError as `find_sources` does."""
    size, known = 0, True
    for source in find_sources(corpus):
        size += source.size
        known = known and source.kind not in (Kind.DATASET, Kind.STANDARD_INPUT)
    return size if known else 0


def _sources_of(name: str) -> Iterator[Source]:
    if name == STANDARD_INPUT:
        yield Source(name, Kind.STANDARD_INPUT)
    elif name.startswith(DATASET_PREFIX):
        yield Source(name, Kind.DATASET)
    elif is_url(name):
        yield from _some(_url_files(name), name)
    elif os.path.isdir(name):
        if is_saved_dataset(name):
            yield Source(name, Kind.DATASET)
        else:
            yield from _some(_folder_files(name), name)
    elif os.path.exists(name):
        yield _known(name, os.path.getsize(name))
    elif glob.has_magic(name):
        yield from _some(_matching_files(name), name)
    else:
        raise InputError(
            f"{name or repr(name)}: there is no such file or folder: check the spelling (a data set is hf:OWNER/NAME)"
        )


def passed_over(corpus: Sequence[str]) -> Iterator[str]:
    """The files in the folders, patterns and archives of a corpus that are of no kind that is read."""
    for name in corpus:
        if name == STANDARD_INPUT or name.startswith(DATASET_PREFIX) or is_url(name):
            continue
        if os.path.isdir(name) and not is_saved_dataset(name):
            yield from (path.as_posix() for path in _files_in(name) if _is_unread(path.name))
        elif not os.path.exists(name) and glob.has_magic(name):
            yield from (path for path in glob.glob(name, recursive=True) if os.path.isfile(path) and _is_unread(path))
    for source in find_sources(corpus):
        if source.kind == Kind.ZIP and not is_url(source.name):
            with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(source.name) as archive:
                inside = (f"{source.name}/{member.filename}" for member in archive.infolist() if not member.is_dir())
                yield from (path for path in inside if "/__MACOSX/" not in path and _is_unread(path, archived=True))


def _is_unread(path: str, *, archived: bool = False) -> bool:
    """Whether the suffix of a file is of no kind that is read; hidden files and the like do not count."""
    if os.path.basename(path).startswith((".", "~$")):
        return False
    source = Source.named(path)
    return source is None or (archived and source.kind == Kind.ZIP)


def is_saved_dataset(folder: str) -> bool:
    """Whether ``datasets`` saved this folder."""
    several, one = ("dataset_dict.json",), ("state.json", "dataset_info.json")
    return any(all(os.path.isfile(Path(folder, name)) for name in names) for names in (several, one))


def _known(name: str, size: int) -> Source:
    source = Source.named(name, size=size)
    if source is None:
        raise InputError(f"{name}: is of no kind that is read: give {READABLE}")
    return source


def _some(found: Iterator[Source], name: str) -> Iterator[Source]:
    n_found = 0
    for n_found, source in enumerate(found, start=1):  # noqa: B007
        yield source
    if not n_found:
        raise InputError(f"{name}: holds no file that is read: give {READABLE}")


def _folder_files(folder: str) -> Iterator[Source]:
    """The files in a folder and the folders inside it by name.

    Hidden ones are passed over, and so are pipes and the like, and folders that a run writes its results to. A folder
    that cannot be looked into is a source that cannot be read.
    """
    closed: list[OSError] = []
    for path in _files_in(folder, closed):
        yield from _closed_folders(closed)
        source = _found(path)
        if source is not None:
            yield source
    yield from _closed_folders(closed)


def _files_in(folder: str, closed: list[OSError] | None = None) -> Iterator[Path]:
    """Whatever is no folder in a folder and those inside it, by name; ``closed`` gets why one cannot be looked into."""
    for here, folders, files in os.walk(folder, onerror=None if closed is None else closed.append):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not _is_results(Path(here, f)))
        yield from (Path(here, file) for file in sorted(files) if not file.startswith("."))


def _closed_folders(closed: list[OSError]) -> Iterator[Source]:
    """The folders that could not be looked into, each once."""
    while closed:
        yield Source(Path(closed.pop(0).filename).as_posix(), Kind.TEXT)


def _found(path: Path) -> Source | None:
    """The source of a file; None for folders, pipes and the like, and for a suffix of no kind that is read."""
    if os.path.exists(path) and not os.path.isfile(path):
        return None
    return Source.named(path.as_posix(), size=os.path.getsize(path) if os.path.isfile(path) else 0)


def _matching_files(pattern: str) -> Iterator[Source]:
    """The files that a pattern matches, by name, but for those in folders that a run writes its results to."""
    root = Path(_fixed_part(pattern))
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):
        inside = path.relative_to(root).parents[:-1] if path.is_relative_to(root) else ()
        source = _found(path)
        if source is not None and not any(_is_results(root / folder) for folder in inside):
            yield source


def _is_results(folder: Path) -> bool:
    """Whether a run writes its results to a folder, or has."""
    return os.path.isfile(folder / RUN_LOCK)


def _fixed_part(pattern: str) -> str:
    """The folders at the beginning of a pattern that have no wildcard."""
    folders = pattern.split("/")[:-1]
    return "/".join(itertools.takewhile(lambda folder: not glob.has_magic(folder), folders))


def check_outside(out: str, corpus: Sequence[str]) -> None:
    """Raises InputError where results would lie among the files of a corpus, and so become part of it.

    On a local disk a folder inside the corpus is known by its lock, and passed over; only the corpus itself is refused.
    """
    results = os.path.realpath(out)
    for name in corpus:
        is_pattern = glob.has_magic(name) and not os.path.isdir(name)
        folder = _fixed_part(name) if is_pattern else name.rstrip("/") or name
        deep = not is_pattern or "**" in name
        if is_url(name) and deep and f"{out.rstrip('/')}/".startswith(f"{folder}/"):
            raise InputError(f"--out {out}: lies in the corpus {name}: name a folder outside of it")
        takes_results = _matches_results(name, folder) if is_pattern else os.path.isdir(name)
        if takes_results and os.path.realpath(folder) == results:
            raise InputError(f"--out {out}: is where the corpus {name} lies: name another folder")


def _matches_results(pattern: str, folder: str) -> bool:
    """Whether a pattern matches what a run would write into the folder at its beginning."""
    flat = pattern.replace("**/", "")  # which matches no folder, too
    return any(fnmatch.fnmatchcase(os.path.join(folder, result), flat) for result in _RESULTS)


def check_once(corpus: Sequence[str]) -> None:
    """Raises InputError for what a corpus names twice, be it by a folder or a pattern: it would count twice."""
    named: set[str] = set()
    folders = {_place(name) for name in corpus if is_url(name) or os.path.isdir(name)}
    for name, said in _named(corpus):
        place = _place(name)
        if place in named:
            raise InputError(f"{said}: is named twice: name it once")
        if folders and (around := next((f for f in _folders_around(place) if f in folders), None)):
            raise InputError(f"{said}: lies in {around}, which is named, too: name one of them")
        named.add(place)


def _named(corpus: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What a corpus names, and how to speak of it: its arguments, and among several what each pattern matches."""
    for name in corpus:
        yield name, name
        if len(corpus) > 1 and glob.has_magic(name) and not is_url(name) and not os.path.exists(name):
            for source in _matching_files(name):
                yield source.name, f"{source.name} ({name})"


def _place(name: str) -> str:
    """What all ways to name a file, a folder or a pattern have in common; a link to a file is a file of its own."""
    if name == STANDARD_INPUT or name.startswith(DATASET_PREFIX):
        return name
    if is_url(name):
        return name.rstrip("/")
    if os.path.isdir(name):
        return os.path.realpath(name)
    folder, base = os.path.split(name)
    return os.path.join(os.path.realpath(folder), base)


def _folders_around(place: str) -> Iterator[str]:
    """The folders from which a walk comes to a file or folder: it passes over what is hidden."""
    while os.path.basename(place) and not os.path.basename(place).startswith("."):
        place = os.path.dirname(place)
        yield place


def _url_files(url: str) -> Iterator[Source]:
    fs, path = file_system(url)
    try:
        if glob.has_magic(path):
            paths = sorted(fs.glob(path))
        elif fs.isdir(path):
            paths = sorted(fs.find(path))
        else:
            yield _known(url, int(fs.size(path) or 0))
            return
    except OSError as error:
        raise InputError(f"{url}: cannot be opened ({error}): check the address and your rights") from None
    for inside in paths:
        source = Source.named(fs.unstrip_protocol(inside), size=int(fs.size(inside) or 0))
        if source is not None:
            yield source
