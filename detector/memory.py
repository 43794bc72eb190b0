"""What is freed goes back to the system, where the C library is glibc: left alone, it keeps most of it.

Nothing here changes a result; elsewhere (macOS, Windows, musl) it does nothing.
"""

from __future__ import annotations

import ctypes

LARGE_BLOCK = 1024 * 1024
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h


def keep_no_large_blocks() -> None:
    """From now on, blocks of a mebibyte or more are the system's again as soon as they are freed.

    It concerns the whole process, so it is for programs to say, not for what is imported into others.
    """
    _call("mallopt", _MMAP_THRESHOLD, LARGE_BLOCK)


def return_freed() -> None:
    """Gives back what has been freed so far."""
    _call("malloc_trim", 0)


def _call(function: str, *arguments: int) -> None:
    try:
        getattr(ctypes.CDLL(None), function)(*arguments)
    except (AttributeError, OSError, TypeError):  # another C library, or none that can be asked
        return
