"""Load on ``detector serve``: requests a second, delays and memory at 1, 8 and 64 clients; what a stop loses.

    python eval/bench_serve.py [--model DIR] [--seconds 20] [--words 200] [--clients 1,8,64] [--out FILE]

The service runs as a process of its own, with its usual settings, and is asked over HTTP with httpx. Every client sends
its next request when it has the answer to the last. Texts are stretches of the article in ``seeds/``, all different.

Then, with the most clients, the service is stopped (SIGTERM) in the middle. Every request that it has taken must be
answered with its record: the script compares the service's own count with what the clients got, and fails where one is
lost. An answer of 503 says that a request was not taken. One that was on its way and got no answer at all is cut off.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
SEED = ROOT / "seeds" / "why-asian-nato-finds-no-support.txt"
WARM_UP = 3


@dataclass
class Tally:
    """What the clients of one measurement saw: seconds of each answer, statuses, and what was cut off."""

    delays: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)  # of requests that were sent after the signal
    cut_off: Counter[str] = field(default_factory=Counter)  # of those before it: why there was no answer
    stopped_at: float | None = None


def main() -> None:
    """Prints a line for each measurement and writes all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=None, help="a model folder in place of the shipped model")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--words", type=int, default=200, help="of each text")
    parser.add_argument("--clients", default="1,8,64", help="how many at once, in turn")
    parser.add_argument("--out", type=Path, default=ROOT / "eval" / "results" / "serve.json")
    options = parser.parse_args()
    clients = [int(n) for n in options.clients.split(",")]
    rows = []
    print(f"{'clients':>8}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'batch':>7}{'RSS MiB':>9}{'peak MiB':>10}")
    with Process(options.model) as process:
        process.load(clients[-1], WARM_UP, options.words)
        for n_clients in clients:
            rows.append(process.measure(n_clients, options.seconds, options.words))
            print(
                "{n_clients:8d}{requests_per_second:12.1f}{p50_ms:9.0f}{p99_ms:9.0f}"
                "{requests_per_batch:7.1f}{rss_mib:9.0f}{peak_mib:10.0f}".format(**rows[-1])
            )
        stop = process.stop_under_load(clients[-1], max(3.0, options.seconds / 4), options.words)
    print(
        f"stopped in the middle with {clients[-1]} clients: {stop['n_taken']} taken, {stop['n_lost']} of them lost, "
        f"{stop['n_refused']} refused, {stop['n_cut_off']} cut off, gone after {stop['seconds_to_stop']:.1f} s"
    )
    result = {**conditions(process, options), "load": rows, "stop": stop}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if stop["n_lost"] or stop["exit_code"]:
        sys.exit("requests were lost, or the service did not end as it should")


