"""Readers: what users have becomes exactly its text, or a one-line error."""

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.cli.inputs import Kind
from detector.errors import InputError
from detector.readers.sources import KINDS, Sources
from detector.readers.text import find_all, find_files, read_bytes, read_text
from detector.spans import Document

TEXT = "Ünï\r\ncode 😀 e\u0301\u202e עברית\rend\n"
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_every_encoding_gives_the_same_text(tmp_path: Path, encoding: str):
    file = tmp_path / "a.txt"
    file.write_bytes(TEXT.encode(encoding))
    document = read_text(file)
    assert document.text == TEXT
    assert document.id == file.as_posix()
    with file.open(encoding=document.meta["encoding"], newline="") as stream:
        assert stream.read() == document.text


@pytest.mark.parametrize(("mark", "encoding"), [(b"\xfe\xff", "utf-16-be"), (b"\x00\x00\xfe\xff", "utf-32-be")])
def test_big_endian_marks_are_known(mark: bytes, encoding: str):
    assert read_bytes(mark + TEXT.encode(encoding), id="a").text == TEXT


@given(TEXTS)
def test_any_text_is_read_as_it_is(text: str):
    expected = text.removeprefix("\ufeff")  # a first U+FEFF is a byte-order mark
    assert read_bytes(text.encode(), id="a").text == expected


@pytest.mark.parametrize("text", ["", " \n\t\r\n"])
def test_a_text_without_words_is_a_document(text: str):
    assert read_bytes(text.encode(), id="a").text == text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(40), "x.txt: character 0 is NUL"),
        ("ab".encode("utf-16-le"), "x.txt: character 1 is NUL"),
        (b"caf\xe9 au\0lait", "x.txt: byte 3 (0xE9) is not valid UTF-8: save the file as UTF-8"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(128, 256)), "x.txt: byte 0 (0x89) is not valid UTF-8"),
        (b"\xef\xbb\xbfa\xff", "is not valid UTF-8"),
        (b"\xff\xfea\x00b", "is not valid UTF-16"),
        (b"\xff\xfe\x00\xd8\x00\x00", "is not valid UTF-16"),  # a lone surrogate
        (b"\xff\xfe\x00\x00\x00\x00\x11\x00", "is not valid UTF-32"),
    ],
)
def test_bytes_that_are_no_text_are_refused(data: bytes, message: str):
    with pytest.raises(InputError) as caught:
        read_bytes(data, id="x.txt")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Der Präsident sagte, die Größe sei “gut” – übertrieben.", "cp1252"),
        ("Президент заявил, что это угроза нашей стране и всему миру.", "cp1251"),
        ("日本語のテキストです。これは脅威だ。", "cp932"),
        ("abc " * 40_000 + "“quoted” – it’s late in the file", "cp1252"),
    ],
)
def test_other_encodings_are_guessed_with_a_warning(text: str, encoding: str):
    document = read_bytes(text.encode(encoding), id="x.txt")
    assert document.text == text
    (warning,) = document.meta["warnings"]
    assert "which is a guess" in warning
    assert text.encode(encoding).decode(document.meta["encoding"]) == text


ENGLISH = (
    "The corrupt, evil élites betray us all — we must stop these monsters!\n",
    "“The corrupt elites betray us all,” he said. “We can’t stop — not now.”\n",
    "He met the café owner and said it was a cliché. The naïve résumé was there.\n",
    "It costs €100 and that is a lot — a disgrace.\n",
    "They betray us all — we must stop these monsters!\n",
    "And then… they came, the élite – all of them.\n",
    "José Muñoz said the façade was a lie – “an outrage”.\n",
    "• First point\n• Second point’s here\n",
)


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman"])
@pytest.mark.parametrize("text", ENGLISH)
def test_a_few_bytes_beyond_ascii_are_those_that_fit_their_words(text: str, encoding: str):
    document = read_bytes(text.encode(encoding), id="x.txt")
    assert (document.text, document.meta["encoding"]) == (text, encoding)


