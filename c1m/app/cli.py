"""What the three commands do alike: reading what people write, and saying in one sentence what went wrong."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import typer

from c1m import __version__
from c1m.errors import C1mError, UsageError

from .interrupts import be_told

T = TypeVar("T")

INTERRUPTED = 130
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # of a disk that stdout goes to

TLS_HELP = "Directory of this node's certificate (c1m-coord pki issue node ...): only operators of its authority may command."
INSECURE_HELP = "Let control listen without TLS where others can reach it; on loopback and Unix sockets it changes nothing."
WITH_PARENT_HELP = "Exit when standard input ends, as it does when the program that writes to it dies."
ALLOW_TUNE_HELP = "Let whoever may command this node raise this host's limits, as c1m-coord tune does, and restore them."
LISTEN_HELP = "Control address: HOST:PORT (port 0: any free one, which is printed), or unix:/PATH, for its owner only."


def option(name: str, parse: Callable[[str], T], text: str) -> T:
    """What a person wrote after an option. Raises UsageError with the parser's sentence."""
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def version_option() -> Any:
    return typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"c1m {__version__}")
        raise typer.Exit


# What typer raises for words that it cannot place. It has click within itself, and no name for that.
WRONG_WORDS: Any = typer.BadParameter.__mro__[1]


def main_of(app: typer.Typer) -> None:
    """Run a command. A C1mError becomes one sentence on stderr and its exit code; anything else is a defect of ours."""
    be_told()
    open_missing()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # tables end in an ellipsis where a word is cut, and not all can write it
    try:
        check_empty(sys.argv[1:])
        code = app(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except C1mError as error:
        leave(error)
    except WRONG_WORDS as error:
        leave(UsageError(sentence_of(error)))
    except OSError as error:
        if error.errno not in FULL or error.filename:
            raise
        drop_stdout()
        leave(C1mError(f"cannot write what there is to tell: {error.strerror}"))
    except (typer.Abort, KeyboardInterrupt):  # ^C where nothing has to be closed
        sys.exit(INTERRUPTED)
    except BaseExceptionGroup as group:
        errors = list(leaves(group))
        if not all(isinstance(error, C1mError | KeyboardInterrupt) for error in errors):
            raise
        if any(isinstance(error, KeyboardInterrupt) for error in errors):
            sys.exit(INTERRUPTED)
        leave(errors[0])


def drop_stdout() -> None:
    """Nobody takes it any more. What is left in its buffer goes nowhere, when the interpreter ends, and is no traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def open_missing() -> None:
    """In the place of a stream that was closed (2>&-), nothing: else a socket would have its number, and what is said there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


def check_empty(words: Sequence[str]) -> None:
    """Raises UsageError: --most-rate "$RATE" with a RATE that nobody has set is not to mean that there is no limit."""
    for before, word in pairwise(("the command", *words)):
        if not word or (word.startswith("--") and word.endswith("=")):
            raise UsageError(f"there is nothing after {word or before}; leave it out, or say something there")


def sentence_of(error: Any) -> str:
    """What typer says of words in lines and a box."""
    said = " ".join(error.format_message().split()).rstrip(".")
    where = f"; see {error.ctx.command_path} --help" if error.ctx else ""
    return f"{said[:1].lower()}{said[1:]}{where}"


def leave(error: BaseException) -> None:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code if isinstance(error, C1mError) else 1)


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error
