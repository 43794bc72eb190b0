"""What runs in a browser or answers other programs: the review page and the JSON API, on this machine.

`api` and `review` each make a small Starlette application, `guards` stands before both, `server` runs one of them.
Needs the extra ``web``; everything else in the package does without.
"""

from __future__ import annotations

from importlib.util import find_spec

from detector.errors import ConfigError


def check_installed(command: str) -> None:
    """Nothing, where the packages of the extra are there; else raises ConfigError about the command."""
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        names = " and ".join(missing)
        raise ConfigError(f"detector {command} needs {names}: pip install 'rhetoric-detector[web]'")
