"""Manifests: strict about keys, about what lies where, and about every byte."""

from pathlib import Path

import pytest

from corpora.errors import InputError
from corpora.files import file_sha256
from corpora.manifest import Manifest, manifest_of, to_toml, verify
from corpora.open import declared_names, manifest_path, open_corpus, open_manifest
from corpora.readers.settings import ReadSettings
from corpora.toml_file import read_toml
from tests.corpora.reading import documents, refusal, texts

HEAD = 'name = "mine"\ntitle = "t"\nsource = "s"\nlicence = "CC0-1.0"\n'


def corpus_folder(folder: Path) -> Path:
    (folder / "texts").mkdir(parents=True)
    files = {}
    for language, text in (("eng_Latn", "a\nb\n"), ("hin_Deva", "क\nख\n")):
        path = folder / "texts" / f"{language}.txt"
        path.write_text(text, encoding="utf-8")
        files[path] = language
    manifest = manifest_of(
        folder, files, name="mine", title="Mine", source="s", licence="CC0-1.0", parallel=True
    )
    (folder / "mine.toml").write_text(to_toml(manifest), encoding="utf-8")
    return folder / "mine.toml"


def complaint(path: Path, content: str) -> str:
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_toml(path, Manifest)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_manifest_written_reads_back_equal_and_opens(tmp_path: Path) -> None:
    path = corpus_folder(tmp_path)
    manifest = read_toml(path, Manifest)
    assert manifest.languages == ["eng_Latn", "hin_Deva"]
    assert to_toml(manifest) == path.read_text(encoding="utf-8")
    corpus = open_corpus(str(path))
    assert (corpus.name, corpus.parallel) == ("mine", True)
    assert [(d.language, d.alignment, d.text) for d in documents(corpus)] == [
        ("eng_Latn", 1, "a"),
        ("eng_Latn", 2, "b"),
        ("hin_Deva", 1, "क"),
        ("hin_Deva", 2, "ख"),
    ]
    assert len(verify(manifest, tmp_path)) == 2


def test_a_changed_file_is_refused_with_both_checksums(tmp_path: Path) -> None:
    path = corpus_folder(tmp_path)
    manifest = read_toml(path, Manifest)
    changed = tmp_path / "texts" / "hin_Deva.txt"
    expected = file_sha256(changed)
    changed.write_text("क\nग\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        verify(manifest, tmp_path)
    said = f"{changed}: expected SHA-256 {expected}, found {file_sha256(changed)}; fetch the file"
    assert said in str(caught.value)
    assert said in refusal(path)  # and so it is not measured either


def test_languages_not_asked_for_are_not_checked(tmp_path: Path) -> None:
    path = corpus_folder(tmp_path)
    (tmp_path / "texts" / "hin_Deva.txt").unlink()
    chosen = open_manifest(path, ReadSettings(), ["eng_Latn"])
    assert texts(chosen) == ["a", "b"]


def test_missing_and_misaligned_files_are_refused(tmp_path: Path) -> None:
    path = corpus_folder(tmp_path)
    english = tmp_path / "texts" / "eng_Latn.txt"
    old = file_sha256(english)
    english.write_text("a\n")
    path.write_text(path.read_text().replace(old, file_sha256(english)))
    assert "hin_Deva.txt: 2 lines, but" in refusal(path)
    (tmp_path / "texts" / "eng_Latn.txt").rename(tmp_path / "texts" / "eng_Latin.txt")
    assert "declared in the manifest, but missing; did you mean 'eng_Latin.txt'?" in refusal(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".json.gz", ".parquet"])
def test_records_cannot_be_parallel(tmp_path: Path, suffix: str) -> None:
    entries = ""
    for language in ("eng_Latn", "hin_Deva"):
        file = tmp_path / f"{language}{suffix}"
        file.write_text('{"text": "a"}\n')
        entries += f'[[files]]\npath = "{file.name}"\nlanguage = "{language}"\n'
        entries += f'sha256 = "{file_sha256(file)}"\n'
    path = tmp_path / "m.toml"
    path.write_text(HEAD + "parallel = true\n" + entries)
    message = refusal(path)
    assert message.startswith(f"{tmp_path / f'eng_Latn{suffix}'}: declared parallel, but")
    assert f"drop `parallel` from {path}" in message


