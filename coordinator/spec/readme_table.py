"""README.md's table of settings, made from the table of settings. ``python -m c1m.coordinator.spec.readme_table README.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from .setting import PANELS, Setting
from .table import SETTINGS
from .words import option_of

BEGIN, END = "<!-- made by make readme of coordinator/spec/table.py -->\n", "<!-- until here -->\n"


def table() -> str:
    """Return the table in Markdown, with a row for each setting, in the order of --help."""
    return "".join(f"{line}\n" for line in lines())


def lines() -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| option | meaning | not beside | in the summary's `spec` |"
    yield "|---|---|---|---|"
    for setting in sorted(SETTINGS.values(), key=lambda each: PANELS.index(each.panel)):
        named = f"`{setting.summary_name}`" if setting.shown is not None else ""
        yield f"| `{setting.option}` | {escaped(setting.help)} | {', '.join(map(quoted, rivals(setting)))} | {named} |"


def rivals(setting: Setting) -> list[str]:
    """Return the settings that may not be given beside a setting, in the order of the table."""
    return [each.name for each in SETTINGS.values() if each.name in setting.excludes or setting.name in each.excludes]


def quoted(name: str) -> str:
    """Return the option of a setting as code."""
    return f"`{option_of(name)}`"


def escaped(text: str) -> str:
    """Return a text as Markdown shows it in a table."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def renewed(text: str) -> str:
    """Return the text of README.md with a fresh table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    readme = Path(sys.argv[1])
    readme.write_text(renewed(readme.read_text()))
