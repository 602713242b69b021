"""From a plan to a sweep's folder: a specification beside each run, and the list of jobs."""

from collections.abc import Mapping, Sequence

from corpora.errors import InputError
from scaling.data.shards import read_manifest
from scaling.prepare import Prepared, keep_beside
from scaling.spec_json import SPEC, write_spec
from scaling.sweep.driving import driving
from scaling.sweep.folder import (
    SWEEP,
    Job,
    Sweep,
    SweepFolder,
    read_sweep,
    the_same_twice,
    write_sweep,
)
from scaling.sweep.plan import PlannedRun


def enlist(folder: SweepFolder, name: str, runs: Sequence[PlannedRun]) -> Sweep:
    """Write what is to be run; runs that an earlier plan had and this one has not are kept.

    Raises:
        InputError: two runs are one and the same, a tokenizer changed since an earlier plan, the
            folder holds another sweep, somebody runs it, or it cannot be written.
    """
    jobs = tuple(_job(run) for run in runs)
    if twice := the_same_twice(jobs):
        one = next(run for run in runs if run.spec.run_id == twice[0].run_id)
        model = one.spec.model
        raise InputError(
            f"{one.cell.asked.path}: two cells are one run, {one.spec.run_id}"
            f" ({twice[0].text}, {twice[0].label} and {twice[1].label}, size"
            f" [{model.layers}, {model.dim}], {one.cell.asked.compute_flops:g} FLOPs); ask for it"
            " once"
        )
    sweep = Sweep(name, jobs, _tokenizers(runs))
    with driving(folder):  # its workers would be given runs that the list no longer has
        _refuse_other_tokenizers(folder, sweep.tokenizers)
        for torn in folder.path.glob(f".{SWEEP}.*"):  # of killed planners
            torn.unlink(missing_ok=True)
        write_sweep(folder, sweep)
        for run in runs:
            out = folder.run(run.spec.run_id)
            if not (out / SPEC).exists():
                keep_beside(Prepared(run.spec, run.reading.source), out)
                write_spec(out, run.spec)
    return sweep


def _refuse_other_tokenizers(folder: SweepFolder, tokenizers: Mapping[str, str]) -> None:
    if not folder.file.exists():
        return
    before = read_sweep(folder).tokenizers
    for spec, sha256 in tokenizers.items():
        if before.get(spec, sha256) != sha256:
            raise InputError(
                f"{spec}: not the tokenizer that {folder.path} was planned with; restore that"
                " file, or name another --out"
            )


def _job(run: PlannedRun) -> Job:
    view, source = run.cell.view, run.reading.source
    languages = read_manifest(source.shards).languages
    language = run.cell.asked.data.language or (languages[0] if len(languages) == 1 else "")
    return Job(
        run_id=run.spec.run_id,
        shards=run.spec.shards,
        text=view.text,
        language=language,
        label=view.label,
        seconds=run.seconds,
        patching_flops=source.patching_flops,
        marks=run.marks,
    )


def _tokenizers(runs: Sequence[PlannedRun]) -> dict[str, str]:
    found = (run.reading.source.tokenizer for run in runs)
    return {one.spec: one.sha256 for one in found if one is not None}
