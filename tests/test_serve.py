"""``detector serve`` as other programs meet it: a running process, a real HTTP client, a tiny model."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

httpx = pytest.importorskip("httpx", reason="httpx is not installed: pip install .[test]")
pytest.importorskip("starlette", reason="starlette is not installed: pip install .[web]")

from detector.detect import Detector  # noqa: E402
from detector.spans import Document  # noqa: E402
from detector.web.api import _ASSETS, openapi  # noqa: E402
from detector.web.batches import Batcher, Full, Stopping  # noqa: E402

HOSTILE = sorted((Path(__file__).parent / "hostile").glob("*.txt"))
TOKEN = "a-token-that-nobody-guesses"
TEXT = "They want to destroy everything we love. “NATO is of Asia,” they said. 😀 We love it!"
GERMAN = "Sie wollen alles zerstören, was wir lieben, und niemand in diesem Land wird sie daran hindern können."
JSON = {"Content-Type": "application/json"}


@dataclass
class Service:
    """A running service, where it is, and what it says on standard error."""

    process: subprocess.Popen[str]
    address: str
    said: list[str]
    listener: threading.Thread

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.address, headers=headers, timeout=60, trust_env=False)

    def says(self, start: str, since: int = 0) -> bool:
        """Whether it says a line that starts so: what it says of a request may be read after the answer."""
        deadline = time.monotonic() + 60
        while not (found := any(line.startswith(start) for line in self.said[since:])) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.ended()

    def ended(self) -> int:
        """Waits for its end and its last line."""
        code = self.process.wait(60)
        self.listener.join(60)
        self.process.stderr.close()
        return code


def started(*arguments: str, **environment: str) -> Service:
    """A running command of ours, as soon as it says where it is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "detector", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    said: list[str] = []
    first = threading.Event()

    def listen() -> None:
        for line in process.stderr:
            said.append(line)
            first.set()
        first.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    assert first.wait(120)
    address = re.search(r"http://\S+", said[0]) if said else None
    assert address, said
    return Service(process, address[0], said, listener)


@pytest.fixture(scope="module")
def service(tiny_model_folder: Path) -> Iterator[Service]:
    """A service with a token that logs its requests, and gathers batches for long enough to be seen."""
    one = started(
        "serve", "--port", "0", "--model", str(tiny_model_folder), "--log", "--window", "40", DETECTOR_TOKEN=TOKEN
    )
    yield one
    assert one.stop() == 0


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client(Authorization=f"Bearer {TOKEN}") as one:
        yield one


def spans_of(record: dict) -> list[tuple[int, int, str]]:
    return [(span["start"], span["end"], span["technique"]) for span in record["spans"]]


def test_a_text_gets_the_record_that_annotate_writes(client: httpx.Client, tiny_detector: Detector):
    record = client.post("/v1/annotate", json={"text": TEXT, "id": "a"}).json()
    (document,) = tiny_detector.annotate([Document("a", TEXT)])
    assert spans_of(record) == [(s.start, s.end, s.technique) for s in document.spans]
    assert len(record["spans"]) > 1
    assert all(TEXT[span["start"] : span["end"]] == span["quote"] for span in record["spans"])
    assert (record["n_characters_read"], record["model"]["name"]) == (len(TEXT), "tiny")
    chosen = {"only": ["LL", "doubt"], "min_confidence": 0.4, "strictness": "sensitive"}
    record = client.post("/v1/annotate", json={"text": TEXT, **chosen}).json()
    assert record["settings"] == {**chosen, "only": ["loaded-language", "doubt"], "ignore": []}
    assert all(span["confidence"] >= 0.4 and span["code"] in ("LL", "DT") for span in record["spans"])


