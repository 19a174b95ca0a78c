"""What the three commands do alike: reading what people write, and saying in one sentence what went wrong."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import typer

from c1m import __version__
from c1m.errors import C1mError, UsageError

T = TypeVar("T")

TLS_HELP = "Directory of this node's certificate (c1m-coord pki issue node ...): only operators of its authority may command."
INSECURE_HELP = "Let control listen on an address that is not loopback, without TLS."
WITH_PARENT_HELP = "Leave when standard input ends, as it does when its writer dies."
ALLOW_TUNE_HELP = "Let whoever may command this node raise this host's limits, as c1m-coord tune does, and restore them."
LISTEN_HELP = "Control address: HOST:PORT, where port 0 takes any free one and says which, or unix:/PATH, for its owner only."


def option(name: str, parse: Callable[[str], T], text: str) -> T:
    """What a person wrote after an option. Raises UsageError with the parser's sentence."""
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def version_option() -> Any:
    return typer.Option("--version", help="Say which version this is, and leave.", callback=_version, is_eager=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"c1m {__version__}")
        raise typer.Exit


def main_of(app: typer.Typer) -> None:
    """Run a command. A C1mError becomes one sentence on stderr and its exit code; anything else is a defect of ours."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # tables end in an ellipsis where a word is cut, and not all can write it
    try:
        app()
    except C1mError as error:
        leave(error)
    except BaseExceptionGroup as group:
        errors = list(leaves(group))
        if not all(isinstance(error, C1mError) for error in errors):
            raise
        leave(errors[0])


def leave(error: BaseException) -> None:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code if isinstance(error, C1mError) else 1)


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error
