"""The text of a design: weights, and parts that share nothing."""

import pytest

from corpora.corpus import corpus_of
from corpora.errors import InputError
from scaling.design.text import PARTS, read_text, weights_of
from tests.scaling.design.texts import made


def test_weights_as_people_write_them() -> None:
    assert weights_of("eng=.6, hin=.2,tha=.2") == {"eng": 0.6, "hin": 0.2, "tha": 0.2}
    assert weights_of({"eng": 1}) == {"eng": 1.0}


@pytest.mark.parametrize(
    ("languages", "said"),
    [
        ("eng=.6,hin=.3", "sum to 0.9, not to 1"),
        ("eng=.6,eng=.4", "eng is there twice"),
        ("eng=.6,eng_Latn=.4", "eng_Latn is there twice"),
        ("eng=.6,hin", "hin; give a number for each"),
        ("eng=1.2,hin=-.2", "a weight of -0.2 for hin"),
        ("eng=nan", "nan; must be a finite number"),
        ("", "sum to 0, not to 1"),
        (3, "a weight for each language"),
        ({"eng": "many"}, "a number"),
    ],
)
def test_weights_that_cannot_be(languages: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        weights_of(languages)  # type: ignore[arg-type]


def test_parts_share_nothing_and_follow_from_the_text_alone() -> None:
    corpus = made({"eng_Latn": 300, "hin_Deva": 300})
    text = read_text([corpus], {"eng": 0.5, "hin": 0.5})
    for parts in text.parts.values():
        train, curve, check = (set(part) for part in parts)
        assert not train & curve and not train & check and not curve & check
        assert len(train) + len(curve) + len(check) == 300
        assert len(train) > (PARTS - 3) / PARTS * 300
    again = read_text([corpus, corpus], {"eng": 0.5, "hin": 0.5})
    assert again.parts == text.parts and again.sha256 == text.sha256
    assert read_text([corpus], {"eng": 0.4, "hin": 0.6}).sha256 != text.sha256


def test_long_documents_are_cut_at_line_ends_and_lose_nothing() -> None:
    long = "".join(f"line {i} of a long document\n" for i in range(2000))
    (parts,) = read_text([corpus_of([long], language="eng")], {"eng": 1.0}).parts.values()
    blocks = [block for part in parts for block in part]
    assert sum(map(len, blocks)) == len(long) and all(block in long for block in blocks)
    assert all(block.endswith("\n") for block in blocks)


def test_shares_are_those_of_the_weights() -> None:
    text = read_text(
        [made({"eng_Latn": 200, "hin_Deva": 400, "rus_Cyrl": 3})], {"eng": 0.75, "hin": 0.25}
    )
    assert text.shares["eng"] == pytest.approx(3 * text.shares["hin"], abs=3)
    mixed: dict[str, int] = {}
    for document in text.mixture().documents:
        size = len(document.text.encode())
        mixed[document.language] = mixed.get(document.language, 0) + size
    assert mixed["eng"] == pytest.approx(3 * mixed["hin"], rel=0.02)
    assert text.ignored == ("rus_Cyrl",)
    assert text.remarks() == [
        "not in `languages`, and left out: rus_Cyrl",
        *text.remarks()[1:],
    ]


def test_a_language_without_text_is_named() -> None:
    corpus = made({"eng_Latn": 50})
    with pytest.raises(InputError, match=r"hin has no text in the corpora"):
        read_text([corpus], {"eng": 0.5, "hin": 0.5})
    with pytest.raises(InputError, match=r"eng has .* bytes of text in 1 blocks, too few"):
        read_text([corpus_of(["one line"], language="eng")], {"eng": 1.0})


def test_aligned_lines_go_to_the_same_part_in_every_language() -> None:
    corpus = made({"eng_Latn": 200, "hin_Deva": 200})
    texts = {
        d: [x.text for x in corpus.documents if x.language == d] for d in ("eng_Latn", "hin_Deva")
    }
    text = read_text([corpus_of(texts, parallel=True)], {"eng": 0.5, "hin": 0.5})
    assert text.aligned
    for kind in ("train", "curve", "check"):
        places = [
            [texts[code].index(block) for block in getattr(text.parts[name], kind)]
            for name, code in (("eng", "eng_Latn"), ("hin", "hin_Deva"))
        ]
        assert places[0] == places[1] and places[0]
    lines = text.mixture("parity-bpe")
    assert lines.parallel and len(lines.documents) == 2 * len(text.parts["eng"].train)
    with pytest.raises(InputError, match="parity-bpe learns from aligned text"):
        read_text([corpus], {"eng": 0.5, "hin": 0.5}).mixture("parity-bpe")
