"""The torch module, its outputs, and how it is saved to a model folder and loaded from one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from detector.decode import Setting
from detector.errors import ModelError
from detector.folder import (
    MAX_COUNT_BIN,
    MAX_LENGTH_BIN,
    SCALE,
    ModelFiles,
    ModelInfo,
    folder_hash,
    read_folder,
    read_weights,
    unusable,
)
from detector.names import NAMES_FILE
from detector.techniques import NAMES
from detector.windows import CHANNELS

__all__ = [
    "Encoding",
    "ModelFolder",
    "ModelInfo",
    "RhetoricModel",
    "SpanBatch",
    "folder_hash",
    "load_model",
    "load_weights",
    "pack",
    "save_model",
    "save_settings",
    "unpack",
]

PRIOR_LOGIT = -3.0  # most pieces are inside no technique: the first steps need not learn that
SHARD_BYTES = 40 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SpanBatch:
    """Candidate spans of a batch of windows: all ``(n_spans,)``; first and last piece (included) count the start token.

    ``count`` is how often the span's text occurs in its document.
    """

    window: Tensor
    first: Tensor
    last: Tensor
    count: Tensor


@dataclass(frozen=True, slots=True)
class Encoding:
    """``hidden`` ``(n_windows, n_pieces, width)``; ``token_logits`` ``(n_windows, n_pieces, 24)``, no corpus bias.

    ``middle`` is like ``hidden``, but half-way through the encoder's layers; None where it was not asked for.
    """

    hidden: Tensor
    token_logits: Tensor
    middle: Tensor | None = None


class RhetoricModel(nn.Module):
    """An encoder with a token head, a span head, and one output bias per training corpus."""

    def __init__(self, encoder: nn.Module, *, n_corpora: int, dropout: float = 0.1) -> None:
        super().__init__()
        width: int = encoder.config.hidden_size  # type: ignore[union-attr, assignment]
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.token_head = nn.Linear(width, len(CHANNELS))
        self.token_bias = nn.Embedding(n_corpora, len(CHANNELS))
        self.length_embedding = nn.Embedding(MAX_LENGTH_BIN + 1, 16)
        self.count_embedding = nn.Embedding(MAX_COUNT_BIN + 1, 16)
        self.span_head = nn.Sequential(
            nn.Linear(4 * width + 32 + len(CHANNELS), width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, len(NAMES)),
        )
        self.span_bias = nn.Embedding(n_corpora, len(NAMES))
        nn.init.constant_(self.token_head.bias, PRIOR_LOGIT)
        nn.init.zeros_(self.token_bias.weight)
        nn.init.zeros_(self.span_bias.weight)

    def encode(self, input_ids: Tensor, attention_mask: Tensor, *, with_middle: bool = False) -> Encoding:
        """Piece vectors and token-head outputs; both inputs are ``(n_windows, n_pieces)``.

        In place of ids there may be vectors ``(n_windows, n_pieces, width)``, for an encoder that starts from them.
        """
        asked = {"output_hidden_states": True} if with_middle else {}
        given = {"inputs_embeds" if input_ids.is_floating_point() else "input_ids": input_ids}
        outputs = self.encoder(**given, attention_mask=attention_mask, **asked)
        hidden = outputs.last_hidden_state
        states = outputs.hidden_states if with_middle else None  # those of the embeddings, then of each layer
        middle = states[(len(states) - 1) // 2] if states else None
        return Encoding(hidden, self.token_head(self.dropout(hidden)), middle)

    def classify(self, encoded: Encoding, spans: SpanBatch) -> Tensor:
        """Span-head outputs ``(n_spans, 23)`` without corpus bias."""
        hidden, logits = encoded.hidden, encoded.token_logits
        length = (spans.last - spans.first + 1).to(hidden.dtype)
        features = [
            hidden[spans.window, spans.first],
            hidden[spans.window, spans.last],
            _range_means(hidden, spans),
            hidden[spans.window, 0],
            self.length_embedding(torch.log2(length.float()).long().clamp(max=MAX_LENGTH_BIN)),
            self.count_embedding((spans.count - 1).clamp(0, MAX_COUNT_BIN)),
            _range_means(logits, spans),
        ]
        joined = torch.cat([f.to(hidden.dtype) for f in features], dim=-1)
        scores: Tensor = self.span_head(self.dropout(joined))
        return scores


def _range_means(values: Tensor, spans: SpanBatch) -> Tensor:
    """Mean of ``values`` ``(n_windows, n_pieces, width)`` over each span's pieces: ``(n_spans, width)``."""
    sums = torch.nn.functional.pad(values.float().cumsum(dim=1), (0, 0, 1, 0))
    total = sums[spans.window, spans.last + 1] - sums[spans.window, spans.first]
    return (total / (spans.last - spans.first + 1).unsqueeze(-1)).to(values.dtype)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A loaded model folder. ``hash`` leaves out the card and the training record; equal hashes give equal spans."""

    info: ModelInfo
    settings: Mapping[str, Setting]
    tokenizer: Tokenizer
    model: RhetoricModel
    hash: str


def save_model(
    folder: Path,
    model: RhetoricModel,
    *,
    info: ModelInfo,
    settings: Sequence[Setting],
    tokenizer: Tokenizer,
    eight_bit: bool = True,
) -> None:
    """Writes ``model.json``, ``settings.json``, ``encoder.json``, ``tokenizer.json`` and the weights, none over 45 MB.

    Matrices are stored in 8 bits with one scale a row, or in 16 bits; vectors in 32 bits. ``names.toml`` has the names
    that read alike, if any do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.safetensors"):
        stale.unlink()
    tensors = dict(pack(model.state_dict(), eight_bit=eight_bit))
    for i, shard in enumerate(_shards(tensors), start=1):
        (folder / f"weights-{i:02d}.safetensors").write_bytes(save(shard))  # readable as the other files are
    _write_json(folder / "model.json", info.described())
    if info.names is None:
        (folder / NAMES_FILE).unlink(missing_ok=True)
    else:
        (folder / NAMES_FILE).write_text(info.names.source, encoding="utf-8")
    _write_json(folder / "encoder.json", model.encoder.config.to_diff_dict())  # type: ignore[union-attr, operator]
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    save_settings(folder, settings)


