"""What a model folder must fulfil before anything is built from it, because it may come from a stranger.

Nothing here runs, unpickles or fetches anything. What is refused raises ValueError, whose text names file and reason.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from detector.techniques import NAMES
from detector.windows import CHANNELS, IDENTIFICATION, tokenize

PICKLES = frozenset({".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth"})
"""Suffixes of files that can run code when they are opened. None is read; that one is there is reason enough."""
DATA_BYTES = {
    "model.json": 1_000_000,
    "settings.json": 1_000_000,
    "encoder.json": 1_000_000,
    "tokenizer.json": 64_000_000,
    "names.toml": 1_000_000,
}
"""The most bytes of each file of data."""
WEIGHTS_BYTES, HEADER_BYTES = 4_000_000_000, 10_000_000
"""The most bytes of a file of weights, and of the header in it."""
REPLACEMENT_BYTES = 64
"""The most bytes that a normalizer makes of a character: compatibility decomposition makes 33 of U+FDFA."""
MOST_NUMBER = 1e6
"""No number of a setting is farther from 0."""
MOST_THRESHOLDS = 100
"""No setting has more thresholds for identification."""
MOST_WORDS = 1000
"""No setting asks for more words in a span."""

ENCODERS = ("bert", "roberta", "xlm-roberta", "mpnet", "deberta", "deberta-v2")
"""The types of encoders that are built; others may fetch files or run code when they are made."""
_ENCODER_NUMBERS = {
    "vocab_size": 2_000_000,
    "hidden_size": 16_384,
    "pooler_hidden_size": 16_384,
    "num_hidden_layers": 128,
    "num_attention_heads": 512,
    "intermediate_size": 65_536,
    "max_position_embeddings": 65_536,
    "max_relative_positions": 65_536,
    "position_buckets": 65_536,
    "relative_attention_num_buckets": 65_536,
    "type_vocab_size": 1_024,
    "conv_kernel_size": 1_024,
    "conv_groups": 1_024,
    "pad_token_id": 2_000_000,
    "bos_token_id": 2_000_000,
    "eos_token_id": 2_000_000,
    "hidden_dropout_prob": 1,
    "attention_probs_dropout_prob": 1,
    "classifier_dropout": 1,
    "pooler_dropout": 1,
    "cls_dropout": 1,
    "initializer_range": 1_000,
    "layer_norm_eps": 1,
}
_ENCODER_WORDS = frozenset(
    (
        *("model_type", "hidden_act", "pooler_hidden_act", "conv_act", "pos_att_type", "norm_rel_ebd"),
        *("position_embedding_type", "architectures", "dtype", "transformers_version"),
    )
)
_ENCODER_SWITCHES = frozenset(
    (
        *("relative_attention", "position_biased_input", "share_att_key", "legacy", "use_cache", "is_decoder"),
        *("add_cross_attention", "gradient_checkpointing", "tie_word_embeddings"),
    )
)
_OF_DECODERS = frozenset(("is_decoder", "add_cross_attention"))
_INFO_NUMBERS = {"window": (1, 4_096), "overlap": (0, 4_095), "gap": (0, 10_000)}
_INFO_IDS = ("start_id", "end_id", "pad_id")
_LAYER = re.compile(r"encoder\.encoder\.layer\.(\d{1,3})\.")
_LENGTH = 200
_PROBE = "A probe: 9 words, \u00c4\u00df\u4e2d\U0001f600 \ue000 \U0010fffd\r\n"
"""What every tokenizer must be able to cut: characters that none knows among them."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor of a file of weights, by its header: bytes ``[first, last)`` behind it."""

    dtype: str
    shape: tuple[int, ...]
    first: int
    last: int


