"""Made-up text of three languages, one of them written with vowel signs, in any amount."""

from collections.abc import Mapping

import numpy as np

from corpora.corpus import DocumentCorpus, corpus_of

LETTERS = {
    "eng_Latn": ("bcdfghlmnprstw", "aeiou"),
    "hin_Deva": ("कखगचजटतदनपबमरलसह", "\u093e\u093f\u0940\u0941\u0942\u0947\u094b"),
    "rus_Cyrl": ("бвгдзклмнпрст", "аеиоу"),
}
WORDS = 6000


def made(sizes: Mapping[str, int], seed: int = 0) -> DocumentCorpus:
    """Return so many documents of each language, words of a Zipf distribution."""
    generator = np.random.default_rng(seed)
    texts = {}
    for language, count in sizes.items():
        consonants, vowels = LETTERS[language]
        words = [
            "".join(
                consonants[generator.integers(len(consonants))]
                + vowels[generator.integers(len(vowels))]
                for _ in range(generator.integers(1, 7))
            )
            for _ in range(WORDS)
        ]
        weights = np.arange(1, WORDS + 1) ** -0.7
        drawn = generator.choice(WORDS, (count, 60), p=weights / weights.sum())
        texts[language] = [" ".join(words[i] for i in row) + "." for row in drawn.tolist()]
    return corpus_of(texts, parallel=False)
