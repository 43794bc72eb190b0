"""A model folder that costs next to nothing: the shipped tokenizer and settings around an encoder of random weights.

    python eval/tiny.py FOLDER

What it finds means nothing. It is for measuring everything around the encoder, and for large runs in little time.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from transformers import BertConfig, BertModel

from detector.detect import DEFAULT_MODEL, SHIPPED
from detector.model import RhetoricModel, load_model, save_model


def make_tiny(folder: Path) -> Path:
    """The folder, with a model of one layer in it that finds a few spans in every text."""
    shipped = load_model(SHIPPED / DEFAULT_MODEL)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=shipped.tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=shipped.info.window + 2,
        initializer_range=0.5,
    )
    model = RhetoricModel(BertModel(config, add_pooling_layer=False), n_corpora=len(shipped.info.corpora))
    with torch.no_grad():
        model.token_head.weight.normal_(0, 0.6)
        model.token_head.bias.fill_(-6.0)
    info = replace(shipped.info, name="tiny", encoder="none")
    settings = list(shipped.settings.values())
    save_model(folder, model.eval(), info=info, settings=settings, tokenizer=shipped.tokenizer)
    return folder


if __name__ == "__main__":
    make_tiny(Path(sys.argv[1]))
