"""What all tests of experiments share: the scripts of a folder are imported, and forgotten again."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def importable(request, monkeypatch):
    """The scripts of the module's FOLDER import each other by plain names."""
    folder = str(request.module.FOLDER)
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(folder):
            del sys.modules[name]
