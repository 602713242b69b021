"""The commands that write files, on little text, and what they read; for `tests.test_killed`."""

from pathlib import Path

from tests.scaling.mixtures.planted import runs_table
from tests.scaling.sweep.sweeps import blt_arm

TOKENIZER = "tokenizers train --kind bpe text.jsonl --vocab-size 290 --out t"
_TRAIN = "tokenizers train text.jsonl --vocab-size 300 --out out --kind"
_MEASURE = "measure text.jsonl -t byte -t t/tokenizer.json --jobs 1"
_CPU = "--device cpu --threads 1"
_BYTE_MODEL = (
    "scaling train-entropy-model text.jsonl --layers 1 --dim 16 --train-bytes 1000"
    " --context-bytes 64 --batch-bytes 256 --held-out-bytes 300"
)
_ONE = "--no-calibration --device cpu --workers 1"
_SWEEP = "scaling sweep sweep.toml --device cpu"
_PACKED = f"{_SWEEP} --out out --pack out.tar.gz"
_SWEPT = f"scaling sweep sweep.toml {_ONE} --out swept"
_MIXED = "scaling fit mixtures.csv --law mixture --draws 0 --out mixed"
_DESIGN = (
    "scaling design embedded:eng_Latn,deu_Latn --compute 1e21 --languages eng=.6,deu=.4"
    " --kinds bpe --patterns gpt4o --largest 1024"
)

# By name: the command, and before it those that make what it reads.
COMMANDS = {
    "measure": (TOKENIZER, _MEASURE),
    "train": (f"{_TRAIN} bpe",),
    "train-unigram": (f"{_TRAIN} unigram",),
    "train-superbpe": (f"{_TRAIN} superbpe",),
    "vocab-curve": (TOKENIZER, "vocab-curve text.jsonl -t t --jobs 1 --out out"),
    "audit": (TOKENIZER, "tokenizers audit t text.jsonl --jobs 1 --out out"),
    "diff": (TOKENIZER, "tokenizers diff byte t text.jsonl --jobs 1 --out out"),
    "bytes": (TOKENIZER, "tokenizers bytes t --out out/bytes.npz"),
    "tokenizer-mixture": (TOKENIZER, "tokenizers mixture t aligned --jobs 1 --out out"),
    "extend": (TOKENIZER, "tokenizers extend t aligned --add 5 --out out"),
    "prune": (TOKENIZER, "tokenizers prune t text.jsonl --to 280 --out out"),
    "leaderboard": (TOKENIZER, "leaderboard specs.txt aligned --jobs 1 --out out"),
    "report": ("measure text.jsonl -t byte --out measured --no-cache --jobs 1", "report measured"),
    "report-sweep": (_SWEPT, "report swept"),
    "cache-clear": (TOKENIZER, _MEASURE, "cache clear"),
    "demo": ("demo --out out",),
    "fit": ("scaling fit runs.csv --law chinchilla --draws 0 --out out",),
    "fit-mixture": (_MIXED,),
    "predict": (_MIXED, "scaling predict mixed/FIT.json mixtures.csv --out out/predicted.csv"),
    "reproduce": ("scaling reproduce --draws 20 --out out",),
    "design": (f"{_DESIGN} --out out",),
    "run": (f"scaling train run.toml {_CPU} --out out",),
    "prepare-run": (f"scaling train run.toml --prepare {_CPU} --out out",),
    "entropy-model": (f"{_BYTE_MODEL} {_CPU} --out out",),
    "evaluate": (
        f"scaling train run.toml {_CPU} --out trained",
        "scaling evaluate trained/runs/* text.jsonl --draws 20 --device cpu --out out",
    ),
    "plan": (f"scaling plan sweep.toml {_ONE} --out out",),
    "sweep": (f"scaling sweep sweep.toml {_ONE} --out out",),
    "sweep-rich": (f"scaling sweep rich.toml {_ONE} --out out",),
    "sweep-tune": (f"scaling sweep sweep.toml {_ONE} --tune --out out",),
    "sweep-elsewhere": (_PACKED, "-m scaling.sweep there --unpack out.tar.gz --device cpu"),
    "pack": (_PACKED,),
    "unpack": (
        _SWEPT,
        f"{_SWEEP} --out swept --pack swept.tar.gz",
        f"{_SWEEP} --out out --unpack swept.tar.gz",
    ),
    "collect": (_SWEPT, "scaling collect swept --tensorboard events"),
}

# They print, and keep nothing but what was found out of a tokenizer's file.
WRITE_NOTHING = {
    "cache show", "corpora list", "corpora show", "corpora verify", "tokenizers check",
    "tokenizers encode", "tokenizers show", "scaling advise", "scaling flop-equivalent",
    "scaling flops", "scaling generate", "scaling status",
}  # fmt: skip

_LINES = range(40)
_TEXT = [f"line {n} of a short text, {n * n}" for n in _LINES]
_ZEILEN = [f"Zeile {n} eines kurzen Textes, {n * n}" for n in _LINES]
_RUN_FILE = """
[model]
family = "subword"
layers = 1
dim = 16
[data]
corpus = "text.jsonl"
tokenizer = "byte"
held_out_bytes = 300
context_bytes = 64
window_bytes = 16
[training]
steps = 3
batch_bytes = 256
"""


def _sweep_file(name: str, budgets: str, arms: str, more: str = "") -> str:
    return f"""
name = "{name}"
compute_flops = {budgets}
[texts.short]
corpus = ["text.jsonl"]
held_out_bytes = 300
{arms}
[training]
batch_bytes = 256
context_bytes = 64
window_bytes = 16
{more}
"""


def _subword_arm(tokenizer: str) -> str:
    return f"""
[[arms]]
family = "subword"
sizes = [[1, 16]]
tokenizers = ["{tokenizer}"]
"""


_SWEEP_FILE = _sweep_file("small", "[2e7]", _subword_arm("byte"))
# A byte model and a tokenizer made for it, a budget that goes on from another's trunk.
_RICH_FILE = _sweep_file(
    "rich",
    "[2e7, 4e7]",
    _subword_arm("bpe:280") + blt_arm("[2]", patching="entropy", bytes_seen=1000),
    "shared_trunk = true",
)


def write_files(folder: Path) -> None:
    """Write what the commands read, but for what other commands make of it."""
    (folder / "text.jsonl").write_text("".join(f'{{"text": "{line}"}}\n' for line in _TEXT))
    (folder / "aligned").mkdir()
    (folder / "aligned" / "eng_Latn.txt").write_text("\n".join(_TEXT) + "\n")
    (folder / "aligned" / "deu_Latn.txt").write_text("\n".join(_ZEILEN) + "\n")
    (folder / "specs.txt").write_text("byte\nt/tokenizer.json\n")
    for name, text in (("run", _RUN_FILE), ("sweep", _SWEEP_FILE), ("rich", _RICH_FILE)):
        (folder / f"{name}.toml").write_text(text)
    rows = ["params,tokens,loss"]
    for params in (1e7, 3e7, 1e8, 3e8):
        rows += [
            f"{params:g},{tokens:g},{1.7 + 400 / params**0.34 + 410 / tokens**0.28:.6f}"
            for tokens in (1e9, 3e9, 1e10)
        ]
    (folder / "runs.csv").write_text("\n".join(rows) + "\n")
    runs_table(30, 0.004).write_csv(folder / "mixtures.csv")
