"""Fetches a web page or a file: only ``http`` and ``https``, only public addresses, within limits of size and time.

A name is resolved once, every address it has is checked, and the connection goes to a checked address: a name cannot
point elsewhere a moment later. Redirects are checked like the first address. No cookies, no proxy, no credentials.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from detector.errors import InputError
from detector.readers.limits import Limits

_MOST_REDIRECTS = 5
_MOST_ADDRESSES = 3  # of a name, that are tried
_REDIRECTS = (301, 302, 303, 307, 308)
_PIECE = 65_536
_FAILURES = (OSError, http.client.HTTPException, ssl.SSLError, zlib.error, ValueError)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server sent: the bytes, their media type and charset as it stated them, and the address in the end."""

    data: bytes
    media_type: str
    charset: str | None
    url: str


def fetch(url: str, *, limits: Limits, allow_private: bool = False) -> Fetched:
    """What is at an address. Raises InputError, with the address as given as the place, for all that goes wrong."""
    at = url
    for _ in range(_MOST_REDIRECTS + 1):
        with _response(at, given=url, limits=limits, allow_private=allow_private) as response:
            if response.status in _REDIRECTS:
                at = urljoin(at, response.getheader("location") or "")
                continue
            if response.status != 200:
                raise InputError(f"{url}: the server answers {response.status} {response.reason}: check the address")
            data = _body(response, url, limits)
            return Fetched(data, response.headers.get_content_type(), response.headers.get_content_charset(), at)
    raise InputError(f"{url}: redirects more than {_MOST_REDIRECTS} times: give the address of the article itself")


@contextmanager
def _response(at: str, *, given: str, limits: Limits, allow_private: bool) -> Iterator[http.client.HTTPResponse]:
    parts = _checked(at, given)
    connection = _connection(parts, given, limits, allow_private)
    # A server that sends a byte now and then never runs into a time limit of the socket; it does into this one.
    late = threading.Event()
    timer = threading.Timer(limits.seconds, _hang_up, [connection, late])
    timer.daemon = True
    timer.start()
    try:
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (f"?{_query(parts.query)}" if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": "rhetoric-detector", "Accept-Encoding": "identity"})
        with connection.getresponse() as response:
            yield response
        if late.is_set():  # to whoever reads, hanging up looks like the end of the page
            raise TimeoutError
    except _FAILURES as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise InputError(
                f"{given}: takes longer than {limits.seconds:g} seconds: save the page and name it"
            ) from None
        raise InputError(f"{given}: cannot be fetched ({error or type(error).__name__}): check the address") from None
    finally:
        timer.cancel()
        connection.close()


def _hang_up(connection: _Pinned, late: threading.Event) -> None:
    late.set()
    if connection.raw is not None:
        with suppress(OSError):  # the shutdown of a TLS socket would take its session from under the one who reads
            socket.socket.shutdown(connection.raw, socket.SHUT_RDWR)


def _query(query: str) -> str:
    return quote(query, safe="/%:@!$&'()*+,;=~-._?")


def _checked(at: str, given: str) -> SplitResult:
    """The parts of an address that may be fetched at all."""
    try:
        parts = urlsplit(at)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{given}: is no address ({error}): give one such as https://example.org/article") from None
    where = "" if at == given else f" redirects to {at!r:.100}, which"
    if parts.scheme not in ("http", "https"):
        raise InputError(f"{given}:{where} is neither http nor https: give the address of a web page")
    if not host:
        raise InputError(f"{given}:{where} names no host: give an address such as https://example.org/article")
    if parts.username or parts.password:
        raise InputError(f"{given}:{where} holds a user name or a password, which are never sent: leave them out")
    return parts


class _Pinned(http.client.HTTPConnection):
    """A connection to the first of some checked addresses that answers, whatever the name resolves to by then."""

    def __init__(self, host: str, port: int, addresses: Sequence[str], *, tls: bool, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._addresses, self._tls = addresses, tls
        self.default_port = 443 if tls else 80
        self.raw: socket.socket | None = None  # ``sock`` is gone as soon as the response has it

    def connect(self) -> None:
        self.sock = self.raw = self._connected()
        if self._tls:
            context = ssl.create_default_context()
            self.sock = self.raw = context.wrap_socket(self.sock, server_hostname=self.host)

    def _connected(self) -> socket.socket:
        for address in self._addresses[:-1]:
            with suppress(OSError):
                return socket.create_connection((address, self.port), self.timeout)
        return socket.create_connection((self._addresses[-1], self.port), self.timeout)


def _connection(parts: SplitResult, given: str, limits: Limits, allow_private: bool) -> _Pinned:
    host, tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InputError(f"{given}: the host {host!r:.80} is not known: check the address and the network") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_private:
        for address in addresses:
            if not is_public(address):
                raise InputError(
                    f"{given}: {host} is the private address {address}: --allow-private permits it, if you mean it"
                )
    return _Pinned(host, port, addresses[:_MOST_ADDRESSES], tls=tls, timeout=limits.seconds)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's; an IPv4 address inside an IPv6 one counts as what it is.

    >>> [is_public(a) for a in ("93.184.216.34", "127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1")]
    [True, False, False, False, False]
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _body(response: http.client.HTTPResponse, url: str, limits: Limits) -> bytes:
    """The body, unpacked where the server packed it all the same; both sizes are limited."""
    encoding = (response.getheader("content-encoding") or "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise InputError(f"{url}: the server packs the page as {encoding!r:.40}: save the page and name it")
    unpack = None if encoding == "identity" else zlib.decompressobj(wbits=47)  # 47: gzip or zlib, as the bytes say
    pieces, n_bytes = [], 0
    while piece := response.read1(_PIECE):
        if unpack is not None:
            piece = unpack.decompress(piece, limits.n_bytes - n_bytes + 1)
        n_bytes += len(piece)
        if n_bytes > limits.n_bytes:
            raise InputError(f"{url}: sends more than {limits.n_bytes:,} bytes: raise the limit with --max-size")
        pieces.append(piece)
    if response.length:  # what was promised and did not come
        raise InputError(f"{url}: the connection broke {response.length:,} bytes before the end: try again")
    return b"".join(pieces)
