"""The model folder without torch: what it says of itself, its settings, its tokenizer, and its weights as they lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from detector.decode import Calibration, Identification, Setting
from detector.errors import ModelError
from detector.folder_checks import (
    Stored,
    check_encoder,
    check_files,
    check_header,
    check_info,
    check_room,
    check_setting,
    check_shapes,
    check_tokenizer,
    header_bytes,
    loaded_tokenizer,
)
from detector.names import NAMES_FILE, Names
from detector.techniques import NAMES

SCHEMA = 2
HASHED = frozenset({"model.json", "settings.json", "encoder.json", "tokenizer.json", NAMES_FILE})
SCALE = ".scale"
"""A matrix in 8 bits has the scales of its rows under its own name and this."""

MAX_LENGTH_BIN = 9
"""The span head sees a span's length as the whole part of its base-2 logarithm, up to this."""
MAX_COUNT_BIN = 4
"""It sees how often the span's text occurs beyond the first time, up to this."""

Array = npt.NDArray[Any]
_TYPES = {"F32": np.float32, "BF16": np.uint16, "F16": np.float16, "I8": np.int8, "I64": np.int64}


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model folder says of itself; ``corpora`` are the annotators whose bias it has learnt, in order.

    ``window`` counts pieces without the two special ones. ``technique_order`` fixes the outputs' meaning. ``names``,
    which have a file of their own, read alike; None where each is read as it is.
    """

    name: str
    encoder: str
    corpora: tuple[str, ...]
    window: int
    overlap: int
    gap: int
    start_id: int
    end_id: int
    pad_id: int
    technique_order: tuple[str, ...] = NAMES
    schema: int = SCHEMA
    names: Names | None = None

    def described(self) -> dict[str, Any]:
        """What stands in ``model.json``, in JSON types."""
        fields = asdict(replace(self, names=None))
        del fields["names"]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    def row_of(self, corpus: str) -> int:
        """Which of the corpora that is; `ModelError` for one the model has no bias of."""
        if corpus not in self.corpora:
            raise ModelError(f"{self.name}: corpus {corpus!r} is not one of {', '.join(self.corpora)}")
        return self.corpora.index(corpus)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model folder that was read, its weights excepted. ``encoder`` is the configuration of the encoder.

    ``hash`` leaves out the card and the training record; equal hashes give equal spans.
    """

    path: Path
    info: ModelInfo
    settings: Mapping[str, Setting]
    encoder: Mapping[str, Any]
    tokenizer: Tokenizer
    hash: str


def read_folder(folder: Path) -> ModelFiles:
    """The model in ``folder`` but for its weights; nothing is fetched and nothing unpickled.

    Raises `ModelError` where a file is missing, does not fit, or is refused (see `detector.folder_checks`).
    """
    try:
        check_files(folder)
        info_json = read_json(folder / "model.json")
        if info_json.get("schema") != SCHEMA:
            stated = f"{info_json.get('schema')!r:.20}"
            raise ModelError(f"{folder}: model schema {stated} is not {SCHEMA}; use a matching version")
        info = _info(info_json, folder / NAMES_FILE)
        settings = {name: _setting(name, value) for name, value in read_json(folder / "settings.json").items()}
        encoder = read_json(folder / "encoder.json")
        check_encoder(encoder)
        check_tokenizer(read_json(folder / "tokenizer.json"))
        tokenizer = loaded_tokenizer(folder / "tokenizer.json")
    except ModelError:
        raise
    except Exception as error:  # the many ways in which a damaged file fails, from as many libraries
        raise unusable(folder, error) from error
    if info.technique_order != NAMES:
        raise ModelError(f"{folder}: trained on another inventory of techniques; use a matching version")
    return ModelFiles(folder, info, settings, encoder, tokenizer, folder_hash(folder))


def read_record(folder: Path) -> dict[str, Any]:
    """The training record of a model folder; empty where there is none."""
    path = folder / "training.json"
    return read_json(path) if path.is_file() else {}


def held_out_fold(folder: Path) -> int:
    """The fold that the training of a model folder left out: on its documents alone is a figure worth something.

    Raises `ModelError` where it left none out, its record does not say, or a model that it began with or was taught by
    has learned from that fold.
    """
    record = read_record(folder)
    for i, training in enumerate(_trainings(record)):
        if isinstance(refit := training.get("refit"), dict):
            which = "began with, or was taught by, a model that was" if i else "was"
            names, held_out = ", ".join(_corpora_of(training)), refit.get("held_out")
            raise ModelError(
                f"{folder}: {which} trained on all documents of {names}; figures on these flatter: measure the model "
                f"that held some out ({held_out})"
            )
    fold = record.get("fold")
    if not isinstance(fold, int):
        raise ModelError(f"{folder}: its training.json names no fold that was held out; name a model that has one")
    if seen := learned_from(record, _corpora_of(record), fold):
        raise ModelError(
            f"{folder}: began with, or was taught by, a model that has learned from fold {fold} of {', '.join(seen)}; "
            "figures on these flatter: measure a model that left one fold out throughout"
        )
    return fold


