"""Ray on this machine against the local engine, byte for byte. In processes of their own: Ray leaves threads behind."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra [ray] is not installed")


def detector(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    # An address in the environment would be that of somebody's cluster.
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    line = [sys.executable, "-m", "detector", *arguments]
    return subprocess.run(line, capture_output=True, text=True, cwd=cwd, env=environment, timeout=300)


def content(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".lock"))
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_ray_goes_on_where_the_local_engine_stopped_with_the_same_bytes(tiny_model_folder, tmp_path):
    rows = [{"id": f"d{i}", "text": None if i == 7 else "They want to destroy it. " * (i % 5)} for i in range(60)]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    line = ("score", "c.jsonl", "--model", str(tiny_model_folder), "--part-size", "8", "--workers")
    for arguments in (("1", "--out", "local"), ("1", "--out", "ray", "--shard", "2/4")):
        local = detector(*line, *arguments, cwd=tmp_path)
        assert local.returncode == 0, local.stderr
    assert len(list((tmp_path / "ray").glob("part-*"))) == 2
    ray = detector(*line, "2", "--out", "ray", "--engine", "ray", cwd=tmp_path)
    assert ray.returncode == 0, ray.stderr
    assert "ray: 59 documents in 8 parts, 1 error\n" in ray.stderr
    assert content(tmp_path / "ray") == content(tmp_path / "local")


def test_what_goes_wrong_travels_as_a_row(tiny_detector, tiny_model_folder, tmp_path):
    from detector.batch.ray_engine import RayScorer, rows_to_score
    from detector.batch.run import Job, Plan, begin
    from detector.batch.store import LocalStore
    from detector.batch.work import Settings

    settings = Settings("0", tiny_detector.name, tiny_detector.model_hash, part_size=2)
    corpus = tmp_path / "c.jsonl"
    corpus.write_text('{"text": "They"}\n' * 5)
    job = Job((str(corpus),), str(tmp_path / "out"), settings, model=str(tiny_model_folder))
    store = LocalStore(tmp_path / "out")
    begin(store, job)
    *parts, end = rows_to_score(Plan(job, store))
    scorer = RayScorer(job.task())
    assert [scorer(row)["n_documents"] for row in parts] == [2, 2, 1]
    assert (end["end"], end["n_parts"], scorer(end)) == (True, 3, end)
    corpus.write_text('{"text": "another"}\n')
    (row,) = rows_to_score(Plan(job, store))
    assert "part 0 was made from other documents" in row["error"]
    assert scorer(row) == row
    (tmp_path / "out" / "part-000000.parquet").unlink()
    (tmp_path / "out" / "part-000000.parquet").mkdir()
    assert "part-000000.parquet: cannot be written" in scorer(parts[0])["error"]
