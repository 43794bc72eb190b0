"""Documents that are zip files inside: their parts, read within limits; and XML that cannot expand or fetch."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from detector.errors import InputError
from detector.readers.limits import Limits, needed

if TYPE_CHECKING:
    from lxml.etree import _Element

_PIECE = 65_536
_STATED = re.compile(rb"""\s*<\?xml[^>]{0,100}encoding\s*=\s*["']([\w.:-]{2,40})""")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


class LostPartError(InputError):
    """A part of a package that is missing, or whose bytes are not as they were packed; the others may be whole."""


class Package:
    """The parts of a zip file. What is unpacked counts, not what the file says of itself."""

    def __init__(self, archive: zipfile.ZipFile, id: str, limits: Limits) -> None:
        self._archive, self._id, self._left, self._limits = archive, id, limits.n_unpacked, limits

    def names(self) -> list[str]:
        """The names of the parts, folders aside, in the file's order."""
        return [info.filename for info in self._archive.infolist() if not info.is_dir()]

    def __contains__(self, name: str) -> bool:
        return name in self._archive.NameToInfo

    def read(self, name: str) -> bytes:
        """The bytes of a part.

        Raises InputError where it is locked or too large, and `LostPartError` where it is missing or damaged.
        """
        try:
            info = self._archive.getinfo(name)
        except KeyError:
            raise LostPartError(
                f"{self._id}: the part {name!r:.80} is missing: the file is damaged, save it anew"
            ) from None
        if info.flag_bits & 1:
            raise InputError(f"{self._id}: is locked with a password: save it without one")
        try:
            return self._unpacked(info)
        except _BROKEN as error:
            reason = f"{name!r:.80} is damaged ({error}): save or fetch the file anew"
            raise LostPartError(f"{self._id}: {reason}") from None

    def _unpacked(self, info: zipfile.ZipInfo) -> bytes:
        pieces = []
        with self._archive.open(info) as stream:
            while piece := stream.read(_PIECE):
                self._left -= len(piece)
                if self._left < 0:
                    raise InputError(
                        f"{self._id}: unpacks to more than {self._limits.n_unpacked:,} bytes: "
                        "raise the limit with --max-unpacked if you trust it"
                    )
                pieces.append(piece)
        return b"".join(pieces)


@contextmanager
def opened(data: bytes, *, id: str, limits: Limits) -> Iterator[Package]:
    """The package in these bytes; raises InputError where they are no zip file or hold too many files."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _BROKEN as error:
        raise InputError(f"{id}: is no intact zip file ({error}): save or fetch it anew") from None
    with archive:
        if len(archive.filelist) > limits.n_files:
            raise InputError(f"{id}: holds more than {limits.n_files:,} files: unpack it and name the folder")
        yield Package(archive, id, limits)


def parsed_xml(data: bytes, *, id: str, kind: str, extra: str) -> _Element:
    """The root of an XML part. Entities stay unexpanded, nothing is fetched; raises InputError for broken XML."""
    etree = _etree(id, kind, extra)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root: _Element = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise InputError(f"{id}: its XML is damaged or hostile ({error.msg}): save it anew") from None
    if root.getroottree().docinfo.internalDTD is not None and b"<!ENTITY" in data:
        raise InputError(f"{id}: its XML defines entities, as no word processor does: save it anew from one")
    return root


def parsed_markup(data: bytes | str, *, id: str, kind: str, extra: str) -> _Element | None:
    """The root of an HTML or XHTML part, mended where it is broken; None for an empty one."""
    etree = _etree(id, kind, extra)
    encoding = _encoding(data) if isinstance(data, bytes) else None
    parser = etree.HTMLParser(no_network=True, huge_tree=False, encoding=encoding)
    try:
        root: _Element | None = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return None
    return root


def _encoding(data: bytes) -> str | None:
    """UTF-8 where the bytes are that, else what their XML declaration says; None where it says nothing of use."""
    stated = _STATED.match(data)
    for name in ("utf-8", stated[1].decode("ascii") if stated else None):
        try:
            if name:
                data.decode(name)
                return name
        except (UnicodeDecodeError, LookupError):
            continue
    return None


def _etree(id: str, kind: str, extra: str) -> Any:
    def load() -> Any:
        from lxml import etree

        return etree

    return needed(load, id=id, kind=kind, extra=extra)
