"""The byte-level alphabet: one printable character for each byte.

GPT-2 (Radford et al. 2019) wrote its merges as text, and so gave every byte a visible character:
printable Latin-1 bytes stand for themselves, the 68 others are numbered on from U+0100 in order.
Hugging Face's `ByteLevel` uses the same alphabet.
"""

PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
UTF8_BYTES = [*range(0x80), *range(0x80, 0xC0), *range(0xC2, 0xF5)]  # those any text can contain


def byte_to_character() -> dict[int, str]:
    """Return the character that stands for each of the 256 bytes."""
    hidden = [byte for byte in range(256) if byte not in set(PRINTABLE)]
    return {byte: chr(byte) for byte in PRINTABLE} | {
        byte: chr(0x100 + place) for place, byte in enumerate(hidden)
    }


def character_to_byte() -> dict[str, int]:
    """Return the byte for which each of the 256 characters stands."""
    return {character: byte for byte, character in byte_to_character().items()}
