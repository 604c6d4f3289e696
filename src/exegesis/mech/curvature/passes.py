"""Passes of a model that give the gradients of single texts, at about one forward and one backward pass in all.

Which text a position belongs to is known by value: if the number of text n is weighted by a code r_n, the gradient at a
position of that text grows by r_n. That holds in any layout (time first, packed, flat). Where the shape of a tensor
says as much, the first batch of each form tries it, and later ones go without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import ModelError, UnsupportedError, UsageError
from exegesis.core.text import Text
from exegesis.mech.curvature.factors import Factors, Layout, Part
from exegesis.mech.curvature.watch import Use, Watch
from exegesis.protocols.batch import Batch, groups
from exegesis.protocols.budget import budget_for
from exegesis.protocols.trained import Trained

Cotangents = Callable[[Float[Tensor, "b c"]], Float[Tensor, "k b c"]]
FAINT = 1e-4  # share of the largest gradient below which rounding may hide whose it is


class Passes:
    """The passes of one model, with gradients to some of its weights: all, or those that ``chosen`` names.

    A name is that of a weight (``recurrent.weight_hh_l0``) or the start of some (``recurrent``, ``output``). Values
    given ``by`` name stand in for the weights: those of another time of training.

    Raises UsageError for a name that no weight has, UnsupportedError if the model shows no weights.
    """

    def __init__(self, model: Trained, chosen: Sequence[str] = (), by: Mapping[str, Tensor] | None = None) -> None:
        self.model, self.places = model, model.weights
        weights = self.places if by is None else {name: by[name] for name in self.places}
        for start in chosen:
            if not any(_within(name, start) for name in weights):
                listed = ", ".join(list(weights)[:20]) + (", ..." if len(weights) > 20 else "")
                raise UsageError(f"no weight of {model.name} is named {start!r}: its weights are {listed}")
        self.weights = {
            name: weight
            for name, weight in weights.items()
            if not chosen or any(_within(name, start) for start in chosen)
        }
        self.layout = Layout({name: tuple(weight.shape) for name, weight in self.weights.items()})
        self.slow: set[str] = set()  # weights whose gradients are taken one text at a time
        self.tried: set[tuple[object, ...]] = set()
        self.by_value = False

    def batches(self, texts: Sequence[Text]) -> Iterator[tuple[Int[Tensor, " n"], Batch]]:
        """Texts in batches that the model takes in one call, with the numbers of the texts."""
        budget = budget_for("examples", getattr(self.model, "device", None))
        for rows in groups([len(text) for text in texts], budget.pieces, budget.rows):
            batch = self.model.encode([texts[row] for row in rows])
            numbers = torch.tensor(rows)
            for part in self.model.calls(batch):
                yield numbers[part.cpu()], batch.take(part)

    def run(
        self, batch: Batch, *, twice: bool = False, gradients: bool = True, words: Tensor | None = None,
        shrink: float = 1.0, last: bool = False,
    ) -> tuple[Tensor, Watch]:  # fmt: skip
        """The outputs of a batch, with gradients to live weights; the options are those of ``Watch``."""
        live = {name: weight.detach().clone().requires_grad_() for name, weight in self.weights.items()}
        if not gradients:
            live = {name: weight.detach() for name, weight in self.weights.items()}
        watch = Watch(self.places, live, len(batch), twice=twice, words=words, shrink=shrink, last=last)
        with torch.set_grad_enabled(gradients), watch:
            outputs = self.model.outputs_by_weights(batch)
        return outputs, watch

    def factors(self, batch: Batch, cotangents: Cotangents) -> tuple[Float[Tensor, "b c"], Factors]:
        """The outputs of a batch, and the gradients of k numbers of each text, whose slopes to the outputs
        ``cotangents`` gives.

        Raises ModelError for gradients that are not finite, UnsupportedError for outputs that do not
        depend on the weights.
        """
        outputs, watch = self.run(batch)
        if not outputs.requires_grad:
            raise UnsupportedError(
                f"the outputs of model {self.model.name} depend on none of the weights that were asked for, as far as "
                "can be seen"
            )
        slopes = cotangents(outputs.detach())
        uses = [use for use in watch.uses if use.out.requires_grad]
        unnoted = watch.unnoted | self.slow
        form = tuple((use.weight, use.kind, use.out.dim(), _axis(use, len(batch))) for use in uses)
        trial = form not in self.tried
        deltas, wholes = self._backward(outputs, slopes, uses, watch if trial else None)
        owners = self._owners(outputs, slopes, uses, deltas, trial)
        parts = [
            _part(use, [delta[n] for delta in deltas], owner)
            for n, (use, owner) in enumerate(zip(uses, owners, strict=True))
            if owner is not None
        ]
        mixed = {use.weight for use, owner in zip(uses, owners, strict=True) if owner is None}
        if trial:
            self.slow |= mixed | self._wrong(parts, wholes, unnoted | mixed, slopes, len(batch))
            self.tried.add(form)
        apart = (unnoted | self.slow | mixed) & self.weights.keys()
        kept = tuple(part for part in parts if part.weight not in apart)
        made = Factors(self.layout, len(batch), len(slopes), kept, self._apart(outputs, slopes, watch, apart))
        for values in (*(part.delta for part in kept), *made.apart.values()):
            if not bool(torch.isfinite(values.sum())):
                raise ModelError(f"the gradients of model {self.model.name} are not finite: check its weights")
        return outputs.detach(), made

    def _backward(
        self, outputs: Tensor, slopes: Tensor, uses: Sequence[Use], watch: Watch | None
    ) -> tuple[list[list[Tensor]], dict[str, Tensor]]:
        """The gradients at the uses for each number, and (for a trial) those of the weights, summed over texts."""
        names = [] if watch is None else [name for name in self.weights if name in watch.used]
        asked = [use.out for use in uses] + ([] if watch is None else [watch.live[name] for name in names])
        deltas, wholes = [], []
        for slope in slopes:
            found = torch.autograd.grad(outputs, asked, slope, retain_graph=True, allow_unused=True) if asked else ()
            filled = [torch.zeros_like(a) if g is None else g for a, g in zip(asked, found, strict=True)]
            deltas.append(filled[: len(uses)])
            wholes.append(filled[len(uses) :])
        return deltas, {name: torch.stack([whole[n] for whole in wholes]) for n, name in enumerate(names)}

    def _owners(
        self, outputs: Tensor, slopes: Tensor, uses: Sequence[Use], deltas: list[list[Tensor]], trial: bool
    ) -> list[Int[Tensor, " n"] | None]:
        """The text of every position of each use; None for a use where texts are mixed."""
        count = len(outputs)
        guesses = [_guess(use, count) for use in uses]
        if not (trial or self.by_value) and all(guess is not None for guess in guesses):
            return list(guesses)
        if count == 1:
            return [torch.zeros(_positions(use), dtype=torch.long, device=use.out.device) for use in uses]
        codes = 1 + torch.arange(count, device=outputs.device) / count
        coded = [[torch.zeros_like(use.out) for use in uses] for _ in slopes]
        for k, slope in enumerate(slopes):
            found = torch.autograd.grad(
                outputs, [use.out for use in uses], slope * codes[:, None].to(slope), retain_graph=True,
                allow_unused=True,
            )  # fmt: skip
            coded[k] = [zero if g is None else g for zero, g in zip(coded[k], found, strict=True)]
        owners: list[Int[Tensor, " n"] | None] = []
        for n, (use, guess) in enumerate(zip(uses, guesses, strict=True)):
            owner, sure, pure = _by_value(use, [d[n] for d in deltas], [c[n] for c in coded], count)
            if not pure:
                owners.append(None)
            elif guess is None or self.by_value or not bool((guess == owner)[sure].all()):
                self.by_value |= guess is not None and not bool((guess == owner)[sure].all())
                owners.append(owner)
            else:
                owners.append(guess)
        return owners

    def _wrong(
        self, parts: Sequence[Part], wholes: Mapping[str, Tensor], known: set[str], slopes: Tensor, texts: int
    ) -> set[str]:
        """The weights whose texts' gradients do not add up to the gradient of the sum."""
        wrong = set()
        for name, whole in wholes.items():
            if name in known:
                continue
            mine = [part for part in parts if part.weight == name]
            ones = torch.eye(len(slopes), device=whole.device, dtype=whole.dtype)[:, :, None]
            shape = self.layout.shapes[name]
            summed = torch.zeros_like(whole)
            for part in mine:
                summed += part.total(ones.expand(-1, -1, len(part.owner)), shape)
            size = max([float(whole.abs().max()), *(part.size for part in mine)], default=0.0)
            if float((summed - whole).abs().max()) > (1e-9 if whole.dtype == torch.float64 else 1e-3) * size:
                wrong.add(name)
        return wrong

    def _apart(self, outputs: Tensor, slopes: Tensor, watch: Watch, names: set[str]) -> dict[str, Tensor]:
        """The gradients to some weights, one text at a time."""
        listed = sorted(names & watch.used)
        rows: dict[str, list[Tensor]] = {name: [] for name in listed}
        for slope in slopes if listed else ():
            for row in range(len(outputs)):
                found = torch.autograd.grad(
                    outputs[row], [watch.live[name] for name in listed], slope[row], retain_graph=True,
                    allow_unused=True,
                )  # fmt: skip
                for name, gradient in zip(listed, found, strict=True):
                    rows[name].append(torch.zeros_like(watch.live[name]) if gradient is None else gradient)
        return {
            name: torch.stack(values).reshape(len(slopes), len(outputs), *self.layout.shapes[name])
            for name, values in rows.items()
        }


