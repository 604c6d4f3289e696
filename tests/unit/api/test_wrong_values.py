"""Values of wrong types at every public function: served, or refused in one line, never by an error of Python's."""

from __future__ import annotations

import subprocess
import sys

from tests.support import wrong_values


def test_wrong_values() -> None:
    command = [sys.executable, "-m", wrong_values.__name__]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0, done.stderr