def check_files(folder: Path) -> None:
    """Refuses pickles, and what is read but is no file, too large, or a link out of the folder.

    The hub's cache keeps files in ``blobs`` beside its ``snapshots``, and links to them: those are let through.
    """
    root = folder.resolve()
    homes = [root, *([root.parents[1] / "blobs"] if root.parent.name == "snapshots" else [])]
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICKLES:
            raise ValueError(f"{path.name} can run code when it is opened, and no model needs it: delete it")
        if path.name not in DATA_BYTES and path.suffix != ".safetensors":
            continue
        real = path.resolve()
        if not any(real.is_relative_to(home) for home in homes):
            raise ValueError(f"{path.name} is a link out of the folder: copy the file")
        if not real.is_file():
            raise ValueError(f"{path.name} is no file")
        most = DATA_BYTES.get(path.name, WEIGHTS_BYTES)
        if real.stat().st_size > most:
            raise ValueError(f"{path.name} has more than {most:,} bytes")
        if path.suffix == ".safetensors":
            header_bytes(real)


def check_info(info: Mapping[str, Any]) -> None:
    """Refuses a description with names that are none or with sizes that no encoder has."""
    for key, (low, high) in _INFO_NUMBERS.items():
        _check_whole(f"model.json: {key}", info[key], low, high)
    for key in _INFO_IDS:
        _check_whole(f"model.json: {key}", info[key], 0, _ENCODER_NUMBERS["vocab_size"])
    if info["overlap"] >= info["window"]:
        raise ValueError(f"model.json: the overlap {info['overlap']} must be less than the window {info['window']}")
    corpora = info["corpora"]
    if not isinstance(corpora, list) or not corpora or len(set(corpora)) < len(corpora):
        raise ValueError("model.json: corpora must be a list of different names")
    for name in (info["name"], info["encoder"], *corpora):
        _check_word("model.json: a name", name)
        if not name.isprintable():  # it is shown, and a terminal would obey what is not
            raise ValueError(f"model.json: a name is {name!r:.40}, with characters that cannot be shown")


def check_setting(name: str, setting: Mapping[str, Any]) -> None:
    """Refuses a setting that lacks a technique, names an unknown one, or has a number that is none."""
    place = f"settings.json: {name!r:.40}"
    if setting["name"] != name:
        raise ValueError(f"{place}: calls itself {setting['name']!r:.40}")
    for key in ("bias", "thresholds", "min_confidence", "calibration"):
        unknown = set(setting[key]) ^ set(CHANNELS)
        if unknown and not (unknown == {IDENTIFICATION} and key != "bias"):  # which had a place there once
            raise ValueError(f"{place}: {key} has other techniques than this version")
    numbers = [number for key in ("bias", "thresholds", "min_confidence") for number in setting[key].values()]
    calibrations = list(setting["calibration"].values())
    if (identification := setting.get("identification")) is not None:
        calibrations += [identification[key] for key in ("precision", "recall")]
        numbers += [*identification["thresholds"], identification["recall_weight"], identification["cost"]]
        if not 1 <= len(identification["thresholds"]) <= MOST_THRESHOLDS:
            raise ValueError(f"{place}: identification must have from 1 to {MOST_THRESHOLDS} thresholds")
    for calibration in calibrations:
        if len(calibration["weights"]) != 4:
            raise ValueError(f"{place}: a calibration has {len(calibration['weights'])} weights, not 4")
        numbers += [*calibration["weights"], calibration["offset"]]
    for number in numbers:
        _check_number(place, number, -MOST_NUMBER, MOST_NUMBER)
    for channel, fewest in setting.get("fewest_words", {}).items():
        if channel not in CHANNELS:
            raise ValueError(f"{place}: fewest_words names {channel!r:.40}, which is no technique of this version")
        _check_whole(f"{place}: fewest_words", fewest, 1, MOST_WORDS)
    for key in ("precision", "recall"):
        if setting.get(key) is not None:
            _check_number(f"{place}: {key}", setting[key], 0, 1)


