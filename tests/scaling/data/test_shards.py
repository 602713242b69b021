"""Shards that are torn, altered or of another make are refused by name; whole ones open bare."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from corpora.errors import InputError
from corpora.files import file_sha256
from scaling.data.build_text import build_text
from scaling.data.build_units import build_entropies, build_starts, build_tokens
from scaling.data.chunked_build import TextPart
from scaling.data.order import Windows
from scaling.data.shards import dtype_of, open_shards
from scaling.data.windows import StoredPatches
from scaling.model.patching import space_starts
from tests.conftest import ROOT
from tests.scaling.data.texts import corpus_of, sentences
from tokenize_lab.backends.simple import ByteTokenizer


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Shards of two hundred sentences."""
    return build_text([corpus_of(sentences(200))], tmp_path, held_out_bytes=4000)


def spaces_of(part: TextPart) -> NDArray[np.bool_]:
    return np.concatenate([space_starts(document, 64) for document in part.documents()])


FILES = ["train/bytes.u8", "held_out/documents.i64", "train/languages.u16"]


@pytest.mark.parametrize("name", ["train/bytes.u8", "held_out/bytes.u8"])
def test_a_changed_file_is_named_when_verified(text: Path, name: str) -> None:
    raw = bytearray((text / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (text / name).write_bytes(raw)
    open_shards(text)
    with pytest.raises(InputError, match=f"{name}: its content has changed .*delete the folder"):
        open_shards(text, verify=True)


def rewritten(folder: Path, name: str, values: NDArray[np.generic]) -> None:
    """Replace a file of the shards, and what their manifest says of it."""
    (folder / name).unlink(missing_ok=True)  # the tokens' other files are the text's
    values.tofile(folder / name)
    manifest = json.loads((folder / "shards.json").read_text())
    size = (folder / name).stat().st_size
    manifest["files"][name] = {"bytes": size, "sha256": file_sha256(folder / name)}
    (folder / "shards.json").write_text(json.dumps(manifest))


def of_kind(text: Path, name: str) -> Path:
    """Return shards that have a file of that name."""
    if "token" in name:
        return build_tokens(text, ByteTokenizer(), text.parent)
    if "starts" in name:
        return build_starts(text, text.parent, spaces_of, {"rule": "space"})
    if "entropies" in name:
        return build_entropies(text, text.parent, lambda part: np.sqrt(part.data), {"of": "it"})
    return text


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("train/documents.i64", 1, 1 << 50, "documents are not in order"),
        ("train/documents.i64", 0, 1, "documents do not cover the text"),
        ("held_out/documents.i64", -1, 1 << 50, "documents do not cover the text"),
        ("train/languages.u16", 0, 9, "a language that has no name"),
        ("train/token_documents.i64", 1, -1, "documents are not in order"),
    ],
)
def test_documents_that_cannot_be_are_always_refused(
    text: Path, name: str, place: int, value: int, message: str, verify: bool
) -> None:
    folder = of_kind(text, name)
    values = np.fromfile(folder / name, dtype_of(name))
    values[place] = value
    rewritten(folder, name, values)
    with pytest.raises(InputError, match=f"{message}.*; delete the folder"):
        open_shards(folder, verify=verify)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("train/tokens.u32", 256, "an id is beyond the vocabulary of 256"),
        ("token_lengths.i32", -1, "an id has less than no bytes"),
        ("train/starts.u8", 2, "a start of a patch is neither 0 nor 1"),
        ("train/entropies.f32", np.nan, "entropies are not finite"),
        ("held_out/entropies.f32", np.inf, "entropies are not finite"),
    ],
)
def test_units_that_cannot_be_are_refused_by_who_reads_them(
    text: Path, name: str, value: float, message: str
) -> None:
    folder = of_kind(text, name)
    values = np.fromfile(folder / name, dtype_of(name))
    values[5] = value
    rewritten(folder, name, values)
    open_shards(folder)
    with pytest.raises(InputError, match=f"{message}; delete the folder"):
        open_shards(folder, verify=True)


