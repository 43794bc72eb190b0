"""Freed memory goes back to the system, seen from outside: in a process of its own, by what Linux says of it."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told what to do")

KEPT = """
import re
from detector.memory import keep_no_large_blocks, return_freed

def resident():
    return int(re.search(r"VmRSS:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024

{first}
sizes = [2, 30, 4, 20, 6] * 4  # as a large block is freed, glibc begins to keep blocks of its size
before = resident()
for _ in range(2):
    blocks = [bytearray(b"x") * (size * 2**20) for size in sizes]
    corner = [bytearray(b"x") * 200_000 for _ in range(40)]  # what lies above keeps the rest from shrinking
    most = resident()
    del blocks
{then}
print(most - before, resident() - before)
"""


@pytest.mark.parametrize(("first", "then"), [("keep_no_large_blocks()", ""), ("", "return_freed()")])
def test_what_is_freed_goes_back(first: str, then: str):
    script = KEPT.format(first=first, then=then)
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    most, left = map(float, done.stdout.split())
    assert most > 200
    assert left < 60