def test_many_at_once_get_what_each_gets_alone(tiny_model_folder: Path):
    # In 32-bit floats: with 8-bit halves the neighbours in a batch move a score by more than the last digits.
    service = started("serve", "--port", "0", "--model", str(tiny_model_folder), "--backend", "torch", "--window", "40")
    texts = [f"{TEXT} Everything number {i}. " * (1 + i % 4) for i in range(24)]
    with service.client() as client, ThreadPoolExecutor(24) as threads:
        documents = [{"id": str(i), "text": text} for i, text in enumerate(texts)]
        alone = client.post("/v1/annotate", json={"documents": documents})
        before = client.get("/health").json()
        together = list(threads.map(lambda text: client.post("/v1/annotate", json={"text": text}).json(), texts))
        after = client.get("/health").json()
    assert service.stop() == 0
    assert [spans_of(record) for record in together] == [spans_of(record) for record in alone.json()["documents"]]
    assert after["n_requests"] - before["n_requests"] == 24
    assert after["n_batches"] - before["n_batches"] < 24


def test_given_spans_are_named_in_their_order(client: httpx.Client):
    spans = [{"start": 13, "end": 39}, {"start": 0, "end": 4}, {"start": 13, "end": 39}]
    record = client.post("/v1/classify", json={"text": TEXT, "spans": spans, "within": "PTC-14"}).json()
    assert [(s["start"], s["end"]) for s in record["spans"]] == [(13, 39), (0, 4), (13, 39)]
    assert record["spans"][0]["technique"] != record["spans"][2]["technique"]


@pytest.mark.parametrize("file", HOSTILE, ids=lambda file: file.stem)
def test_a_hostile_article_comes_back_as_it_is(client: httpx.Client, file: Path):
    text = file.read_bytes().decode()
    answer = client.post("/v1/annotate", json={"text": text, "id": text[:80]})
    record = answer.json()
    assert (record["text"], record["id"]) == (text, text[:80])
    assert all(text[span["start"] : span["end"]] == span["quote"] for span in record["spans"])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("text", ["", " \n", "\ud800 lone \udfff", "nul \0 and more words that they want to destroy"])
def test_odd_texts_are_read(client: httpx.Client, text: str):
    record = client.post("/v1/annotate", content=json.dumps({"text": text}), headers=JSON).json()
    assert (record["text"], record["n_characters_read"]) == (text, len(text))


def test_a_language_that_the_model_has_not_learnt_is_told(client: httpx.Client):
    record = client.post("/v1/annotate", json={"text": GERMAN}).json()
    assert record["meta"]["warnings"][0].startswith("is in the language de")
    assert record["n_characters_read"] == len(GERMAN)