@pytest.mark.parametrize("name", ["train/starts.u8", "train/entropies.f32", "train/languages.u16"])
def test_a_file_of_too_few_numbers_is_refused(text: Path, name: str) -> None:
    folder = of_kind(text, name)
    rewritten(folder, name, np.fromfile(folder / name, dtype_of(name))[:-1])
    with pytest.raises(InputError, match=r"not a value for each byte|documents do not cover"):
        open_shards(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_always_named(text: Path, name: str) -> None:
    raw = (text / name).read_bytes()
    (text / name).write_bytes(raw[:-1])
    message = f"{name}: {len(raw) - 1} bytes, should be {len(raw)}; delete the folder and it is"
    with pytest.raises(InputError, match=message):
        open_shards(text)
    # A builder that finds the damaged folder says the same, and does not build over it.
    with pytest.raises(InputError, match=message):
        build_text([corpus_of(sentences(200))], text.parent, held_out_bytes=4000)
    (text / name).unlink()
    with pytest.raises(InputError, match=f"{name}: cannot be read .No such file"):
        open_shards(text)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 0}, "version 0, where this program reads 1"),
        ({"version": None}, "version None"),
        ({"kind": "pictures"}, "'kind' is not one of text, tokens"),
        ({"splits": {}}, "'splits.train' is missing"),
        ({"splits": 3}, "'splits' is not an object"),
        ({"splits": {"train": {}, "held_out": {}}}, "splits.train: 'documents' is missing"),
        ({"files": {"a": 1}}, "'files.a' is not an object"),
        ({"files": {"a": {"bytes": "1", "sha256": ""}}}, "'files.a.bytes' is not a whole number"),
        ({"languages": "eng"}, "'languages' is not a list"),
        ({"vocabulary_size": "256"}, "'vocabulary_size' is not a whole number"),
        ({"more": 1}, "'more' is none of its fields"),
        ({"text": "../../elsewhere"}, "'.*', '../../elsewhere' are no keys of shards"),
    ],
)
def test_a_manifest_of_another_make_is_refused(
    text: Path, change: dict[str, object], says: str
) -> None:
    path = text / "shards.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(
        InputError, match=rf"{path}: not a manifest of shards .*\({says}.*; delete the"
    ):
        open_shards(text)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"vocabulary_size": 1 << 40}, "lengths of 256 ids, of 1,099,511,627,776"),
        ({"files": {"/dev/zero": {"bytes": 0, "sha256": ""}}}, "'/dev/zero' is no file of shards"),
        ({"files": {"../x.u8": {"bytes": 0, "sha256": ""}}}, "'../x.u8' is no file of shards"),
        ({"units": 1}, "train: shards.json counts 1 units, of "),
        ({"bytes_by_language": {}}, "counts other bytes of all languages than of each"),
    ],
)
def test_a_manifest_that_says_what_its_files_are_not_is_refused(
    text: Path, change: dict[str, Any], says: str
) -> None:
    path = text / "shards.json"
    value = json.loads(path.read_text())
    for name, part in change.items():
        inside = value if name in value else value["splits"]["train"]
        inside[name] = {**value["files"], **part} if name == "files" else part
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=f"{says}.*; delete the folder"):
        open_shards(text)


def test_a_pipe_among_the_files_is_not_waited_for(text: Path) -> None:
    (text / "train" / "bytes.u8").unlink()
    os.mkfifo(text / "train" / "bytes.u8")
    value = json.loads((text / "shards.json").read_text())
    value["files"]["train/bytes.u8"]["bytes"] = 0
    (text / "shards.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match="not a regular file but a pipe or a device; delete"):
        open_shards(text, verify=True)


def test_a_file_that_the_manifest_does_not_list_is_refused(text: Path) -> None:
    path = text / "shards.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "files": {}}))
    with pytest.raises(InputError, match=r"train/documents\.i64 is not listed; delete the folder"):
        open_shards(text)


def test_a_file_of_broken_numbers_is_refused(text: Path) -> None:
    path, file = text / "shards.json", text / "train" / "documents.i64"
    file.write_bytes(file.read_bytes()[:-1])
    value = json.loads(path.read_text())
    value["files"]["train/documents.i64"]["bytes"] -= 1
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"documents\.i64 has \d+ bytes, no whole numbers"):
        open_shards(text)


def test_what_a_newer_program_built_is_not_to_be_deleted(text: Path) -> None:
    path = text / "shards.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 2}))
    with pytest.raises(InputError, match="a newer tokenize-lab wrote it; update") as refused:
        open_shards(text)
    assert "delete" not in str(refused.value)


