"""`tokenize-lab scaling`: what a model costs, what its runs obey, and what to do about it."""

import typer

from scaling.cli_advise import advise
from scaling.cli_fit import fit, reproduce
from scaling.cli_flops import flops

app = typer.Typer(
    name="scaling",
    no_args_is_help=True,
    help="Price models, fit scaling laws in bytes per parameter, and decide.",
)
app.command()(flops)
app.command()(fit)
app.command()(reproduce)
app.command()(advise)
