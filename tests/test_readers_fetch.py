"""Fetching: real servers on the loopback address, honest ones and others."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
import trustme

from detector.errors import InputError
from detector.readers import fetch as fetching
from detector.readers.fetch import fetch, is_public
from detector.readers.limits import Limits
from detector.readers.sources import Sources
from detector.readers.text import is_address
from detector.spans import Document

SAMPLES = Path(__file__).parent / "samples"
LIMITS = Limits(n_bytes=100_000, seconds=3)
BOMB = gzip.compress(bytes(50_000_000))


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.partition("?")[0]
        if name.startswith("/to/"):
            location = unquote(name.removeprefix("/to/")).replace("|", "://").replace("~", "/")
            return self.answer(b"", status=302, location=location)
        if name == "/loop":
            return self.answer(b"", status=301, location="/loop")
        if name == "/article":
            return self.answer((SAMPLES / "article.html").read_bytes(), type="text/html; charset=utf-8")
        if name == "/paper":
            return self.answer((SAMPLES / "article.pdf").read_bytes(), type="application/pdf")
        if name == "/latin":
            return self.answer("Größe".encode("latin-1"), type="text/plain; charset=iso-8859-1")
        if name == "/gzip":
            return self.answer(gzip.compress(b"They lie."), encoding="gzip")
        if name == "/bomb":
            return self.answer(BOMB, encoding="gzip")
        if name == "/brotli":
            return self.answer(b"x", encoding="br")
        if name == "/large":
            return self.answer(b"x" * 200_000)
        if name == "/short":
            return self.answer(b"half", length=999)
        if name == "/drip":
            return self.drip()
        return self.answer(b"", status=404)

    def answer(self, body: bytes, *, status=200, type="text/plain", location=None, encoding=None, length=None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (("Location", location), ("Content-Encoding", encoding)):
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(100):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:
            pass

    def log_message(self, *arguments) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *arguments) -> None:
        pass  # the client hung up, as it should


@contextmanager
def served(server: Server) -> Iterator[int]:
    """The port of a server that runs while the context lasts."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with served(Server(("127.0.0.1", 0), Site)) as port:
        yield f"http://127.0.0.1:{port}"


