"""Nothing calls out: the commands do their work where there is no network, and where asking for one is an error."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SEED_ARTICLE

from detector.corpora import write_jsonl
from detector.spans import Document, Span

FOUR = """
import json, socket, sys
from detector.cli import main
for family, address in ((socket.AF_INET, ("192.0.2.1", 80)), (socket.AF_INET6, ("2001:db8::1", 80))):
    with socket.socket(family) as one:
        one.settimeout(5)
        try:
            one.connect(address)
        except OSError as error:
            print("refused:", error.errno or error)
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as end:
        if end.code:
            sys.exit(f"{arguments}: {end.code}")
"""
HOOK = """
import sys

def refuse(event, arguments):
    asks = event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.sendto")
    if asks or (event == "socket.connect" and isinstance(arguments[1], tuple)):
        raise OSError(f"asked for the network: {event} {arguments[-1]}")

sys.addaudithook(refuse)
"""


def namespace(folder: Path) -> tuple[list[str], dict[str, str]]:
    """A network namespace of its own, in which there is not even a way to this machine."""
    command = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made here")
    return command, {}


def hook(folder: Path) -> tuple[list[str], dict[str, str]]:
    """A Python, and all those that it starts, in which a connection and a look-up of a name raise an error."""
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(HOOK)
    return [], {"PYTHONPATH": str(folder / "hook")}


@pytest.mark.parametrize("without", [namespace, hook])
def test_the_commands_do_their_work_without_a_network(tmp_path: Path, tiny_model_folder: Path, without):
    prefix, more = without(tmp_path)
    text = SEED_ARTICLE.read_text(encoding="utf-8")[:2000]
    write_jsonl(tmp_path / "gold.jsonl", [Document("a", text).with_spans([Span(0, 40, "doubt")])])
    model = ["--model", str(tiny_model_folder)]
    commands = [
        ["annotate", str(SEED_ARTICLE), "--format", "json", "-o", "a.json", *model],
        ["annotate", str(SEED_ARTICLE), "-o", "a.txt", "--model", "fast"],
        ["score", "gold.jsonl", "--out", "results", "--keep", "text", *model],
        ["report", "a.json", "-o", "a.html"],
        ["report", "results", "-o", "site"],
        ["evaluate", "--corpus", "jsonl", "--file", "gold.jsonl", "--strictness", "balanced", "--out", "eval", *model],
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")} | more
    done = subprocess.run(
        [*prefix, sys.executable, "-c", FOUR, json.dumps(commands)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("refused:") == 2  # there is no network indeed
    assert "asked for the network" not in done.stderr
    assert json.loads((tmp_path / "a.json").read_text())["n_spans"] > 0
    assert "[" in (tmp_path / "a.txt").read_text()
    assert "</html>" in (tmp_path / "a.html").read_text(encoding="utf-8")
    assert (tmp_path / "site" / "index.html").is_file()
    assert json.loads((tmp_path / "results" / "manifest.json").read_text())["n_documents"] == 1
    assert json.loads((tmp_path / "eval" / "metrics.json").read_text())["n_documents"] == 1