def save_settings(folder: Path, settings: Sequence[Setting]) -> None:
    """Writes the strictness settings alone: a calibration made again leaves the weights as they are."""
    _write_json(folder / "settings.json", {s.name: asdict(s) for s in settings})


def load_model(folder: Path) -> ModelFolder:
    """The model in ``folder``, in 32-bit floats and evaluation mode; nothing is fetched and nothing unpickled.

    Raises `ModelError` where a file is missing or does not fit.
    """
    files = read_folder(folder)
    return ModelFolder(files.info, files.settings, files.tokenizer, load_weights(files), files.hash)


def load_weights(files: ModelFiles) -> RhetoricModel:
    """The torch module of a model folder, in 32-bit floats and evaluation mode; `ModelError` where it does not fit."""
    stored = {name: torch.from_numpy(array.copy()) for name, array in read_weights(files).items()}
    try:
        model = _build(files.encoder, files.info)
        _check_fit(model, stored, files.path)
        model.to_empty(device="cpu")
        _fill_buffers(model)
        model.load_state_dict(unpack(stored), strict=False)
    except ModelError:
        raise
    except Exception as error:  # the many ways in which damaged weights fail, from as many libraries
        raise unusable(files.path, error) from error
    return model.eval()


def pack(state: Mapping[str, Tensor], *, eight_bit: bool) -> Iterable[tuple[str, Tensor]]:
    """Tensors as they are stored: a matrix in 8 bits is followed by its row scales under ``NAME.scale``."""
    for name, tensor in state.items():
        if tensor.dim() < 2 or not tensor.is_floating_point():
            yield name, tensor.contiguous()
        elif eight_bit and min(tensor.shape) > len(CHANNELS):
            scale = tensor.float().abs().amax(dim=1).clamp(min=1e-12) / 127
            yield name, torch.round(tensor.float() / scale[:, None]).to(torch.int8).contiguous()
            yield name + SCALE, scale
        else:
            yield name, tensor.to(torch.bfloat16).contiguous()


def unpack(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state in 32-bit floats from tensors as `pack` stores them."""
    state = {}
    for name, tensor in stored.items():
        if name.endswith(SCALE):
            continue
        scale = stored.get(name + SCALE)
        state[name] = tensor.float() * scale[:, None] if scale is not None else _float(tensor)
    return state


def _float(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _shards(tensors: Mapping[str, Tensor]) -> Iterable[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors.items():
        n_bytes = tensor.numel() * tensor.element_size()
        if shard and size + n_bytes > SHARD_BYTES:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor
        size += n_bytes
    yield shard


def _build(encoder_json: Mapping[str, Any], info: ModelInfo) -> RhetoricModel:
    """The module without room for its weights: an encoder.json may ask for more than there is."""
    config = AutoConfig.for_model(**encoder_json)
    with torch.device("meta"):
        encoder = AutoModel.from_config(config, **_no_pooler(config))
        return RhetoricModel(encoder, n_corpora=len(info.corpora))


def _check_fit(model: nn.Module, stored: Mapping[str, Tensor], folder: Path) -> None:
    """Raises `ModelError` where a weight is missing, is of another shape, or has no place."""
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    given = {name: tensor.shape for name, tensor in stored.items() if not name.endswith(SCALE)}
    differing = {name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name)}
    if any("position_ids" not in name for name in differing):
        raise ModelError(f"{folder}: the weights do not fit encoder.json; install or train the model again")


def _fill_buffers(model: nn.Module) -> None:
    """Gives the buffers that no file stores (position numbers) their values."""
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if name == "position_ids":
                buffer.copy_(torch.arange(buffer.shape[-1]).expand(buffer.shape))
            elif name == "token_type_ids":
                buffer.zero_()


def _no_pooler(config: Any) -> dict[str, bool]:
    """The argument that leaves the pooler out, for the encoders that have one."""
    return {} if config.model_type.startswith("deberta") else {"add_pooling_layer": False}


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
