"""What the three programs have in common: parsing an option's value, and reporting an error in one sentence."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import typer

from c1m.errors import C1mError, UsageError

from .frame import INSTALL, use_named_shell
from .interrupts import be_told

T = TypeVar("T")

INTERRUPTED = 130
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # of the disk that stdout is redirected to


def option(name: str, parse: Callable[[str], T], text: str) -> T:
    """Return the value of the command-line option ``name``, parsed from its text.

    Raises UsageError with the parser's error message if the text is invalid.
    """
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


# The base class of Typer's usage errors. Typer contains a copy of Click and does not export this class.
WRONG_WORDS: Any = typer.BadParameter.__mro__[1]


def main_of(app: typer.Typer) -> None:
    """Run a program and exit.

    A C1mError becomes one sentence on stderr and its exit code. Any other exception is a bug and ends in a traceback.
    """
    be_told()
    open_missing()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # tables shorten words with an ellipsis, which ASCII does not have
    try:
        check_empty(sys.argv[1:])
        use_named_shell(sys.argv[1:])
        code = app(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except C1mError as error:
        leave(error)
    except WRONG_WORDS as error:
        leave(UsageError(sentence_of(error)))
    except OSError as error:
        if INSTALL in sys.argv:
            leave(C1mError(f"{INSTALL}: cannot write {error.filename}: {error.strerror}"))
        if error.errno not in FULL or error.filename:
            raise
        drop_stdout()
        leave(C1mError(f"cannot write to stdout: {error.strerror}"))
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
    """Redirect stdout to /dev/null, so that flushing its buffer at exit cannot fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def open_missing() -> None:
    """Open /dev/null for each standard stream that is closed (``2>&-``).

    Otherwise a socket would get its number, and error messages would be written to that socket.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


def check_empty(words: Sequence[str]) -> None:
    """Raise UsageError if a word of the command line is empty, because ``--most-rate "$RATE"`` with RATE unset must not mean
    "no limit". Returns nothing.
    """
    for before, word in pairwise(("the command", *words)):
        if not word or (word.startswith("--") and word.endswith("=")):
            raise UsageError(f"there is nothing after {word or before}; give a value or leave it out")


def sentence_of(error: Any) -> str:
    """Return Typer's error message, which may have several lines, as one sentence."""
    message = " ".join(error.format_message().split()).rstrip(".")
    where = f"; see {error.ctx.command_path} --help" if error.ctx else ""
    return f"{message[:1].lower()}{message[1:]}{where}"


def leave(error: BaseException) -> None:
    """Print an exception to stderr as one line and exit the process: with the exit code of a C1mError, or with 1.

    Never returns.
    """
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code if isinstance(error, C1mError) else 1)


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Yield the exceptions of a group that are not groups themselves, at any depth."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error
