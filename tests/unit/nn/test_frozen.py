"""A frozen module runs in evaluation mode, and is afterwards what it was: flags, members, their order and identity."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from exegesis.nn.alone import modules_of, parts_of
from exegesis.nn.frozen import frozen


class Switched(nn.Dropout):
    """A module whose mode is a property, with an effect of its own."""

    @property
    def training(self) -> bool:  # type: ignore[override]
        return bool(self.__dict__["training"])

    @training.setter
    def training(self, mode: bool) -> None:
        self.__dict__["training"] = mode
        self.__dict__["switched"] = [*self.__dict__.get("switched", []), mode]


class Careless(nn.Module):
    """It replaces what it is made of as it runs, and has one part twice and one part missing."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.missing, self.drop = nn.Linear(3, 3), None, Switched(0.9)
        self.again = nn.ModuleList([self.first, nn.BatchNorm1d(3)])
        self.first.weight.requires_grad_(False)
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.kept, self.seen, self.first.bias = x, self.seen + 1, nn.Parameter(torch.ones(3))
        self.again = nn.ModuleList([self.first])
        del self.drop
        return self.first(x)


def facts(module: nn.Module) -> list[object]:
    return [
        [list(part.__dict__), part.__dict__["training"], *map(list, (part._parameters, part._buffers, part._modules))]
        + [id(one) for held in (part._parameters, part._buffers, part._modules) for one in held.values()]
        + [weight.requires_grad for weight in part._parameters.values()]
        for part in module.modules()
    ]


def test_a_module_is_what_it_was() -> None:
    module = Careless()
    module.drop.train()
    before, drop = facts(module), module.drop

    def fail() -> None:
        with frozen(module):
            assert not any(part.training for part in module.modules())
            assert not any(weight.requires_grad for weight in module.parameters())
            assert drop.switched[-1] is False
            module(torch.ones(2, 3))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert facts(module) == before
    assert module.training
    assert not hasattr(module, "kept")


def test_parts_are_those_that_torch_finds() -> None:
    module = Careless()
    assert {*map(id, modules_of(module))} == {*map(id, module.modules())}
    assert len(modules_of(module)) == len(list(module.modules()))
    assert parts_of(module).keys() == {*map(id, module.modules()), *map(id, module.parameters())}
    assert not parts_of(None)
