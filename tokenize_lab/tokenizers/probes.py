"""Texts on which a tokenizer's byte table is checked when it is loaded.

Whether bytes survive is decided from a tokenizer's settings; these texts then test the decision.
They hold what tokenizers are known to trip over: scripts of one to four bytes per character, marks
without a letter, joined emoji, control characters, line ends, runs of spaces and spaces at the
ends, and text that looks like a special token or a byte token.
"""

from collections.abc import Iterable

from tokenize_lab.tokenizer import Tokenizer

PROBES = (
    "",
    "a",
    " ",
    "  two  runs   of    spaces  ",
    " one in front",
    "one behind ",
    "The price rose 3.14% in 2024; isn't that 1,000,000 too many?",
    "Ça coûte cher, naïve Ångström; straße, İstanbul, ŁÓDŹ",
    "Привет, мир. Γειά σου Κόσμε. Բարեւ աշխարհ. გამარჯობა",
    "مرحبا بالعالم ١٢٣ שָׁלוֹם עוֹלָם اردو فارسی",
    "नमस्ते दुनिया বাংলা தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල",
    "สวัสดีชาวโลก ສະບາຍດີ ជំរាបសួរ မင်္ဂလာပါ བོད་སྐད",
    "你好，世界。こんにちは世界 カタカナ ｶﾀｶﾅ 안녕하세요 한글",
    "ሰላም ልዑል ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ ⵜⴰⵎⴰⵣⵉⵖⵜ ߒߞߏ 𞤀𞤣𞤤𞤢𞤥 𐌰𐌱 𒀀 𓀀",
    "😀👍🏽👨‍👩‍👧‍👦🏳️‍🌈🇫🇷 ❤️ ♾",
    "\u0301lone marks \u093e\u200d\u200c e\u0301 \u212b \ufb01 Ⅷ ² ½ ﷺ",
    "nul \x00 bell \x07 escape \x1b delete \x7f c1 \x85\x9f",
    "line\nline\r\nline\rline\n\n\tindented\x0b\x0c\u2028\u2029 \u00a0\u3000\ufeff\u200b",
    "def f(x):\n    if x >= 10:\n\t\treturn {'a': [1, 2]}  # done\n",
    "<s>text</s><unk><pad> <|endoftext|> [INST] [/INST] [UNK] [CLS] [SEP] <mask> <bos>",
    "<0x41><0x0A> ## ##ing </w> Ġword Ċ",
    "\U0010ffff\ue000\ufdd0 \ufffd",
    "x" * 300,
)


def difference_on_probes(tokenizer: Tokenizer, more: Iterable[str] = ()) -> str:
    """Return, in words, a text whose tokens' bytes are not prefix + text; or nothing."""
    probes = [*PROBES, *more]
    encoding = tokenizer.encode_batch(probes)
    table = tokenizer.token_bytes
    start = 0
    for probe, length in zip(probes, encoding.lengths.tolist(), strict=True):
        ids = encoding.ids[start : start + length].tolist()
        start += length
        text = probe.encode("utf-8")
        if b"".join(map(table.__getitem__, ids)) != (tokenizer.prefix + text if text else b""):
            return f"bytes of its tokens differ from the text's on {probe[:60]!r}"
    return ""
