"""Functions of the package are checked, while tests run, against the shapes and types that they declare.

The checks take as long as the tests, so of a test with many cases they go with the first one, and with those marked
``quick``.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

if importlib.util.find_spec("beartype") is None:  # a missing checker must not pass for a checked run
    raise pytest.UsageError("the tests check shapes with beartype: pip install 'exegesis[dev]'")

from jaxtyping import config as jaxtyping_config
from jaxtyping import install_import_hook

from tests.support import shape_checks

install_import_hook("exegesis", f"{shape_checks.__name__}.check")

import torch  # noqa: E402

torch.set_num_threads(1)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``-m quick`` do not even import files without a quick test: that takes longer than the tests."""
    if config.getoption("markexpr") != "quick" or collection_path.suffix != ".py":
        return None
    named = "quick" in collection_path.read_text("utf-8")
    return None if named or not collection_path.name.startswith("test_") else True


CHECKED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seen: set[str] = set()
    for item in items:
        function = item.nodeid.partition("[")[0]
        item.stash[CHECKED] = function not in seen or item.get_closest_marker("quick") is not None
        seen.add(function)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    jaxtyping_config.update("jaxtyping_disable", not item.stash[CHECKED])


def pytest_report_header() -> str:
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU: a simulated second device alone"
    return f"shapes checked by jaxtyping and beartype; torch {torch.__version__}, {where}"
