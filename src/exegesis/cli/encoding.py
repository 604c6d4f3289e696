"""What standard output shows where its encoding lacks a character: ASCII of the same width for lines and signs."""

from __future__ import annotations

import codecs
import io
import sys

NAME = "exegesis-ascii"
ASCII = {
    **dict.fromkeys("┌┐└┘├┤", "+"), **dict.fromkeys("─━", "-"), **dict.fromkeys("│┃", "|"), "┊": ":",
    **dict.fromkeys("█▉▊▋▌", "#"), **dict.fromkeys("▍▎▏", " "), "░": ".",
    "\N{MINUS SIGN}": "-", "·": "-", "±": "~", "…": "~", **dict.fromkeys("“”", '"'), **dict.fromkeys("‘’", "'"),
    **{chr(0x2800 + dots): "|/-\\"[dots % 4] for dots in range(256)},  # those of a progress bar turn
    "\N{UPWARDS ARROW}": "^", "\N{DOWNWARDS ARROW}": "v",
}  # fmt: skip


def plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    """An error handler as of ``codecs``: what has no likeness of its width is escaped as ``\\u2400``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(ASCII.get(one) or one.encode("ascii", "backslashreplace").decode() for one in lacking), error.end


def show_all() -> None:
    """Let standard output and standard error take every character."""
    codecs.register_error(NAME, plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=NAME)
