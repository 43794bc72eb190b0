"""What several tests share: a tiny model in the real format, and where the corpora would be."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models: more threads only wait for each other
os.environ["HF_HUB_OFFLINE"] = "1"  # nothing may be fetched

import string
from pathlib import Path

import hypothesis
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import BertConfig, BertModel

from detector.decode import Calibration, Identification, Setting
from detector.detect import Detector, load
from detector.model import ModelInfo, RhetoricModel, save_model
from detector.techniques import NAMES
from detector.windows import CHANNELS

hypothesis.settings.register_profile("unhurried", deadline=None)  # a busy machine is no fault of the code
hypothesis.settings.load_profile("unhurried")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
SEED_ARTICLE = Path(__file__).parents[1] / "seeds" / "why-asian-nato-finds-no-support.txt"
CORPORA = ("ptc", "checkthat", "semeval2021")
WORDS = ("the", "they", "want", "to", "destroy", "everything", "we", "love", "and", "of", "nato", "asia", "##n", "##s")


def tiny_tokenizer() -> Tokenizer:
    """An uncased WordPiece tokenizer over single characters and a few words."""
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation, *"éöß“”’…—"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{c}" for c in letters), *WORDS]
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(dict.fromkeys(vocabulary))}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def tiny_model(seed: int = 0) -> RhetoricModel:
    """A `RhetoricModel` with two layers and random weights."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=tiny_tokenizer().get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    model = RhetoricModel(BertModel(config, add_pooling_layer=False), n_corpora=len(CORPORA))
    with torch.no_grad():
        model.token_head.weight.normal_(0, 0.5)
        model.token_bias.weight.normal_(0, 0.5)
        model.span_bias.weight.normal_(0, 0.5)
    return model.eval()


def tiny_info() -> ModelInfo:
    """Windows of 30 pieces that overlap by 6."""
    return ModelInfo("tiny", "none", CORPORA, window=30, overlap=6, gap=25, start_id=2, end_id=3, pad_id=0)


def bare_setting(name: str, threshold: float = 0.3) -> Setting:
    """A setting without bias whose confidence is the mean probability, as is what a range is worth."""
    as_scored, nothing = Calibration((1.0, 0.0, 0.0, 0.0), 0.0), Calibration((0.0, 0.0, 0.0, 0.0), 0.0)
    thresholds, none = dict.fromkeys(NAMES, threshold), dict.fromkeys(NAMES, 0.0)
    identification = Identification((threshold, 0.9), as_scored, nothing, 0.0, cost=threshold)
    bias = dict.fromkeys(CHANNELS, 0.0)
    return Setting(name, bias, thresholds, none, dict.fromkeys(NAMES, as_scored), identification)


def tiny_settings() -> list[Setting]:
    """Settings that let a random model find something."""
    names = {"strict": 0.4, "balanced": 0.3, "sensitive": 0.2, "ptc": 0.3, "checkthat": 0.3, "semeval2021": 0.3}
    return [bare_setting(name, threshold) for name, threshold in names.items()]


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder in the real format: two layers, random weights, finds spans at random."""
    folder = tmp_path_factory.mktemp("model")
    save_model(folder, tiny_model(), info=tiny_info(), settings=tiny_settings(), tokenizer=tiny_tokenizer())
    return folder


@pytest.fixture(scope="session")
def tiny_detector(tiny_model_folder: Path) -> Detector:
    """The detector over `tiny_model_folder`."""
    return load(tiny_model_folder)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the training corpora; tests that need it are skipped where it is not."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the training corpora are not beside the checkout")
    return SHARED_DATA
