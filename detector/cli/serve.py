"""``detector serve``: the detector for other programs, over HTTP."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli import inputs, options
from detector.cli.annotate import load_detector, provenance_of
from detector.cli.settings import in_force, selection_of
from detector.cli.streams import say
from detector.errors import ConfigError

if TYPE_CHECKING:
    from detector.web.api import Api

_VARIABLE = "DETECTOR_TOKEN"


def command(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; beyond this machine only with a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="The port; 0: any that is free.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            help=f"What requests must carry (Authorization: Bearer TOKEN); better in {_VARIABLE}.",
            show_default=False,
        ),
    ] = None,
    strictness: options.StrictnessOption = None,
    min_confidence: options.MinConfidenceOption = None,
    only: options.OnlyOption = None,
    ignore: options.IgnoreOption = None,
    quotes: options.QuotesOption = None,
    model: options.ModelOption = None,
    backend: options.BackendOption = None,
    max_body: Annotated[int, typer.Option(min=1, metavar="KB", help="Largest request; larger ones get 413.")] = 1000,
    queue: Annotated[int, typer.Option(min=1, metavar="N", help="Requests that may wait; others get 429.")] = 128,
    window: Annotated[
        float, typer.Option(min=0, max=10_000, metavar="MS", help="How long a batch gathers, in milliseconds.")
    ] = 5.0,
    log: Annotated[bool, typer.Option("--log", help="Say a line for each request: no text, no token.")] = False,
    language_guard: inputs.GuardOption = None,
) -> None:
    """Serve annotate and classify to other programs, over HTTP and in JSON.

    POST /v1/annotate, POST /v1/classify, GET /v1/techniques, GET /health; the page at / describes them. Records are
    those of `annotate --format json`. Requests that come together are worked on together. Ctrl-C or SIGTERM ends it
    once all that was taken is answered. The options about findings hold for requests that say nothing else.
    """
    from detector.web import check_installed

    check_installed("serve")
    settings = in_force(
        {
            "strictness": strictness,
            "min_confidence": min_confidence,
            "only": only,
            "ignore": ignore,
            "quotes": quotes,
            "model": model,
            "backend": backend,
            "language_guard": language_guard,
        }
    )
    from detector.web.guards import checked_token, host_names
    from detector.web.server import base_address, is_loopback, listen, run

    given = os.environ.get(_VARIABLE) or None if token is None else token
    secret = checked_token(given, origin=_VARIABLE if token is None else "--token")
    if not is_loopback(host) and secret is None:
        raise ConfigError(f"--host {host}: others can reach this address: set a token in {_VARIABLE} first")
    from detector import __version__
    from detector.web.api import Api, Limits, Service
    from detector.web.requests import Choices

    with listen(host, port) as listener:
        detector = load_detector(settings["model"].value, backend=settings["backend"].value)
        usual = Choices(settings["strictness"].value, selection_of(settings))
        detector.setting(usual.strictness)  # a wrong one is told before anything is served
        limits = Limits(n_bytes=max_body * 1000, n_waiting=queue, window=window / 1000)
        guard = str(settings["language_guard"].value)
        names = [host, "127.0.0.1", "localhost", "::1"]
        hosts = host_names(names, listener.getsockname()[1]) if is_loopback(host) else None
        service = Service(detector, usual, provenance_of, __version__, limits, guard)
        api = Api(service, hosts=hosts, token=secret, log=say if log else None, say=say)
        message = f"serving {detector.name} at {base_address(listener)} (Ctrl-C ends)"
        run(api.app, listener, ready=lambda: say(message), drain=api.drain)
        _tell(api)


def _tell(api: Api) -> None:
    n = api.batcher.n_taken
    say(f"stopped: {n:,} request{'s'[n == 1 :]} answered in {api.batcher.n_batches:,} batches")
