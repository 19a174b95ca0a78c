"""Runs the commands of a bench, each in a network namespace of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from namespace import inside_namespace

RUN_SECONDS = 600  # for one command; a million connections take about one minute


class BenchError(Exception):
    """A command failed, or something that the bench needs is missing. Its text is one sentence for the user."""


def output_of(command: Sequence[str], directory: Path, variables: Mapping[str, str] | None = None) -> str:
    """Run a command in a network namespace of its own and return its standard output.

    It runs in ``directory``, without the user's C1M_CONFIG and with ``variables`` added to the environment. Raises BenchError
    when the command cannot be started, exits with an error or takes more than RUN_SECONDS.
    """
    environment = {name: value for name, value in os.environ.items() if name != "C1M_CONFIG"}
    try:
        done = subprocess.run(
            inside_namespace(command),
            cwd=directory,
            env=environment | dict(variables or {}),
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise BenchError(f"{' '.join(command)} ended with {error.returncode}:\n{error.stderr}{error.stdout}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{' '.join(command)}: {error}") from None
    return done.stdout
