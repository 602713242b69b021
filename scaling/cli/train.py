"""`tokenize-lab scaling train` and `train-entropy-model`: one run, from text to record."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.cli import JsonOption
from corpora.output import emit
from scaling.cli.options import (
    CompileOption,
    DeviceOption,
    MicroRowsOption,
    PrecisionOption,
    ShortcutsOption,
    ShowOption,
    ThreadsOption,
    how_option,
    machine_settings,
    output_option,
    print_json,
    require_torch,
    shown,
)
from tokenize_lab.cli import complete
from tokenize_lab.progress import progress

if TYPE_CHECKING:
    from scaling.config.train_file import TrainFile
    from scaling.prepare import PreparedText
    from scaling.record import LanguageRecord, RunRecord
    from scaling.spec import RunSpec
    from scaling.train.machine import MachineSettings

OUT = Path("out/train")


RunsOutOption = Annotated[Path, output_option(help="folder: shards/ and runs/RUN_ID/")]


def train(
    spec: Annotated[
        Path,
        typer.Argument(
            help="SPEC.toml: model, patching, data, training; `first` for an example",
            autocompletion=complete.toml_files,
        ),
    ],
    out: RunsOutOption = OUT,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="make spec.json and shards, train nothing")
    ] = False,
    show: ShowOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = None,
    threads: ThreadsOption = None,
    micro_rows: MicroRowsOption = None,
    compile: CompileOption = None,
    shortcuts: ShortcutsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train one model and score it on held-out text, in bits per byte.

    \b
    The file says what is trained, on what, and for how long:
      [model]     family = "blt"  layers = 2  dim = 32
                  local_layers = 1  local_dim = 32  cross_factor = 1
      [patching]  kind = "static"  compression_rate = 4
      [data]      corpus = ["novels.jsonl.xz"]  held_out_bytes = 2_000_000
                  context_bytes = 512  window_bytes = 64
      [training]  compute_flops = 3e12  batch_bytes = 4096

    Stopped by Ctrl-C or killed, the same command goes on where it was. Trained already, it prints
    the record again.

    \b
    tokenize-lab scaling train first
    tokenize-lab scaling train first --show > spec.toml
    tokenize-lab scaling train spec.toml
    torchrun --nproc-per-node 2 -m tokenize_lab scaling train spec.toml
    """
    from corpora.toml_file import read_text
    from scaling.config.toml_file import example
    from scaling.config.train_file import read_train_file

    file = read_train_file(spec)
    if show:
        emit([read_text(example(spec))])
        return
    machine = machine_settings(device, precision, threads, micro_rows, compile, shortcuts)
    _run(file, out, machine, prepare_only=prepare, as_json=as_json)


