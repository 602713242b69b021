"""Help as it is written: nothing in it is markup, its options stand in groups, it is wrapped once.

Typer would have rich read `[model]` as a style and `:V:` as an emoji, and keep the line ends of the
docstring beside those it makes. Click's own formatter does neither, but has no groups.
"""

import inspect
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

ARGUMENTS, OPTIONS = "Arguments", "Options"
_FLAG = " <bool>"  # said of what takes no value


class GroupedCommand(TyperCommand):
    """A command whose help lists arguments, then options in the groups that they name."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and the groups of options, those of the command's own first."""
        _write_sections(self, ctx, formatter)


class GroupedGroup(TyperGroup):
    """A group of commands, listed after its own options."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, and then the commands, each with what it does, whole."""
        _write_sections(self, ctx, formatter)
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                about = inspect.cleandoc(command.help or "").partition("\n\n")[0]
                rows.append((name, " ".join(about.split())))
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _write_sections(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        name, text = record
        is_argument = parameter.param_type_name == "argument"
        panel = getattr(parameter, "rich_help_panel", None)
        section = panel or (ARGUMENTS if is_argument else OPTIONS)
        sections.setdefault(section, []).append((name.replace(_FLAG, ""), text))
    # What every command has, such as --help, closes the list.
    for section in sorted(sections, key=[ARGUMENTS, OPTIONS].__contains__, reverse=True):
        with formatter.section(section):
            formatter.write_dl(sections[section])


def plain_help(app: typer.Typer) -> typer.Typer:
    """Return the app, with help of this kind for all of its commands and groups."""
    app.rich_markup_mode = None
    for command in app.registered_commands:
        command.cls = GroupedCommand
    for group in app.registered_groups:
        group.cls = GroupedGroup
        if group.typer_instance is not None:
            plain_help(group.typer_instance)
    app.info.cls = GroupedGroup
    return app