def learned_from(record: Mapping[str, Any], corpora: Iterable[str], fold: int) -> tuple[str, ...]:
    """Those of the corpora of which a model has, by its record, learned from the documents of this fold."""
    seen: set[str] = set()
    for training in _trainings(record):
        if training.get("fold") != fold or "refit" in training:
            seen.update(_corpora_of(training))
    return tuple(name for name in corpora if name in seen)


def _trainings(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The record of a training, then those of the model it began with and of its teacher, and so on."""
    if isinstance(record, dict) and record:
        yield record
        yield from _trainings(record.get("start", {}))
        yield from _trainings(record.get("teacher", {}))


def _corpora_of(training: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the corpora that a training learned from, as its record has them."""
    n_documents = training.get("n_documents")
    return tuple(n_documents) if isinstance(n_documents, dict) else ()


def setting_of(settings: Mapping[str, Setting], strictness: str) -> Setting:
    """The setting of that name; `ModelError` names the ones there are."""
    if strictness not in settings:
        raise ModelError(f"strictness {strictness!r} is not one of {', '.join(settings)}")
    return settings[strictness]


def read_weights(files: ModelFiles) -> dict[str, Array]:
    """The stored tensors by name, mapped and not read: 8-bit matrices as they are, 16-bit ones in 32-bit floats.

    Raises `ModelError` where the weights are missing, a file is cut short, a number is none, or heads, embeddings or
    tokenizer do not fit each other.
    """
    tensors: dict[str, Array] = {}
    try:
        for path in weight_files(files.path):
            tensors.update(_map_safetensors(path))
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        info, largest = files.info, max(files.tokenizer.get_vocab().values())
        check_shapes(shapes, files.encoder, n_corpora=len(info.corpora))
        largest = max(largest, info.start_id, info.end_id, info.pad_id)
        check_room(shapes, files.encoder, window=info.window + 2, largest_id=largest)  # 2: a piece at each end
    except KeyError as error:
        raise unusable(files.path, ValueError(f"it has no {error}")) from error
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise unusable(files.path, error) from error
    return tensors


def read_tensors(path: Path) -> dict[str, Array]:
    """The tensors of one file of a model folder, as `read_weights` gives them; ValueError where it is damaged."""
    try:
        return _map_safetensors(path)
    except (OSError, TypeError, RecursionError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights; `ModelError` where there is none."""
    paths = sorted(folder.glob("weights-*.safetensors"))
    if not paths:
        raise ModelError(f"{folder}: no weights-*.safetensors; install or train the model again")
    return paths


def folder_hash(folder: Path) -> str:
    """``sha256:`` and the digest over names and contents of the files that decide what the model finds."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.name in HASHED or p.suffix == ".safetensors"):
        with path.open("rb") as file:
            digest.update(f"{path.name}:{hashlib.file_digest(file, 'sha256').hexdigest()};".encode())
    return "sha256:" + digest.hexdigest()


def unusable(folder: Path, error: Exception) -> ModelError:
    """The error to raise for a folder in which something is damaged."""
    reason = " ".join(str(error).split())
    return ModelError(f"{folder}: not a usable model folder ({reason}); install or train it again")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a model folder; `ModelError` where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); install or train the model again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path}: expected a JSON object; install or train the model again")
    return value


def _map_safetensors(path: Path) -> dict[str, Array]:
    """The tensors of one file: a header's length in eight bytes, the header in JSON, then the tensors' bytes."""
    header = header_bytes(path)
    content = np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)[8 + len(header) :]
    tensors = check_header(json.loads(header), len(content))
    return {name: _tensor(content, name, stored) for name, stored in tensors.items()}


def _tensor(content: Array, name: str, stored: Stored) -> Array:
    values: Array = content[stored.first : stored.last].view(_TYPES[stored.dtype]).reshape(stored.shape)
    if stored.dtype == "BF16":  # the upper half of a float
        values = (values.astype(np.uint32) << 16).view(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds numbers that are none")
    return values


def _info(value: Mapping[str, Any], names_file: Path) -> ModelInfo:
    check_info(value)
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    alike = Names(names_file.read_text(encoding="utf-8")) if names_file.is_file() else None
    return ModelInfo(**fields | {"names": alike})


def _setting(name: str, value: Mapping[str, Any]) -> Setting:
    check_setting(name, value)
    by_technique = {key: {n: value[key][n] for n in NAMES} for key in ("thresholds", "min_confidence")}
    calibration = {n: _calibration(value["calibration"][n]) for n in NAMES}
    identification = _identification(value.get("identification"))
    return Setting(**{**value, **by_technique, "calibration": calibration, "identification": identification})


def _identification(value: Mapping[str, Any] | None) -> Identification | None:
    if value is None:
        return None
    parts = {key: _calibration(value[key]) for key in ("precision", "recall")}
    return Identification(**{**value, **parts, "thresholds": tuple(value["thresholds"])})


def _calibration(value: Mapping[str, Any]) -> Calibration:
    return Calibration(tuple(value["weights"]), value["offset"])
