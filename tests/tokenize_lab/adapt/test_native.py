"""Changed vocabularies in the form they came in: ranks, and tekken files."""

import base64
import json
from pathlib import Path

import pytest

from corpora.corpus import corpus_of
from tests.cli import mistake
from tests.tokenize_lab.adapt.test_extend import lines_of, text_of
from tests.tokenize_lab.forensics.made import byte_level
from tests.tokenize_lab.texts import HARD, ids_of
from tokenize_lab.adapt.extend import extend
from tokenize_lab.adapt.native import RANKS, TEKKEN_FILE
from tokenize_lab.adapt.prune import prune
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer

TEXTS = [*lines_of("amh_Ethi"), *lines_of("eng_Latn"), *lines_of("zho_Hans"), *HARD]


@pytest.fixture(scope="module")
def tekken_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tekken.json of a real vocabulary's first 4,000 ranks and ten special tokens."""
    whole = load_tokenizer("mistral:tekken")
    assert isinstance(whole, TiktokenTokenizer)
    table = whole.token_bytes
    content = {
        "config": {
            "pattern": whole.pattern,
            "num_vocab_tokens": 4000,
            "default_vocab_size": 4010,
            "default_num_special_tokens": 10,
            "version": "v7",
        },
        "vocab": [
            {
                "rank": i,
                "token_bytes": base64.b64encode(table[1000 + i]).decode(),
                "token_str": None,
            }
            for i in range(4000)
        ],
        "special_tokens": [
            {"rank": i, "token_str": f"<special {i}>", "is_control": True} for i in range(10)
        ],
    }
    path = tmp_path_factory.mktemp("tekken") / "tekken.json"
    path.write_text(json.dumps(content))
    return path


def same_ids(one: Tokenizer, other: Tokenizer) -> bool:
    return ids_of(one.encode_batch(TEXTS)) == ids_of(other.encode_batch(TEXTS))


def test_a_tekken_file_is_extended_and_pruned_in_both_forms(
    tekken_file: Path, tmp_path: Path
) -> None:
    old = load_tokenizer(str(tekken_file))
    extension = extend(old, [text_of("amh_Ethi")], add=80)
    extension.save(tmp_path)
    native = load_tokenizer(str(tmp_path / TEKKEN_FILE))
    assert isinstance(native, TiktokenTokenizer) and native.vocabulary_size == 4090
    assert (native.specials[3], native.tekken_version) == (("<special 3>", 3), "v7")
    assert same_ids(native, extension.tokenizer)
    pruned = prune(old, [text_of("eng_Latn")], drop=900, unused=True)
    pruned.save(tmp_path)
    native = load_tokenizer(str(tmp_path / TEKKEN_FILE))
    assert native.vocabulary_size == 3110 and same_ids(native, pruned.tokenizer)


def test_ranks_are_extended_in_both_forms_and_not_where_new_ids_lie_among_old(
    tiktoken_file: Path, tmp_path: Path
) -> None:
    spec = f"tiktoken:{tiktoken_file}@tekken"
    extension = extend(spec, [text_of("amh_Ethi")], add=50)
    extension.save(tmp_path)
    native = load_tokenizer(f"tiktoken:{tmp_path}/{RANKS}@tekken")
    assert same_ids(native, extension.tokenizer)
    last = extend(spec, [text_of("amh_Ethi")], add=50, reuse="unused")
    last.save(tmp_path)
    native = load_tokenizer(f"tiktoken:{tmp_path}/{RANKS}@tekken")
    assert last.finding["reused"] and same_ids(native, last.tokenizer)
    both = [text_of("amh_Ethi"), text_of("eng_Latn")]
    among = extend(spec, both, add=300, reuse="unused")
    assert among.finding["reused"] and not among.native
    among.save(tmp_path)
    assert not (tmp_path / RANKS).exists()


@pytest.mark.slow
def test_mistral_common_loads_an_extended_tekken(tmp_path: Path) -> None:
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    extend("mistral:tekken", [text_of("amh_Ethi")], add=100).save(tmp_path)
    theirs = Tekkenizer.from_file(tmp_path / TEKKEN_FILE)
    ours = load_tokenizer(str(tmp_path))
    ids = ids_of(ours.encode_batch(TEXTS))
    assert ids == [theirs.encode(text, bos=False, eos=False) for text in TEXTS]
    assert max(max(row, default=0) for row in ids) >= 131_072
    assert theirs.n_words == 131_172 and theirs.bos_id == 1


def test_files_that_others_put_into_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "tekken.json").write_text("{}")
    extend(byte_level([]), [corpus_of(["abab abab"])], add=1, unseen=0).save(tmp_path)
    assert (tmp_path / "tekken.json").read_text() == "{}"


def test_what_is_changed_is_not_replaced_and_a_place_is_tried_before_the_work(
    trained: dict[str, Path], tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "tokenizer.json").write_bytes((trained["bpe"] / "tokenizer.json").read_bytes())
    (tmp_path / "taken").write_text("no folder")
    for line in (f"extend {own} embedded:amh_Ethi --add 9", f"prune {own} embedded --drop 9"):
        assert "would be overwritten" in mistake(f"tokenizers {line} --out {own}")
        assert "cannot be written" in mistake(f"tokenizers {line} --out {tmp_path}/taken")