@pytest.mark.parametrize(
    "text",
    [
        "It costs £100 and that is a lot, a disgrace.\n",
        "The Zürich meeting was über-secret, says Müller.\n",
        "Tämä on vääryys, ja äiti sanoi sen ääneen. Åbo.",
        "L’été dernier, « la démocratie » a été trahie à Paris. Ça, dit É. Zola.",
        "¿Qué? ¡No! España, año, ESPAÑA. Él dijo: «mañana», nº 5.",
        "One.\n————————\nTwo • three, 20 °C, § 5, Brand®.\n",
    ],
)
def test_where_both_fit_it_is_windows(text: str):
    document = read_bytes(text.encode("cp1252"), id="x.txt")
    assert (document.text, document.meta["encoding"]) == (text, "cp1252")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("The newspaper Правда said so, and that is “all” — Putin’s men.", "cp1251"),
        ("Президент заявил, что это угроза нашей стране.", "koi8_r"),
        ("Ο πρόεδρος είπε ότι είναι απειλή.", "cp1253"),
        ("他们说“不”，但是他们撒谎。", "gb18030"),
        ("總統說這是一個威脅。", "big5"),
        ("대통령은 이것이 위협이라고 말했다.", "euc_kr"),
    ],
)
def test_other_letters_are_not_taken_for_western_ones(text: str, encoding: str):
    assert read_bytes(text.encode(encoding), id="x.txt").text == text


def test_files_that_cannot_be_read_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="is a folder where a file is meant"):
        read_text(tmp_path)
    with pytest.raises(InputError, match="there is no such file"):
        read_text(tmp_path / "missing.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_text(str(tmp_path / ("n" * 300)))


def test_a_kind_that_is_none_is_refused_at_once():
    assert set(KINDS) == set(Kind)
    with pytest.raises(InputError, match="kind 'nonsense' is none that is read; choose from text, html"):
        Sources("nonsense")


def test_standard_input_is_read_as_bytes():
    (document,) = Sources().read("-", stdin=io.BytesIO(b"\xef\xbb\xbfa\r\nb"))
    assert isinstance(document, Document)
    assert (document.id, document.text) == ("-", "a\r\nb")


def make_files(folder: Path) -> None:
    (folder / "inner.txt").mkdir()
    for name in ("b.txt", "a.txt", "c.md", "inner.txt/d.txt"):
        (folder / name).write_text("x")


def test_a_folder_means_its_matching_files_sorted(tmp_path: Path):
    make_files(tmp_path)
    root = tmp_path.as_posix()
    assert find_files(root) == [f"{root}/a.txt", f"{root}/b.txt"]
    assert find_files(root, glob="*.md") == [f"{root}/c.md"]
    assert find_files(root, glob="**/*.txt") == [f"{root}/a.txt", f"{root}/b.txt", f"{root}/inner.txt/d.txt"]
    assert find_files(f"{root}/c.md") == [f"{root}/c.md"]
    assert find_files("-") == ["-"]


def test_a_folder_inside_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make_files(tmp_path)
    scandir, root = os.scandir, tmp_path.as_posix()

    def guarded(path):
        if str(path).endswith("inner.txt"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    *files, error = find_all([root], glob="**/*.txt")
    assert files[:2] == [f"{root}/a.txt", f"{root}/b.txt"]
    assert str(error).startswith(f"{root}/inner.txt: cannot be read (Permission denied)")
    assert [*find_all([root])] == [f"{root}/a.txt", f"{root}/b.txt"]


@pytest.mark.parametrize(
    ("glob", "message"), [("*.pdf", "no file in this folder matches"), ("", "no pattern"), ("/x", "no pattern")]
)
def test_a_pattern_that_finds_nothing_is_refused(tmp_path: Path, glob: str, message: str):
    make_files(tmp_path)
    with pytest.raises(InputError, match=message):
        find_files(tmp_path.as_posix(), glob=glob)


def test_what_no_person_put_into_a_folder_is_passed_over(tmp_path: Path):
    make_files(tmp_path)
    for name in ("._a.txt", "~$b.txt", "inner.txt/._d.txt"):
        (tmp_path / name).write_bytes(bytes(9))
    root = tmp_path.as_posix()
    assert find_files(root, glob="**/*.txt") == [f"{root}/a.txt", f"{root}/b.txt", f"{root}/inner.txt/d.txt"]


def test_an_empty_path_is_not_the_working_folder():
    with pytest.raises(InputError, match="an empty path names no file"):
        find_files("")


def test_errors_stand_in_the_place_of_files(tmp_path: Path):
    make_files(tmp_path)
    missing, present = f"{tmp_path}/missing", f"{tmp_path}/c.md"
    found = list(find_all(["-", missing, present, "-"]))
    assert found[0] == "-"
    assert isinstance(found[1], InputError)
    assert found[2] == present
    assert isinstance(found[3], InputError)
    assert "only once" in str(found[3])


def test_a_file_that_was_found_already_is_passed_over(tmp_path: Path, monkeypatch):
    make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.txt").symlink_to("a.txt")
    address = "https://example.org/a"
    assert list(find_all([".", "a.txt", "./b.txt", "c.md", f"{tmp_path}/c.md", address, address])) == [
        *("a.txt", "b.txt", "c.md", address)
    ]
