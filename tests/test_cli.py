"""The command line: whole outputs, one-line errors, exit codes, and what it may import."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from conftest import bare_setting

import detector
from detector.cli import annotate, main, streams
from detector.decode import Setting
from detector.errors import ConfigError, InputError, TechniqueError
from detector.report.brackets import unmarked
from detector.report.terminal import VERDICT
from detector.spans import Document, Span, text_hash
from detector.techniques import NAMES, families
from detector.writers.json import read_annotation

ROOT = Path(__file__).parents[1]
SEED = ROOT / "seeds" / "why-asian-nato-finds-no-support.txt"
SHIPPED = Path(detector.__file__).parent / "models"
needs_model = pytest.mark.skipif(not SHIPPED.is_dir(), reason="no model has been trained into detector/models yet")

ARTICLE = "They are peddling fear.\nNobody asked [them].\n"


class ScriptedDetector:
    """Stands in for `Detector`: marks the words it is given, with the technique and the confidence it is given."""

    name = "scripted"
    model_hash = "sha256:5c"

    def __init__(self, script: dict[str, tuple[str, float]]) -> None:
        self.script = script
        self.strictness: list[str] = []

    def setting(self, strictness: str) -> Setting:
        return bare_setting(strictness)

    def annotate(self, documents: Iterable[Document], *, strictness: str = "balanced") -> Iterator[Document]:
        self.strictness.append(strictness)
        for document in documents:
            yield document.with_spans(self._spans(document.text), n_read=len(document.text))

    def _spans(self, text: str) -> Iterator[Span]:
        for words, (technique, confidence) in self.script.items():
            start = text.find(words)
            if start >= 0:
                yield Span(start, start + len(words), technique, confidence)


SCRIPT = {"peddling fear": ("loaded-language", 0.8), "fear": ("appeal-to-fear", 0.4)}
Result = tuple[int, str, str]
Run = Callable[..., Result]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> ScriptedDetector:
    """The model of every call in the test."""
    model = ScriptedDetector(SCRIPT)
    monkeypatch.setattr(annotate, "load_detector", lambda folder, **_: model)
    return model


@pytest.fixture
def run(scripted, tmp_path, monkeypatch, capfdbinary) -> Run:
    """Runs the command in a folder with a few articles: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    for variable in ("NO_COLOR", "FORCE_COLOR", "DETECTOR_TRACEBACK"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "a.txt").write_bytes(ARTICLE.encode())
    (tmp_path / "b.txt").write_bytes(b"Plain words.\r\n")
    (tmp_path / "zeros.txt").write_bytes(bytes(100))
    (tmp_path / "folder").mkdir()

    def call(*arguments: str) -> Result:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        captured = capfdbinary.readouterr()
        return stop.value.code or 0, captured.out.decode(), captured.err.decode()

    return call


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "90")


# -- annotate, for people ---------------------------------------------------------------------------------------------


def test_annotate_writes_brackets_into_a_pipe(run: Run):
    code, out, err = run("annotate", "a.txt")
    assert (code, err) == (0, "")
    assert out == (
        "They are [LL peddling [AF fear]].\n"
        "Nobody asked \\[them\\].\n"
        "\n"
        "  1:10  LL  Loaded language              80% likely     “peddling fear”\n"
        "  1:19  AF  Appeal to fear or prejudice  40% possible   “fear”\n"
        "\n"
        "2 findings in 45 characters (7 words): justification 1, manipulative wording 1. Model: scripted.\n"
        f"{VERDICT}\n"
    )


def test_annotate_colours_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch):
    on_terminal(monkeypatch)
    _, out, _ = run("annotate", "a.txt")
    assert "\x1b[38;5;130mpeddling \x1b[0m\x1b[38;5;31;4mfear\x1b[0m\x1b[2;38;5;31m·AF\x1b[0m" in out
    assert "Nobody asked [them]." in out


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_a_terminal_may_be_without_colour_but_never_obeys_the_text(run: Run, monkeypatch, tmp_path, variable: str):
    on_terminal(monkeypatch)
    monkeypatch.setenv(variable, "dumb")
    (tmp_path / "esc.txt").write_bytes(b"\x1b]0;owned\x07 peddling fear")
    _, out, _ = run("annotate", "esc.txt")
    assert out.startswith("␛]0;owned␇ [LL peddling [AF fear]]".replace("]0", "\\]0"))
    assert "\x1b" not in out


