"""`tokenize-lab scaling plan`: a grid of runs, priced."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.cli import JsonOption
from corpora.output import drawn, emit
from scaling.cli.options import (
    CompileOption,
    CorpusOption,
    DeviceOption,
    MixtureSeedOption,
    MixturesOption,
    NoCalibrationOption,
    PrecisionOption,
    ShortcutsOption,
    ShowOption,
    SweepFileArgument,
    SweepOutOption,
    TogetherOption,
    WorkersOption,
    how_option,
    machine_settings,
    print_json,
    require_torch,
)

if TYPE_CHECKING:
    from scaling.config.sweep_file import SweepFile
    from scaling.sweep.folder import SweepFolder
    from scaling.sweep.plan import SweepPlan


def plan(
    spec: SweepFileArgument,
    corpus: CorpusOption = None,
    mixtures: MixturesOption = None,
    mixture_seed: MixtureSeedOption = 0,
    out: SweepOutOption = None,
    suggest: Annotated[
        float | None, typer.Option(min=0.01, help="hours there are: print budgets that fill them")
    ] = None,
    show: ShowOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = None,
    compile: CompileOption = None,
    shortcuts: ShortcutsOption = None,
    workers: WorkersOption = None,
    together: TogetherOption = None,
    no_calibration: NoCalibrationOption = False,
    count: Annotated[
        str | None,
        how_option(help="a GPU, as h200: count what the runs and each shortcut would take on it"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Price every run of a sweep, and train none.

    Text and tokenizers are prepared, since they say how many bytes a token holds; a few steps of a
    few models are timed for 20 seconds. Entropy patches are taken to be as long as asked for.

    \b
    tokenize-lab scaling plan micro
    tokenize-lab scaling plan micro --show > sweep.toml
    tokenize-lab scaling plan sweep.toml --suggest 2
    tokenize-lab scaling plan gpu --corpus novels.jsonl.xz --no-calibration --count h200
    tokenize-lab scaling plan mix.toml --mixtures 64
    """
    from corpora.toml_file import read_text

    file, path, folder = read_sweep(spec, corpus, out, mixtures, mixture_seed)
    if show:
        emit([read_text(path)])
        return
    require_torch()
    from scaling.sweep.plan import plan_sweep
    from scaling.sweep.price import counted
    from scaling.sweep.text import counts_table, plan_rows, plan_text
    from scaling.train.counted import gpu_named
    from tokenize_lab.progress import progress

    if count is not None:
        gpu_named(count)  # before anything is prepared
    machine = machine_settings(device, precision, 1, None, compile, shortcuts, together)
    timed = not no_calibration
    with progress(bytes=False) as bars:
        priced = plan_sweep(
            file, path, folder, bars.stage, settings=machine, workers=workers, calibrate=timed
        )
    if suggest is not None:
        _print_suggestion(priced, suggest, as_json)
    elif as_json:
        rows = plan_rows(priced)
        if count is not None:
            for row, run in zip(rows, priced.runs, strict=True):
                row["counted_seconds"] = counted([run], count)
        print_json(rows)
    else:
        table = [] if count is None else [counts_table(counted(priced.runs, count), count)]
        emit(drawn([*plan_text(priced), *table]))


def read_sweep(
    spec: Path,
    corpus: list[str] | None,
    out: Path | None,
    mixtures: int | None,
    mixture_seed: int,
) -> tuple["SweepFile", Path, "SweepFolder"]:
    """Return a sweep's file, where it is, and the folder that the sweep is kept in."""
    from corpora.open import corpus_relative_to
    from scaling.config.sweep_file import read_sweep_file
    from scaling.config.toml_file import example
    from scaling.sweep.folder import SweepFolder

    file, path = read_sweep_file(spec), example(spec)
    if corpus:  # one typed is relative to where one is, and the file's to its folder
        file = file.with_corpus([corpus_relative_to(Path.cwd(), typed) for typed in corpus])
    if mixtures is not None:
        file = file.with_mixtures(mixtures, mixture_seed)
    return file, path, SweepFolder(out or Path("out/sweep") / file.folder_name)


def _print_suggestion(plan: "SweepPlan", hours: float, as_json: bool) -> None:
    from scaling.sweep.text import workers_text

    found = plan.suggest(hours)
    if as_json:
        print_json(found._asdict())
        return
    budgets = ", ".join(f"{budget:.2g}" for budget in found.compute_flops)
    short = f"; {found.short} runs would be too short for fits" if found.short else ""
    comment = f"# about {found.seconds / 3600:.2g} hours with {workers_text(plan)}{short}"
    emit([f"compute_flops = [{budgets}]\n{comment}\n"])
