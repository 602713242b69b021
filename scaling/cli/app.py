"""`tokenize-lab scaling`: what a model costs, what its runs obey, and what to do about it."""

import typer

from scaling.cli.advise import advise
from scaling.cli.evaluate import evaluate, generate
from scaling.cli.fit import fit
from scaling.cli.flops import flops
from scaling.cli.plan import plan
from scaling.cli.reproduce import reproduce
from scaling.cli.status import collect, status
from scaling.cli.sweep import sweep
from scaling.cli.train import train, train_entropy_model

app = typer.Typer(
    name="scaling",
    no_args_is_help=True,
    help="Price and train models, fit scaling laws in bytes per parameter, and decide.",
)
app.command()(flops)
app.command()(train)
app.command()(train_entropy_model)
app.command()(plan)
app.command()(sweep)
app.command()(status)
app.command()(collect)
app.command()(evaluate)
app.command()(generate)
app.command()(fit)
app.command()(reproduce)
app.command()(advise)