def check_encoder(encoder: Mapping[str, Any]) -> None:
    """Refuses an encoder of a type that is not built here, with keys that it has no use for, or too large."""
    if encoder.get("model_type") not in ENCODERS:
        raise ValueError(f"encoder.json: model_type {encoder.get('model_type')!r:.40} is not of {', '.join(ENCODERS)}")
    for key, value in encoder.items():
        place = f"encoder.json: {key:.40}"
        if key in _ENCODER_NUMBERS:
            if value is not None:
                _check_number(place, value, -1 if key == "max_relative_positions" else 0, _ENCODER_NUMBERS[key])
        elif key in _ENCODER_WORDS:
            for word in value if isinstance(value, list) else [value]:
                _check_word(place, "" if word is None else word)
        elif key not in _ENCODER_SWITCHES:
            raise ValueError(f"{place} is no key of an encoder that is built here")
        elif not isinstance(value, bool | None):
            raise ValueError(f"{place} must be true or false")
        elif value and key in _OF_DECODERS:
            raise ValueError(f"{place} must be false: an encoder reads each piece with all others")
    if encoder["hidden_size"] % encoder["num_attention_heads"]:
        raise ValueError("encoder.json: hidden_size is no multiple of num_attention_heads")


def check_tokenizer(tokenizer: Mapping[str, Any]) -> None:
    """Refuses a tokenizer with patterns of its own, or replacements that make texts longer: either can take forever."""
    for key in ("normalizer", "pre_tokenizer"):
        for part in _parts(tokenizer.get(key)):
            kind, pattern = part.get("type"), part.get("pattern")
            spaces = pattern == {"Regex": " {2,}"} or (isinstance(pattern, dict) and bool(pattern.get("String")))
            if kind == "Prepend" or (pattern is not None and not (kind == "Replace" and spaces)):
                raise ValueError(f"tokenizer.json: a {key} of type {kind!r:.40} with a pattern of its own")
            if len(str(part.get("content") or "")) > 1:
                raise ValueError(f"tokenizer.json: a {key} that puts in more than a character")
            if _longest_replacement(part.get("precompiled_charsmap")) > REPLACEMENT_BYTES:
                raise ValueError(f"tokenizer.json: a {key} that makes a character longer than Unicode ever does")
    _check_whole(
        "tokenizer.json: max_input_chars_per_word", tokenizer["model"].get("max_input_chars_per_word", 100), 1, 1_000
    )


def _longest_replacement(charsmap: str | None) -> int:
    """The bytes of the longest replacement in a table of SentencePiece: a trie, behind its size, and texts with NUL."""
    table = base64.b64decode(charsmap or "", validate=True)
    texts = table[4 + int.from_bytes(table[:4], "little") :]
    return max(map(len, texts.split(b"\0")))


def loaded_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a checked file, after it has cut a text with all kinds of characters; else ValueError."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()  # nothing of a document is cut off, and nothing is put to it
        tokenizer.no_padding()
        tokenize(tokenizer, _PROBE)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of the Rust side is no Exception
        raise ValueError(f"{path.name}: cannot cut a text ({error})") from None
    return tokenizer


def header_bytes(path: Path) -> bytes:
    """The header of a file of weights: its length stands before it in eight bytes. ValueError where it is too long."""
    with path.open("rb") as file:
        n_bytes = int.from_bytes(file.read(8), "little")
        if n_bytes > min(HEADER_BYTES, path.stat().st_size - 8):
            raise ValueError(f"{path.name}: its header is longer than the file, or than {HEADER_BYTES:,} bytes")
        return file.read(n_bytes)


def check_header(header: Any, n_bytes: int) -> dict[str, Stored]:
    """The tensors that a header describes, if they fill its ``n_bytes`` without gap or overlap; else ValueError."""
    if not isinstance(header, dict):
        raise ValueError("the header of its weights is no JSON object")
    tensors = {name: _stored(name, entry) for name, entry in header.items() if name != "__metadata__"}
    at = 0
    for tensor in sorted(tensors.values(), key=lambda tensor: (tensor.first, tensor.last)):
        if tensor.first != at:
            raise ValueError("the tensors in its weights overlap or leave a gap")
        at = tensor.last
    if at != n_bytes:
        raise ValueError("the weights are cut short or too long")
    return tensors


