"""Text CNNs as users write them: parallel convolutions over the words, the maximum over time, a linear layer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.torch_toys import WORDS


class TextCnn(nn.Module):
    """Kim's network in one dimension; ``bend`` is the activation behind the convolutions."""

    def __init__(self, widths=(3, 4, 5), size=5, channels=4, outputs=3, bend=F.relu, bias=True):
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), size)
        self.convs = nn.ModuleList(nn.Conv1d(size, channels, width, bias=bias) for width in widths)
        self.dropout = nn.Dropout(0.5)
        self.out = nn.Linear(len(widths) * channels, outputs, bias=bias)
        self.bend = bend

        self.least = max(widths)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self.embedding(x))

    def run(self, vectors: Tensor, mask: Tensor | None = None) -> Tensor:
        vectors = vectors.transpose(1, 2)
        found = [self.bend(conv(vectors)) for conv in self.convs]
        highest = [F.max_pool1d(each, each.size(2)).squeeze(2) for each in found]
        return self.out(self.dropout(torch.cat(highest, 1)))


class FlatCnn(TextCnn):
    """The same in two dimensions, one channel in front, as the older code has it."""

    def __init__(self, **options):
        super().__init__(**options)
        self.convs = nn.ModuleList(
            nn.Conv2d(1, conv.out_channels, (conv.kernel_size[0], conv.in_channels)) for conv in self.convs
        )

    def run(self, vectors: Tensor, mask: Tensor | None = None) -> Tensor:
        vectors = vectors.unsqueeze(1)
        found = [F.relu(conv(vectors), inplace=True).squeeze(3) for conv in self.convs]
        return self.out(self.dropout(torch.cat([each.max(2).values for each in found], 1)))


class MaskedCnn(TextCnn):
    """Exact beside longer texts: pads are zeros, and windows that reach behind the text's end count only if first."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        vectors = (self.embedding(x) * mask[..., None]).transpose(1, 2)
        found = []
        for conv in self.convs:
            inside = mask[:, conv.kernel_size[0] - 1 :].clone()
            inside[:, 0] = True
            found.append(self.bend(conv(vectors)).masked_fill(~inside[:, None], -torch.inf).amax(2))
        return self.out(torch.cat(found, 1))


class PaddedCnn(TextCnn):
    """Pads its word vectors at both ends, so that it takes any text; a second convolution and the mean over time."""

    def __init__(self):
        super().__init__(widths=(3,))
        self.second = nn.Conv1d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        vectors = F.pad(self.embedding(x), (0, 0, 1, 1)).permute(0, 2, 1)
        return self.out(F.gelu(self.second(torch.tanh(self.convs[0](vectors)))).mean(-1))


def made(module: nn.Module, seed: int = 0) -> nn.Module:
    """With normal weights of double precision, left in training mode."""
    draws = torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=draws, dtype=torch.float64) * 0.7
    return module.train()
