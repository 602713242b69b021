"""Hub data sets: through the real library where it is installed, on folders of this machine."""

import importlib.util
import json
from pathlib import Path

import pytest

from corpora.errors import InputError
from corpora.hub import HubCorpus
from corpora.manifest import HubSet
from corpora.open import open_corpus
from corpora.readers.settings import MOST_LABELS, ReadSettings
from tests.corpora.reading import documents, refusal

INSTALLED = importlib.util.find_spec("datasets") is not None
needs_datasets = pytest.mark.skipif(not INSTALLED, reason="the extra [hub] is not installed")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the library off the network and out of the home folder."""
    if INSTALLED:
        import datasets

        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


def data_set(folder: Path) -> Path:
    """Write a data set with a configuration per language, as hub repositories have them."""
    rows = {"eng": ["one", "two", "three"], "fra": ["un", "deux", "trois"]}
    card = "---\nconfigs:\n"
    for config, texts in rows.items():
        (folder / config).mkdir(parents=True)
        lines = [
            json.dumps({"id": 10 + n, "sentence": text, "iso": config, "script": "Latn"})
            for n, text in enumerate(texts)
        ]
        (folder / config / "dev.jsonl").write_text("\n".join(lines))
        card += f"- config_name: {config}\n  data_files:\n"
        card += f"  - split: dev\n    path: {config}/dev.jsonl\n"
    (folder / "README.md").write_text(card + "---\n")
    return folder


@pytest.mark.skipif(INSTALLED, reason="the extra [hub] is installed")
@pytest.mark.parametrize("spec", ["hub:allenai/c4:en:validation", "flores-plus", "udhr"])
def test_without_the_library_the_extra_is_named(spec: str) -> None:
    message = refusal(spec)
    assert "needs the datasets library" in message
    assert "pip install '.[hub]'" in message


@pytest.mark.parametrize("spec", ["hub:", "hub:a:b:c:d"])
def test_a_malformed_spec_is_refused(spec: str) -> None:
    assert "must be hub:NAME" in refusal(spec)


@needs_datasets
def test_configurations_are_languages_and_rows_align(tmp_path: Path) -> None:
    hub = HubSet(
        dataset=str(data_set(tmp_path / "set")),
        split="dev",
        configs={"eng_Latn": "eng", "fra_Latn": "fra"},
        text_column="sentence",
        id_column="id",
    )
    corpus = HubCorpus("mine", hub, ReadSettings(), parallel=True)
    assert [(d.language, d.alignment, d.document_id, d.text) for d in documents(corpus)] == [
        ("eng_Latn", 1, "10", "one"),
        ("eng_Latn", 2, "11", "two"),
        ("eng_Latn", 3, "12", "three"),
        ("fra_Latn", 1, "10", "un"),
        ("fra_Latn", 2, "11", "deux"),
        ("fra_Latn", 3, "12", "trois"),
    ]
    chosen = HubCorpus("mine", hub, ReadSettings(), languages=["fra_Latn"], parallel=True)
    assert {d.language for d in documents(chosen)} == {"fra_Latn"}
    two = hub.model_copy(update={"take": 2})
    assert [d.text for d in documents(HubCorpus("mine", two, ReadSettings()))] == [
        "one",
        "two",
        "un",
        "deux",
    ]


@needs_datasets
def test_columns_can_say_the_language(tmp_path: Path) -> None:
    hub = HubSet(
        dataset=str(data_set(tmp_path / "set")),
        config="fra",
        text_column="sentence",
        language_column="iso",
        script_column="script",
    )
    found = documents(HubCorpus("mine", hub, ReadSettings(), languages=["fra_Latn"]))
    assert [(d.language, d.text) for d in found] == [
        ("fra_Latn", "un"),
        ("fra_Latn", "deux"),
        ("fra_Latn", "trois"),
    ]


@needs_datasets
def test_a_spec_names_data_set_configuration_and_split(tmp_path: Path) -> None:
    folder = data_set(tmp_path / "set")
    found = documents(open_corpus(f"hub:{folder}:eng:dev", text_field="sentence", language="eng"))
    assert [(d.text, d.language, d.document_id) for d in found] == [
        ("one", "eng", "1"),
        ("two", "eng", "2"),
        ("three", "eng", "3"),
    ]
    message = refusal(f"hub:{folder}:eng:dev")
    assert "no column 'text'; it has 'id', 'sentence', 'iso', 'script'" in message
    assert "has no text in column 'id'" in refusal(f"hub:{folder}:eng:dev", text_field="id")
    assert "check name, configuration and split" in refusal(f"hub:{folder}:deu:dev")
    assert "check name, configuration and split" in refusal(f"hub:{folder}:eng:test")


@needs_datasets
def test_what_cannot_be_reached_is_refused() -> None:
    message = refusal("hub:nobody/no-such-set")
    assert message.startswith("hub:nobody/no-such-set: ")
    assert "check the n" in message


@needs_datasets
def test_code_that_comes_with_a_data_set_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    refusal(f"hub:{folder}")
    assert not (tmp_path / "ran").exists()


@needs_datasets
def test_a_column_that_is_no_label_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    rows = [json.dumps({"text": "x", "url": f"u{n}"}) for n in range(MOST_LABELS + 1)]
    (folder / "train.jsonl").write_text("\n".join(rows))
    hub = HubSet(dataset=str(folder), split="train", domain_column="url")
    with pytest.raises(InputError, match="more than 1,000 different values of 'domain'"):
        documents(HubCorpus("mine", hub, ReadSettings()))
    (only,) = HubCorpus("mine", hub, ReadSettings(domain="web")).batches()
    assert len(only.texts) == MOST_LABELS + 1
