"""How near annotating comes to what the CPU can do, beside what a user would use instead, on the same articles.

    python eval/bench_speed.py [--model DIR] [--pieces N] [--articles FILE.jsonl] [--systems NAME …] [--optimum PYTHON]

First the ceiling: products of matrices of the encoder's shapes in 32-bit floats, bfloat16 and 8-bit whole numbers, and
nothing else, on all cores at once: what a virtual machine calls two cores may share one. Then each system reads the
articles from text to spans, each in a process of its own. ``per core`` counts pieces a second of processor time: on a
busy machine it says more than pieces a second of the clock, and with ``--rounds`` the best of several turns counts, so
that a neighbour who comes and goes slows all systems or none. optimum wants another version of transformers than ours:
``--optimum`` names the Python of an environment that has it, without which it is left out. Results go to
``speed-int8-halves.json`` in ``eval/results``, or where the CPU has no products of 8-bit numbers to
``speed-float32.json``; the plot of seconds against words beside them (``.svg``).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import json
import math
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detector.decode import Scores, Setting
    from detector.detect import Detector
    from detector.spans import Document

ROOT = Path(__file__).parents[1]
SEED = ROOT / "seeds" / "why-asian-nato-finds-no-support.txt"
NEWS = ROOT.parent / "shared" / "data" / "unlabelled" / "news.jsonl"
RESULTS = ROOT / "eval" / "results"
ROWS = 256
LENGTHS = (30, 100, 300, 1000, 3000, 10_000)
N_CHECKED = 40
"""So many of the articles are compared with the reference."""
OURS = ("onnx", "torch")
SYSTEMS = {
    "onnx": "detector, --backend onnx",
    "torch": "detector, --backend torch",
    "onnx-float32": "the same graph in ONNX Runtime, 32-bit floats",
    "onnx-int8": "the same, ordinary 8-bit quantisation",
    "pipeline": "transformers pipeline with stride, as documented",
    "pipeline-batched": "the same with batch_size=8",
    "sentences": "torch, sentence by sentence",
    "optimum": "the pipeline on optimum's ONNX Runtime, as documented",
}
STRIDES = {"stride": 32, "aggregation_strategy": "simple"}
PACKAGES = ("torch", "transformers", "onnxruntime", "tokenizers", "numpy")


def main() -> None:
    """Prints the ceiling and a line for each system, and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=None, help="a model folder, or fast, in place of the default")
    parser.add_argument("--pieces", type=int, default=300_000, help="how many pieces of articles each system reads")
    parser.add_argument("--articles", default=str(NEWS), help="JSONL with a text in each line")
    parser.add_argument("--systems", nargs="*", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--optimum", metavar="PYTHON", help="the Python of an environment with optimum-onnx")
    parser.add_argument("--rounds", type=int, default=1, help="how often each system reads them; its best round counts")
    parser.add_argument("--longest", type=int, default=LENGTHS[-1], help="words of the longest text of the plot")
    parser.add_argument("--out", default=str(RESULTS), help="folder of speed.json and speed.svg")
    parser.add_argument("--measure", default=None, help=argparse.SUPPRESS)
    parser.add_argument("--network", default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps({"ceiling": ceilings, "network": save_network}.get(options.measure, measure)(options)))
        return
    if not options.optimum:
        options.systems = [name for name in options.systems if name != "optimum"]
    ceiling: dict[str, Any] = {}
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as options.network:
        if "optimum" in options.systems:
            in_new_processes("network", options, 1)
        for _ in range(options.rounds):
            ceiling = best_of(ceiling, mean_of(in_new_processes("ceiling", options, cores())))
            print(heading(ceiling), flush=True)
            for name in options.systems:
                (row,) = in_new_processes(name, options, 1)
                rows[name] = max(rows.get(name, row), row, key=lambda of: of["pieces_per_core"])
                print(line(name, rows[name], ceiling), flush=True)
                write(options, ceiling, rows)


def in_new_processes(measurement: str, options: argparse.Namespace, n: int) -> list[dict[str, Any]]:
    """One measurement in each of ``n`` processes at the same time, with the memory and start-up of a fresh one."""
    python = options.optimum if measurement == "optimum" else sys.executable
    command = [python, __file__, "--measure", measurement, "--articles", options.articles]
    command += ["--pieces", str(options.pieces), "--longest", str(options.longest)]
    command += ["--model", options.model] if options.model else []
    command += ["--network", options.network] if options.network else []
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(n)]
    outputs = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise SystemExit(f"{measurement}: failed; its message is above")
    return [json.loads(output.splitlines()[-1]) for output in outputs]


