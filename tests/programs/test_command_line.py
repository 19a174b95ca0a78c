"""The command line of the three programs: -h, help without arguments, shell completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(sys.executable).parent
PROGRAMS = ("c1m-coord", "c1m-worker", "c1m-target")
COORD = ("run", "attach", "runs", "show", "plan", "retarget", "doctor", "tune", "explain")
PKI = ("init", "issue", "renew", "show")


def ask(*words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command with the programs of this environment on the PATH."""
    environment = {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}", **({"HOME": str(home)} if home else {})}
    return subprocess.run(words, input="", capture_output=True, text=True, timeout=60, check=False, env=environment)


@pytest.mark.parametrize(
    "command",
    [
        *PROGRAMS,
        *(f"c1m-coord {name}" for name in COORD),
        "c1m-coord pki",
        *(f"c1m-coord pki {name}" for name in PKI),
        "c1m-target observe",
    ],
)
def test_h_is_help(command: str) -> None:
    shown = ask(*command.split(), "-h")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"Usage: {command} " in shown.stdout


@pytest.mark.parametrize("command", ["c1m-coord", "c1m-coord pki"])
def test_a_group_alone_prints_its_help(command: str) -> None:
    alone, asked = ask(*command.split()), ask(*command.split(), "--help")

    assert (alone.returncode, alone.stderr) == (2, "")  # as Typer's no_args_is_help
    assert alone.stdout.rstrip() == asked.stdout.rstrip()


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(("shell", "start"), [("bash", "_c1m_"), ("zsh", "#compdef c1m-"), ("fish", "complete --command c1m-")])
def test_the_completion_of_the_named_shell_is_shown(program: str, shell: str, start: str) -> None:
    shown = ask(program, "--show-completion", shell)

    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(start)
    assert program in shown.stdout


def test_an_unknown_shell_is_named() -> None:
    refused = ask("c1m-coord", "--show-completion", "tcsh")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "'tcsh'" in refused.stderr
    assert refused.stderr.count("\n") == 1


COMPLETE = """
source "$HOME/.bashrc"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"_${1//-/_}_completion" "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("c1m-coord ru", {"run", "runs"}),
        ("c1m-coord run --to", {"--total"}),
        ("c1m-coord run 100k --close-", {"--close-order", "--close-rate"}),  # the stray argument is refused later
        ("c1m-coord pki i", {"init", "issue"}),
        ("c1m-worker --most-", {"--most-connections", "--most-rate", "--most-bandwidth"}),
        ("c1m-target observe --po", {"--port"}),
    ],
)
def test_bash_completes_once_it_is_installed(line: str, offered: set[str], tmp_path: Path) -> None:
    program = line.split()[0]
    installed = ask(program, "--install-completion", "bash", home=tmp_path)
    assert installed.returncode == 0, installed.stderr

    completed = ask("bash", "--norc", "-c", COMPLETE, "bash", *line.split(), home=tmp_path)

    assert set(completed.stdout.split()) == offered, completed.stderr


def test_a_home_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".bash_completions").write_text("a file where a directory has to be")

    refused = ask("c1m-coord", "--install-completion", "bash", home=tmp_path)

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: --install-completion: cannot write {tmp_path}")
    assert refused.stderr.count("\n") == 1
