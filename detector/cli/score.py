"""``detector score``: a corpus in, a folder of part files out; stopped anywhere, the same command goes on."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from detector.batch.choices import Engine, PartFormat
from detector.cli import options, streams
from detector.cli.inputs import Guard
from detector.cli.settings import in_force, selection_of
from detector.cli.streams import say
from detector.errors import ConfigError, InputError
from detector.report.wording import counted

if TYPE_CHECKING:
    from detector.batch.run import Job, Progress, Summary

INTERRUPTED = 130


def _print_schema(wanted: bool) -> None:
    if wanted:
        from detector.batch.schema import describe

        streams.emit(json.dumps(describe(), indent=2) + "\n")
        raise typer.Exit


def command(
    corpus: Annotated[
        list[str],
        typer.Argument(
            metavar="CORPUS",
            help="Files (txt, jsonl, csv, tsv, parquet, zip; also .gz, .zst), folders, 'patterns', URLs, data sets "
            "(hf:OWNER/NAME, or a saved folder), or - for JSONL on standard input.",
            show_default=False,
        ),
    ],
    out: Annotated[
        str, typer.Option(metavar="DIR", help="The folder (or s3:// URL) of the results.", show_default=False)
    ],
    text_column: Annotated[str, typer.Option(metavar="COLUMN", help="Where the text is.")] = "text",
    id_column: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="What to call a document; id where there is one.", show_default=False),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN,…", help="Columns to carry along (may be repeated).", show_default=False),
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="The split of a data set; train where there are several.")
    ] = None,
    format: Annotated[PartFormat, typer.Option(help="How part files are written.")] = PartFormat.PARQUET,
    part_size: Annotated[int, typer.Option(min=1, metavar="N", help="Documents in a part.")] = 100,
    strictness: options.StrictnessOption = None,
    min_confidence: options.MinConfidenceOption = None,
    threshold: options.ThresholdOption = None,
    only: options.OnlyOption = None,
    ignore: options.IgnoreOption = None,
    ignore_pattern: options.IgnorePatternOption = None,
    quotes: options.QuotesOption = None,
    language_guard: Annotated[
        Guard | None,
        typer.Option(
            help="Texts in other languages than English: warn and tell the language of every text, skip them "
            "(rows without findings), or off: do not look.",
            show_default="warn",
        ),
    ] = None,
    model: options.ModelOption = None,
    backend: options.BackendOption = None,
    device: Annotated[str, typer.Option(metavar="cpu|cuda", help="With cuda, workers take the GPUs in turn.")] = "cpu",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Processes: one a core where left out, one a GPU with cuda.", show_default=False
        ),
    ] = None,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Only every N-th part from the I-th on: job arrays.")
    ] = "1/1",
    engine: Annotated[
        Engine, typer.Option(help="Processes of this machine, or actors of a Ray cluster.")
    ] = Engine.LOCAL,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Try again what could not be read, or has changed.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only errors.")] = False,
    schema: Annotated[
        bool,
        typer.Option("--schema", callback=_print_schema, is_eager=True, help="Print the columns of a part and exit."),
    ] = False,
) -> None:
    """Score a corpus: which techniques each document uses, and where, as part files with one row a document.

    Killed at any moment, the same command goes on; the same corpus and settings give the same bytes. Documents that
    cannot be read are listed in DIR/errors.jsonl and do not fail the run. Ctrl-C finishes the parts in hand.

    Settings may stand in detector.toml (see `detector config`): those of findings, languages and the model.
    """
    from detector import __version__
    from detector.backends import check_device, choose_backend
    from detector.batch.records import Columns
    from detector.batch.run import Job
    from detector.batch.schema import check_kept
    from detector.batch.work import Settings
    from detector.detect import find_model
    from detector.folder import read_folder, setting_of

    chosen = in_force(
        {
            "strictness": strictness,
            "min_confidence": min_confidence,
            "thresholds": options.thresholds(threshold),
            "only": only,
            "ignore": ignore,
            "ignore_patterns": ignore_pattern,
            "quotes": quotes,
            "language_guard": language_guard,
            "model": model,
            "backend": backend,
        }
    )
    folder = chosen["model"].value
    columns = Columns(text_column, id_column, check_kept(column_names(keep or ())))
    selection, kind = selection_of(chosen), check_device(device)
    files = read_folder(find_model(folder))
    settings = Settings(
        __version__,
        files.info.name,
        files.hash,
        strictness=chosen["strictness"].value,
        selection=selection,
        language_guard=chosen["language_guard"].value,
        device=kind,
        backend=choose_backend(chosen["backend"].value, files, device=device),
        format=format,
        part_size=part_size,
        columns=columns,
    )
    job = Job(
        corpus=tuple(corpus),
        out=out,
        settings=settings,
        model=folder,
        device=device,
        split=split,
        engine=engine,
        workers=workers or default_workers(device),
        shard=parse_shard(shard),
        retry_errors=retry_errors,
        precision=setting_of(files.settings, settings.strictness).precision,
    )
    run(job, quiet=quiet)


def run(job: Job, *, quiet: bool) -> None:
    """Scores a job with progress on standard error; exits with 130 where it was interrupted."""
    from detector.batch.run import score_corpus
    from detector.batch.sources import passed_over

    reporter = Reporter(quiet=quiet, terminal=sys.stderr is not None and sys.stderr.isatty())
    with stopping() as stop:
        stdin = getattr(sys.stdin, "buffer", None)
        summary = score_corpus(job, stdin=stdin, on_progress=reporter.update, stop=stop.is_set)
    reporter.clear()
    if not summary.n_documents and summary.first_error:
        raise InputError(f"no document could be scored: {summary.first_error}")
    if stop.is_set() and not summary.finished:
        say(f"stopped after {_held(summary)}; the same command goes on from there")
        raise typer.Exit(INTERRUPTED)
    if not quiet:
        say(f"{job.out}: {_held(summary)}{'' if summary.finished else '; other shards have parts to make'}")
        if others := sorted(passed_over(job.corpus)):
            told = f"{counted(len(others), 'file')} of other kinds passed over, such as {others[0]}"
            say(f"warning: {job.out}: {told}: detector annotate reads more kinds")
        if summary.n_errors:
            say(f"{job.out}/errors.jsonl lists what could not be read: mend it and add --retry-errors")
        if summary.n_foreign:
            say(foreign_warning(job, summary))
        if summary.n_switched_off:
            texts = counted(summary.n_switched_off, "text")
            say(f"warning: {job.out}: {texts} with <!-- detector: off -->, where nothing is found up to the next “on”")


def foreign_warning(job: Job, summary: Summary) -> str:
    """What to know about the documents in languages that the model was not trained on."""
    from detector.readers.language import TRAINED_ON

    known = ", ".join(TRAINED_ON)
    done = "left out" if job.settings.language_guard == Guard.SKIP else "do not trust their findings"
    return (
        f"warning: {job.out}: {counted(summary.n_foreign, 'document')} in other languages (column language), "
        f"the model has only read {known}: {done}"
    )


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that is set by the first Ctrl-C or SIGTERM; the second ends the program at once."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        say("stopping: the parts in hand are finished first (once more to stop at once)")

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Reporter:
    """Tells progress: a line that changes on a terminal, a line a minute elsewhere, nothing when quiet."""

    def __init__(self, *, quiet: bool, terminal: bool) -> None:
        self.quiet = quiet
        self.terminal = terminal
        self.last = time.monotonic()

    def update(self, progress: Progress) -> None:
        """Shows how far the run is, if it is time to."""
        now = time.monotonic()
        if self.quiet or now - self.last < (0.5 if self.terminal else 60):
            return
        self.last = now
        if self.terminal:
            typer.echo(f"\r\x1b[K{progress_line(progress)}", err=True, nl=False, color=True)
        else:
            say(progress_line(progress))

    def clear(self) -> None:
        """Leaves the terminal's line empty."""
        if self.terminal and not self.quiet:
            typer.echo("\r\x1b[K", err=True, nl=False, color=True)


