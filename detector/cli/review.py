"""``detector review``: a page on this machine where a person accepts, rejects, adds and re-labels findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detector.cli import inputs, options
from detector.cli.annotate import load_detector, provenance_of
from detector.cli.inputs import Failures
from detector.cli.report import today
from detector.cli.settings import Settings, in_force, selection_of
from detector.cli.streams import say
from detector.errors import InputError
from detector.readers.text import STANDARD_INPUT, find_all, is_address
from detector.report.wording import counted

if TYPE_CHECKING:
    from detector.detect import Detector
    from detector.spans import Document
    from detector.web.decisions import Review
    from detector.web.reviews import Reviews

_HOST = "127.0.0.1"


def command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Texts (all that annotate reads), folders of them, JSON that annotate wrote, or - for standard input.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="The corpus to write; decisions are kept beside it.",
            show_default="FILE.reviewed.jsonl",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="Where the page is; 0: anywhere free.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    strictness: options.StrictnessOption = None,
    model: options.ModelOption = None,
    backend: options.BackendOption = None,
    glob: options.GlobOption = None,
    input: inputs.KindOption = None,
    language_guard: inputs.GuardOption = None,
) -> None:
    """Review findings in the browser: accept, reject, re-label them, and mark what is missing.

    The page is for this machine and whoever knows its address. Every decision is on the disk before the page shows it;
    the same command goes on where it was stopped, and Ctrl-C ends it. Texts that are done are in the corpus, which
    `train --jsonl` and `evaluate --corpus jsonl` read. The model is needed for texts only.
    """
    from detector.web import check_installed

    check_installed("review")
    from detector.web.reviews import Reviews

    flags = {"strictness": strictness, "model": model, "backend": backend, "glob": glob}
    settings = in_force({**flags, "language_guard": language_guard})
    reviews = Reviews(out or _beside(paths[0]))
    try:
        source = Texts(settings, kind=input, reviews=reviews)
        shown = list(dict.fromkeys(source.reviews(paths)))
        if shown:
            reviews.write_corpus()  # what a crash may have kept from being written
            serve(reviews, shown, port=port, browser=browser)
            tell(reviews, shown)
    finally:
        reviews.close()
    if source.failures.n_failed:
        raise typer.Exit(2)


class Texts:
    """Where the documents come from: JSON as it is, what was under review already, and texts through the detector."""

    def __init__(self, settings: Settings, *, kind: str | None, reviews: Reviews) -> None:
        self._value = {name: setting.value for name, setting in settings.items()}
        self._selection = selection_of(settings)
        sizes = {name: self._value[name] for name in ("max_size", "max_unpacked")}
        self._reading = inputs.sources(kind=kind, fetch=False, allow_private=False, **sizes)
        self._reviews = reviews
        self._detector: Detector | None = None
        self.failures = Failures()

    def reviews(self, paths: Sequence[str]) -> Iterator[Review]:
        """The reviews of these files, in order; what cannot be read, or not reviewed as it is, is told and left out."""
        for path in self.failures.report(find_all(paths, glob=self._value["glob"])):
            if inputs.states_findings(path, self._reading.kind):
                for document, provenance in self.failures.readable(inputs.stated_findings(path)):
                    yield from self._told(self._reviews.add, document, provenance)
                continue
            documents = self.failures.report_unreadable([path], self._reading)
            for document in inputs.guarded(documents, self._value["language_guard"]):
                yield from self._told(self._review, document)

    def _told(self, make: Callable[..., Review], *given: Any) -> Iterator[Review]:
        """The review that is made of a document; nothing, after a line that says why, where there cannot be one."""
        try:
            review = make(*given)
        except InputError as error:
            self.failures.report([error])
        else:
            yield review

    def _review(self, document: Document) -> Review:
        return self._reviews.known(document) or self._annotated(document)

    def _annotated(self, document: Document) -> Review:
        if self._detector is None:
            self._detector = load_detector(self._value["model"], backend=self._value["backend"])
        strictness = self._value["strictness"]
        (found,) = self._detector.annotate([document], strictness=strictness)
        provenance = provenance_of(self._detector, strictness, self._selection)
        (kept,) = inputs.told([self._selection.apply(found)])
        return self._reviews.add(kept, provenance)


def serve(reviews: Reviews, shown: Sequence[Review], *, port: int, browser: bool) -> None:
    """Serve the pages until Ctrl-C."""
    from detector.web.guards import host_names
    from detector.web.review import new_token, review_app
    from detector.web.server import base_address, listen, run

    token = new_token()
    with listen(_HOST, port) as listener:
        address = f"{base_address(listener)}/{token}/"
        hosts = host_names([_HOST, "localhost"], listener.getsockname()[1])
        app = review_app(reviews, shown, token=token, hosts=hosts, created=today(), say=say)

        def ready() -> None:
            n_shown = counted(len(shown), "document")
            say(f"{n_shown} to review at {address} (Ctrl-C ends; decisions are in {reviews.log})")
            if browser:
                _open(address)

        run(app, listener, ready=ready)


def tell(reviews: Reviews, shown: Sequence[Review]) -> None:
    """Says what came of it."""
    n_done = sum(review.done for review in reviews.by_id.values())
    left = [review for review in shown if not review.done]
    say(f"{reviews.corpus}: {counted(n_done, 'document')} done" if n_done else "no document is done yet")
    for review in left:
        left_open = f"{counted(review.n_undecided, 'finding')} undecided"
        say(f"{review.document.id}: {left_open if review.n_undecided else 'all decided, but not said to be done'}")


def _open(address: str) -> None:
    import webbrowser

    if not webbrowser.open(address):
        say("no browser could be opened: open the address yourself")


def _beside(path: str) -> Path:
    named = Path(path) if Path(path).name.strip(".") else Path(path).resolve()  # such as . and ..
    if path == STANDARD_INPUT or is_address(path) or not named.name:
        raise InputError(f"{path}: has no place for the corpus beside it: name one with --out FILE.jsonl")
    return named.with_name(f"{named.stem}.reviewed.jsonl")
