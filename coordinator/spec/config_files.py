"""Settings in files: c1m.toml, which names the fleet, and spec files, which name a run. Both hold the flags by their names.

worker = ["10.0.0.2:7100", "10.0.0.3:7100"]
target = "10.0.0.1:7200"
hold = "60s"
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from c1m.errors import UsageError

FILE_NAME = "c1m.toml"
VARIABLE = "C1M_CONFIG"
LONGEST_TEXT = 1_000_000  # characters; the names of ten thousand workers take a fifth of it

Layer = tuple[str, dict[str, Any]]


def config_layer(flag: Path | None, environment: Mapping[str, str]) -> Layer | None:
    """Return the layer of the configuration file; None when there is none. Raises UsageError.

    The file is the one of --config, else the one that C1M_CONFIG names, else c1m.toml in the working directory. Prints a
    warning if this user may not look into the working directory.
    """
    if flag is not None:
        return read_layer(flag)
    if named := environment.get(VARIABLE):
        return read_layer(Path(named))
    found = Path(FILE_NAME)  # made absolute only when it exists: the working directory may be gone
    try:
        there = found.exists()
    except OSError as error:
        print(f"warning: the working directory cannot be read ({error.strerror}), so no {FILE_NAME} is read", file=sys.stderr)
        return None
    return read_layer(found.absolute()) if there else None


def read_layer(path: Path) -> Layer:
    """Return the path of a file of settings, as text, and its settings by name (a layer).

    Raises UsageError when the file cannot be read, is too long or is not TOML.
    """
    try:
        with path.open(encoding="utf-8") as file:  # the encoding of TOML, whatever the locale is
            text = file.read(LONGEST_TEXT + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    if len(text) > LONGEST_TEXT:
        raise UsageError(f"{path} has more than {LONGEST_TEXT:,} characters, which is too long for settings; name another file")
    return parse_layer(str(path), text)


def parse_layer(where: str, text: str) -> Layer:
    """Return a layer: ``where`` unchanged, and the settings of a TOML text by name, with dashes turned into underscores.

    Raises UsageError, which names ``where``, for a text that is not TOML.
    """
    try:
        return where, {name.replace("-", "_"): value for name, value in tomllib.loads(text).items()}
    except ValueError as error:  # a TOMLDecodeError, or int()'s error for a number with thousands of digits
        raise UsageError(f"{where} is not TOML: {error}") from None
    except RecursionError:
        raise UsageError(
            f"{where} is not a file of settings: its brackets are too deep; a list of settings has no lists in it"
        ) from None
