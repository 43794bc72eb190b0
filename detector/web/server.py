"""Runs an application on one address until a signal ends it: what is in hand is finished first."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from detector.errors import ConfigError

_QUIET = 0.5  # seconds without a request after which no more are taken to be on their way at the end,
_LAST_CALL = 5.0  # and for how long at most those that come are told that it is the end
_PATIENCE = 10  # seconds for answers to go out after that
_BACKLOG = 1024

Drain = Callable[[], Awaitable[None]]


def listen(host: str, port: int) -> socket.socket:
    """A socket at this address; port 0 means any. Raises ConfigError where there is none to be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"--host {host}: is no address of this machine ({error.strerror}): try 127.0.0.1") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(f"--port {port}: cannot be had on {host} ({error.strerror}): take another, or 0") from None
    return listener


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def base_address(listener: socket.socket) -> str:
    """``http://`` and where a socket listens, without a slash at the end."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def run(app: ASGIApp, listener: socket.socket, *, ready: Callable[[], None], drain: Drain | None = None) -> None:
    """Runs until SIGINT or SIGTERM, then awaits ``drain`` and ends; a second signal ends at once.

    ``ready`` is called as soon as requests are answered and signals end it so.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="critical",  # what it would log has addresses in it
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_PATIENCE,
    )
    asyncio.run(_Server(config, ready, drain).serve([listener]))


class _Server(uvicorn.Server):
    """A server that goes on answering while it drains."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], drain: Drain | None) -> None:
        super().__init__(config)
        self._ready = ready
        self._drain = drain
        self._ending: asyncio.Task[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves on these sockets."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to answer."""
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins to end; the loop is not to be touched from inside a signal."""
        self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self._ending is not None:
            self.force_exit = self.should_exit = True
        else:
            self._ending = asyncio.create_task(self._finish())

    async def _finish(self) -> None:
        if self._drain is not None:
            await self._drain()
            await self._quiet()
        self.should_exit = True

    async def _quiet(self) -> None:
        latest = asyncio.get_running_loop().time() + _LAST_CALL
        n_requests = -1
        while n_requests != self.server_state.total_requests and asyncio.get_running_loop().time() < latest:
            n_requests = self.server_state.total_requests
            await asyncio.sleep(_QUIET)
