"""Characters that a terminal would obey instead of showing, made visible."""

from __future__ import annotations

import re

# Control characters except tab and line feed; what changes the direction of the text around it; lone surrogates.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_END = re.compile("\r\n?")


def visible(text: str) -> str:
    """The text, safe for a terminal: control characters show as ``␛`` or ``‹U+202E›``, every line end is ``\\n``.

    >>> visible("a\\x1b[31mb\\r\\nc")
    'a␛[31mb\\nc'
    """
    return _OBEYED.sub(lambda found: _picture(ord(found[0])), _LINE_END.sub("\n", text))


def _picture(code_point: int) -> str:
    if code_point < 0x20:
        return chr(0x2400 + code_point)  # Unicode has a picture for each of these
    return "␡" if code_point == 0x7F else f"‹U+{code_point:04X}›"