@pytest.mark.parametrize("outside", ["../x.txt", "/etc/passwd", "a/../../x.txt", "C:\\\\x.txt"])
def test_paths_out_of_the_folder_are_refused(tmp_path: Path, outside: str) -> None:
    entry = f'[[files]]\npath = "{outside}"\nlanguage = "und"\nsha256 = "{"0" * 64}"\n'
    assert "leaves the manifest's folder" in complaint(tmp_path / "m.toml", HEAD + entry)


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("x\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.txt").symlink_to(secret)
    path = inside / "m.toml"
    sha256 = file_sha256(secret)
    path.write_text(f'{HEAD}[[files]]\npath = "a.txt"\nlanguage = "und"\nsha256 = "{sha256}"\n')
    assert "a link that leads out of the manifest's folder" in refusal(path)
    with pytest.raises(InputError, match="a link that leads out"):
        verify(read_toml(path, Manifest), inside)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEAD + 'licens = "x"\n', ":5: licens: unknown key; did you mean 'licence'?"),
        (
            HEAD + '[[files]]\npath = "a"\nlanguage = "und"\nsha = "0"\n',
            "[[files]] number 1 sha: unknown key; did you mean 'sha256'?",
        ),
        (
            HEAD + f'[[files]]\npath="a"\nlanguage="und"\nsha256="{"0" * 64}"\nlang="x"\n',
            ":9: [[files]] number 1 lang: unknown key; did you mean 'language'?",
        ),
        (HEAD + '[hub]\ndataset = "a/b"\nsplits = "x"\n', ":7: [hub] splits: unknown key; did you"),
        (
            HEAD + '[hub]\ndataset = "a/b"\ntake = 0\n',
            ":7: [hub] take: is 0; it must be greater than or equal to 1",
        ),
        (HEAD, "must declare either `files` or `hub`"),
        (
            HEAD + 'parallel = true\nunit = "file"\n'
            f'[[files]]\npath="a"\nlanguage="und"\nsha256="{"0" * 64}"\n',
            "has `parallel`, which aligns lines, with whole files; keep one",
        ),
        (HEAD + '[hub]\ndataset="a"\nconfig="c"\nconfigs={eng="en"}\n', "keep one"),
        (
            HEAD.replace("mine", "not a name"),
            "name: is 'not a name'; it must be written as ^[a-z0-9]",
        ),
        (HEAD + "=", "not TOML in column"),
    ],
)
def test_mistakes_in_a_manifest_are_named(tmp_path: Path, content: str, said: str) -> None:
    message = complaint(tmp_path / "m.toml", content)
    assert message.startswith(f"{tmp_path / 'm.toml'}:")
    assert said in message


def test_every_declared_manifest_is_whole_and_named_by_its_file() -> None:
    assert set(declared_names()) == {
        "embedded",
        "embedded-code",
        "flores-plus",
        "ntrex-128",
        "udhr",
        "fineweb-2",
        "c4",
    }
    for name in declared_names():
        manifest = read_toml(manifest_path(name), Manifest)
        assert manifest.name == name
        assert manifest.licence
        assert manifest.source


def test_hub_sets_have_no_files_to_verify() -> None:
    path = manifest_path("udhr")
    with pytest.raises(InputError, match="pinned to 6908db2a"):
        verify(read_toml(path, Manifest), path.parent)


def test_unknown_declared_names_and_languages_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'ntrex-128'"):
        manifest_path("ntrex128")
    assert "no language 'hin_Dewa'; did you mean 'hin_Deva'?" in refusal("embedded:hin_Dewa")
    assert "name languages after the colon" in refusal("embedded:")
    found = {d.language for d in documents(open_corpus("embedded:hin_Deva,eng_Latn"))}
    assert found == {"hin_Deva", "eng_Latn"}
