"""Known vulnerabilities and licences of what is installed: `make audit`.

    python .ci/audit.py            fails for a vulnerability that is known, and for a licence that is not allowed
    python .ci/audit.py --write    writes the licences of what a user of the package installs to docs/licences.md

What the service of vulnerabilities does not know, or a service that cannot be reached, is a warning and no failure.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).parents[1] / "docs" / "licences.md"
PACKAGE, EXTRA = "rhetoric-detector", "all"
ALLOWED = frozenset(
    (
        *("0bsd", "apache-2.0", "apache-2.0 with llvm-exception", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "cc0-1.0"),
        *(
            "cnri-python",
            "hpnd",
            "isc",
            "mit",
            "mit-0",
            "mit-cmu",
            "mpl-1.1",
            "mpl-2.0",
            "psf-2.0",
            "unlicense",
            "zlib",
        ),
        *("3-clause bsd license", "apache 2.0", "apache 2.0 license", "apache software license", "bsd license"),
        *("isc license (iscl)", "mit license", "mozilla public license 2.0 (mpl 2.0)", "the mit license (mit)"),
        *("python software foundation license", "the unlicense (unlicense)", "zope public license"),
        *("dependency licenses", "libpng-2.0", "ijg", "ofl-1.1"),
    )
)
"""Licences that let the package be used and passed on as its own, Apache 2.0, does; in small letters."""
GRAPHICS_CARDS = re.compile(r"nvidia-|cuda-|triton$")
"""What torch brings along on machines for GPUs; its licences let it be used, and nothing here passes it on."""


def main() -> None:
    """Runs both checks, or writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/licences.md")
    if parser.parse_args().write:
        PAGE.write_text(page(licences()), encoding="utf-8")
        return
    problems = [*vulnerable(), *disallowed(licences())]
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


def vulnerable() -> Iterator[str]:
    """A sentence for each known vulnerability; warnings go to standard error."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--skip-editable"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        warn(f"NO VULNERABILITIES WERE LOOKED UP: pip-audit could not ask the service ({reason:.200})")
        return
    unknown = [one["name"] for one in packages if "skip_reason" in one]
    if unknown:
        counts = f"{len(unknown)} OF {len(packages)} PACKAGES WERE NOT LOOKED UP"
        warn(f"{counts}: the service does not know {listed(unknown)}")
    print(f"{len(packages) - len(unknown)} packages looked up for known vulnerabilities")
    for one in packages:
        for found in one.get("vulns", ()):
            fixed = ", ".join(found["fix_versions"]) or "no version yet"
            yield f"{one['name']} {one['version']}: {found['id']}: mended in {fixed}"


def licences() -> list[dict[str, str]]:
    """``Name``, ``License`` and ``URL`` of each package that is installed, by name."""
    command = [sys.executable, "-m", "piplicenses", "--format", "json", "--from", "mixed", "--with-urls"]
    rows = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return sorted(({**row, "License": short(row["License"])} for row in rows), key=lambda row: row["Name"].lower())


def short(licence: str) -> str:
    """A licence in one line: some packages state the whole text."""
    return re.sub(r"\s+", " ", licence.strip().splitlines()[0]) if licence.strip() else "UNKNOWN"


def disallowed(rows: list[dict[str, str]]) -> Iterator[str]:
    """A sentence for each package whose licence is not one of `ALLOWED`."""
    print(f"{len(rows)} packages' licences checked")
    for row in rows:
        if not GRAPHICS_CARDS.match(row["Name"]) and not is_allowed(row["License"]):
            yield f"{row['Name']}: its licence, {row['License']}, is not allowed: see ALLOWED in .ci/audit.py"


def is_allowed(licence: str) -> bool:
    """Whether each part of an expression that must hold, and one of those to choose from, is allowed."""
    choices = licence.lower().replace("(", " (").split(" or ")
    return any(all(" ".join(part.split()) in ALLOWED for part in re.split(r" and |[;,]", choice)) for choice in choices)


def page(rows: list[dict[str, str]]) -> str:
    """What a user installs with all extras that are in this environment, with their licences."""
    ours = needed(PACKAGE, (EXTRA,))
    table = [
        f"| [{row['Name']}]({row['URL']}) | {row['License']} |"
        if row["URL"].startswith("http")
        else f"| {row['Name']} | {row['License']} |"
        for row in rows
        if canonicalize_name(row["Name"]) in ours
    ]
    return "\n".join(
        [
            "# Licences",
            "",
            "The package itself is under Apache 2.0. These are the packages that",
            "`pip install 'rhetoric-detector[all]'` fetches besides, with the licences that they state.",
            "`python .ci/audit.py --write` makes the list of those that are installed; `make audit` refuses licences",
            "that do not let the package be used and passed on as its own does.",
            "",
            "| package | licence |",
            "|---|---|",
            *table,
            "",
        ]
    )


def needed(name: str, extras: tuple[str, ...]) -> set[str]:
    """The names of all packages that one needs with these extras, as far as they are installed."""
    found: set[str] = set()
    waiting = [(name, extras)]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        found.add(canonicalize_name(name))
        for requirement in map(Requirement, lines):
            wanted = (
                any(requirement.marker.evaluate({"extra": e}) for e in ("", *extras)) if requirement.marker else True
            )
            entry = (canonicalize_name(requirement.name), tuple(sorted(requirement.extras)))
            if wanted and entry not in seen:
                seen.add(entry)
                waiting.append(entry)
    return found - {canonicalize_name(PACKAGE)}


def warn(message: str) -> None:
    """Writes a warning that nobody overlooks."""
    print(f"warning: {message}", file=sys.stderr)


def listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


if __name__ == "__main__":
    main()
