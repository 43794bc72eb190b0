"""A model without the rows of its embeddings that English text cannot reach."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from typing import Any

from tokenizers import Tokenizer
from torch import Tensor, nn

from detector.folder import ModelInfo
from detector.model import RhetoricModel

TYPOGRAPHIC = frozenset("–—‘’‚“”„†‡•…′″‹›€£¥¢§©®™°±²³×÷½¼¾¡¿«»·")


def shrink(model: RhetoricModel, tokenizer: Tokenizer, info: ModelInfo) -> tuple[Tokenizer, ModelInfo]:
    """The tokenizer and the info of ``model``, which loses the pieces of other scripts and the places past its window.

    Text in other scripts then reads as unknown pieces, which is what the encoder has learnt of most of it anyway.
    Only BERT's and MPNet's kind of vocabulary is a list that can be cut; other models stay as they are.
    """
    definition = json.loads(tokenizer.to_str())
    config: Any = model.encoder.config
    if config.model_type not in ("bert", "mpnet") or definition["model"]["type"] != "WordPiece":
        return tokenizer, info
    vocabulary: dict[str, int] = definition["model"]["vocab"]
    kept = [piece for piece in sorted(vocabulary, key=lambda p: vocabulary[p]) if is_english(piece)]
    ids = {vocabulary[piece]: new for new, piece in enumerate(kept)}
    definition["model"]["vocab"] = {piece: new for new, piece in enumerate(kept)}
    definition["added_tokens"] = [{**token, "id": ids[token["id"]]} for token in definition["added_tokens"]]
    definition["post_processor"] = None  # windows are framed by the backends
    embeddings: Any = model.encoder.embeddings
    n_places = len(embeddings.position_embeddings.weight) - config.max_position_embeddings + info.window + 2
    n_places += info.pad_id + 1 if config.model_type == "mpnet" else 0  # its places count from after the padding's id
    new: dict[str, Any] = {name: ids[getattr(info, name)] for name in ("start_id", "end_id", "pad_id")}
    if config.model_type == "mpnet" and new["pad_id"] != info.pad_id:
        raise ValueError("the padding's id moved, and with it every place")
    embeddings.word_embeddings = _rows(embeddings.word_embeddings, list(ids), new["pad_id"])
    embeddings.position_embeddings = _rows(embeddings.position_embeddings, list(range(n_places)), None)
    config.vocab_size, config.max_position_embeddings = len(kept), n_places
    config.pad_token_id = new["pad_id"]
    return Tokenizer.from_str(json.dumps(definition)), replace(info, **new)


def is_english(piece: str) -> bool:
    """Whether a piece of the vocabulary is of Latin letters, digits and the signs of English print, or special."""
    if piece.startswith("[unused"):
        return False
    letters = piece.removeprefix("##")
    return all(c.isascii() or c in TYPOGRAPHIC or "LATIN" in unicodedata.name(c, "") for c in letters)


def _rows(embedding: nn.Embedding, rows: list[int], padding: int | None) -> nn.Embedding:
    weight: Tensor = embedding.weight.detach()[rows].clone()
    kept: nn.Embedding = nn.Embedding.from_pretrained(weight, padding_idx=padding)  # type: ignore[no-untyped-call]
    return kept
