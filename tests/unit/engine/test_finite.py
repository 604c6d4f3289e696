"""Numbers that are not finite are refused, wherever they come up, and in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import exegesis
from exegesis.results.attribution import Attribution
from exegesis.results.header import Account
from tests.support import samples

WORDS = ["<pad>", "<unk>", *(f"w{number}" for number in range(10))]
TEXT = "w5 w6"


class Directions(nn.Module):
    """Reads the directions of its word vectors: a vector of zeros has none."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.output = nn.Embedding(len(WORDS), 6), nn.Linear(6, 2)

    def forward(self, ids: Tensor) -> Tensor:
        vectors = self.words(ids)
        outputs: Tensor = self.output((vectors / vectors.norm(dim=-1, keepdim=True)).mean(1))
        return outputs


class Logarithms(Directions):
    """Minus infinity at a vector of zeros."""

    def forward(self, ids: Tensor) -> Tensor:
        outputs: Tensor = self.output(torch.log(self.words(ids) ** 2).mean(1))
        return outputs


class Huge(Directions):
    """Finite logits whose difference is not."""

    def forward(self, ids: Tensor) -> Tensor:
        sign = torch.tensor([1.0, -1.0], dtype=torch.float64)
        return 1.5e308 * sign + self.words(ids).double().mean((1, 2))[:, None] * 0


def wrapped(kind: type[nn.Module]) -> Any:
    torch.manual_seed(0)
    return exegesis.wrap(kind(), vocabulary=WORDS, labels=["a", "b"])


AT_ZERO: dict[str, Callable[[Any], Any]] = {
    "leave-one-out": lambda model: exegesis.explain(model, TEXT, "leave-one-out", how="zero"),
    "shapley": lambda model: exegesis.explain(model, TEXT, "shapley", how="zero"),
    "input-reduction": lambda model: exegesis.explain(model, TEXT, "input-reduction", how="zero"),
    "acd": lambda model: exegesis.hierarchy(model, TEXT, method="leave-one-out", how="zero"),
    "hedge": lambda model: exegesis.hierarchy(model, TEXT, "hedge", how="zero"),
    "owen": lambda model: exegesis.hierarchy(model, TEXT, "owen", how="zero"),
    "interactions": lambda model: exegesis.interactions(model, TEXT, how="zero"),
    "evaluate": lambda model: exegesis.evaluate(model, [TEXT], ["leave-one-out"], how=["zero"]),
}


@pytest.mark.parametrize("kind", [Directions, Logarithms])
def test_a_module_without_a_number_at_zero(kind: type[nn.Module]) -> None:
    model = wrapped(kind)
    for name, ask in AT_ZERO.items():
        with pytest.raises(exegesis.ModelError, match=r"NaN or infinity|not finite") as caught:
            ask(model)
        assert "\n" not in str(caught.value), name


@pytest.mark.parametrize("method", ["integrated-gradients", "deeplift"])
@pytest.mark.parametrize("kind", [Directions, Logarithms])
def test_the_unknown_word_stands_in_for_vectors_without_a_number(
    kind: type[nn.Module], method: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = wrapped(kind)
    found, wanted = (exegesis.explain(model, [TEXT, "w3"], method, baseline=name) for name in ("zero", "unknown"))
    for one, other in zip(found, wanted, strict=True):
        assert (one.details["baseline"], "baseline" in other.details) == ("unknown", False)
        np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-6)
        assert one.account == other.account
        assert abs(one.gap) < 1e-4 or method != "deeplift"
    assert caplog.text.count("at vectors of zeros: the baseline is the unknown word") == 1
    del model.tokens["unknown"]
    with pytest.raises(exegesis.ModelError, match="gives no number at the baseline"):
        exegesis.explain(model, TEXT, method)


def test_an_explained_number_that_is_not_finite() -> None:
    model = wrapped(Huge)
    assert exegesis.explain(model, TEXT, "leave-one-out").explained == 1.5e308
    with pytest.raises(exegesis.ModelError, match="explained numbers of model Huge are not finite"):
        exegesis.explain(model, TEXT, "leave-one-out", target="margin:a,b")


@pytest.mark.quick
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_not_finite_cannot_be_built_as_complete(number: float) -> None:
    whole = samples.result(samples.FIGHT, [0.5] * 9)
    assert isinstance(whole, Attribution)
    with pytest.raises(exegesis.UsageError, match="the account must be finite"):
        whole.replace(account={"bias": number})
    with pytest.raises(exegesis.UsageError, match="explained must be finite"):
        whole.replace(remainder=Account(complete=True), explained=number)