def check_shapes(shapes: Mapping[str, tuple[int, ...]], encoder: Mapping[str, Any], *, n_corpora: int) -> None:
    """Refuses heads and layers that do not fit encoder and corpora, and 8-bit matrices without a scale for each row."""
    for name, expected in head_shapes(encoder["hidden_size"], n_corpora).items():
        if shapes[name] != expected:
            raise ValueError(f"{name} is {shapes[name]}, not {expected}")
    numbers = {int(found[1]) for name in shapes if (found := _LAYER.match(name))}
    if numbers != set(range(encoder["num_hidden_layers"])):
        raise ValueError(f"it has {len(numbers)} layers, not {encoder['num_hidden_layers']}")
    for i in numbers:
        inner = f"encoder.encoder.layer.{i}.intermediate.dense.weight"
        if shapes[inner] != (encoder["intermediate_size"], encoder["hidden_size"]):
            raise ValueError(f"{inner} is {shapes[inner]}, which does not fit encoder.json")
    for name, shape in shapes.items():
        scaled = name.removesuffix(".scale")
        if scaled != name and (len(shapes[scaled]) != 2 or shape != shapes[scaled][:1]):
            raise ValueError(f"{name} has no number for each row of its matrix")


def head_shapes(width: int, n_corpora: int) -> dict[str, tuple[int, ...]]:
    """The shapes of all that a model has beside its encoder of this width (see `RhetoricModel`)."""
    n_channels, n_techniques = len(CHANNELS), len(NAMES)
    return {
        "token_head.weight": (n_channels, width),
        "token_head.bias": (n_channels,),
        "token_bias.weight": (n_corpora, n_channels),
        "length_embedding.weight": (10, 16),
        "count_embedding.weight": (5, 16),
        "span_head.0.weight": (width, 4 * width + 32 + n_channels),
        "span_head.0.bias": (width,),
        "span_head.3.weight": (n_techniques, width),
        "span_head.3.bias": (n_techniques,),
        "span_bias.weight": (n_corpora, n_techniques),
    }


def check_room(
    shapes: Mapping[str, tuple[int, ...]], encoder: Mapping[str, Any], *, window: int, largest_id: int
) -> None:
    """Refuses embeddings with too few rows for the largest id, or for a window of this many pieces in all."""
    n_rows = shapes["encoder.embeddings.word_embeddings.weight"][0]
    if largest_id >= n_rows:
        raise ValueError(f"the tokenizer has a piece {largest_id}, the encoder only {n_rows:,} of them")
    positions = shapes.get("encoder.embeddings.position_embeddings.weight")
    unused = 0 if encoder["model_type"] in ("bert", "deberta", "deberta-v2") else int(encoder["pad_token_id"]) + 1
    if positions and window > positions[0] - unused:
        raise ValueError(f"a window of {window} pieces is longer than the encoder's {positions[0] - unused} positions")


def _stored(name: str, entry: Mapping[str, Any]) -> Stored:
    bits = {"F32": 32, "BF16": 16, "F16": 16, "I8": 8, "I64": 64}
    dtype, shape, (first, last) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    if dtype not in bits:
        raise ValueError(f"{name:.60} has the type {dtype!r:.20}, which no weights have")
    if not all(type(number) is int and number >= 0 for number in (*shape, first, last)):
        raise ValueError(f"{name:.60} has a size or an offset that is no whole number")
    if math.prod(shape) * bits[dtype] // 8 != last - first:
        raise ValueError(f"{name:.60} is {shape!s:.60}, but has {last - first} bytes")
    return Stored(dtype, shape, first, last)


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    """A component of a tokenizer and those inside it; nested as deep as JSON was."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner)


def _check_whole(place: str, value: Any, low: int, high: float) -> None:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{place} is {value!r:.40}, not a whole number from {low} to {high:,}")


def _check_number(place: str, value: Any, low: float, high: float) -> None:
    if type(value) not in (int, float) or not low <= value <= high:
        raise ValueError(f"{place}: {value!r:.40} is not a number from {low:,} to {high:,}")


def _check_word(place: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) > _LENGTH:
        raise ValueError(f"{place} is {value!r:.40}, not a word of at most {_LENGTH} characters")
