"""Modules without first weights."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch import nn

from exegesis.nn.blank import blank

LOADS = """
import sys
import exegesis
exegesis.explain("bundled", "A fine film.")
heavy = ("sympy", "torch._dynamo", "scipy", "pandas", "transformers")
extras = ("pyarrow", "fastapi", "starlette", "uvicorn", "pydantic", "ray", "ipywidgets", "datasets", "polars", "faiss")
print([name for name in (*heavy, *extras) if name in sys.modules])
"""


def test_nothing_is_drawn() -> None:
    before = torch.random.get_rng_state()
    with blank():
        module = nn.Sequential(nn.Embedding(5, 3), nn.LSTM(3, 4), nn.Linear(4, 2))
    assert {weight.device.type for weight in module.parameters()} == {"meta"}
    with blank("cpu"):
        layer = nn.GRU(3, 4)
    assert {weight.device.type for weight in layer.parameters()} == {"cpu"}
    assert torch.equal(torch.random.get_rng_state(), before)
    nn.init.ones_(weight := torch.zeros(2))  # outside the block weights are filled
    assert weight.tolist() == [1.0, 1.0]


def test_the_first_explanation_loads_no_symbolic_machinery_and_no_extra() -> None:
    said = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