def test_texts_in_other_languages_are_left_out_where_asked(tiny_model_folder: Path):
    service = started("serve", "--port", "0", "--model", str(tiny_model_folder), "--language-guard", "skip")
    with service.client() as client:
        texts = [{"text": GERMAN}, {"text": TEXT}, {"text": GERMAN}]
        given = client.post("/v1/annotate", json={"documents": texts}).json()["documents"]
        alone = client.post("/v1/annotate", json={"text": GERMAN}).json()
    assert service.stop() == 0
    assert [(record["text"], record["n_characters_read"]) for record in given] == [
        (GERMAN, 0),
        (TEXT, len(TEXT)),
        (GERMAN, 0),
    ]
    assert [bool(record["spans"]) for record in given] == [False, True, False]
    assert alone["spans"] == []
    assert alone["meta"]["warnings"][0].endswith(": left out")


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("annotate", "{", "the body is not JSON in UTF-8"),
        ("annotate", b'{"text": "\xff"}', "the body is not JSON in UTF-8"),
        ("annotate", "[" * 100_000, "nested too deeply"),
        ("annotate", "[]", "the body is a JSON list: send an object"),
        ("annotate", {}, "text: must be a string"),
        ("annotate", {"text": 3}, "text: must be a string"),
        ("annotate", {"text": "a", "colour": 1}, "there is no 'colour' here"),
        ("annotate", {"text": "a", "documents": []}, "there is no 'text' here"),
        ("annotate", {"documents": []}, "must be a list of 1 to 256"),
        ("annotate", {"documents": [{"text": "a"}, {"text": None}]}, "documents[1]: text: must be a string"),
        ("annotate", {"text": "a", "strictness": "wild"}, "strictness 'wild': take strict, balanced"),
        ("annotate", {"text": "a", "min_confidence": 2}, "min_confidence: must be a number from 0 to 1"),
        ("annotate", {"text": "a", "only": "LL"}, "only: must be a list"),
        ("annotate", {"text": "a", "only": ["lodaed"]}, "no technique is called 'lodaed'"),
        ("annotate", {"text": "a", "only": ["LL"], "ignore": ["LL"]}, "no technique is left"),
        ("classify", {"text": "abc", "spans": [{"start": 1, "end": 9}]}, "[1, 9) is not inside the text"),
        ("classify", {"text": "abc", "spans": [{"start": True, "end": 2}]}, "spans[0]: must be an object"),
        ("classify", {"text": "abc", "spans": [], "within": "none"}, "no inventory is called"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_wrong_is_told(client: httpx.Client, path: str, body: object, says: str):
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    answer = client.post(f"/v1/{path}", content=content, headers=JSON)
    assert answer.status_code == 422
    assert says in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_large_bodies_are_refused(client: httpx.Client):
    large = json.dumps({"text": "a" * 1_000_001})
    pieces = (large[i : i + 60_000].encode() for i in range(0, len(large), 60_000))
    for content in (large, pieces):  # with its length before it, and without
        answer = client.post("/v1/annotate", content=content, headers=JSON)
        assert answer.status_code == 413
        assert "1,000,000 bytes" in answer.json()["error"]


def test_a_sender_that_goes_away_is_no_fault(service: Service, client: httpx.Client):
    host, port = service.address.removeprefix("http://").split(":")
    n_said = len(service.said)
    head = f"POST /v1/annotate HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
    with socket.create_connection((host, int(port)), timeout=60) as gone:
        gone.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{".encode())
        time.sleep(0.2)
    assert service.says("POST /v1/annotate 499 ", since=n_said)
    assert not any(line.startswith("error") for line in service.said)


def test_only_the_token_opens_and_nothing_says_it(service: Service, client: httpx.Client):
    assert client.get("/v1/techniques").status_code == 200
    with service.client() as stranger:
        for wrong in ("", "Bearer", f"Basic {TOKEN}", "Bearer wrong", f"Bearer {TOKEN}x", "Bearer é"):
            answer = stranger.get("/v1/techniques", headers={"Authorization": wrong.encode()})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert stranger.get("/health").status_code == 200
        assert stranger.get(f"/{TOKEN}?token={TOKEN}").status_code == 404
    assert service.says("GET /v1/techniques 401")
    assert service.says("GET (another path) 404")
    assert TOKEN not in "".join(service.said)
    assert TEXT[:20] not in "".join(service.said)


def test_pages_from_elsewhere_get_nothing(service: Service, client: httpx.Client):
    body = {"content": json.dumps({"text": TEXT})}
    assert client.post("/v1/annotate", **body, headers={"Content-Type": "text/plain"}).status_code == 415
    foreign = client.post("/v1/annotate", **body, headers={**JSON, "Origin": "https://attacker.invalid"})
    rebound = client.get("/", headers={"Host": f"attacker.invalid:{service.address.rsplit(':', 1)[1]}"})
    asked = client.options("/v1/annotate", headers={"Access-Control-Request-Method": "POST", "Origin": "null"})
    assert [foreign.status_code, rebound.status_code, asked.status_code] == [403, 403, 403]
    for answer in (foreign, rebound, asked, client.get("/"), client.get("/health")):
        assert not any(name.startswith("access-control") for name in answer.headers)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers


def test_the_description_is_true(client: httpx.Client):
    jsonschema = pytest.importorskip("jsonschema")
    described = client.get("/openapi.json").json()
    assert described == openapi(described["info"]["version"])
    page = (_ASSETS / "api.html").read_text(encoding="utf-8")
    answers = {
        "Annotation": client.post("/v1/annotate", json={"text": TEXT}),
        "Annotations": client.post("/v1/annotate", json={"documents": [{"text": TEXT}]}),
        "Techniques": client.get("/v1/techniques"),
        "Health": client.get("/health"),
        "Error": client.get("/nowhere"),
    }
    for name, answer in answers.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json())
    for path, methods in described["paths"].items():
        for method, what in methods.items():
            assert f"{method.upper()} {path}" in page
            content = what.get("requestBody", {}).get("content", {}).get("application/json")
            answer = client.request(method, path, json=content["example"] if content else None)
            assert answer.status_code == 200
            refused = client.request("PUT", path)
            assert refused.status_code == 405
            assert refused.json() == {"error": f"ask with {refused.headers['allow']}"}


def test_a_full_queue_says_when_to_come_again_and_a_stop_loses_nothing(tiny_model_folder: Path):
    one = started("serve", "--port", "0", "--model", str(tiny_model_folder), "--queue", "8", "--window", "2000")
    with one.client() as client, ThreadPoolExecutor(8) as threads:
        taken = [threads.submit(client.post, "/v1/annotate", json={"text": f"{TEXT} {i}"}) for i in range(8)]
        while client.get("/health").json()["n_requests"] < 8:
            time.sleep(0.02)
        refused = client.post("/v1/annotate", json={"text": TEXT})
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        one.process.send_signal(signal.SIGTERM)
        while (late := client.post("/v1/annotate", json={"text": TEXT})).status_code == 429:
            time.sleep(0.02)
        assert late.status_code == 503
        assert client.get("/health").status_code == 503
        answers = [future.result() for future in taken]
    assert [answer.status_code for answer in answers] == [200] * 8
    assert [answer.json()["text"] for answer in answers] == [f"{TEXT} {i}" for i in range(8)]
    assert one.ended() == 0
    assert one.said[-1].startswith("stopped: 8 requests answered in 1 batches")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0: others can reach this address: set a token in DETECTOR_TOKEN"),
        (["--token", "short"], "--token: a token has 16 plain characters at least"),
        (["--host", "0.0.0.0", "--token", ""], "--token: a token has 16 plain characters at least"),
        (["--host", "192.0.2.1", "--token", TOKEN], "--port 8765: cannot be had on 192.0.2.1"),
        (["--model", "nowhere"], "nowhere: no model folder"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(arguments, says, capsys, monkeypatch):
    from detector.cli import main

    monkeypatch.delenv("DETECTOR_TOKEN", raising=False)
    port = ["--port", "0"] if "--model" in arguments else []
    with pytest.raises(SystemExit) as stop:
        main(["serve", *port, *arguments])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {says}")
    assert TOKEN not in line


def test_without_the_extra_the_way_to_it_is_told(capsys, monkeypatch):
    from detector.cli import main

    monkeypatch.setattr("detector.web.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stop:
        main(["serve"])
    assert stop.value.code == 2
    says = "error: detector serve needs starlette and uvicorn: pip install 'rhetoric-detector[web]'\n"
    assert capsys.readouterr().err == says


def test_jobs_are_worked_on_in_batches_and_fail_alone():
    batches: list[list[int]] = []

    def work(jobs):
        batches.append(list(jobs))
        return [ValueError(job) if job == 13 else job * 2 for job in jobs]

    async def run() -> None:
        batcher = Batcher(work, lambda job: 10, n_waiting=5, most=30, window=0.05)
        results = await asyncio.gather(*(batcher.result(job) for job in (1, 2, 13, 4, 5, 6)), return_exceptions=True)
        assert results[:2] + results[3:5] == [2, 4, 8, 10]
        assert isinstance(results[2], ValueError)
        assert isinstance(results[5], Full)
        assert batches == [[1, 2, 13], [4, 5]]
        last = asyncio.create_task(batcher.result(7))
        await asyncio.sleep(0)
        await batcher.drain()
        assert last.result() == 14
        with pytest.raises(Stopping):
            await batcher.result(8)

    asyncio.run(run())
