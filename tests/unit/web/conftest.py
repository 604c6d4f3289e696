"""Tests of the page need the packages of the extra ``serve``, and httpx."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import pytest

from exegesis.cli import run
from tests.support.command import Said

LACKING = [name for name in ("fastapi", "uvicorn", "httpx", "pyarrow") if find_spec(name) is None]
collect_ignore_glob = ["test_*.py"] if LACKING else []


def pytest_report_header() -> list[str]:
    return [f"tests of the page are left out without {', '.join(LACKING)}"] if LACKING else []


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run a command in this process."""

    def called(*words: str) -> Said:
        capsys.readouterr()
        code = run(list(words))
        return Said(code, *capsys.readouterr())

    return called