def mean_of(ceilings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The ceiling of a core, the mean of those measured at the same time."""
    first, counts = ceilings[0], [each["pieces_per_core"] for each in ceilings]
    return first | {"pieces_per_core": {name: sum(of[name] for of in counts) / len(counts) for name in counts[0]}}


def best_of(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The higher ceiling of each precision; nothing was measured before the first round."""
    known = before.get("pieces_per_core", {})
    return now | {"pieces_per_core": {k: max(v, known.get(k, v)) for k, v in now["pieces_per_core"].items()}}


def heading(ceiling: dict[str, Any]) -> str:
    """The machine, its ceilings, and the names of the columns."""
    of = ", ".join(f"{name} {value:,.0f}" for name, value in ceiling["pieces_per_core"].items())
    names = (("per core", 10), ("pieces/s", 10), ("ceiling", 9), ("outside", 9), ("start s", 9), ("MiB", 7))
    columns = "".join(f"{name:>{wide}}" for name, wide in (*names, ("differs", 9), ("spans", 8)))
    return f"{machine()['cpu']}, {cores()} cores; ceiling in pieces a second and core: {of}\n{'':<50}{columns}"


def line(name: str, row: dict[str, Any], ceiling: dict[str, Any]) -> str:
    """What was measured of a system; what was not is a dash."""

    def shown(key: str, form: str) -> str:
        return form.format(row[key]) if row.get(key) is not None else "–"

    of = row["pieces_per_core"] / ceiling["pieces_per_core"][row["precision"]]
    return (
        f"{SYSTEMS[name]:<50}{row['pieces_per_core']:10,.0f}{row['pieces_per_second']:10,.0f}{of:9.0%}"
        f"{shown('outside', '{:.1%}'):>9}{row['start_up']:9.2f}{row['peak_mib']:7.0f}"
        f"{shown('difference', '{:.4f}'):>9}{shown('equal_spans', '{:.2%}'):>8}"
    )


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, str]:
    """What it was measured on."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text(encoding="utf-8")) if info.exists() else []
    cpu = names[0] if names else platform.machine()
    return {"cpu": cpu, "python": platform.python_version(), **versions(PACKAGES)}


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of packages that are installed."""
    return {name: importlib.metadata.version(name) for name in packages}


