"""Folders that share their name with a public function. Imports no torch."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A folder that, called, is the function of its name in ``exegesis.api``."""

    def __call__(self, *given: Any, **options: Any) -> Any:
        return getattr(import_module("exegesis.api"), self.__name__.rpartition(".")[2])(*given, **options)


def share_name(folder: str) -> None:
    """Let ``exegesis.hierarchy(...)`` call the function also where ``exegesis.hierarchy.levels`` was imported first,
    which makes the folder an attribute of the package under the function's name."""
    sys.modules[folder].__class__ = _Callable