def progress_line(progress: Progress) -> str:
    """What a user wants to know of a run: documents, pieces a second, errors, time left."""
    seconds = progress.seconds()
    rate = f"{progress.n_pieces / seconds:,.0f} pieces/s" if seconds else "starting"
    kept = f" (and {progress.n_kept:,} before)" if progress.n_kept else ""
    left = progress.seconds_left()
    remaining = "" if left is None else f", {_duration(left)} left"
    done, errors = counted(progress.n_documents, "document"), counted(progress.n_errors, "error")
    return f"{done}{kept}, {rate}, {errors}{remaining}"


def column_names(given: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """The columns of names given one by one or in lists with commas."""
    return tuple(name.strip() for item in given for name in item.split(",") if name.strip())


def parse_shard(given: str) -> tuple[int, int]:
    """The numbers of ``I/N``; raises ConfigError for anything else."""
    index, slash, n_shards = given.partition("/")
    if not (slash and index.isdecimal() and n_shards.isdecimal()):
        raise ConfigError(f"--shard {given}: give I/N with I from 1 to N, such as 1/8")
    return int(index), int(n_shards)


def default_workers(device: str) -> int:
    """One worker a core; with ``cuda``, one a GPU."""
    if device == "cuda":
        import torch

        return max(1, torch.cuda.device_count())
    from detector.backends import available_cores

    return available_cores() if device == "cpu" else 1


def _held(summary: Summary) -> str:
    errors = f", {counted(summary.n_errors, 'error')}" if summary.n_errors else ""
    return f"{counted(summary.n_documents, 'document')} in {counted(summary.n_parts, 'part')}{errors}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
