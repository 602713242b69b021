"""A character vocabulary learned from a corpus: its most frequent characters, bytes for others."""

from tokenize_lab.train.byte_level import written
from tokenize_lab.train.settings import BYTES, TrainSettings
from tokenize_lab.train.text import TrainingText, by_frequency


def train_character(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the tokenizer.json of a BPE without merges, whose ids go by frequency.

    The first 256 ids are the byte tokens `<0x00>` to `<0xFF>`.
    """
    ordered = by_frequency(text.character_counts())[: settings.vocab_size - BYTES]
    pieces = [f"<0x{byte:02X}>" for byte in range(BYTES)] + [chr(point) for point in ordered]
    return written(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": None,
            "post_processor": None,
            "decoder": {
                "type": "Sequence",
                "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}],
            },
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": True,
                "ignore_merges": False,
                "vocab": {piece: token_id for token_id, piece in enumerate(pieces)},
                "merges": [],
            },
        }
    )