class SecureServer(Server):
    """Speaks TLS with these certificates, and keeps the name that each visitor asks for."""

    def __init__(self, certificate: trustme.LeafCert) -> None:
        super().__init__(("127.0.0.1", 0), Site)
        self.asked: list[str | None] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.sni_callback = lambda socket, name, context: self.asked.append(name)
        certificate.configure_cert(self.context)

    def finish_request(self, request, address) -> None:
        with self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, address)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority of our own, the only one that is trusted."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return authority


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Makes every name mean these addresses."""
    real = socket.getaddrinfo

    def fake(host, port, *arguments, **options):
        numeric = host in addresses
        return [
            entry
            for address in ([host] if numeric else addresses)
            for entry in real(address, port, type=socket.SOCK_STREAM)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", fake)


def get(url: str, **options) -> bytes:
    return fetch(url, limits=LIMITS, allow_private=True, **options).data


def test_an_address_is_fetched_only_when_asked(site: str):
    (refused,) = Sources().read(f"{site}/article")
    assert isinstance(refused, InputError)
    assert "add --fetch" in str(refused)
    (private,) = Sources(fetch=True).read(f"{site}/article")
    assert isinstance(private, InputError)
    assert "127.0.0.1 is the private address 127.0.0.1: --allow-private permits it" in str(private)
    (document,) = Sources(fetch=True, allow_private=True).read(f"{site}/article")
    assert isinstance(document, Document)
    assert "They want to destroy everything we love" in document.text
    assert (document.id, document.meta["url"]) == (f"{site}/article", f"{site}/article")


def test_the_server_says_what_it_sends(site: str):
    sources = Sources(fetch=True, allow_private=True, limits=LIMITS)
    (paper,) = sources.read(f"{site}/paper?download=1")
    assert isinstance(paper, Document)
    assert paper.meta["format"] == "pdf"
    assert get(f"{site}/gzip") == b"They lie."
    assert fetch(f"{site}/latin", limits=LIMITS, allow_private=True).charset == "iso-8859-1"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/missing", "the server answers 404"),
        ("/loop", "redirects more than 5 times"),
        ("/large", "sends more than 100,000 bytes"),
        ("/bomb", "sends more than 100,000 bytes"),
        ("/brotli", "packs the page as 'br'"),
        ("/short", "the connection broke|cannot be fetched"),
        ("/drip", "takes longer than 3 seconds"),
        ("/to/file|~etc~passwd", r"redirects to 'file:/.*neither http nor https"),
        ("/to/ftp|example.org", "neither http nor https"),
        ("/to/http|u:p@example.org", "holds a user name or a password"),
    ],
)
def test_what_goes_wrong_is_one_line(site: str, path: str, message: str):
    with pytest.raises(InputError, match=message) as caught:
        get(site + path)
    assert str(caught.value).startswith(site)
    assert "\n" not in str(caught.value)


def test_a_redirect_is_checked_like_the_address_itself(site: str, monkeypatch: pytest.MonkeyPatch):
    """A public page that redirects to a private one: the first connection is let through here."""
    seen: list[str] = []

    def only_the_first(address: str) -> bool:
        seen.append(address)
        return len(seen) == 1

    monkeypatch.setattr(fetching, "is_public", only_the_first)
    with pytest.raises(InputError, match=r"is the private address 127\.0\.0\.1"):
        fetch(f"{site}/to/http|localhost:1", limits=LIMITS)
    assert len(seen) == 2


def test_a_name_is_resolved_once(site: str, monkeypatch: pytest.MonkeyPatch):
    """A name that turns private after the check is not looked up again: the connection goes to the checked address."""
    real, calls = socket.getaddrinfo, list[str]()

    def resolve(host, *rest, **more):
        calls.append(host)
        return real("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(fetching, "is_public", lambda address: True)
    assert get(site.replace("127.0.0.1", "example.org") + "/gzip") == b"They lie."
    assert [host for host in calls if host != "127.0.0.1"] == ["example.org"]


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("::1", "::", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "ff02::1"),
        *("255.255.255.255", "240.0.0.1"),
    ],
)
def test_no_private_address_passes_for_a_public_one(address: str):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8"])
def test_a_public_address_is_one(address: str):
    assert is_public(address)


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://a:99999/", "gopher://a", "http://", "http://no.such.host.invalid/"]
)
def test_a_wrong_address_is_one_line(url: str):
    with pytest.raises(InputError) as caught:
        get(url)
    assert str(caught.value).startswith(url)


def test_a_closed_port_is_one_line():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match="cannot be fetched"):
        get(f"http://127.0.0.1:{port}/")


# -- TLS --------------------------------------------------------------------------------------------------------------


def test_a_certificate_is_checked_against_the_name_not_the_address(authority: trustme.CA, monkeypatch):
    resolve(monkeypatch, "127.0.0.1")
    server = SecureServer(authority.issue_cert("news.example"))
    with served(server) as port:
        assert get(f"https://news.example:{port}/gzip") == b"They lie."
        assert get(f"https://news.example:{port}/to/https|news.example:{port}~gzip") == b"They lie."
        with pytest.raises(InputError, match=r"Hostname mismatch.*\): check the address$"):
            get(f"https://other.example:{port}/gzip")
    assert server.asked == ["news.example"] * 3 + ["other.example"]


def test_a_certificate_of_an_unknown_authority_or_of_yesterday_is_refused(authority: trustme.CA):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for certificate, reason in (
        (trustme.CA().issue_cert("127.0.0.1"), "unable to get local issuer|self-signed"),
        (authority.issue_cert("127.0.0.1", not_after=yesterday), "expired"),
    ):
        with (
            served(SecureServer(certificate)) as port,
            pytest.raises(InputError, match=f"cannot be fetched .*({reason})") as caught,
        ):
            get(f"https://127.0.0.1:{port}/gzip")
        assert "\n" not in str(caught.value)


def test_a_server_without_tls_is_one_line(site: str, authority: trustme.CA):
    with pytest.raises(InputError, match=r"cannot be fetched \(.*\): check the address"):
        get(site.replace("http:", "https:") + "/article")


@pytest.mark.parametrize("silent", [True, False], ids=["in the handshake", "in the page"])
def test_a_slow_server_behind_tls_is_hung_up_on(authority: trustme.CA, monkeypatch, silent: bool):
    resolve(monkeypatch, "127.0.0.1")
    server = SecureServer(authority.issue_cert("news.example"))
    if silent:
        server.finish_request = dribble  # type: ignore[method-assign]
    start = time.monotonic()
    with served(server) as port, pytest.raises(InputError, match=r"takes longer than 3 seconds"):
        get(f"https://news.example:{port}/drip")
    assert time.monotonic() - start < 8


def dribble(request, address) -> None:
    """A byte of a record of TLS now and then, which no time limit of a socket notices."""
    for byte in b"\x16\x03\x03\x40\x00" + bytes(200):
        request.sendall(bytes([byte]))
        time.sleep(0.1)


def test_the_next_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch):
    resolve(monkeypatch, "127.0.0.2", "127.0.0.1")  # at the first nobody listens
    with served(Server(("127.0.0.1", 0), Site)) as port:
        assert get(f"http://news.example:{port}/gzip") == b"They lie."


# -- addresses --------------------------------------------------------------------------------------------------------


def test_what_an_address_is():
    assert is_address("https://example.org/a")
    assert is_address("file:///etc/passwd")
    assert not is_address("./http://x")
    assert not is_address("news/a.txt")
