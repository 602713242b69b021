"""Ways to write text with a byte latent model, and what each costs: passes, and bytes of memory.

Decoding is bound by the weights that are read. "Fast Byte Latent Transformer" (arXiv 2605.08044,
section 5) counts, at two bytes a parameter,

    GB = 2 [N_dec P_dec + N_glob (P_enc + P_glob)] / 1e9

for N_dec passes of the decoder and N_glob of the global module, with each of which the encoder is
counted once. Reading the prompt counts as the first pass of each. Here the encoder reads every byte
as it comes, so `bytes_read` counts the passes that it made instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from corpora.errors import InputError, did_you_mean
from scaling.flops import BYTE_VOCABULARY, BltShape

DecodingKind = Literal["ar", "speculate", "diffuse", "verify"]
UnmaskingKind = Literal["confidence", "entropy", "once"]
_BYTES_PER_PARAM = 2  # bfloat16
_SIZES = {"speculate": "K", "diffuse": "B", "verify": "B"}
_FILLING = ("diffuse", "verify")


@dataclass(frozen=True)
class Unmasking:
    """Which masked bytes of a block are filled in one pass; one at least, the surest.

    Attributes:
        kind: `confidence`, those of which a byte's probability exceeds `bound`; `entropy`, as many
            of the least uncertain as have entropies of at most `bound` nats together; `once`, all.
        bound: the paper's are .3, .5, .7 of the first kind, and .8 to 2 of the second.
    """

    kind: UnmaskingKind = "confidence"
    bound: float = 0.7

    @classmethod
    def parse(cls, text: str) -> "Unmasking":
        """Return what `once` or KIND:BOUND says.

        Raises:
            InputError: it says nothing like that.
        """
        name, colon, bound = text.partition(":")
        if name == "once" and not colon:
            return cls("once", 0.0)
        try:
            value = float(bound)
        except ValueError:
            value = -1.0
        most = {"confidence": 1.0, "entropy": 1e6}.get(name, 0.0)
        if not 0 <= value <= most or not most:
            raise InputError(
                f"`unmask` {text}: give confidence:P, a probability, entropy:NATS, or once"
            )
        return cls(name, value)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return self.kind if self.kind == "once" else f"{self.kind}:{self.bound:g}"


ONCE = Unmasking("once", 0.0)


@dataclass(frozen=True)
class DecodingMethod:
    """How a byte latent model's text is written.

    Attributes:
        kind: `ar`, byte by byte; `speculate`, K bytes guessed by the decoder alone, then judged in
            one pass of the whole model (BLT-S); `diffuse`, blocks of B bytes filled by a decoder
            that has learnt to (BLT-D); `verify`, such blocks as guesses (BLT-DV).
        size: K or B; 0 of `ar`.
        reuse: whether latents of the judging pass are kept where they are right; the paper's
            method makes them again.
        unmasking: of blocks.
    """

    kind: DecodingKind = "ar"
    size: int = 0
    reuse: bool = True
    unmasking: Unmasking = ONCE

    @classmethod
    def parse(cls, text: str, *, reuse: bool = True, unmask: str | None = None) -> "DecodingMethod":
        """Return what `ar` or KIND:SIZE says; guessing no byte, or a block of one, is `ar`.

        Args:
            unmask: as `Unmasking.parse`, of what fills blocks; None for confidence:0.7 of
                `diffuse`, once of `verify`.

        Raises:
            InputError: it says nothing like that.
        """
        name, colon, size = text.partition(":")
        if name not in get_args(DecodingKind):
            hint = did_you_mean(name, get_args(DecodingKind))
            raise InputError(f"`decode` {text}: unknown{hint}; {FORMS}")
        if unmask is not None and name not in _FILLING:
            raise InputError(
                f"`unmask` {unmask}: {name} fills no blocks; leave it out, or decode by diffuse:B"
                " or verify:B"
            )
        if name == "ar":
            if colon:
                raise InputError(f"`decode` {text}: `ar` takes no size; {FORMS}")
            return cls()
        if not (size.isascii() and size.isdigit() and len(size) < 10):
            raise InputError(f"`decode` {text}: {_SIZES[name]} is a whole number; {FORMS}")
        if name != "speculate" and not int(size):
            raise InputError(f"`decode` {text}: a block has a byte or more; {FORMS}")
        unmasking = Unmasking() if name == "diffuse" else ONCE
        if unmask is not None:
            unmasking = Unmasking.parse(unmask)
        if int(size) < (1 if name == "speculate" else 2):
            return cls()
        return cls(name, int(size), reuse, unmasking)  # type: ignore[arg-type]

    @property
    def fills_blocks(self) -> bool:
        """Whether a decoder that has learnt to fills blocks."""
        return self.kind in _FILLING

    @property
    def judges(self) -> bool:
        """Whether bytes are guesses, judged by the whole model."""
        return self.kind in ("speculate", "verify")

    def __str__(self) -> str:
        return f"{self.kind}:{self.size}" if self.size else self.kind


def decodings(
    texts: Sequence[str], *, reuse: bool = True, unmask: str | None = None
) -> list[DecodingMethod]:
    """Return what several texts say; of speculate:4,8,verify:8 each size is one.

    Args:
        unmask: of those that fill blocks.

    Raises:
        InputError: see `DecodingMethod.parse`; `unmask` is given, and none fills blocks.
    """
    several: list[tuple[str, str]] = []  # what each is called, and what it says
    for text in texts:
        name = ""
        for part in map(str.strip, text.split(",")):
            whole = not name or ":" in part or part in get_args(DecodingKind)
            name = part.partition(":")[0] if whole else name
            several.append((name, part if whole else f"{name}:{part}"))
    fills = any(name in _FILLING for name, _ in several)
    return [
        DecodingMethod.parse(
            text, reuse=reuse, unmask=unmask if name in _FILLING or not fills else None
        )
        for name, text in several
    ]


FORMS = "give ar or " + ", ".join(f"{name}:{size}" for name, size in _SIZES.items())


class PassParams(NamedTuple):
    """Parameters that one pass of each module reads."""

    encoder: float
    decoder: float
    global_module: float

    def gigabytes(self, decoder_passes: float, global_passes: float) -> float:
        """Return the paper's count of what so many passes read."""
        per_global = self.encoder + self.global_module
        read = decoder_passes * self.decoder + global_passes * per_global
        return _BYTES_PER_PARAM * read / 1e9


