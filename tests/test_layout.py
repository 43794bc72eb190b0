"""The rows of the design: a module imports only from rows above its own, and only `detector.cli` prints or exits."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "detector"
ROWS = (
    "errors",
    "memory",
    "spans",
    "sentences",
    "attribution",
    "quotes",
    "techniques",
    "selection",
    "config",
    "metrics",
    "corpora",
    "readers",
    "writers",
    "folding",
    "names",
    "windows",
    "decode",
    "folder_checks",
    "folder",
    "model",
    "backends",
    "likeness",
    "detect",
    "why",
    "evaluate",
    "train",
    "batch",
    "report",
    "web",
    "cli",
)
FACES = {"__init__", "__main__"}  # they import lazily, or only the command line
MODULES = sorted(PACKAGE.rglob("*.py"))


def row_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rows(tree: ast.AST) -> Iterator[str]:
    """The rows that a module imports from, wherever in it the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: import by the full name"
            # `from detector import x` means the module x, or a name of the package's face.
            names = [f"detector.{a.name}" for a in node.names] if node.module == "detector" else [node.module or ""]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("detector."))


def printing(tree: ast.AST) -> Iterator[str]:
    """What in a module prints, reads the keyboard or exits."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in {"print", "input", "exit", "quit", "breakpoint"}:
                yield f"line {node.lineno}: {node.func.id}()"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if f"{node.value.id}.{node.attr}" in {"sys.exit", "os._exit", "sys.stdout", "sys.stderr", "sys.stdin"}:
                yield f"line {node.lineno}: {node.value.id}.{node.attr}"
        elif isinstance(node, ast.Name) and node.id == "SystemExit":
            yield f"line {node.lineno}: SystemExit"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_from_rows_above(path: Path):
    row = row_of(path)
    if row in FACES:
        return
    assert row in ROWS, f"{row} has no row in the design: give it one here"
    own_and_above = {*ROWS[: ROWS.index(row) + 1], "__version__"}
    wrong = set(imported_rows(ast.parse(path.read_text(encoding="utf-8")))) - own_and_above
    assert not wrong, f"{row} imports from rows below it, or from the package's face: {sorted(wrong)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_only_the_command_line_prints_or_exits(path: Path):
    if row_of(path) != "cli":
        assert list(printing(ast.parse(path.read_text(encoding="utf-8")))) == []


def test_the_checks_see_what_they_look_for():
    source = (
        "import detector.cli.streams\ndef f():\n    from detector import detect\n    print(1)\n    raise SystemExit\n"
    )
    assert list(imported_rows(ast.parse(source))) == ["cli", "detect"]
    assert len(list(printing(ast.parse(source)))) == 2
