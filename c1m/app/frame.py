"""The Typer frame of the three programs: -h, shell completion, help without arguments, and a hint for stray arguments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from c1m import __version__
from c1m.errors import UsageError
from c1m.text.units import parse_count

HELP_NAMES = {"help_option_names": ["-h", "--help"]}  # subcommands inherit it
NO_ARGUMENTS = 2  # the exit code of Typer's and Click's no_args_is_help
INSTALL = "--install-completion"
COMPLETION = frozenset({INSTALL, "--show-completion"})
DETECT_NO_SHELL = "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"


def new_app(*, completion: bool = True) -> typer.Typer:
    """Return an empty Typer app, set up as every program of c1m is.

    ``completion``: whether it has the options that install shell completion, which belong to a program and not to its commands.
    """
    return typer.Typer(
        rich_markup_mode="rich", pretty_exceptions_enable=False, context_settings=HELP_NAMES, add_completion=completion
    )


def in_panel(panel: str, text: str, *names: str) -> Any:
    """Return a Typer option with a help text, shown in the named panel of --help.

    Without ``names`` the option is named after its parameter.
    """
    return typer.Option(*names, help=text, rich_help_panel=panel)


def print_version(wanted: bool) -> None:
    if wanted:
        print(f"c1m {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", help="Print the version and exit.", callback=print_version, is_eager=True)]


def help_without_command(context: typer.Context) -> None:
    """Print the program's help and exit with code 2 if the command line contains no command; otherwise do nothing.

    Typer's ``no_args_is_help`` raises an exception without a public name, which ``main_of`` could not tell from a wrong word.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(NO_ARGUMENTS)


class Command(TyperCommand):
    """A Typer command that raises UsageError for an unexpected argument and names the option that was probably meant.

    Pass the class as ``cls`` to ``app.command``.
    """

    allow_extra_args = True  # Click would refuse them first, with a sentence that gives no hint

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:  # resilient: the shell asks for completions of an unfinished line
            raise UsageError(self.refusal(rest[0], ctx.command_path))
        return rest

    def refusal(self, word: str, command: str) -> str:
        """Return the error message for an unexpected argument of ``command``, with the option that was probably meant."""
        options = {name for parameter in self.params for name in parameter.opts}
        if f"--{word.partition('=')[0]}" in options and word.isprintable():
            return f"{word} is not an option; did you mean --{word}?"
        if "--total" in options and is_count(word):
            return f"{word} is not an option; did you mean --total {word}?"
        return f"unexpected argument {word!r}; see {command} --help"


def is_count(word: str) -> bool:
    try:
        parse_count(word)
    except ValueError:
        return False
    return True


def use_named_shell(words: Sequence[str]) -> None:
    """Let ``--show-completion bash`` print the script of bash, whatever the current shell is.

    Typer detects the shell and ignores a name, unless this variable is set. Then it requires a name, so the variable is set
    only if there is one.
    """
    if any(option in COMPLETION and not word.startswith("-") for option, word in pairwise(words)):
        os.environ[DETECT_NO_SHELL] = "1"