# Section 5 of the paper, rounded there.
FAST_BLT_PARAMS: Mapping[str, PassParams] = {
    "1B": PassParams(19e6, 160e6, 1.28e9),
    "3B": PassParams(26e6, 160e6, 2.82e9),
}


def speculation_rounds(size: float, block: int, acceptance: float) -> float:
    """Return R = L / (1 + k a), the rounds that write L bytes where a share of guesses is kept.

    BLT-S then makes R (k + 1) passes of the decoder and 2 R of the global module, R with reuse;
    BLT-DV that drafts in one step 2 R of either. The paper prints neither.
    """
    return size / (1 + block * acceptance)


def pass_params(shape: BltShape) -> PassParams:
    """Return the parameters a pass reads: with the encoder its pooling, with the decoder its
    readings of latents and the head, with the global module the projections to and from it."""
    h = shape.local_dim
    projections = 2 * shape.cross_factor * h * shape.global_dim
    return PassParams(
        shape.local_params + 4 * h**2,
        shape.local_params + 4 * h**2 * shape.local_layers + BYTE_VOCABULARY * h,
        shape.global_params + projections,
    )


# Bytes by what they are for; those beyond ASCII are nearly always parts of letters.
_PUNCTUATION = frozenset(b".,;:!?'\"()-")
BYTE_CLASSES = ("letters", "digits", "punctuation", "symbols", "white space")


def byte_class(byte: int) -> str:
    """Return which of `BYTE_CLASSES` a byte belongs to; control characters are white space."""
    if byte >= 0x80 or chr(byte).isalpha():
        return "letters"
    if byte <= 0x20 or byte == 0x7F:
        return "white space"
    if chr(byte).isdigit():
        return "digits"
    return "punctuation" if byte in _PUNCTUATION else "symbols"


@dataclass
class Passes:
    """What writing took so far.

    Attributes:
        encoder, decoder, global_module: forward passes, of however many bytes each.
        drafted: bytes that were guessed. accepted: of those, the ones kept.
        judged: of each class of the byte that was right, guesses looked at: those kept, and the
            first in each round that was not. kept: of those, the ones kept.
    """

    encoder: int = 0
    decoder: int = 0
    global_module: int = 0
    drafted: int = 0
    accepted: int = 0
    judged: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)

    def judge(self, drafted: int, right: bytes) -> None:
        """Count a round: `right` are the guesses that were kept, and the byte after those."""
        self.drafted += drafted
        self.accepted += len(right) - 1
        for place, byte in enumerate(right[:drafted]):
            name = byte_class(byte)
            self.judged[name] = self.judged.get(name, 0) + 1
            self.kept[name] = self.kept.get(name, 0) + (place < len(right) - 1)

    def add(self, other: "Passes") -> None:
        """Count what another text took besides."""
        for name in ("encoder", "decoder", "global_module", "drafted", "accepted"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in BYTE_CLASSES:
            if name in other.judged:
                self.judged[name] = self.judged.get(name, 0) + other.judged[name]
                self.kept[name] = self.kept.get(name, 0) + other.kept[name]

    def to_json(self, shape: BltShape, size: int) -> dict[str, Any]:
        """Return plain JSON values of `size` bytes written."""
        params = pass_params(shape)
        read = _BYTES_PER_PARAM * (
            self.encoder * params.encoder
            + self.decoder * params.decoder
            + self.global_module * params.global_module
        )
        return {
            "bytes_per_global_pass": size / self.global_module if self.global_module else None,
            "acceptance": self.accepted / self.drafted if self.drafted else None,
            "decoder_passes": self.decoder,
            "global_passes": self.global_module,
            "encoder_passes": self.encoder,
            "gigabytes": params.gigabytes(self.decoder, self.global_module),
            "bytes_read": read,
            "bytes_read_per_byte": read / size if size else None,
            "acceptance_by_class": {
                name: {"judged": self.judged[name], "accepted": self.kept[name]}
                for name in BYTE_CLASSES
                if name in self.judged
            },
        }
