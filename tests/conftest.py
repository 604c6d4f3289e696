"""Functions of the package are checked against the shapes and types that they declare, in the tests marked ``quick``.

Those go over every method, search, measure and kind of model. The checks take as long as the tests, so the others run
without them, unless the variable EXEGESIS_SHAPES asks for all.
"""

from __future__ import annotations

import gc
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

torch.set_num_threads(1)


def _checked(config: pytest.Config) -> bool:
    return config.getoption("markexpr") == "quick" or bool(os.environ.get("EXEGESIS_SHAPES"))


def pytest_configure(config: pytest.Config) -> None:
    if not _checked(config):
        return
    if importlib.util.find_spec("beartype") is None:  # a missing checker must not pass for a checked run
        raise pytest.UsageError("the tests check shapes with beartype: pip install 'exegesis[dev]'")
    from jaxtyping import install_import_hook

    from tests.support import shape_checks

    install_import_hook("exegesis", f"{shape_checks.__name__}.check")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``-m quick`` do not even import files without a quick test: that takes longer than the tests."""
    if config.getoption("markexpr") != "quick" or collection_path.suffix != ".py":
        return None
    named = "quick" in collection_path.read_text("utf-8")
    return None if named or not collection_path.name.startswith("test_") else True


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage among what is imported, which stays: that took a tenth of all time."""
    gc.disable()
    collected = yield
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()
    return collected


def pytest_report_header(config: pytest.Config) -> str:
    shapes = "checked by jaxtyping and beartype" if _checked(config) else "not checked (-m quick checks them)"
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU: a simulated second device alone"
    return f"shapes {shapes}; torch {torch.__version__}, {where}"
