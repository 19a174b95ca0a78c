"""Bytes as people write them on a command line or in TOML: text with backslash escapes, or hexadecimal."""

from __future__ import annotations

import re

FORMS = r"write text, with \r, \n, \t, \\ or \x and two digits for other bytes, such as 'PING\r\n'"
_SHORT = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.?))", re.DOTALL)


class Text(bytes):
    r"""Bytes that print as text, with escapes for unprintable bytes: PING\r\n."""

    def __str__(self) -> str:
        shown = self.decode("utf-8", "surrogateescape").replace("\\", "\\\\")
        shown = shown.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")
        return "".join(each if each.isprintable() else _hexadecimal(each) for each in shown)


def escaped(text: str) -> str:
    r"""Return text whose surrogates, which stand for bytes that are not UTF-8, are escapes such as \xff.

    Only such text can be sent in a protobuf message or as the details of a gRPC status.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class Hexadecimal(bytes):
    """A bytes value that prints as hexadecimal digits: 50494e470d0a."""

    def __str__(self) -> str:
        return self.hex()


def parse_text(text: str) -> Text:
    """Return the bytes that a text with backslash escapes stands for. Raises ValueError for an unknown escape."""

    def unescaped(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return bytes.fromhex(found[1].decode())
        short = found[2].decode("latin-1")
        if short not in _SHORT:
            raise ValueError(f"'\\{short}' in {text!r} is not an escape; {FORMS}")
        return _SHORT[short]

    return Text(_ESCAPE.sub(unescaped, text.encode("utf-8", "surrogateescape")))


def parse_hexadecimal(text: str) -> Hexadecimal:
    """Return the bytes that a text of hexadecimal digits stands for.

    Blanks between bytes are allowed. Raises ValueError for other text.
    """
    try:
        return Hexadecimal(bytes.fromhex(text))
    except ValueError:
        raise ValueError(f"{text!r} is not hexadecimal; write two digits for each byte, such as 50494e470d0a") from None


def _hexadecimal(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
