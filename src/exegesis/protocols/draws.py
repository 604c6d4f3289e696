"""Random draws that belong to a text, never to a batch: neighbours and order change nothing."""

from __future__ import annotations

import hashlib

import torch

from exegesis.core.text import Text


def generator(text: Text, seed: int) -> torch.Generator:
    """A generator on the CPU, seeded by the content of a text and the user's ``seed``."""
    content = f"{seed}\0{text.ids!r}\0{text.raw}".encode("utf-8", "surrogatepass")
    number = int.from_bytes(hashlib.sha256(content).digest()[:8], "big") >> 1
    return torch.Generator().manual_seed(number)
