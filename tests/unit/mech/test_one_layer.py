"""The pass that may be shared between runs: one layer over vectors that depend on their pieces alone."""

from __future__ import annotations

from dataclasses import replace

import torch

from exegesis.mech.one_layer import plain_pass
from exegesis.models.modules.adapter import TorchClassifier
from tests.support.torch_toys import model, texts


class Moved(TorchClassifier):
    """A model whose vectors, which its recurrent layer reads as they are, move with their places."""

    step = 0.0

    def moved(self, vectors):
        return vectors + self.step * torch.arange(vectors.shape[1])[:, None]

    def embed(self, batch):
        return self.moved(super().embed(batch))

    def unroll(self, batch):
        unrolled = super().unroll(batch)
        (way,) = unrolled.layers[0]
        return replace(unrolled, layers=((replace(way, inputs=self.moved(way.inputs)),),))


def test_vectors_that_move_with_their_place_are_not_shared():
    plain = model()
    seen = Moved(plain.module, plain.reader, plain.profile)
    batch = seen.encode([seen.read(text) for text in texts([5, 3])])
    assert plain_pass(seen, batch) is not None
    seen.step = 0.1
    assert plain_pass(seen, batch) is None