def train_entropy_model(
    corpus: Annotated[list[str], typer.Argument(help="text, as `measure` takes it")],
    out: RunsOutOption = OUT,
    layers: Annotated[int, typer.Option(min=1, max=1000, help="of the byte model")] = 2,
    dim: Annotated[int, typer.Option(min=2, max=1 << 16, help="its width")] = 128,
    train_bytes: Annotated[float, typer.Option(help="text to train on")] = 2e7,
    context_bytes: Annotated[int, typer.Option(min=2, help="text it sees at once")] = 512,
    batch_bytes: Annotated[int, typer.Option(min=2, help="text per step")] = 8192,
    held_out_bytes: Annotated[int, typer.Option(min=1, help="text to score it on")] = 100_000,
    text_field: Annotated[str, how_option(help="of records")] = "text",
    seed: Annotated[int, typer.Option(min=0, max=(1 << 63) - 1, help="of weights and order")] = 0,
    device: DeviceOption = "auto",
    precision: PrecisionOption = None,
    threads: ThreadsOption = None,
    micro_rows: MicroRowsOption = None,
    compile: CompileOption = None,
    shortcuts: ShortcutsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the small byte model whose uncertainty cuts entropy patches.

    Give the folder it prints as entropy_model in the [patching] table of a blt's file.

    \b
    tokenize-lab scaling train-entropy-model novels.jsonl.xz
    """
    from scaling.config.train_file import byte_model_file

    asked = byte_model_file(
        corpus,
        layers=layers,
        dim=dim,
        train_bytes=train_bytes,
        context_bytes=context_bytes,
        batch_bytes=batch_bytes,
        held_out_bytes=held_out_bytes,
        text_field=text_field,
        seed=seed,
    )
    machine = machine_settings(device, precision, threads, micro_rows, compile, shortcuts)
    _run(asked, out, machine, prepare_only=False, as_json=as_json)


def _run(
    asked: "TrainFile", out: Path, machine: "MachineSettings", *, prepare_only: bool, as_json: bool
) -> None:
    from corpora.locks import alone
    from scaling.prepare import keep_beside
    from scaling.prepare import prepare as prepared_from
    from scaling.record import write_spec
    from scaling.sweep.run_folder import LOCK

    require_torch()
    from scaling.data.shards import open_shards
    from scaling.train.progress import ProgressPrinter, report_line, stop_on_signal
    from scaling.train.run import train as trained

    machine.checked()  # a wrong one shows before the text is read
    with progress(bytes=False) as bars:
        spec, text = prepared_from(asked, out / "shards", bars.stage, machine.device)
    if warning := spec.model.vocabulary_warning:
        size = f"[{spec.model.layers}, {spec.model.dim}]"
        sys.stderr.write(f"a model of size {size} is {warning}\n")
    folder = out / "runs" / spec.run_id
    keep_beside(text, folder)
    if prepare_only:
        write_spec(folder, spec)
        _print_prepared(spec, text, folder, as_json)
        return
    with (
        alone(folder / LOCK, "is training this run", "wait for it, or stop it"),
        stop_on_signal() as stop,
        ProgressPrinter(report_line) as watch,
    ):
        shards = open_shards(text.shards, verify=True)
        record = trained(spec, shards, folder, machine, watch, text.patching_flops, stop)
    if record.status == "interrupted" and stop.signal is not None:
        sys.stderr.write(f"{folder}: saved at step {record.steps:,}; run again to go on\n")
        raise typer.Exit(stop.exit_code)
    if as_json:
        print_json({**record.to_json(), "folder": str(folder)})
    else:
        _print_record(record, folder)
    if record.status != "finished":
        raise typer.Exit(1)


def _print_prepared(spec: "RunSpec", text: "PreparedText", folder: Path, as_json: bool) -> None:
    if as_json:
        where = {"shards": str(text.shards), "folder": str(folder)}
        print_json({**spec.to_json(), **where, "patching_flops": text.patching_flops})
        return
    words = ["python", "-m", "scaling.train", str(folder / "spec.json"), str(text.shards)]
    words += ["--out", str(folder)]
    if text.patching_flops:  # the bare box cannot know, and the record would say 0
        words += ["--patching-flops", repr(text.patching_flops)]
    steps, rate = spec.training.steps, spec.compression_rate
    emit([f"run {spec.run_id}: {steps:,} steps, {rate:.4g} bytes per token\n"])
    emit([f"train it here, or where there is only PyTorch:\n{shlex.join(words)}\n"])


def _print_record(record: "RunRecord", folder: Path) -> None:
    row = record.row()
    lines = {
        "run": record.spec.run_id,
        "status": record.status + (f" ({record.reason})" if record.reason else ""),
        "bits per byte": _with_interval(record),
        "held-out bytes": record.validation_bytes,
        "training bytes": record.train_bytes,
        "epochs": round(record.epochs, 4),
        "compression rate": record.spec.compression_rate,
        "training FLOPs": float(row["compute_flops"]),
        "total parameters": record.params["total"],
        "seconds": round(record.seconds, 1),
        "folder": folder,
    }
    if record.patching_flops:
        lines["FLOPs of the entropy model"] = record.patching_flops
    lines.update(_of_languages(record))
    emit(f"{name}: {shown(value)}\n" for name, value in lines.items())


def _of_languages(record: "RunRecord") -> dict[str, str]:
    """Return what the text of each language came to; nothing where there is but one."""
    if len(record.languages) < 2:
        return {}
    return {
        f"  {part.language}": f"{_with_interval(part)} bits per byte, "
        f"T {shown(part.compression_rate)}; {part.train_bytes:,} bytes read"
        for part in record.languages
    }


def _with_interval(record: "RunRecord | LanguageRecord") -> str:
    if record.bits_per_byte is None:
        return "none"
    text = f"{record.bits_per_byte:.4f}"
    if record.validation_interval is not None:
        low, high = record.validation_interval
        text += f" [{low:.4f}, {high:.4f}]"
    return text
