"""The yardstick of the benchmark of LRP is right: the same numbers as the library's."""

from __future__ import annotations

import numpy as np
import torch

import exegesis
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from tests.reference.lrp_plain import lrp


def test_plain_numpy_lrp_is_the_librarys() -> None:
    torch.manual_seed(3)
    words = ["<pad>", "<unk>", "a", "b", "c", "d"]
    config = RecurrentConfig(vocabulary=len(words), labels=("x", "y", "z"), cell="lstm", embedding=7, hidden=5)
    module = RecurrentClassifier(config).double().eval()
    for weight in module.parameters():
        torch.nn.init.normal_(weight)
    model = exegesis.wrap(module, vocabulary=words, labels=["x", "y", "z"])
    layer, output = module.recurrent, module.output
    numbers = [
        value.detach().numpy()
        for value in (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0 + layer.bias_hh_l0)
    ]
    for text in ("a b c d b", "d", "c c"):
        ids = [words.index(word) for word in text.split()]
        vectors = module.embedding.weight.detach().numpy()[ids]
        for index, label in enumerate("xyz"):
            expected = lrp(vectors, *numbers, output.weight.detach().numpy(), output.bias.detach().numpy(), index)
            found = exegesis.explain(model, text, "lrp", target=label)
            np.testing.assert_allclose(found.scores, expected, rtol=1e-10, atol=1e-12 * np.abs(expected).max())