def _within(name: str, start: str) -> bool:
    return name == start or name.startswith(f"{start.rstrip('.')}.")


def _positions(use: Use) -> int:
    shape = use.out.shape[: use.out.dim() - use.features]
    return torch.Size(shape).numel()


def _axis(use: Use, texts: int) -> int | None:
    """The axis over the texts, as far as the shape of the output tells."""
    shape = use.out.shape[: use.out.dim() - use.features]
    fit = [axis for axis, size in enumerate(shape[:2]) if size == texts]
    return fit[0] if len(fit) == 1 else None


def _guess(use: Use, texts: int) -> Int[Tensor, " n"] | None:
    axis = _axis(use, texts)
    if axis is None:
        return None
    shape = use.out.shape[: use.out.dim() - use.features]
    rows = torch.arange(texts, device=use.out.device) if use.order is None else use.order
    return rows.reshape([-1 if n == axis else 1 for n in range(len(shape))]).expand(shape).reshape(-1)


def _by_value(
    use: Use, plain: Sequence[Tensor], coded: Sequence[Tensor], texts: int
) -> tuple[Int[Tensor, " n"], Tensor, bool]:
    """The text of each position by the growth of its gradient; where that is sure; if no position serves two texts."""
    count = _positions(use)
    first, second = (torch.stack(list(side)).reshape(len(plain), count, -1).double() for side in (plain, coded))
    sizes = first.square().sum((0, 2))
    ratio = (first * second).sum((0, 2)) / sizes.clamp_min(1e-300)
    place = (ratio - 1) * texts
    owner = place.round().clamp(0, texts - 1).long()
    owner = torch.where(sizes > 0, owner, 0)
    sure = sizes > FAINT**2 * sizes.max()
    grown = first * (1 + owner / texts)[:, None]
    off = (second - grown).square().sum((0, 2)).sqrt() / sizes.clamp_min(1e-300).sqrt()
    pure = not bool((off[sure] > 0.05 / texts).any())
    return owner, sure, pure


def _part(use: Use, deltas: Sequence[Tensor], owner: Int[Tensor, " n"]) -> Part:
    count = len(owner)
    shape = use.out.shape[use.out.dim() - use.features :]
    delta = torch.stack(list(deltas)).reshape(len(deltas), count, *shape)
    inputs = use.inputs
    if use.kind == "rows":
        assert inputs is not None
        inputs = inputs.detach().reshape(-1)
        if use.skipped is not None:
            delta = delta * (inputs != use.skipped)[:, None]
    elif inputs is not None:
        inputs = inputs.detach()
        inputs = inputs.reshape(count, *(shape if use.kind == "scale" else inputs.shape[-1:]))
    return Part(use.weight, use.kind, owner, delta, inputs, use.transposed, use.bias)
