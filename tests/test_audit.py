"""`make audit`: which licences pass, and that a service that does not answer is told of and fails nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.append(str(Path(__file__).parents[1] / ".ci"))

import audit


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND BSD-3-Clause", True),
        ("MPL-1.1 OR GPL-2.0-only OR LGPL-2.1-or-later", True),
        ("Apache Software License; MIT License", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("Apache Software License; GNU General Public License v3 (GPLv3)", False),
        ("UNKNOWN", False),
    ],
)
def test_a_licence_passes_where_all_that_must_hold_is_allowed(licence: str, allowed: bool):
    assert audit.is_allowed(licence) is allowed
    row = {"Name": "a", "License": licence, "URL": ""}
    assert bool(list(audit.disallowed([row]))) is not allowed


def test_known_vulnerabilities_fail_and_what_is_not_known_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    found = {"id": "PYSEC-1", "fix_versions": ["2.0"]}
    told = [{"name": "a", "version": "1.0", "vulns": [found]}, {"name": "b", "skip_reason": "not found"}]
    answers = [json.dumps({"dependencies": told}), ""]
    answer = lambda *_, **__: SimpleNamespace(stdout=answers.pop(0), stderr="Traceback\nname not resolved")  # noqa: E731
    monkeypatch.setattr(subprocess, "run", answer)
    assert list(audit.vulnerable()) == ["a 1.0: PYSEC-1: mended in 2.0"]
    assert "1 OF 2 PACKAGES WERE NOT LOOKED UP: the service does not know b" in capsys.readouterr().err
    assert list(audit.vulnerable()) == []
    assert "NO VULNERABILITIES WERE LOOKED UP" in capsys.readouterr().err


def test_the_list_of_licences_has_what_the_package_itself_asks_for():
    listed = (Path(__file__).parents[1] / "docs" / "licences.md").read_text(encoding="utf-8").lower()
    assert all(name in listed for name in ("torch", "numpy", "onnxruntime", "pypdf", "starlette"))
    assert {"torch", "numpy"} <= audit.needed("rhetoric-detector", ())
    assert "pytest" not in audit.needed("rhetoric-detector", ("all",))