class Process:
    """A running service; ends with the block whatever happens."""

    def __init__(self, model: str | None) -> None:
        self._command = [sys.executable, "-m", "detector", "serve", "--port", "0"]
        self._command += ["--model", model] if model else []
        self.model = ""
        self.n_sent = 0  # of all measurements: every text is another one

    def __enter__(self) -> Process:
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        line = self._process.stderr.readline() if self._process.stderr else ""
        found = re.search(r"http://\S+", line)
        if not found:
            sys.exit(f"the service did not start: {line.strip()}")
        self.address = found[0]
        self.model = self.health()["model"]["name"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def health(self) -> dict:
        """What the service says of itself."""
        return httpx.get(f"{self.address}/health", trust_env=False, timeout=60).json()

    def memory(self, name: str) -> float:
        """``VmRSS`` (now) or ``VmHWM`` (the most so far) of the process in MiB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024

    def load(self, n_clients: int, seconds: float, n_words: int) -> tuple[Tally, float]:
        """So many clients for so long, and how long it was in the end."""
        started = time.perf_counter()
        tally = Tally()
        asyncio.run(self._clients(tally, n_clients, n_words, until=started + seconds))
        return tally, time.perf_counter() - started

    def measure(self, n_clients: int, seconds: float, n_words: int) -> dict[str, float]:
        """The figures of one measurement."""
        before = self.health()
        tally, took = self.load(n_clients, seconds, n_words)
        after = self.health()
        n = len(tally.delays)
        n_batches = after["n_batches"] - before["n_batches"]
        return {
            "n_clients": n_clients,
            "seconds": round(took, 2),
            "n_requests": n,
            "n_not_200": sum(tally.statuses.values()) - tally.statuses[200],
            "requests_per_second": round(n / took, 2),
            "words_per_second": round(n * n_words / took),
            "p50_ms": round(1000 * statistics.median(tally.delays), 1),
            "p99_ms": round(1000 * quantile(tally.delays, 0.99), 1),
            "requests_per_batch": round(n / max(n_batches, 1), 2),
            "rss_mib": round(self.memory("VmRSS")),
            "peak_mib": round(self.memory("VmHWM")),
        }

    def stop_under_load(self, n_clients: int, seconds: float, n_words: int) -> dict[str, float]:
        """What becomes of the requests when the service is stopped in the middle, and how long it takes to end."""
        before = self.health()["n_requests"]
        tally = Tally()
        asyncio.run(self._stopped(tally, n_clients, n_words, seconds))
        code = self._process.wait(120)
        took = time.perf_counter() - (tally.stopped_at or 0)
        last = self._process.stderr.read() if self._process.stderr else ""
        taken = int(re.search(r"stopped: ([\d,]+) requests? answered", last)[1].replace(",", "")) - before
        answered = tally.statuses[200] + tally.late["200"]
        return {
            "n_clients": n_clients,
            "n_taken": taken,
            "n_answered": answered,
            "n_refused": tally.statuses[503] + tally.statuses[429],
            "n_lost": taken - answered,
            "n_cut_off": tally.cut_off.total(),
            "cut_off": dict(tally.cut_off),
            "sent_after_the_signal": dict(tally.late),
            "seconds_to_stop": round(took, 2),
            "exit_code": code,
        }

    async def _stopped(self, tally: Tally, n_clients: int, n_words: int, seconds: float) -> None:
        clients = asyncio.create_task(
            self._clients(tally, n_clients, n_words, until=time.perf_counter() + 60, once_stopped=True)
        )
        await asyncio.sleep(seconds)
        tally.stopped_at = time.perf_counter()
        self._process.send_signal(signal.SIGTERM)
        await clients

    async def _clients(
        self, tally: Tally, n_clients: int, n_words: int, *, until: float, once_stopped: bool = False
    ) -> None:
        limits = httpx.Limits(max_connections=n_clients)
        async with httpx.AsyncClient(base_url=self.address, limits=limits, timeout=120, trust_env=False) as http:
            loops = [self._client(http, tally, n_words, until, once_stopped=once_stopped) for _ in range(n_clients)]
            await asyncio.gather(*loops)

    async def _client(
        self, http: httpx.AsyncClient, tally: Tally, n_words: int, until: float, *, once_stopped: bool
    ) -> None:
        """One client; where the service is to be stopped, it goes on until it is sent away."""
        while time.perf_counter() < until:
            body = {"text": self._text(n_words)}
            sent = time.perf_counter()
            late = tally.stopped_at is not None
            try:
                answer = await http.post("/v1/annotate", json=body)
            except httpx.TransportError as error:
                if late:
                    tally.late[type(error).__name__] += 1
                else:
                    tally.cut_off[type(error).__name__] += 1
                return
            if late:
                tally.late[str(answer.status_code)] += 1
            else:
                tally.statuses[answer.status_code] += 1
                tally.delays.append(time.perf_counter() - sent)
            if once_stopped and answer.status_code == 503:
                return

    def _text(self, n_words: int) -> str:
        self.n_sent += 1
        start = self.n_sent * 31 % len(WORDS)
        return f"{self.n_sent}. " + " ".join(WORDS[(start + j) % len(WORDS)] for j in range(n_words))


WORDS = SEED.read_text(encoding="utf-8").split()


def quantile(values: list[float], q: float) -> float:
    """The value that a share ``q`` of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def conditions(process: Process, options: argparse.Namespace) -> dict[str, object]:
    """What was measured, and on what."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": platform.machine(),
        "n_cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "model": process.model,
        "words_of_a_text": options.words,
    }


if __name__ == "__main__":
    main()
