"""Which words of a text use which persuasion technique, and how sure that is.

``import detector`` is light: what runs the model is imported by `load`, and torch only where it has to be torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detector.detect import Detector as Detector
    from detector.detect import load as load
    from detector.spans import Document as Document
    from detector.spans import Span as Span

    __version__: str

__all__ = ["Detector", "Document", "Span", "__version__", "load"]

_HOME = {
    "Detector": "detector.detect",
    "load": "detector.detect",
    "Document": "detector.spans",
    "Span": "detector.spans",
}


def __getattr__(name: str) -> Any:
    """The public name, imported when it is first asked for."""
    if name == "__version__":
        value: Any = _version()
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value  # asked for once
    return value


def __dir__() -> list[str]:
    """The public names, whether imported yet or not."""
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rhetoric-detector")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
