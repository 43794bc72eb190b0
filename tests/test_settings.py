"""Settings and the options of `annotate`: where values come from, what they leave out, and exit codes."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cli import ScriptedDetector, process

from detector.cli import annotate, main
from detector.cli.config import listing
from detector.cli.settings import KEYS, in_force
from detector.errors import ConfigError, TechniqueError
from detector.selection import FailOn, Selection
from detector.spans import Document, Span

ROOT = Path(__file__).parents[1]
ARTICLE = "They are peddling fear. “Vile traitors,” said Ann Lee.\nVile traitors, all of them!\n"
SCRIPT = {"peddling fear": ("loaded-language", 0.8), "fear": ("appeal-to-fear", 0.4), "Vile traitors": ("doubt", 0.6)}
Run = Callable[..., tuple[int, str, str]]


class Thorough(ScriptedDetector):
    """Marks every place where its words stand."""

    def _spans(self, text: str):
        for words, (technique, confidence) in self.script.items():
            for start in range(len(text)):
                if text.startswith(words, start):
                    yield Span(start, start + len(words), technique, confidence)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfdbinary) -> Run:
    """Runs the command in a folder with an article: exit code, standard output, standard error."""
    monkeypatch.setattr(annotate, "load_detector", lambda folder, **_: Thorough(SCRIPT))
    monkeypatch.chdir(tmp_path)
    for variable in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", *(f"DETECTOR_{name.upper()}" for name in KEYS)):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "a.txt").write_text(ARTICLE)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        captured = capfdbinary.readouterr()
        return int(stop.value.code or 0), captured.out.decode(), captured.err.decode()

    return call


def found(run: Run, *options: str) -> list[tuple[str, int]]:
    code, out, err = run("annotate", "a.txt", "-f", "json", *options)
    assert (code, err) == (0, "")
    return [(span["code"], span["line"]) for span in json.loads(out)["spans"]]


ALL = [("LL", 1), ("AF", 1), ("DT", 1), ("DT", 2)]


# -- what is left out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ALL),
        (["--quotes", "skip"], [("LL", 1), ("AF", 1), ("DT", 2)]),
        (["--quotes", "only"], [("DT", 1)]),
        (["--threshold", "LL=0.9,doubt=0.6"], [("AF", 1), ("DT", 1), ("DT", 2)]),
        (["--threshold", "doubt=0.61", "--threshold", "AF=0.5"], [("LL", 1)]),
        (["--ignore-pattern", r"peddling \w+"], [("DT", 1), ("DT", 2)]),
        (["--ignore-pattern", "^Vile.*$", "--ignore-pattern", "fear"], [("DT", 1), ("DT", 2)]),
        (["--ignore-pattern", "(?m)^Vile.*$"], [("LL", 1), ("AF", 1), ("DT", 1)]),
    ],
)
def test_findings_are_left_out(run: Run, options: list[str], expected: list[tuple[str, int]]):
    assert found(run, *options) == expected


def test_a_text_may_switch_the_detector_off():
    spans = tuple(Span(i, i + 1, "doubt") for i in range(0, 80, 2))
    text = "aaaa<!-- detector: off -->bbbb<!--detector:on-->cccc<!-- detector: off -->dddd".ljust(90)
    kept = Selection().apply(Document("a", text, spans))
    assert {text[span.start] for span in kept.spans} == {"a", "c"}
    assert kept.warnings == ("switches the detector off itself, for 82 characters",)
    assert Selection().apply(Document("a", "aaaa<!-- detector: on -->", spans[:2])).warnings == ()


@given(st.text("ab ", max_size=40), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), max_size=12), st.data())
def test_what_touches_a_match_is_left_out(text: str, places: list[tuple[int, int]], data: st.DataObject):
    spans = tuple(Span(min(start, len(text)), min(start + n, len(text)), "doubt") for start, n in places)
    patterns = data.draw(st.lists(st.sampled_from(["a", "a+", "b.", r"\w+", "(?:a b)+"]), max_size=2))
    matches = [match.span() for pattern in patterns for match in re.finditer(pattern, text)]
    kept = tuple(span for span in spans if not any(a < span.end and span.start < b for a, b in matches))
    assert Selection(ignore_patterns=tuple(patterns)).apply(Document("a", text, spans)).spans == kept


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"only": ("LL",)}, "'LL' is not the slug of a technique: write 'loaded-language'"),
        ({"ignore": ["Loaded Language"]}, "'Loaded Language' is not the slug of a technique: write 'loaded-language'"),
        ({"thresholds": {"AF": 0.5}}, "'AF' is not the slug of a technique: write 'appeal-to-fear'"),
        ({"only": ("dout",)}, "no technique is called 'dout': did you mean doubt? `detector techniques` lists all"),
        ({"only": "doubt"}, "only 'doubt': is one text: take a tuple, such as ('doubt',)"),
        ({"ignore_patterns": "a+"}, "ignore_patterns 'a+': is one text: take a tuple, such as ('a+',)"),
    ],
)
def test_a_selection_of_what_no_finding_can_be_is_refused(given: dict[str, Any], message: str):
    with pytest.raises((ConfigError, TechniqueError)) as raised:
        Selection(**given)
    assert str(raised.value) == message


def test_many_matches_beside_many_findings_take_no_time():
    text = "They lie, " * 20_000
    spans = tuple(Span(i + 5, i + 8, "doubt") for i in range(0, len(text), 10))
    started = time.process_time()
    assert Selection(ignore_patterns=(",",)).apply(Document("a", text, spans)).spans == spans
    assert time.process_time() - started < 5


def test_totals_with_and_without_quotations(run: Run):
    record = json.loads(run("annotate", "a.txt", "-f", "json")[1])
    assert (record["n_spans"], record["n_in_quote"]) == (4, 1)
    _, out, _ = run("annotate", "a.txt")
    assert "“Vile traitors” (said by Ann Lee)" in out
    assert "; 1 of them in the words of others. Model:" in out


def test_settings_beyond_the_usual_are_told(run: Run):
    _, out, _ = run("annotate", "a.txt", "-f", "json", "--quotes", "skip", "--threshold", "LL=0.9")
    assert json.loads(out)["settings"] == {
        "strictness": "balanced",
        "min_confidence": 0.0,
        "only": [],
        "ignore": [],
        "quotes": "skip",
        "thresholds": {"loaded-language": 0.9},
    }


# -- exit codes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        (["1"], 1),
        (["4"], 1),
        (["5"], 0),
        (["doubt"], 1),
        (["slogans"], 0),
        (["Justification"], 1),
        (["call"], 0),
        (["slogans,LL"], 1),
        (["slogans", "4"], 1),
        (["attack on reputation"], 1),
    ],
)
def test_fail_on(run: Run, conditions: list[str], code: int):
    options = [part for condition in conditions for part in ("--fail-on", condition)]
    assert run("annotate", "a.txt", "-f", "line", *options)[0] == code


def test_fail_on_counts_what_is_kept_in_all_files(run: Run, tmp_path: Path):
    (tmp_path / "b.txt").write_text(ARTICLE)
    assert run("annotate", "a.txt", "b.txt", "--fail-on", "8")[0] == 1
    assert run("annotate", "a.txt", "b.txt", "--fail-on", "8", "--quotes", "skip")[0] == 0
    assert run("annotate", "a.txt", "missing.txt", "--fail-on", "1")[0] == 2  # an error is worse than a finding


def test_a_condition_must_be_one():
    with pytest.raises(TechniqueError, match="did you mean"):
        FailOn.parse(["whatabout"])
    assert FailOn.parse(["0"]).met(1, [])
    assert not FailOn.parse(["0"]).met(0, [])


# -- where values come from -------------------------------------------------------------------------------------------


def test_flags_go_before_variables_before_the_file_before_defaults(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text('[tool.detector]\nquotes = "skip"\nmin_confidence = 0.3\nonly = ["LL"]\n')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    environment = {"DETECTOR_QUOTES": "only", "DETECTOR_ONLY": "doubt, SL", "DETECTOR_THRESHOLDS": "LL=0.5"}
    values = in_force({"quotes": "mark", "glob": None}, environment=environment, start=inner)
    told = {name: (value.value, value.origin) for name, value in values.items()}
    assert told["quotes"] == ("mark", "--quotes")
    assert told["only"] == (("doubt", "slogans"), "DETECTOR_ONLY")
    assert told["thresholds"] == ({"loaded-language": 0.5}, "DETECTOR_THRESHOLDS")
    assert told["min_confidence"] == (0.3, str(tmp_path / "pyproject.toml"))
    assert told["glob"] == ("*.txt", "default")
    (tmp_path / "a" / "detector.toml").write_text("min_confidence = 1\n")  # nearer, and the only one that counts
    assert in_force(environment={}, start=inner)["min_confidence"].value == 1.0
    assert in_force(environment={}, start=inner)["quotes"].origin == "default"


def test_a_file_without_our_table_is_passed_over(tmp_path: Path):
    (tmp_path / "detector.toml").write_text('quotes = "skip"\n')
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "pyproject.toml").write_text("[tool.ruff]\nline-length = 9\n")
    assert in_force(environment={}, start=tmp_path / "inner")["quotes"].value == "skip"


def test_a_model_in_a_file_is_found_from_the_file(tmp_path: Path):
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "detector.toml").write_text('model = "models/mine"\n')
    (tmp_path / "inner").mkdir()
    assert in_force(environment={}, start=tmp_path / "inner")["model"].value == str(tmp_path / "models" / "mine")


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("quote = 'skip'", "there is no setting 'quote': did you mean quotes?"),
        ("quotes = 'none'", "quotes 'none': must be mark, skip or only"),
        ("min_confidence = true", "must be a number from 0 to 1"),
        ("min_confidence = 2", "must be a number from 0 to 1"),
        ("only = 'doubt'", "must be a list of texts"),
        ("only = ['whatabout']", "did you mean whataboutism?"),
        ("ignore_patterns = ['x', '(']", "ignore_patterns ['x', '(']: '(': is no regular expression"),
        ("ignore_patterns = ['a{99999999999}']", "is no regular expression"),
        ("thresholds = {doubt = 'x'}", "must be a number from 0 to 1"),
        ("thresholds = 1", "must be a table"),
        ("max_size = 0", "must be a whole number of megabytes"),
        ("model = ''", "must be a text that is not empty"),
        ("format = 'xml'", "format 'xml': must be text, json, "),
        ("fetch = true", "there is no setting 'fetch'"),  # the network takes a flag
        ("quotes = ", "is not TOML"),
    ],
)
def test_a_wrong_setting_names_the_file(tmp_path: Path, stated: str, message: str):
    (tmp_path / "detector.toml").write_text(stated + "\n")
    with pytest.raises(ConfigError) as caught:
        in_force(environment={}, start=tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'detector.toml'}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_variable_names_itself(tmp_path: Path):
    with pytest.raises(ConfigError, match="DETECTOR_MIN_CONFIDENCE: min_confidence 'high': must be a number"):
        in_force(environment={"DETECTOR_MIN_CONFIDENCE": "high"}, start=tmp_path)


def test_settings_of_a_file_reach_annotate(run: Run, tmp_path: Path):
    (tmp_path / "detector.toml").write_text('quotes = "only"\nformat = "line"\nfail_on = [1]\n')
    code, out, _ = run("annotate", "a.txt")
    assert (code, out) == (1, 'a.txt:1:26: doubt 0.60 "Vile traitors"\n')


def test_config_shows_values_and_origins(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "detector.toml").write_text('quotes = "skip"\n[thresholds]\ndoubt = 0.7\n')
    monkeypatch.setenv("DETECTOR_IGNORE", "RP")
    code, out, err = run("config")
    assert (code, err) == (0, "")
    lines = {line.split(" ")[0]: line for line in out.splitlines()}
    assert lines["quotes"].endswith(f"# {tmp_path / 'detector.toml'}")
    assert lines["ignore"].endswith("# DETECTOR_IGNORE")
    assert lines["strictness"].endswith("# default")
    shown = json.loads(run("config", "-f", "json")[1])
    assert shown["thresholds"] == {"value": {"doubt": 0.7}, "origin": str(tmp_path / "detector.toml")}
    assert list(shown) == list(KEYS)


def test_what_config_shows_is_a_file_that_means_the_same(tmp_path: Path):
    (tmp_path / "detector.toml").write_text(
        'ignore_patterns = ["\\\\d+", "\\"x\\""]\nthresholds = {LL = 0.5}\nonly = ["LL"]\n'
    )
    before = in_force(environment={}, start=tmp_path)
    tomllib.loads(listing(before))
    (tmp_path / "detector.toml").write_text(listing(before))
    after = in_force(environment={}, start=tmp_path)
    assert {k: v.value for k, v in before.items()} == {k: v.value for k, v in after.items()}


def test_config_shows_what_a_terminal_would_obey(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "two\nlines\x1b"
    folder.mkdir()
    stated = 'ignore_patterns = ["\\u009b31m\\u202e\\u007f\\n"]\n'
    (folder / "detector.toml").write_text(stated)
    monkeypatch.chdir(folder)
    shown, records = run("config")[1], run("config", "-f", "json")[1]
    assert stated.strip() in shown
    assert shown.count("\n") == len(KEYS)
    assert not set(shown + records) & set("\x1b\x9b\x7f")
    assert json.loads(records)["ignore_patterns"]["value"] == tomllib.loads(shown)["ignore_patterns"]


# -- input and output -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["out.jsonl", "out.csv", "out.parquet", "out.sarif", "out.conll", "out.jsonld", "out.tsv"]
)
def test_the_suffix_of_the_output_means_a_format(run: Run, tmp_path: Path, name: str):
    assert run("annotate", "a.txt", "-o", name) == (0, "", "")
    assert (tmp_path / name).stat().st_size > 50
    assert not (tmp_path / name).read_bytes().startswith(b"They are")
    assert run("annotate", "a.txt", "-o", name, "-f", "text")[0] == 0
    assert (tmp_path / name).read_bytes().startswith(b"They are")


def test_a_file_that_others_could_not_open_is_not_written(run: Run, tmp_path: Path):
    for name in ("out.pdf", "out.DOCX"):
        code, _, err = run("annotate", "a.txt", "-o", name)
        assert (code, err.count("\n"), (tmp_path / name).exists()) == (2, 1, False)
        assert "files are read, not written: take .html" in err
    assert run("annotate", "a.txt", "-o", "out.md")[0] == 0


@pytest.mark.parametrize("name", ["brat", "ptc-corpus"])
def test_folders_need_a_name(run: Run, tmp_path: Path, name: str):
    code, _, err = run("annotate", "a.txt", "-f", name)
    assert code == 2
    assert "name it with --output DIR" in err
    (tmp_path / "noname").write_text(ARTICLE)
    assert run("annotate", "noname", "-f", name, "-o", "folder") == (0, "", "")
    assert len(list((tmp_path / "folder").iterdir())) >= 2


def test_a_binary_format_is_not_for_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, err = run("annotate", "a.txt", "-f", "parquet")
    assert (code, out) == (2, "")
    assert "is no text for a terminal" in err


def test_extracted_texts_are_kept(run: Run, tmp_path: Path):
    (tmp_path / "d.eml").write_text("Subject: Vile traitors\n\nThey lie.\r\n")
    code, out, _ = run("annotate", "d.eml", "-f", "json", "--save-text", "texts")
    record = json.loads(out)
    assert code == 0
    text = (tmp_path / "texts" / "d.eml.txt").read_bytes().decode()
    assert text == record["text"] == "Vile traitors\n\nThey lie."
    assert [text[span["start"] : span["end"]] for span in record["spans"]] == ["Vile traitors"]


def test_a_real_model_on_real_documents(tiny_model_folder: Path, tmp_path: Path):
    """From a PDF, a book and an archive to findings whose offsets index the kept texts."""
    samples = ROOT / "tests" / "samples"
    names = ["article.pdf", "article.epub", "article.docx"]
    done = process(
        *("annotate", *(str(samples / name) for name in names), "-f", "jsonl", "--strictness", "sensitive"),
        *("--model", str(tiny_model_folder), "--save-text", str(tmp_path / "texts")),
        stdout=subprocess.PIPE,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    records = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [Path(record["id"]).name for record in records] == names
    kept = {file.read_bytes().decode() for file in (tmp_path / "texts").iterdir()}
    assert {record["text"] for record in records} == kept
    assert all(record["n_characters_read"] == len(record["text"]) for record in records)
    for record in records:
        for span in record["spans"]:
            assert record["text"][span["start"] : span["end"]] == span["quote"]
            assert (span["place"] is None) is record["id"].endswith("docx")
    assert any(record["spans"] for record in records)


def test_standard_input_can_be_any_kind(run: Run, monkeypatch: pytest.MonkeyPatch):
    mail = b"Subject: Vile traitors\n\nThey lie.\n"
    monkeypatch.setattr(sys, "stdin", type("Input", (), {"buffer": io.BytesIO(mail)}))
    assert json.loads(run("annotate", "-", "--input", "email", "-f", "json")[1])["meta"]["title"] == "Vile traitors"


def test_an_archive_gives_a_document_a_file(run: Run, tmp_path: Path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "news.zip", "w") as archive:
        archive.writestr("b.txt", ARTICLE)
        archive.writestr("a.txt", bytes(9))
    code, out, err = run("annotate", "news.zip", "-f", "json")
    assert (code, json.loads(out)["id"]) == (2, "news.zip!b.txt")
    assert err.startswith("error: news.zip!a.txt: character 0 is NUL")


def test_limits_may_be_as_large_as_one_likes(run: Run, tmp_path: Path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "news.zip", "w") as archive:
        archive.writestr("b.txt", ARTICLE)
    code, out, err = run("annotate", "news.zip", "-f", "json", "--max-size", "9" * 20, "--max-unpacked", "9" * 20)
    assert (code, json.loads(out)["id"], err) == (0, "news.zip!b.txt", "")


def test_addresses_are_not_fetched_unasked(run: Run):
    code, out, err = run("annotate", "https://127.0.0.1:1/a")
    assert (code, out) == (2, "")
    assert "nothing is fetched unasked: add --fetch" in err
    assert "--allow-private permits it" in run("annotate", "http://localhost:1/a", "--fetch")[2]
    assert "neither http nor https" in run("annotate", "file:///etc/passwd", "--fetch")[2]


GERMAN = "Die Regierung hat gestern beschlossen, dass niemand mehr ohne Genehmigung in die Stadt fahren darf.\n"


@pytest.mark.parametrize(("guard", "n_documents", "n_warnings"), [("warn", 2, 1), ("skip", 1, 1), ("off", 2, 0)])
def test_a_text_in_another_language(run: Run, tmp_path: Path, guard: str, n_documents: int, n_warnings: int):
    (tmp_path / "b.txt").write_text(GERMAN)
    code, out, err = run("annotate", "a.txt", "b.txt", "-f", "jsonl", "--language-guard", guard)
    assert (code, len(out.splitlines()), len(err.splitlines())) == (0, n_documents, n_warnings)
    if n_warnings:
        assert err.startswith("warning: b.txt: is in the language de, the model has only read en: ")


def test_a_guessed_encoding_is_told(run: Run, tmp_path: Path):
    (tmp_path / "c.txt").write_bytes("Größe und Übermut, sagte sie.".encode("cp1252"))
    code, _, err = run("annotate", "c.txt")
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith("warning: c.txt: not UTF-8 (byte 2): read as cp1252, which is a guess")


def test_columns_sets_the_width_of_a_pipe(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.txt").write_text("x " * 5 + "Vile traitors" + " and so on" * 20)
    monkeypatch.setattr(
        annotate,
        "load_detector",
        lambda folder, **_: Thorough({"Vile" + " traitors" + " and so on" * 9: ("doubt", 0.6)}),
    )
    wide = next(line for line in run("annotate", "a.txt")[1].splitlines() if line.startswith("  1:"))
    monkeypatch.setenv("COLUMNS", "70")
    narrow = next(line for line in run("annotate", "a.txt")[1].splitlines() if line.startswith("  1:"))
    assert len(wide) == 100
    assert len(narrow) == 70


# -- as a tool among tools --------------------------------------------------------------------------------------------


def test_shells_can_complete():
    for shell in ("bash", "zsh", "fish"):
        code = (
            "import os, sys\nfrom detector.cli import main\n"
            f"os.environ['_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION'] = '1'\nmain(['--show-completion', {shell!r}])"
        )
        done = process(code=code, stdout=subprocess.PIPE)
        assert done.returncode == 0, done.stderr
        assert b"detector" in done.stdout


def hook(key: str) -> list[str]:
    """The words of a key of our pre-commit hook."""
    lines = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8").splitlines()
    value = next(line.partition(":")[2] for line in lines if line.strip().startswith(f"{key}:"))
    return re.findall(r"[^\s,\"\[\]]+", value)


def test_the_pre_commit_hook_names_a_command_that_exists():
    entry = [*hook("entry"), *hook("args")]
    assert entry[:2] == ["detector", "annotate"]
    done = process(*entry[1:], "--help", stdout=subprocess.PIPE)
    assert done.returncode == 0
    assert all(word.encode() in done.stdout for word in entry if word.startswith("--"))


def test_what_the_pre_commit_hook_fails_on_can_be_chosen(run: Run, tmp_path: Path):
    (tmp_path / "detector.toml").write_text('fail_on = ["slogans"]\n')
    entry = hook("entry")[1:]
    codes = [run(*entry, *args, "a.txt")[0] for args in (hook("args"), ["--fail-on", "doubt"], ["--fail-on", "9"], [])]
    assert codes == [1, 1, 0, 0]


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="signals of POSIX")
def open_when_read(pipe: Path) -> int:
    """A descriptor that writes to a named pipe, as soon as somebody reads from it."""
    for _ in range(600):
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads yet
            time.sleep(0.1)
    raise AssertionError(f"nobody reads from {pipe}")


def test_ctrl_c_says_what_was_written(tmp_path: Path):
    """A real interrupt: the process reads a first text, then waits on a pipe for its second."""
    (tmp_path / "a.txt").write_text(ARTICLE)
    os.mkfifo(tmp_path / "b.txt")
    code = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs start without it
        "from detector.cli import annotate, main\n"
        "from test_settings import SCRIPT, Thorough\n"
        "annotate.load_detector = lambda folder, **_: Thorough(SCRIPT)\n"
        "main(['annotate', 'a.txt', 'b.txt', '-f', 'line'])\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    running = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stdout.readline().startswith(b"a.txt:1:10: loaded-language")
    writer = open_when_read(tmp_path / "b.txt")
    time.sleep(0.5)  # it has opened the pipe: let it wait in reading, where a signal interrupts it
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    os.close(writer)
    assert running.returncode == 130
    assert errors.decode() == "1 document written to standard output\ninterrupted\n"


@pytest.mark.parametrize("name", ["detector.toml", "pyproject.toml"])
def test_settings_nested_too_deep_are_one_line(tmp_path: Path, name: str):
    (tmp_path / name).write_text("only = " + "[" * 5000 + "]" * 5000)
    done = process("config", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.decode().count("\n") == 1
    assert f"{name}: is not TOML" in done.stderr.decode()
