"""Run tests, each time in a new process that need not import the libraries again.

A `Nursery` has imported what the tests stand on (pytest, torch, transformers ...), but nothing of exegesis or of its
tests. For every run it forks, and the fork imports exegesis from the copy of the checkout as that lies there at the
moment, with the fault that has been planted.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIBRARIES = (
    "numpy",
    "scipy.optimize",
    "scipy.stats",
    "torch",
    "sympy",
    "transformers",
    "transformers.modeling_utils",
    "jaxtyping",
    "hypothesis",
    "jinja2",
    "rich.console",
    "typer",
    "matplotlib.figure",
    "pytest",
)
PROCESSOR = 120  # seconds of processor that a test may take: what loops is ended
OPTIONS = (
    *("-q", "-x", "-o", "timeout=0", "-p", "no:cacheprovider", "-p", "no:xdist"),
    *("-W", "ignore:Module already imported so cannot be rewritten"),  # its plugins are imported before the fork
)
WALL = 900  # seconds by the clock, for what waits for ever

PASSED, FELL, ENDLESS, BROKEN = "passed", "fell", "endless", "broken"


@dataclass(frozen=True)
class Ending:
    """How a run ended: in words, pytest's first complaint, and the seconds by the clock."""

    how: str
    why: str
    seconds: float


@dataclass
class Nursery:
    """A process with the libraries, and the copy of the checkout whose tests it runs."""

    root: Path
    libraries: Sequence[str] = LIBRARIES
    _ready: bool = field(default=False, init=False)

    def run(self, tests: Sequence[str], *, fresh: bool = False) -> Ending:
        """Run tests under ``tests/`` of the copy, until the first that fails.

        ``fell`` if one failed, ``endless`` if the run took more processor time than allowed or waits for ever,
        ``broken`` if pytest could not run them at all, or skipped them, which says nothing about a fault. A ``fresh``
        run imports the libraries anew, for tests that look at what is imported or at what is left open.
        """
        self._import()
        output = self.root / "planted.txt"
        begun = time.monotonic()
        child = os.fork()
        if not child:
            anew = [sys.executable, __file__, str(self.root), *tests]
            work = (lambda: os.execv(sys.executable, anew)) if fresh else lambda: _tested(self.root, tests)
            _live_alone(work, output, PROCESSOR * len(tests))
        status = _awaited(child, begun + WALL)
        text = output.read_text("utf-8", "replace")
        how = _how(status)
        if how == BROKEN:
            print(text[-2000:], file=sys.stderr)
        return Ending(how, _complaint(text) if how != PASSED else "", round(time.monotonic() - begun, 1))

    def _import(self) -> None:
        """Import the libraries. Raises RuntimeError if exegesis is there: every fork must import it by itself."""
        if not self._ready:
            os.environ["OMP_NUM_THREADS"] = "1"  # a fork has one thread: a pool of threads would be waited for in vain
            for name in self.libraries:
                importlib.import_module(name)
            gc.collect()
            gc.freeze()  # else pytest, which collects at its end, spends half of a run on the libraries' objects
            self._ready = True
        ours = [name for name in sys.modules if name.partition(".")[0] in ("exegesis", "tests")]
        if ours:
            raise RuntimeError(f"{ours[0]} is imported already, so that forks would not see its faults")


def _live_alone(work: Callable[[], int], output: Path, processor: int) -> None:
    """In a fork: do the work with its output in a file, and end with its answer as the exit code."""
    code = 70
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (processor, processor + 10))
        target = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(target, stream)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _tested(root: Path, tests: Sequence[str]) -> int:
    """Pytest's exit code for tests of a copy, whose exegesis is the one that they import."""
    import pytest

    source = str(root / "src")
    os.chdir(root)
    os.environ["PYTHONPATH"] = source
    sys.path.insert(0, source)
    counted = _Counted()
    try:
        code = int(pytest.main([*OPTIONS, *(f"tests/{test}" for test in tests)], [counted]))
    except Exception:  # what is found at the very end, such as a process that was left alone
        traceback.print_exc()
        return 1
    if code == 0 and not counted.passed:
        print("no test passed: all were skipped")
        return 70
    ours = sys.modules.get("exegesis")
    if ours is not None and not str(ours.__file__).startswith(source):
        print(f"the tests imported {ours.__file__}, not the copy")
        return 70
    return code


class _Counted:
    """A plugin of pytest that counts the tests that pass."""

    passed = 0

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.passed += report.when == "call" and report.passed


def _awaited(child: int, until: float) -> int:
    """The status with which a child ended, or was ended, with all that it had started."""
    status = None
    while status is None:
        ended, found = os.waitpid(child, os.WNOHANG)
        if ended:
            status = found
        elif time.monotonic() > until:
            os.kill(child, signal.SIGXCPU)
            until += WALL
        else:
            time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return status


def _how(status: int) -> str:
    """The status of a run in words."""
    if os.WIFSIGNALED(status):
        return ENDLESS if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL) else BROKEN
    return {0: PASSED, 1: FELL}.get(os.WEXITSTATUS(status), BROKEN)


def _complaint(text: str) -> str:
    """The first line of pytest's complaint: it tells a fall by a wrong name from one by a wrong number."""
    lines = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return lines[0][:200] if lines else ""


if __name__ == "__main__":
    sys.exit(_tested(Path(sys.argv[1]), sys.argv[2:]))
