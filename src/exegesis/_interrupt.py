"""Ctrl-C as one line and the exit code 130, from the first import of the command line to the end of its process.

While modules are imported an exception may be lost or come out as another one, so the process ends at once: nothing has
been written yet. While a command runs, it is a KeyboardInterrupt, so that files and folders are left whole.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
else:
    import _signal as signal  # without the enumerations of signal: Ctrl-C may come at any millisecond

CODE = 130  # the exit code of shells
LINE = b"exegesis: interrupted\n"
_came: list[int] = []


def leave(_signal: int, _frame: FrameType | None) -> None:
    """End the process at once; a handler of SIGINT."""
    try:
        os.write(2, LINE)
    finally:
        os._exit(CODE)


def interrupt(number: int, _frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; a handler of SIGINT and SIGTERM."""
    _came.append(number)
    raise KeyboardInterrupt


def came() -> bool:
    """True if an interrupt came, whatever has become of its exception."""
    return bool(_came)


def guard() -> None:
    """Let Ctrl-C end the process at once, if this is the command line, and if the caller does not ignore it."""
    if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)


def _is_command() -> bool:
    """True for the script ``exegesis`` and for ``python -m exegesis``, whose package is imported first."""
    name = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""
    if name == "-m":
        return sys.orig_argv[sys.orig_argv.index("-m") + 1 :][:1] == ["exegesis"] if "-m" in sys.orig_argv else False
    return os.path.splitext(name)[0] == "exegesis"


guard()
