"""Limits of a server: how much it takes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """``waiting`` requests of a model, ``seconds`` for one from its start, ``characters`` of a
    text, ``rate`` requests a minute from one address, ``size`` bytes of a body."""

    waiting: int = 200
    seconds: float = 120.0
    characters: int = 20_000
    rate: int = 600
    size: int = 1 << 20
