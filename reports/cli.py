"""`tokenize-lab report`: a folder of results as one HTML file; and `tokenize-lab demo`."""

from pathlib import Path
from typing import Annotated

import typer

from corpora.files import file_sha256
from corpora.output import emit, json_object

DEMO_FOLDER = Path("out/demo")


def report(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="what measure, vocab-curve, scaling fit, scaling design or tokenizers audit, "
            "diff, mixture wrote to --out; or a sweep",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="the file to write", show_default="DIR/report.html")
    ] = None,
    open_it: Annotated[
        bool, typer.Option("--open", help="open it in the browser that this machine prefers")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="path, size and SHA-256 as strict JSON")
    ] = False,
) -> None:
    """Turn results into one self-contained HTML file: tables, figures, tokens, laws, provenance.

    Of a sweep that is still running it shows what there is so far. The file needs no network and
    no other file. Its path is printed.

    \b
    tokenize-lab measure embedded -t byte -t mistral:tekken --out out/look
    tokenize-lab report out/look --open
    """
    from reports.build import build_report

    path = build_report(folder, out)
    if as_json:
        facts = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
        emit(json_object({"report": str(path), **facts}))
    else:
        emit([f"{path}\n"])
    if open_it:
        typer.launch(path.resolve().as_uri())


def demo(
    out: Annotated[Path, typer.Option(help="folder for everything it makes")] = DEMO_FOLDER,
) -> None:
    """Run the whole chain on what comes with the package: train, measure, report. Takes minutes.

    Half of the embedded segments (25 languages) train four small tokenizers; the other half, and
    code in six programming languages, is measured with those and with tokenizers in use.
    """
    from reports.demo import run_demo

    done = run_demo(out, say=lambda step: typer.echo(step, err=True))
    emit(
        [
            *(f"- {sentence}\n" for sentence in done.findings),
            f"\nLook at {done.report}; then try your own text:\n"
            "  tokenize-lab measure YOUR_TEXT -t mistral:tekken -t YOUR_TOKENIZER --out out/mine\n"
            "  tokenize-lab report out/mine\n",
        ]
    )
