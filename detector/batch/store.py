"""The folder of a run: files that appear whole or not at all, and locks. Local, or behind fsspec."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from detector.batch.sources import RUN_LOCK, file_system, is_url
from detector.errors import InputError

_ASIDE = ".tmp"


class Store(Protocol):
    """Named files under one folder. Names use forward slashes."""

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """Puts a whole file under its name, or leaves what was there. Raises InputError where there is no room."""

    def read(self, name: str) -> bytes | None:
        """The file, or None where there is none."""

    def names(self, folder: str = "") -> list[str]:
        """The names in a folder, sorted; what is being written is not among them."""

    def remove(self, name: str) -> None:
        """Removes a file if it is there."""

    def clean(self) -> None:
        """Removes what runs that were killed have left half written."""

    def lock(self, *, shard: tuple[int, int]) -> Any:
        """A context that no other run of the same part of the corpus can hold; InputError where one does."""

    def assembling(self) -> Any:
        """A context that waits until no other shard is writing the manifest."""


def open_store(out: str) -> Store:
    """The store of a folder or a URL."""
    return RemoteStore(out) if is_url(out) else LocalStore(Path(out))


class LocalStore:
    """A folder of this machine, or one that several mount."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """See `Store.write`: written aside, synced, renamed, and the rename synced."""
        target = self.folder / name
        aside = target.with_name(f".{target.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}{_ASIDE}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_synced(aside, pieces)
                os.replace(aside, target)
            finally:
                aside.unlink(missing_ok=True)
            _sync_folder(target.parent)
        except OSError as error:
            raise _refusal(target, error) from None

    def read(self, name: str) -> bytes | None:
        """See `Store.read`."""
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InputError(f"{self.folder / name}: cannot be read ({error.strerror}): check the disk") from None

    def names(self, folder: str = "") -> list[str]:
        """See `Store.names`."""
        inside = self.folder / folder
        return sorted(p.name for p in inside.iterdir() if not p.name.startswith(".")) if inside.is_dir() else []

    def remove(self, name: str) -> None:
        """See `Store.remove`."""
        (self.folder / name).unlink(missing_ok=True)

    def clean(self) -> None:
        """See `Store.clean`."""
        for folder in (self.folder, self.folder / "receipts"):
            for aside in folder.glob(f".*{_ASIDE}"):
                aside.unlink(missing_ok=True)

    @contextmanager
    def lock(self, *, shard: tuple[int, int]) -> Iterator[None]:
        """See `Store.lock`: a whole run excludes all others, a shard those of the same number."""
        index, n_shards = shard
        with ExitStack() as held:
            if n_shards == 1:
                held.enter_context(self._locked(RUN_LOCK, shared=False))
            else:
                held.enter_context(self._locked(RUN_LOCK, shared=True))
                held.enter_context(self._locked(f".lock-{index}-of-{n_shards}", shared=False))
            yield

    @contextmanager
    def assembling(self) -> Iterator[None]:
        """A context that waits until no other shard is writing the manifest."""
        with self._locked(".lock-manifest", shared=False, wait=True):
            yield

    @contextmanager
    def _locked(self, name: str, *, shared: bool, wait: bool = False) -> Iterator[None]:
        import fcntl  # not on every system: whoever cannot lock can still use the rest

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / name).open("ab")
        except OSError as error:
            raise _refusal(self.folder, error) from None
        with file:
            try:
                fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise _refusal(self.folder, error) from None
                raise InputError(
                    f"{self.folder}: another run is writing into this folder: wait for it, or name another with --out"
                ) from None
            yield


class RemoteStore:
    """A folder behind fsspec, such as ``s3://bucket/folder``, where a put is whole or not at all.

    Object stores have no locks: two runs at once write the same bytes twice, which costs time and does no harm.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.fs, self.path = file_system(url.rstrip("/"))

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """See `Store.write`."""
        try:
            self.fs.makedirs(os.path.dirname(f"{self.path}/{name}"), exist_ok=True)
            self.fs.pipe_file(f"{self.path}/{name}", b"".join(pieces))
        except OSError as error:
            raise _refusal(f"{self.url}/{name}", error) from None

    def read(self, name: str) -> bytes | None:
        """See `Store.read`."""
        try:
            data: bytes = self.fs.cat_file(f"{self.path}/{name}")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(f"{self.url}/{name}", error) from None
        return data

    def names(self, folder: str = "") -> list[str]:
        """See `Store.names`."""
        inside = f"{self.path}/{folder}".rstrip("/")
        try:
            found = self.fs.ls(inside, detail=False, refresh=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except TypeError:  # a file system without a cache knows no refresh
            found = self.fs.ls(inside, detail=False)
        except OSError as error:
            raise _unreadable(f"{self.url}/{folder}", error) from None
        return sorted(n for n in (os.path.basename(p.rstrip("/")) for p in found) if not n.startswith("."))

    def remove(self, name: str) -> None:
        """See `Store.remove`."""
        if self.fs.exists(f"{self.path}/{name}"):
            self.fs.rm_file(f"{self.path}/{name}")

    def clean(self) -> None:
        """See `Store.clean`: nothing is ever half written here."""

    @contextmanager
    def lock(self, *, shard: tuple[int, int]) -> Iterator[None]:
        """See `Store.lock`: there is none to take."""
        yield

    @contextmanager
    def assembling(self) -> Iterator[None]:
        """There is nothing to wait for."""
        yield


def write_synced(path: Path, pieces: Iterable[bytes]) -> None:
    """Writes a file and waits until the disk has it."""
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unreadable(place: str, error: OSError) -> InputError:
    return InputError(f"{place}: cannot be read ({error.strerror or error}): check the address and your rights there")


def _refusal(place: Path | str, error: OSError) -> InputError:
    way_out = "make room and run the same command again" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    way_out = way_out or "check --out and your rights there"
    return InputError(f"{place}: cannot be written ({error.strerror or error}): {way_out}")