def write(options: argparse.Namespace, ceiling: dict[str, Any], rows: dict[str, Any]) -> None:
    """Writes the results and the plot, called by the precision of our own products: CPUs differ in what they can."""
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    ours = rows.get(OURS[0], {}).get("precision", "others")
    name = "speed-" + ours.replace(" ", "-")
    value = {"machine": machine(), "cores": cores(), "ceiling": ceiling, "systems": rows}
    (out / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    (out / f"{name}.svg").write_text(plot({name: row["lengths"] for name, row in rows.items()}), encoding="utf-8")


# The ceiling


def ceilings(options: argparse.Namespace) -> dict[str, Any]:
    """Pieces a second and core if an encoder were nothing but its products, by precision."""
    import torch

    shapes = product_shapes(options.model)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    floats = (
        pieces_ceiling(shapes, lambda k, n: torch_product(k, n, torch.float32)),
        pieces_ceiling(shapes, float_product),
    )
    measured = {
        "float32": max(floats),  # which library is faster depends on the maker of the CPU
        "bfloat16": pieces_ceiling(shapes, lambda k, n: torch_product(k, n, torch.bfloat16)),
        "int8": pieces_ceiling(shapes, whole_product),
    }
    # Each value in two halves makes two products of one.
    measured["int8 halves"] = measured["int8"] / 2
    return {"pieces_per_core": measured, "multiplications_per_piece": sum(k * n * times for k, n, times in shapes)}


def product_shapes(model: str | None) -> list[tuple[int, int, int]]:
    """The encoder's matrices: inputs, outputs, how many of them."""
    from detector.detect import find_model
    from detector.folder import read_folder

    config = read_folder(find_model(model)).encoder
    width, inner, n_layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    return [(width, width, 4 * n_layers), (width, inner, n_layers), (inner, width, n_layers)]


def pieces_ceiling(shapes: Sequence[tuple[int, int, int]], product: Callable[[int, int], Callable[[], Any]]) -> float:
    """Pieces a second: `ROWS` pieces by the seconds of all products."""
    return ROWS / sum(times * best_seconds(product(k, n)) for k, n, times in shapes)


def best_seconds(run: Callable[[], Any], fewest: int = 5, most: int = 60, enough: float = 2.0) -> float:
    """The least processor time of a call, of as many as take ``enough`` seconds."""
    times: list[float] = []
    while len(times) < fewest or (len(times) < most and sum(times) < enough):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def torch_product(n_inputs: int, n_outputs: int, dtype: Any) -> Callable[[], Any]:
    """A product in torch with a matrix that is laid out as torch likes best."""
    import torch

    layer = torch.nn.Linear(n_inputs, n_outputs).to(dtype)
    x = torch.randn(ROWS, n_inputs).to(dtype)
    return lambda: layer(x)


def float_product(n_inputs: int, n_outputs: int) -> Callable[[], Any]:
    """A product of 32-bit floats in ONNX Runtime."""
    import numpy as np

    random = np.random.default_rng(0)
    matrix = random.normal(size=(n_inputs, n_outputs)).astype(np.float32)
    return runtime_product(matrix, random.normal(size=(ROWS, n_inputs)).astype(np.float32))


def whole_product(n_inputs: int, n_outputs: int) -> Callable[[], Any]:
    """A product of 8-bit whole numbers in ONNX Runtime."""
    import numpy as np

    random = np.random.default_rng(0)
    matrix = random.integers(-127, 128, size=(n_inputs, n_outputs)).astype(np.int8)
    return runtime_product(matrix, random.integers(0, 256, size=(ROWS, n_inputs)).astype(np.uint8))


def runtime_product(matrix: Any, x: Any) -> Callable[[], Any]:
    """A product in ONNX Runtime of the kind that the arrays are of."""
    from detector.backends.graph import Graph
    from detector.backends.onnx import make_session

    graph = Graph()
    weights = graph.constant(matrix)
    whole = x.dtype.name == "uint8"
    if whole:
        graph.node("MatMulInteger", "x", weights, graph.constant(128, "uint8"), output="y")
    else:
        graph.node("MatMul", "x", weights, output="y")
    file = graph.to_bytes({"x": (x.dtype.name, 2)}, {"y": ("int32" if whole else "float32", 2)})
    session = make_session(file, graph.arrays)
    return lambda: session.run(None, {"x": x})


# The systems


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Start-up, speed and memory of one system, and for ours how much of it is not the encoder's, and what differs."""
    start = time.perf_counter()
    annotate, detector = system(options)
    annotate("They want to destroy everything we love.")
    start_up = time.perf_counter() - start
    texts = list(articles(options.articles, options.pieces))
    clock, processor = time.perf_counter(), time.process_time()
    if detector:
        list(detector.annotate(documents(texts)))
    else:
        for text in texts:
            annotate(text)
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    n_pieces = count_pieces(texts, options.model)
    row: dict[str, Any] = {
        "precision": "float32",
        "n_pieces": n_pieces,
        "n_words": sum(len(text.split()) for text in texts),
        "seconds": clock,
        "pieces_per_second": n_pieces / clock,
        "pieces_per_core": n_pieces / processor,
        "start_up": start_up,
        "peak_mib": peak,
        "lengths": seconds_by_words(annotate, texts, options.longest),
    }
    if options.measure == "optimum":
        row |= {"versions": versions(("optimum-onnx", *PACKAGES))}
    if detector:
        row |= {"work": {name: getattr(detector.backend.work, name) for name in ("n_pieces", "n_padding", "n_calls")}}
        some = texts[:: max(1, len(texts) // N_CHECKED)]
        row |= {"precision": detector.backend.precision, "outside": outside(detector, some)}
        row |= differences(detector, some, options.model)
    return row


def system(options: argparse.Namespace) -> tuple[Callable[[str], Any], Detector | None]:
    """What annotates one text, and the detector behind it if it is ours."""
    name, model = options.measure, options.model
    if name == "optimum":
        return optimum_pipeline(options.network), None
    if name in OURS or name.startswith("onnx"):
        detector = our_detector(name, model)
        return detector.find, detector
    if name == "sentences":
        return sentence_by_sentence(model), None
    from transformers import pipeline

    network, tokenizer = token_classifier(model)
    batch = {"batch_size": 8} if name == "pipeline-batched" else {}
    return pipeline("token-classification", model=network, tokenizer=tokenizer, **STRIDES, **batch), None


def save_network(options: argparse.Namespace) -> None:
    """Saves the network and its tokenizer as `transformers` does; in a process of its own, for what it needs."""
    for part in token_classifier(options.model):
        part.save_pretrained(options.network)


def optimum_pipeline(folder: str) -> Callable[[str], Any]:
    """The pipeline on the network of a folder, exported by optimum."""
    from optimum.onnxruntime import ORTModelForTokenClassification
    from transformers import PreTrainedTokenizerFast, pipeline

    network = ORTModelForTokenClassification.from_pretrained(folder, export=True)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    run: Callable[[str], Any] = pipeline("token-classification", model=network, tokenizer=tokenizer, **STRIDES)
    return run


def our_detector(name: str, model: str | None) -> Detector:
    """The detector with a backend, or with ONNX Runtime and other products than ours."""
    from detector.detect import Detector, find_model, load

    if name in OURS:
        return load(model, backend=name)
    from detector.backends import default_threads
    from detector.backends.encoders import FloatProducts
    from detector.backends.onnx import OnnxBackend
    from detector.folder import read_folder

    files = read_folder(find_model(model))
    products = FloatProducts() if name == "onnx-float32" else one_half()
    backend = OnnxBackend(files, threads=default_threads(), products=products)
    return Detector(backend, files.info, files.tokenizer, dict(files.settings), files.hash)


def one_half() -> Any:
    """Products as dynamic quantisation makes them: each value in 8 bits, what rounding loses is lost."""
    from detector.backends.encoders import Graph, Half, Prepared, WholeProducts

    class OneHalf(WholeProducts):
        precision = "int8"

        def prepare(self, graph: Graph, x: str) -> Prepared:
            return Prepared(x, (Half(*graph.nodes("DynamicQuantizeLinear", x, outputs=3)),))

    return OneHalf()


def token_classifier(model: str | None) -> tuple[Any, Any]:
    """The same encoder and token head as `transformers` has them, and its tokenizer."""
    from transformers import AutoConfig, AutoModelForTokenClassification, PreTrainedTokenizerFast

    from detector.detect import find_model
    from detector.folder import read_folder
    from detector.model import load_weights
    from detector.windows import CHANNELS

    files = read_folder(find_model(model))
    ours = load_weights(files)
    config = AutoConfig.for_model(**files.encoder)
    config.id2label = dict(enumerate(CHANNELS))
    network = AutoModelForTokenClassification.from_config(config).eval()
    getattr(network, network.base_model_prefix).load_state_dict(ours.encoder.state_dict())
    network.classifier.load_state_dict(ours.token_head.state_dict())
    special = {
        name: files.tokenizer.id_to_token(getattr(files.info, key))
        for name, key in (("cls_token", "start_id"), ("sep_token", "end_id"), ("pad_token", "pad_id"))
    }
    inputs = ["input_ids", "attention_mask"]
    size = files.info.window + 2
    return network, PreTrainedTokenizerFast(
        tokenizer_object=files.tokenizer, model_max_length=size, model_input_names=inputs, **special
    )


def sentence_by_sentence(model: str | None) -> Callable[[str], Any]:
    """Splits where a sentence seems to end and gives each to the network."""
    import torch

    network, tokenizer = token_classifier(model)

    def annotate(text: str) -> list[Any]:
        sentences = [s for s in re.split(r"(?<=[.!?])\s+|\n+", text) if any(map(str.isalnum, s))]
        with torch.inference_mode():
            return [network(**tokenizer(s, return_tensors="pt", truncation=True)).logits.sigmoid() for s in sentences]

    return annotate


# What is measured of them


def outside(detector: Detector, texts: Sequence[str]) -> float:
    """The share of processor time that is not the encoder's: that of a run whose encoder knows its answers."""
    backend: Any = detector.backend
    answers: dict[bytes, Any] = {}
    encode = backend.encode

    def recording(windows: Sequence[Any]) -> list[Any]:
        scored: list[Any] = encode(windows)
        answers.update((window.tobytes(), values) for window, values in zip(windows, scored, strict=True))
        return scored

    backend.encode = recording
    start = time.process_time()
    list(detector.annotate(documents(texts)))
    whole = time.process_time() - start
    backend.encode = lambda windows: [answers[window.tobytes()] for window in windows]
    start = time.process_time()
    list(detector.annotate(documents(texts)))
    seconds = time.process_time() - start
    backend.encode = encode
    return seconds / whole


def differences(detector: Detector, texts: Sequence[str], model: str | None) -> dict[str, float]:
    """What `agreement` says of the detector and of torch in 32-bit floats on these texts, at balanced."""
    scored = list(detector.score(documents(texts)))
    reference = scored if detector.backend.name == "torch" else our_detector("torch", model).score(documents(texts))
    pairs = ((document.text, ours, theirs) for (document, ours), (_, theirs) in zip(scored, reference, strict=True))
    return agreement(pairs, detector.setting("balanced"), gap=detector.info.gap)


def agreement(pairs: Iterable[tuple[str, Scores, Scores]], setting: Setting, *, gap: int) -> dict[str, float]:
    """The largest difference of a probability, the share of spans equal to the character, and the reference's spans.

    ``pairs``: texts, each with the scores of a system and those of the reference.
    """
    import numpy as np

    from detector.decode import decode

    largest, n_equal, n_found, n_reference = 0.0, 0, 0, 0
    for text, *both in pairs:
        ours, theirs = (chance(scores.logits) for scores in both)
        largest = max(largest, float(np.abs(ours - theirs).max(initial=0)))
        found, expected = (
            {(s.start, s.end, s.technique) for s in decode(text, scores, setting, gap=gap)} for scores in both
        )
        n_equal += len(found & expected)
        n_found, n_reference = n_found + len(found), n_reference + len(expected)
    equal = 2 * n_equal / max(1, n_found + n_reference)
    return {"difference": largest, "equal_spans": equal, "n_spans_compared": n_reference}


def chance(logits: Any) -> Any:
    """Probabilities of logits."""
    import numpy as np

    return 0.5 * (1 + np.tanh(0.5 * logits))


def seconds_by_words(annotate: Callable[[str], Any], texts: Sequence[str], longest: int) -> list[tuple[int, float]]:
    """Seconds of the clock for one text of so many words, by number of words."""
    words = " ".join(texts).split(" ")
    measured = []
    for n_words in (n for n in LENGTHS if n <= min(longest, len(words))):
        text = " ".join(words[:n_words])
        start = time.perf_counter()
        annotate(text)
        measured.append((n_words, time.perf_counter() - start))
    return measured


def articles(path: str, n_pieces: int) -> Iterator[str]:
    """Articles of about so many pieces (of 4.5 characters) together; the seed article where there is no file."""
    file = Path(path)
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    texts = [json.loads(each)["text"] for each in lines] or [SEED.read_text(encoding="utf-8")]
    n_characters = 0
    for text in itertools.cycle(texts):
        if n_characters >= 4.5 * n_pieces:
            return
        n_characters += len(text)
        yield text


def documents(texts: Sequence[str]) -> Iterator[Document]:
    """The texts as documents."""
    from detector.spans import Document

    return (Document(str(i), text) for i, text in enumerate(texts))


def count_pieces(texts: Sequence[str], model: str | None) -> int:
    """The pieces of all texts, counted once."""
    from detector.detect import find_model
    from detector.folder import read_folder
    from detector.windows import tokenize

    tokenizer = read_folder(find_model(model)).tokenizer
    return sum(len(tokenize(tokenizer, text)) for text in texts)


# The plot


def plot(series: dict[str, list[tuple[int, float]]]) -> str:
    """Seconds against words of text as an SVG picture, both axes logarithmic."""
    width, height, left, top, right, bottom = 780, 420, 60, 20, 360, 50
    points = [point for values in series.values() for point in values]
    x_axis, y_axis = (decades([point[i] for point in points]) for i in (0, 1))

    def place(words: float, seconds: float) -> tuple[float, float]:
        across = (math.log10(words) - x_axis[0]) / (x_axis[-1] - x_axis[0])
        up = (math.log10(seconds) - y_axis[0]) / (y_axis[-1] - y_axis[0])
        return left + across * (width - left - right), height - bottom - up * (height - top - bottom)

    marks = []
    for power in x_axis:
        x, y = place(10.0**power, 10.0 ** y_axis[0])
        marks.append(f'<path class="grid" d="M{x:.0f} {top}V{y:.0f}"/>{label(x, y + 18, f"{10**power:,}", "middle")}')
    for power in y_axis:
        x, y = place(10.0 ** x_axis[0], 10.0**power)
        marks.append(
            f'<path class="grid" d="M{x:.0f} {y:.0f}H{width - right}"/>{label(x - 6, y + 4, f"{10**power:g}", "end")}'
        )
    for i, (name, values) in enumerate(series.items()):
        path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in values)
        x, y = place(*values[-1])
        key = top + 16 + 22 * i
        hue, thick = 360 * i // len(series), 3 if name == "onnx" else 1.8
        style = f'stroke="hsl({hue} 70% 38%)" stroke-width="{thick}" fill="none"'
        marks.append(f'<polyline points="{path}" {style}/><path d="M{width - right + 14} {key - 4}h20" {style}/>')
        marks.append(label(width - right + 40, key, SYSTEMS[name], "start"))
    marks.append(label((left + width - right) / 2, height - 10, "words of text", "middle"))
    marks.append(label(left - 50, top - 6, "seconds", "start"))
    font = 'font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {font}>'
    style = "<style>.grid{stroke:#ccc;stroke-width:.6}</style>"
    ground = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    return "\n".join([head, style, ground, *marks, "</svg>"]) + "\n"


def decades(values: Sequence[float]) -> range:
    """The powers of ten around the values."""
    return range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)


def label(x: float, y: float, text: str, anchor: str) -> str:
    """A text of the picture."""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="#222">{text}</text>'


if __name__ == "__main__":
    main()