def test_force_color_and_the_option_colour_a_pipe(run: Run, monkeypatch: pytest.MonkeyPatch):
    assert "\x1b[" in run("annotate", "a.txt", "--colour")[1]
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in run("annotate", "a.txt")[1]
    assert "\x1b[" not in run("annotate", "a.txt", "--no-color")[1]


@pytest.mark.parametrize(
    ("choice", "terminal", "environment", "expected"),
    [
        (None, True, {}, True),
        (None, False, {}, False),
        (None, True, {"NO_COLOR": "1"}, False),
        (None, True, {"NO_COLOR": ""}, True),
        (None, True, {"TERM": "dumb"}, False),
        (None, False, {"FORCE_COLOR": "1"}, True),
        (None, False, {"FORCE_COLOR": "0"}, False),
        (None, False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (True, False, {"NO_COLOR": "1"}, True),
        (False, True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_who_decides_about_colour(choice, terminal: bool, environment: dict[str, str], expected: bool):
    assert streams.wants_colour(choice, terminal=terminal, environment=environment) is expected


def test_several_documents_have_headings(run: Run):
    code, out, _ = run("annotate", "b.txt", "a.txt")
    assert code == 0
    assert out.startswith("==> b.txt <==\nPlain words.\r\n\nNo findings in 14 characters (2 words). Model: scripted.\n")
    assert f"{VERDICT}\n\n==> a.txt <==\nThey are [LL" in out


def test_an_empty_text_is_no_error(run: Run, tmp_path: Path):
    (tmp_path / "empty.txt").write_bytes(b"")
    code, out, err = run("annotate", "empty.txt")
    assert (code, err) == (0, "")
    assert out == f"\nNo findings: the text is empty. Model: scripted.\n{VERDICT}\n"


# -- annotate, for programs -------------------------------------------------------------------------------------------


def test_json_of_one_file_is_one_indented_object(run: Run):
    code, out, err = run(
        "annotate", "a.txt", "--format", "json", "--strictness", "strict", "--min-confidence", "0.5", "--ignore", "RP"
    )
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert out.startswith('{\n  "schema_version": 1,\n')
    assert record["model"] == {"name": "scripted", "hash": "sha256:5c"}
    assert record["tool"]["version"] == detector.__version__
    assert record["settings"] == {
        "strictness": "strict",
        "min_confidence": 0.5,
        "only": [],
        "ignore": ["repetition"],
    }
    assert record["text_hash"] == text_hash(ARTICLE)
    assert record["n_characters"] == record["n_characters_read"] == len(ARTICLE)
    assert [(span["quote"], span["line"], span["column"]) for span in record["spans"]] == [("peddling fear", 1, 10)]


def test_json_of_several_files_is_one_object_a_line(run: Run):
    _, out, _ = run("annotate", "a.txt", "b.txt", "-f", "json")
    documents = [read_annotation(json.loads(line)) for line in out.splitlines()]
    assert [document.id for document in documents] == ["a.txt", "b.txt"]
    assert documents[1].text == "Plain words.\r\n"


def test_a_folder_gives_lines_even_with_one_file(run: Run, tmp_path: Path):
    (tmp_path / "folder" / "one.txt").write_text("x")
    _, out, _ = run("annotate", "folder", "-f", "json")
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["folder/one.txt"]


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ([], ["LL", "AF"]),
        (["--min-confidence", "0.4"], ["LL", "AF"]),
        (["--min-confidence", "0.41"], ["LL"]),
        (["--only", "Appeal to fear or prejudice"], ["AF"]),
        (["--only", "ll,doubt", "--only", "AF"], ["LL", "AF"]),
        (["--ignore", "loaded-language"], ["AF"]),
        (["--only", "ll,af", "--ignore", "af,"], ["LL"]),
    ],
)
def test_findings_can_be_selected(run: Run, options: list[str], codes: list[str]):
    _, out, _ = run("annotate", "a.txt", "-f", "json", *options)
    assert [span["code"] for span in json.loads(out)["spans"]] == codes


def test_strictness_reaches_the_model(run: Run, scripted: ScriptedDetector):
    run("annotate", "a.txt")
    run("annotate", "a.txt", "--strictness", "sensitive")
    assert scripted.strictness == ["balanced", "sensitive"]


def test_a_selection_must_leave_something():
    with pytest.raises(TechniqueError, match="no technique is left"):
        annotate.Selection(only=("doubt",), ignore=("doubt",))
    with pytest.raises(TechniqueError, match="no technique is left"):
        annotate.Selection(ignore=NAMES)
    with pytest.raises(ConfigError, match="from 0 to 1"):
        annotate.Selection(min_confidence=float("nan"))


# -- errors -----------------------------------------------------------------------------------------------------------


def test_one_bad_file_leaves_the_others(run: Run):
    code, out, err = run("annotate", "missing.txt", "zeros.txt", "folder", "a.txt", "-f", "json")
    assert code == 2
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["a.txt"]
    assert err == (
        "error: missing.txt: there is no such file or folder: check the spelling\n"
        "error: folder: no file in this folder matches '*.txt': choose with --glob\n"
        "error: zeros.txt: character 0 is NUL, which no text contains: "
        "give a text file (UTF-16 needs its byte-order mark; saving as UTF-8 always works)\n"
    )


def test_nothing_to_read_loads_no_model(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(annotate, "load_detector", lambda folder, **_: pytest.fail("loaded"))
    assert run("annotate", "missing.txt")[:2] == (2, "")


def test_a_name_cannot_reach_the_terminal_raw(run: Run):
    _, _, err = run("annotate", "a\x1b[31m\nb")
    assert err == "error: a␛[31m b: there is no such file or folder: check the spelling\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "whatabout"], "did you mean whataboutism?"),
        (["explain", "doubt", "whatabout"], "did you mean whataboutism?"),
        (["annotate", "a.txt", "--only", "loaded"], "did you mean loaded-language?"),
        (["annotate", "a.txt", "--only", "ll", "--ignore", "ll"], "no technique is left"),
        (["annotate", "a.txt", "-o", "no/such/folder/x"], "there is no such folder"),
        (["annotate", "a.txt", "-o", "folder"], "--output folder: cannot be written"),
        (["annotate", "a.txt", "-o", "a.csv.gz"], "--output a.csv.gz: .gz files are not written"),
        (["report", "a.txt", "-o", "a.xlsx"], "--output a.xlsx: .xlsx files are not written"),
    ],
)
def test_a_wrong_value_is_one_line(run: Run, arguments: list[str], message: str):
    code, out, err = run(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ")
    assert message in err


@pytest.mark.parametrize("arguments", [["annotate"], ["annotate", "a.txt", "--min-confidence", "2"], ["detect"]])
def test_a_wrong_call_is_told_how_to_get_help(run: Run, arguments: list[str]):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "Try 'detector" in err


class Broken(ScriptedDetector):
    def __init__(self, error: BaseException) -> None:
        super().__init__({})
        self.error = error

    def annotate(self, documents: Iterable[Document], *, strictness: str = "balanced") -> Iterator[Document]:
        yield next(iter(documents))
        raise self.error


def test_a_fault_of_ours_is_one_line_too(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(annotate, "load_detector", lambda folder, **_: Broken(ValueError("two\nlines")))
    code, _, err = run("annotate", "a.txt")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: ValueError: two lines: this is a fault of the detector: set DETECTOR_TRACEBACK=1")
    monkeypatch.setenv("DETECTOR_TRACEBACK", "1")
    with pytest.raises(ValueError, match="two"):
        main(["annotate", "a.txt"])


def test_an_interruption_says_what_was_written(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(annotate, "load_detector", lambda folder, **_: Broken(KeyboardInterrupt()))
    code, _, err = run("annotate", "a.txt")
    assert (code, err) == (130, "1 document written to standard output\ninterrupted\n")


# -- where results go -------------------------------------------------------------------------------------------------


def test_output_is_the_same_in_a_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _, expected, _ = run("annotate", "a.txt")
    monkeypatch.setenv("FORCE_COLOR", "1")  # about the screen, not about a file
    assert run("annotate", "a.txt", "-o", "out.md") == (0, "", "")
    assert (tmp_path / "out.md").read_bytes().decode() == expected
    assert run("annotate", "a.txt", "-o", "-", "--no-colour")[1] == expected


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_output_is_written_whole_or_not_at_all(run: Run, tmp_path: Path, monkeypatch, error: BaseException):
    (tmp_path / "out.md").write_text("older")
    before = set(tmp_path.iterdir())
    monkeypatch.setattr(annotate, "load_detector", lambda folder, **_: Broken(error))
    run("annotate", "a.txt", "b.txt", "-o", "out.md")
    assert (tmp_path / "out.md").read_text() == "older"
    assert set(tmp_path.iterdir()) == before


def test_output_without_a_readable_document_is_not_written(run: Run, tmp_path: Path):
    assert run("annotate", "zeros.txt", "-o", "out.md")[0] == 2
    assert not (tmp_path / "out.md").exists()


def test_output_follows_a_link_and_leaves_devices_alone(run: Run, tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    run("annotate", "a.txt", "-o", "link")
    assert (tmp_path / "link").is_symlink()
    assert "peddling" in (tmp_path / "target").read_text()
    assert run("annotate", "a.txt", "-o", os.devnull) == (0, "", "")
    assert not Path(os.devnull).is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_device_is_one_line():
    with pytest.raises(InputError, match="/dev/full: cannot be written"), streams.output("/dev/full") as write:
        write("x")
    for asked in ("techniques", "--help", "--version"):
        with open("/dev/full", "wb") as full:
            done = process(asked, stdout=full)
        assert done.returncode == 2
        assert re.match(b"error: .*output:? cannot be written \\(No space left on device\\)", done.stderr)
        assert done.stderr.count(b"\n") == 1


# -- the inventory ----------------------------------------------------------------------------------------------------


def test_techniques_lists_every_technique_once_by_family(run: Run):
    code, out, err = run("techniques")
    assert (code, err) == (0, "")
    assert all(out.count(f"  ({name})\n") == 1 for name in NAMES)
    places = [out.index(f"{family.title}: ") for family in families()]
    assert places == sorted(places)
    assert max(map(len, out.splitlines())) <= streams.PIPE_WIDTH


def test_the_inventory_as_json_has_every_field(run: Run):
    records = json.loads(run("techniques", "--format", "json")[1])
    assert [record["name"] for record in records] == list(NAMES)
    assert all(record["definition"] and record["source"] and record["look_alikes"] for record in records)
    assert json.loads(run("explain", "LL", "doubt", "-f", "json")[1]) == [
        records[NAMES.index("loaded-language")],
        records[2],
    ]


def test_explain_offers_techniques_to_the_shell(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("_DETECTOR_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "detector explain what")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert run()[1].split() == ["whataboutism"]


def test_explain_shows_every_field_and_marks_the_quote(run: Run):
    code, out, err = run("explain", "Casting doubt")
    (record,) = json.loads(run("explain", "doubt", "-f", "json")[1])
    assert (code, err) == (0, "")
    flowing = " ".join(out.split())
    for field in ("title", "code", "name", "definition", "recognise", "legitimate", "question", "source"):
        assert record[field] in flowing, field
    assert all(sentence in out for sentence in record["look_alikes"])
    for example in record["examples"]:
        assert example["text"].replace(example["quote"], f"[DT {example['quote']}]") in out


# -- as a process -----------------------------------------------------------------------------------------------------


def process(*arguments: str, code: str | None = None, **options) -> subprocess.CompletedProcess[bytes]:
    """The command as a process of its own; with ``code``, a Python program in its place."""
    command = [sys.executable, *(["-c", code] if code else ["-m", "detector"]), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "COLUMNS": "90"}
    environment = {k: v for k, v in environment.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    return subprocess.run(command, env=environment, check=False, timeout=600, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize("arguments", [["--help"], ["annotate", "--help"], ["techniques"], ["explain", "ll"]])
def test_light_commands_import_nothing_heavy(arguments: list[str]):
    code = (
        "import sys\nfrom detector.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    heavy = {'torch', 'transformers', 'numpy', 'datasets', 'rich'}\n"
        "    sys.stderr.write(' '.join(heavy & set(sys.modules)))"
    )
    done = process(*arguments, code=code, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


def test_help_answers_at_once():
    def seconds() -> float:
        start = time.perf_counter()
        process("--help", stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 1  # 0.1 s on an idle machine


def test_help_is_shown_in_any_encoding(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    done = process("annotate", "--help", stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b",?" in done.stdout


def test_import_detector_is_light():
    used = "import sys, detector; detector.Span; detector.__version__; "
    code = used + "print({'torch', 'numpy', 'typer'} & set(sys.modules))"
    assert process(code=code, stdout=subprocess.PIPE).stdout == b"set()\n"


def test_the_package_offers_its_public_names():
    assert set(detector.__all__) <= set(dir(detector))
    assert detector.Document is Document
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        detector.nothing  # noqa: B018


def test_version():
    done = process("--version", stdout=subprocess.PIPE)
    assert done.stdout.decode() == f"detector {detector.__version__}\n"


@pytest.mark.parametrize("asked", ["techniques", "--help", "--version"])
def test_a_reader_that_goes_away_ends_the_command_quietly(asked: str):
    reading, writing = os.pipe()
    os.close(reading)
    done = process(asked, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


# -- with the shipped model -------------------------------------------------------------------------------------------


@needs_model
def test_the_sample_article_in_a_pipe():
    done = process("annotate", str(SEED), stdout=subprocess.PIPE)
    out = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    text = SEED.read_bytes().decode()
    article, rest = out[: out.rindex("\n\n  ")], out[out.rindex("\n\n  ") :]
    assert unmarked(article)[0].rstrip("\n") == text.rstrip("\n")
    assert "[LL " in article
    assert f" findings in {len(text):,} characters ({len(text.split()):,} words): " in rest
    assert out.endswith(f"{VERDICT}\n")


@needs_model
def test_texts_of_every_kind_get_a_right_answer_or_one_line(tmp_path: Path):
    good = {
        "empty.txt": b"",
        "blank.txt": b" \r\n\t\n",
        "crlf.txt": b"They want to destroy\r\neverything we love!\r\n",
        "utf16.txt": "Our sacred homeland is being raped.".encode("utf-16"),
        "emoji.txt": "😀 Vile e\u0301lites 👩‍👩‍👧 betray us! ".encode() * 20,
        "hebrew.txt": "הם בוגדים במולדת \u202eabc\u202c!".encode(),
        "line.txt": b"The corrupt regime spreads disgusting lies about us. " * 2000,
    }
    bad = {"zeros.txt": bytes(100), "latin.txt": b"caf\xe9\0"}
    for name, data in {**good, **bad}.items():
        (tmp_path / name).write_bytes(data)
    done = process("annotate", str(tmp_path), str(tmp_path / "missing"), "-f", "json", stdout=subprocess.PIPE)
    assert done.returncode == 2
    told = [line.split(": ")[:2] for line in done.stderr.decode().splitlines()]
    failed, warned = ([Path(name).name for kind, name in told if kind == wanted] for wanted in ("error", "warning"))
    assert sorted(failed) == ["latin.txt", "missing", "zeros.txt"]
    assert "hebrew.txt" in warned  # the model has read no Hebrew
    assert set(warned) < set(good)
    documents = [read_annotation(json.loads(line)) for line in done.stdout.decode().splitlines()]
    assert {Path(document.id).name for document in documents} == set(good)
    assert all(document.n_read == len(document.text) for document in documents)
    assert not next(d for d in documents if d.id.endswith("empty.txt")).spans
    assert next(d for d in documents if d.id.endswith("line.txt")).spans


@needs_model
def test_standard_input_gives_the_same_findings_as_the_file():
    spans = []
    for path in ("-", str(SEED)):
        done = process(
            "annotate", path, "-f", "json", "--strictness", "sensitive", stdout=subprocess.PIPE, input=SEED.read_bytes()
        )
        assert (done.returncode, done.stderr) == (0, b"")
        spans.append(json.loads(done.stdout)["spans"])
    assert spans[0] == spans[1] != []


# -- nothing is lost, and nothing stale is left -----------------------------------------------------------------------


@pytest.mark.parametrize("format", ["line", "github", "ptc"])
def test_a_run_without_findings_leaves_no_older_ones(run: Run, tmp_path: Path, format: str):
    run("annotate", "a.txt", "-f", format, "-o", "out")
    assert (tmp_path / "out").read_text()
    assert run("annotate", "b.txt", "-f", format, "-o", "out")[0] == 0
    assert (tmp_path / "out").read_bytes() == b""
    run("annotate", "a.txt", "-f", format, "-o", "out")
    assert run("annotate", "zeros.txt", "-f", format, "-o", "out")[0] == 2  # nothing was read: the older file stays
    assert (tmp_path / "out").read_text()


def test_an_article_is_not_replaced_by_its_findings(run: Run, tmp_path: Path):
    code, _, err = run("annotate", "a.txt", "-o", "folder/../a.txt")
    assert (code, err) == (2, "error: folder/../a.txt: is read and cannot be the output, too: name another file\n")
    assert (tmp_path / "a.txt").read_bytes() == ARTICLE.encode()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("folder", "-o", "folder/article1.txt"), "folder/article1.txt: is read and cannot be the output, too"),
        (("a.txt", "-f", "line", "--save-text", "."), "--save-text .: a.txt there is read and is not replaced"),
        (
            ("folder/article1.txt", "-f", "ptc-corpus", "-o", "folder"),
            "--output folder: article1.txt there is read and",
        ),
        (("folder", "-f", "ptc-corpus", "-o", "folder"), "--output folder: article1.txt there is read and is not"),
        (("a", "a.txt", "-f", "brat", "-o", "."), "--output .: a.txt there is read and is not replaced"),
    ],
)
def test_no_text_that_is_read_is_replaced(run: Run, tmp_path: Path, arguments: tuple[str, ...], told: str):
    (tmp_path / "folder" / "article1.txt").write_bytes(ARTICLE.encode("utf-16"))
    (tmp_path / "a").write_text("Another text.")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.txt")}
    code, _, err = run("annotate", *arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert told in err
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.txt")} == before


def test_texts_may_be_kept_beside_what_they_are_of(run: Run, tmp_path: Path):
    (tmp_path / "page.md").write_text("They want to destroy everything we love.")
    assert run("annotate", "page.md", "-f", "line", "--save-text", ".")[0] == 0
    assert "destroy everything" in (tmp_path / "page.md.txt").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_messages_that_cannot_be_written_stop_no_work(scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_bytes(ARTICLE.encode())
    full = open("/dev/full", "w")  # noqa: SIM115
    monkeypatch.setattr(sys, "stderr", full)
    with pytest.raises(SystemExit) as stop:
        main(("annotate", "nowhere.txt", "a.txt", "-f", "line", "-o", "out"))
    with suppress(OSError):  # closing tries once more to write
        full.close()
    assert stop.value.code == 2
    assert len((tmp_path / "out").read_text().splitlines()) == 2


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="this system has no /dev/stdout")
def test_what_is_open_already_is_written_to_and_not_replaced(tmp_path: Path):
    code = "from detector.cli import streams\nwith streams.output('/dev/stdout') as write: write('found\\n')"
    line = [sys.executable, "-c", code]
    assert subprocess.run(line, capture_output=True, check=True).stdout == b"found\n"
    (tmp_path / "log").write_text("precious\n")
    with (tmp_path / "log").open("ab") as log:
        subprocess.run(line, stdout=log, check=True)
    assert (tmp_path / "log").read_text() == "precious\nfound\n"


def test_a_file_that_cannot_be_replaced_is_filled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file that is mounted by itself, as into a container, refuses another in its place."""

    def busy(*args: object) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "replace", busy)
    file = tmp_path / "out"
    file.write_text("what an older run has found")
    with streams.output(str(file)) as write:
        write("found")
    assert (file.read_text(), [*tmp_path.iterdir()]) == ("found", [file])

    def full(part: Path, target: Path) -> None:
        target.write_text("fou")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(InputError) as caught, streams.output(str(file)) as write:
        write("found again")
    said, _, kept = str(caught.value).partition(": the result is in ")
    assert said == f"--output {file}: cannot be written (No space left on device)"
    assert (Path(kept).read_text(), {*tmp_path.iterdir()}) == ("found again", {file, Path(kept)})


def test_a_reader_that_leaves_a_named_pipe_ends_the_program_quietly(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with streams.output(str(tmp_path / "pipe")) as write:
        os.close(reader)
        with pytest.raises(typer.Exit) as stop:
            write("found")
    assert stop.value.exit_code == 141


def test_a_suffix_says_more_than_the_settings_and_a_flag_more_than_the_suffix(run: Run, tmp_path: Path):
    (tmp_path / "detector.toml").write_text('format = "csv"\n')
    run("annotate", "a.txt", "-o", "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["schema_version"] == 1
    run("annotate", "a.txt", "-o", "r.json", "-f", "line")
    assert (tmp_path / "r.json").read_text().startswith("a.txt:")
    assert run("annotate", "a.txt")[1].startswith("id,start,end,")


def test_a_text_in_the_place_of_a_path_is_one_line(run: Run):
    for command in (("annotate",), ("report",), ("convert", "x.json")):
        code, _, err = run(command[0], "They want to destroy everything we love. " * 9, *command[1:])
        assert (code, err.count("\n")) == (2, 1)
        assert "fault of the detector" not in err


def test_a_working_directory_that_is_gone_is_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    code, _, err = run("config")
    assert (code, err.startswith("error: the working directory cannot be read")) == (2, True)


def test_saved_texts_of_like_names_are_all_kept(run: Run, tmp_path: Path):
    (tmp_path / "a").write_text("Another text.")
    assert run("annotate", "a", "a.txt", "-f", "line", "--save-text", "kept")[0] == 0
    kept = {file.read_bytes() for file in (tmp_path / "kept").iterdir()}
    assert kept == {b"Another text.", ARTICLE.encode()}


def test_a_name_that_no_file_can_have_stops_nothing(run: Run):
    code, out, err = run("annotate", "x" * 300 + ".txt", "a.txt", "-f", "line")
    assert (code, err.count("\n"), out.count("\n")) == (2, 1, 2)
    assert "cannot be read (File name too long)" in err


def test_standard_streams_may_be_closed(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert run("annotate", "a.txt", "-f", "line")[0] == 0
    code, out, err = run("annotate", "-", "a.txt", "-f", "line")
    assert (code, err) == (2, "error: -: standard input is closed: name a file\n")
    assert out.count("\n") == 2


def test_an_archive_without_a_suffix_is_several_documents(run: Run, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr("./one.txt", ARTICLE)
        archive.writestr("two.txt", "Plain.")
    code, out, _ = run("annotate", "archive", "-f", "json")
    assert code == 0
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["archive!./one.txt", "archive!two.txt"]
    _, out, _ = run("annotate", "archive")
    assert re.findall("^==> (.+) <==$", out, re.MULTILINE) == ["archive!./one.txt", "archive!two.txt"]
    assert "==>" not in run("annotate", "a.txt")[1]
