"""Options that several commands take, and say in the same words."""

from typing import Annotated

import typer

from corpora.readers.settings import OnInvalid, Unit

Json = Annotated[bool, typer.Option("--json", help="strict JSON on stdout, nothing else there")]
TextField = Annotated[str, typer.Option(help="field or column that holds the text")]
TxtUnit = Annotated[Unit, typer.Option(help="a .txt document is a line or a file")]
Invalid = Annotated[OnInvalid, typer.Option(help="what to do with invalid UTF-8")]
