"""What all pages share: templates, style sheet, script, the security policy that names them, and the palette.

A page asks for nothing from anywhere: its policy allows the one style sheet and the one script whose hashes it names,
and nothing else. The pages of a corpus share their assets as files instead, from the folder they lie in.
"""

from __future__ import annotations

import base64
import hashlib
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from detector.report.visible import visible
from detector.report.wording import FACTOR_MEANS, counted
from detector.spans import text_hash
from detector.techniques import NAMES, families
from detector.writers.json import dumps

_HERE = Path(__file__).parent
_FORBIDDEN = "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:"


def render(template: str, **context: Any) -> str:
    """The page that a template makes of these values; every value is escaped unless it is `Markup`."""
    return _environment().get_template(template).render(**context) + "\n"


@cache
def style_sheet() -> str:
    """The style sheet of every page: the palette and the slots as rules, then the file."""
    return _palette_rules() + _slot_rules() + _asset("report.css")


@cache
def script(name: str) -> str:
    """The text of a script in the assets: ``report.js`` or ``corpus.js``."""
    return _asset(name)


def inline_policy(script_name: str) -> str:
    """The content security policy of a page that holds its style sheet and script itself."""
    return f"{_FORBIDDEN}; style-src {_source(style_sheet())}; script-src {_source(script(script_name))}"


def file_policy() -> str:
    """The policy of a page whose style sheet and scripts are files beside it, whether opened or served."""
    return f"{_FORBIDDEN}; style-src 'self' file:; script-src 'self' file:"


def data_block(value: Mapping[str, Any]) -> Markup:
    """The value as JSON that may stand in a script element: nothing in it can end the element."""
    written = dumps(value, indent=1)
    return Markup(written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


@cache
def palette(theme: str) -> Mapping[str, str]:
    """The colours of a theme, ``light`` or ``dark``: ``paper`` and one for each family, by slug, as ``#rrggbb``."""
    return dict(tomllib.loads((_HERE / "palette.toml").read_text(encoding="utf-8"))[theme])


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=visible, count=counted, per_thousand=lambda rate: f"{rate:.1f}")
    environment.globals.update(text_hash=text_hash, index="", part_links=(), factor_means=FACTOR_MEANS)
    return environment


def _asset(name: str) -> str:
    return (_HERE / "assets" / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """The CSP source that allows an inline element with exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _palette_rules() -> str:
    light, dark = (_variables(palette(theme)) for theme in ("light", "dark"))
    chosen = "".join(f".{f.name}{{--c:var(--{f.name})}}" for f in families())
    return (
        f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{{dark}}}}}\n{chosen}\n"
    )


def _variables(colours: Mapping[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def _slot_rules() -> str:
    """The offset of each underline, and the height of a line with more of them than fit; 23 techniques can overlap.

    Findings of one technique may overlap too in hand-made files, so there are twice as many slots.
    """
    n_slots = 2 * len(NAMES)
    offsets = "".join(f".slot-{i}{{--slot:{i}}}" for i in range(n_slots))
    return offsets + "".join(f".rows-{i}{{--rows:{i}}}" for i in range(4, n_slots + 1)) + "\n"
