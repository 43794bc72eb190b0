"""Runs that are killed: real processes, SIGKILL at random moments, and what an undisturbed run gives in the end."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from detector import __version__
from detector.batch.run import Job, score_corpus
from detector.batch.work import Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")

SENTENCES = ("They want to destroy everything we love.", "Nato is of asia.", "We love the and they of it!")
N_KILLS = 24

# Loads the model once; each run is then a process of its own, forked, so that no time is lost on imports.
KILLER = """
import os, random, shutil, signal, sys, time
from pathlib import Path
from detector.batch.run import Job, score_corpus
from detector.batch.work import Settings
from detector.detect import load

corpus, out, model, n_kills, seed = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
detector = load(model)
settings = Settings("0", detector.name, detector.model_hash, part_size=3)

def run(folder):
    process = os.fork()
    if process:
        return process
    summary = score_corpus(Job((corpus,), str(folder), settings, model=model, retry_errors=False), detector=detector)
    os._exit(0 if summary.finished else 3)

def content(folder):
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".lock"))
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}

started = time.monotonic()
assert os.waitstatus_to_exitcode(os.waitpid(run(out / "whole"), 0)[1]) == 0
duration = time.monotonic() - started
expected, random = content(out / "whole"), random.Random(seed)
n_killed = n_finished = 0
while n_killed < n_kills:
    process = run(out / "killed")
    time.sleep(random.uniform(0, duration / 2))
    os.kill(process, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    n_killed += code != 0
    if code == 0:
        assert content(out / "killed") == expected
        shutil.rmtree(out / "killed")
        n_finished += 1
assert os.waitstatus_to_exitcode(os.waitpid(run(out / "killed"), 0)[1]) == 0
assert content(out / "killed") == expected
print(n_killed, n_finished)
"""


def write_corpus(path: Path, n: int) -> Path:
    """A corpus in which every tenth record is an error."""
    rows = [{"id": f"d{i}", "text": (SENTENCES[i % 3] + " ") * (1 + i % 5) if i % 10 else None} for i in range(n)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def content(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".lock"))
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_killed_at_random_moments_a_run_ends_with_the_same_bytes(tiny_model_folder, tmp_path):
    corpus = write_corpus(tmp_path / "c.jsonl", 120)
    seed = random.randrange(1_000_000)
    arguments = [str(corpus), str(tmp_path), str(tiny_model_folder), str(N_KILLS), str(seed)]
    done = subprocess.run([sys.executable, "-c", KILLER, *arguments], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    assert int(done.stdout.split()[0]) == N_KILLS >= 20
    errors = [json.loads(line) for line in (tmp_path / "killed" / "errors.jsonl").read_text().splitlines()]
    assert [error["id"] for error in errors] == [f"d{i}" for i in range(0, 120, 10)]


def command(*arguments: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "detector", "score", *arguments]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for_parts(folder: Path, n: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while len(list(folder.glob("receipts/part-*.json"))) < n and process.poll() is None:
        assert time.monotonic() < deadline, "the run makes no parts"
        time.sleep(0.02)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, messages = process.communicate(timeout=300)
    return process.returncode, messages


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_with_workers_is_killed_interrupted_and_goes_on(tiny_detector, tiny_model_folder, tmp_path, how):
    corpus = write_corpus(tmp_path / "c.jsonl", 500)
    line = (str(corpus), "--model", str(tiny_model_folder), "--part-size", "10", "--workers", "2", "--out")
    out = tmp_path / "killed"
    first = command(*line, str(out))
    wait_for_parts(out, 3, first)
    first.send_signal(signal.SIGKILL)  # the workers are left behind: they end by themselves
    assert finish(first)[0] == -signal.SIGKILL
    second = command(*line, str(out))
    wait_for_parts(out, len(list(out.glob("receipts/part-*.json"))) + 3, second)
    os.killpg(second.pid, how)  # as a terminal or a scheduler does: to the workers too
    code, messages = finish(second)
    if code != 0:  # a fast machine may have been done
        assert code == 130
        assert "stopping: the parts in hand are finished first" in messages
        assert "; the same command goes on from there" in messages
        manifest = json.loads((out / "manifest.json").read_text())
        assert manifest["finished"] is False
        assert manifest["n_parts"] == len(list(out.glob("part-*.parquet")))
    settings = Settings(__version__, tiny_detector.name, tiny_detector.model_hash, backend="onnx", part_size=10)
    for folder in (out, tmp_path / "whole"):
        assert score_corpus(Job((str(corpus),), str(folder), settings), detector=tiny_detector).finished
    assert content(out) == content(tmp_path / "whole")
