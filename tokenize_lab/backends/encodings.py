"""Vocabularies that are published as ranks: how each splits text, and its size and file's hash.

Ranks alone do not say it. OpenAI's are known to tiktoken by name; others publish a file.
"""

from typing import NamedTuple

from tokenize_lab.patterns import GPT2, GPT4, GPT4O, LLAMA3, QWEN2, QWEN36


class TiktokenEncoding(NamedTuple):
    """What a vocabulary has besides its ranks.

    Attributes:
        pattern: what splits a text. vocabulary_size: special tokens included.
        sha256: of its `.tiktoken` file, or empty where it is distributed otherwise.
    """

    pattern: str
    vocabulary_size: int
    sha256: str


# Sizes and hashes: tiktoken_ext/openai_public.py.
ENCODINGS = {
    "gpt2": TiktokenEncoding(GPT2, 50257, ""),
    "r50k_base": TiktokenEncoding(
        GPT2, 50257, "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
    ),
    "p50k_base": TiktokenEncoding(
        GPT2, 50281, "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069"
    ),
    "cl100k_base": TiktokenEncoding(
        GPT4, 100277, "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
    ),
    "o200k_base": TiktokenEncoding(
        GPT4O, 200019, "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
    ),
}
# Of the same ranks as another; and vocabularies of others, which publish their ranks as a file.
ENCODINGS["p50k_edit"] = ENCODINGS["p50k_base"]._replace(vocabulary_size=50284)
ENCODINGS["o200k_harmony"] = ENCODINGS["o200k_base"]._replace(vocabulary_size=201088)
FILES = {
    "llama3": TiktokenEncoding(
        LLAMA3, 128256, "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55"
    ),
    "llama4": TiktokenEncoding(
        GPT4O, 202048, "d0bdbaf59b0762c8c807617e2d8ea51420eb1b1de266df2495be755c8e0ed6ed"
    ),
    "qwen": TiktokenEncoding(
        QWEN2, 151851, "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186"
    ),
    "qwen3.6": TiktokenEncoding(
        QWEN36,
        248077,
        "8dde380a6405e935f5de16a99eb61c824f3f814dd1ed298784c72babb7a03cdd",
    ),
    "whisper": TiktokenEncoding(  # of 99 languages, 1,501 times and 8 others
        GPT2, 51865, "b34b360dbb493e781e479794586d661700670d65564001f23024971d1f2fa126"
    ),
}
# What a file of such a name most likely takes, if it is none of these; else GPT-4's.
BY_NAME = {"tokenizer.model": "llama3", "qwen": "qwen2", "multilingual": "gpt2", "gpt2": "gpt2"}
DEFAULT_ENCODING = "cl100k_base"
