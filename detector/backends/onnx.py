"""ONNX Runtime on the CPU, over a graph built from the model folder's own weights: no torch, no export, no cache.

A call holds windows of one length, so nothing is padded. Calls run beside each other, each on one thread: no thread
waits for another inside a product, and the outputs do not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime

from detector.backends import N_SPECIAL, Candidate, Encoded, Floats, Ints, WorkCount, batches
from detector.backends.encoders import FloatProducts, Weights, WholeProducts, encoder_graph, span_graph
from detector.backends.graph import Array
from detector.errors import ModelError
from detector.folder import MAX_COUNT_BIN, MAX_LENGTH_BIN, ModelFiles, read_weights, unusable
from detector.memory import return_freed
from detector.techniques import NAMES

CALL_PIECES = 512
"""Short windows of one length share a call up to this many pieces; more would win nothing."""

CPU_FLAGS = Path("/proc/cpuinfo")
DOT_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni"})
"""What Linux calls the instructions that multiply and add 8-bit numbers."""


class OnnxBackend:
    """Runs a model folder in ONNX Runtime on ``threads`` threads.

    ``products`` are of whole numbers by default where the CPU is made for them: older ones are slower at them, and
    overflow (see `detector.backends.encoders`).
    Raises `ModelError` where the weights do not fit.
    """

    name = "onnx"

    def __init__(self, files: ModelFiles, *, threads: int = 1, products: FloatProducts | None = None) -> None:
        self.info = files.info
        self.work = WorkCount()
        self.threads = threads
        self._weights = Weights(read_weights(files))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="encoder")
        products = products or (WholeProducts() if multiplies_whole_numbers() else FloatProducts())
        self.precision = products.precision
        try:
            self._encoder = make_session(*encoder_graph(files, self._weights, products))
        except (KeyError, ValueError, IndexError) as error:
            raise unusable(files.path, error) from error
        except Exception as error:  # the runtime's own kinds, which have no common one
            raise ModelError(f"{files.path}: the weights do not fit encoder.json; install the model again") from error
        return_freed()  # the runtime has made its own arrangement of the matrices

    def encode(self, windows: Sequence[Ints]) -> list[Encoded]:
        """See `Backend.encode`."""
        results: dict[int, Encoded] = {}
        for rows, (logits, means) in self._run(windows, ["logits", "mean"]):
            for row, values, mean in zip(rows, logits, means, strict=True):
                results[row] = Encoded(values[1:-1], mean[0])
        return [results[row] for row in range(len(windows))]

    def score(self, windows: Sequence[Ints]) -> list[Floats]:
        """See `Backend.score`."""
        return [encoded.logits for encoded in self.encode(windows)]

    def classify(self, windows: Sequence[Ints], candidates: Sequence[Candidate]) -> tuple[Floats, list[Encoded]]:
        """See `Backend.classify`."""
        results: dict[int, Encoded] = {}
        features: list[Floats] = [np.empty(0, dtype=np.float32)] * len(candidates)
        for rows, (hidden, logits, means) in self._run(windows, ["hidden", "logits", "mean"]):
            for at, row in enumerate(rows):
                results[row] = Encoded(logits[at][1:-1], means[at][0])
                for i in (i for i, candidate in enumerate(candidates) if candidate.window == row):
                    features[i] = self._features(hidden[at], logits[at], candidates[i])
        scores: Floats = np.empty((0, len(NAMES)), dtype=np.float32)
        if candidates:
            scores = self._span_head.run(["scores"], {"features": np.stack(features)})[0]
        return scores, [results[row] for row in range(len(windows))]

    def span_bias(self, corpus: str | None) -> Floats:
        """See `Backend.span_bias`."""
        biases = self._weights.floats("span_bias.weight")
        bias: Floats = biases.mean(axis=0) if corpus is None else biases[self.info.row_of(corpus)]
        return bias

    def token_bias(self, corpus: str) -> Floats:
        """See `Backend.token_bias`."""
        bias: Floats = self._weights.floats("token_bias.weight")[self.info.row_of(corpus)]
        return bias

    def _run(self, windows: Sequence[Ints], outputs: list[str]) -> Iterator[tuple[list[int], list[Floats]]]:
        """Which windows were encoded together, and their outputs ``(n_windows, n_pieces or 1, …)``."""
        calls = list(batches(windows, n_pieces=CALL_PIECES, shortest=1.0))

        def run(rows: list[int]) -> list[Floats]:
            ids = np.stack([self._framed(windows[row]) for row in rows])
            values = self._encoder.run(outputs, {"ids": ids})
            return [value.reshape(len(rows), -1, value.shape[-1]) for value in values]

        for rows in calls:
            self.work.add(len(rows) * (len(windows[rows[0]]) + N_SPECIAL), 0)
        alone = self.threads == 1 or len(calls) == 1
        yield from zip(calls, map(run, calls) if alone else self._pool.map(run, calls), strict=True)

    def _framed(self, window: Ints) -> Ints:
        return np.concatenate(([self.info.start_id], window, [self.info.end_id]))

    def _features(self, hidden: Floats, logits: Floats, span: Candidate) -> Floats:
        """What the span head looks at, as in `RhetoricModel.classify`."""
        inside = slice(span.first + 1, span.last + 2)  # the special piece comes before the first
        length = min(int(np.log2(span.last - span.first + 1)), MAX_LENGTH_BIN)
        count = min(max(span.count - 1, 0), MAX_COUNT_BIN)
        parts = [
            hidden[inside][0],
            hidden[inside][-1],
            hidden[inside].mean(axis=0),
            hidden[0],
            self._weights.floats("length_embedding.weight")[length],
            self._weights.floats("count_embedding.weight")[count],
            logits[inside].mean(axis=0),
        ]
        return np.concatenate(parts)

    @cached_property
    def _span_head(self) -> onnxruntime.InferenceSession:
        return make_session(*span_graph(self._weights))


def multiplies_whole_numbers() -> bool:
    """Whether the CPU has instructions for products of 8-bit numbers, as far as Linux says."""
    try:
        lines = CPU_FLAGS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not DOT_PRODUCTS.isdisjoint(flags.split())


def make_session(graph: bytes, arrays: dict[str, Array]) -> onnxruntime.InferenceSession:
    """A session of the runtime on one thread, for a graph's file and its large arrays, of which none is left."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # it keeps memory for every shape that it has seen
    options.log_severity_level = 4  # what fails is raised; the rest is of no use to a reader of spans
    names = list(arrays)
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(arrays.pop(name)) for name in names]  # which copies
    options.add_external_initializers(names, values)
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