def test_a_manifest_that_is_a_pipe_is_not_waited_for(text: Path) -> None:
    (text / "shards.json").unlink()
    os.mkfifo(text / "shards.json")
    with pytest.raises(InputError, match="not a regular file but a pipe"):
        open_shards(text)


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00", '"text"', "[" * 100_000])
def test_a_torn_manifest_is_refused(text: Path, content: str) -> None:
    (text / "shards.json").write_text(content)
    with pytest.raises(InputError, match=r"shards\.json: .*; delete the folder"):
        open_shards(text)


def test_a_folder_that_holds_no_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/shards\.json: there is no such file"):
        open_shards(tmp_path / "nowhere")


def test_patches_are_kept_beside_the_text_with_their_rate(text: Path) -> None:
    built = [
        open_shards(
            build_starts(
                text, text.parent / str(size), spaces_of, {"kind": "space"}, part_bytes=size
            ),
            verify=True,
        )
        for size in (400, 1 << 20)
    ]
    assert built[0].manifest == built[1].manifest
    plain, shards = open_shards(text), built[0]
    for split, patched, side in (
        ("train", shards.train, plain.train),
        ("held_out", shards.held_out, plain.held_out),
    ):
        assert patched.starts is not None
        assert np.array_equal(patched.units, side.units)
        documents = [np.asarray(side.document(i)) for i in range(side.document_count)]
        expected = np.concatenate([space_starts(d.astype(np.uint8), 64) for d in documents])
        assert np.array_equal(patched.starts, expected)
        rate = shards.manifest.splits[split].compression_rate  # type: ignore[index]
        assert rate == side.byte_count / expected.sum()
    batch = Windows(shards.train, 64, 0, StoredPatches()).batch(0, 4)
    assert batch.starts is not None and batch.starts[:, 0].all()
    # Another description is another key, and the first one is not computed again.
    assert build_starts(text, shards.folder.parent, spaces_of, {"kind": "x"}) != shards.folder

    def not_again(part: TextPart) -> NDArray[np.bool_]:
        raise AssertionError("made again")

    again = build_starts(text, shards.folder.parent, not_again, {"kind": "space"})
    assert again == shards.folder


def test_the_first_byte_of_a_document_opens_a_patch_whatever_the_rule_says(text: Path) -> None:
    never = build_starts(
        text, text.parent, lambda part: np.zeros(len(part.data), np.bool_), {"rule": "never"}
    )
    stream = open_shards(never).train
    assert stream.starts is not None
    assert np.flatnonzero(stream.starts).tolist() == stream.documents[:-1].tolist()


def test_entropies_are_kept_beside_the_text(text: Path) -> None:
    def sizes(part: TextPart) -> NDArray[np.float64]:
        side = getattr(open_shards(text), part.split)
        assert np.array_equal(part.data, side.units[part.begin : part.begin + len(part.data)])
        assert part.offsets[0] == 0 and part.offsets[-1] == len(part.data)
        return np.sqrt(part.data.astype(np.float64))

    shards = open_shards(build_entropies(text, text.parent, sizes, {"model": "x"}, part_bytes=999))
    assert shards.train.entropies is not None and shards.train.starts is None
    assert np.array_equal(shards.train.entropies, np.sqrt(shards.train.units.astype(np.float32)))
    with pytest.raises(InputError, match="the entropy of byte 0 of train is not finite"):
        build_entropies(text, text.parent, lambda p: p.data * np.nan, {"model": "y"})


BARE = """
import sys
sys.modules.update(dict.fromkeys(
    ["polars", "tokenizers", "sentencepiece", "tiktoken", "regex", "pydantic", "typer", "scipy"]
))
from pathlib import Path
from scaling.data.shards import dtype_of, open_shards
from scaling.data.windows import StaticPatches
from scaling.data.order import Windows
from scaling.data.windows import evaluation_windows
shards = open_shards(Path(sys.argv[1]), verify=True)
scored = Windows(shards.train, 16, 0, StaticPatches(4)).batch(0, 4).scored_bytes
scored += sum(e.batch.scored_bytes for e in evaluation_windows(shards.held_out, 16, 4))
assert "torch" not in sys.modules and "tokenize_lab.tokenizer" not in sys.modules
print(scored)
"""


@pytest.mark.parametrize("tokens", [False, True])
def test_shards_are_read_with_numpy_alone(text: Path, tokens: bool) -> None:
    path = build_tokens(text, ByteTokenizer(), text.parent) if tokens else text
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 64 + open_shards(path).held_out.byte_count
