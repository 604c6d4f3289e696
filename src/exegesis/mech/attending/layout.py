"""Which calls of a module are attention over the pieces of a text, and along which of their axes.

Found by value, from a few runs: on a text, on the same text with a piece more or less in each of its segments, and on
copies of it side by side. An axis over pieces is one whose length is that of the text, or of one segment, in every run;
the axis of texts grows with the copies. Nothing is taken from the names or the classes of a module.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.core.text import Span, Text
from exegesis.mech.attending.watch import Seen, Watch
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier, Differentiable, missing, offers
from exegesis.protocols.spanned import Spanned
from exegesis.protocols.trained import Trained

COPIES = 3
LONGEST, PLAINLY = 64, 2.0  # pieces of a text on which places are tried; times more slope that is plain
UNSEEN = (
    "no softmax over the pieces of a text, and no attention function of torch, is seen as it runs: it has none, or it "
    "runs in a kernel of its own (load a Hugging Face model with attn_implementation='sdpa' or 'eager')"
)
Part = int | None  # the number of a segment; None: the whole text
WHOLE: Part = None
NONE = -1  # an axis that is not there


@dataclass(frozen=True)
class Axes:
    """The axes of the weights of a call: of texts (``folded``: texts and heads are one), heads, rows and columns.

    ``down`` and ``across`` are the parts of the text that rows and columns run over; without rows (``NONE``) the
    weights pool the pieces into one vector.
    """

    texts: int
    heads: tuple[int, ...]
    rows: int
    columns: int
    down: Part
    across: Part
    folded: bool = False

    def turned(self, weights: Tensor, count: int) -> Float[Tensor, "n h q k"]:
        """Values of a call on ``count`` texts in one order of axes."""
        if self.folded:
            apart = (*weights.shape[: self.texts], count, -1, *weights.shape[self.texts + 1 :])
            weights = weights.reshape(apart)
        order = self._order(weights.ndim)
        moved = weights.permute(order)
        heads = len(order) - (self.texts != NONE) - (self.rows != NONE) - 1
        moved = moved if self.texts != NONE else moved[None]
        moved = moved if self.rows != NONE else moved.unsqueeze(-2)
        return moved.flatten(1, heads) if heads else moved[:, None]

    def back(self, values: Float[Tensor, "n h q k"], like: Tensor) -> Tensor:
        """The inverse of ``turned``: values in the shape of the weights of a call."""
        shape = list(like.shape)
        if self.folded:
            shape[self.texts : self.texts + 1] = [len(values), shape[self.texts] // len(values)]
        order = self._order(len(shape))
        moved = values.reshape([shape[axis] for axis in order])
        inverse = [order.index(axis) for axis in range(len(order))]
        return moved.permute(inverse).reshape(like.shape)

    def _order(self, count: int) -> list[int]:
        """The order of the axes after texts and heads are apart: texts, heads, rows, columns."""
        at = self.texts if self.folded else NONE
        moved = [axis + (self.folded and axis > at) for axis in (self.rows, self.columns) if axis != NONE]
        first = [self.texts] if self.texts != NONE else []
        return [*first, *(axis for axis in range(count) if axis not in (*first, *moved)), *moved]

    def span(self, part: Part, text: Text) -> Span:
        """The pieces that an axis runs over."""
        return Span(0, len(text)) if part is None else text.segments[part]


@dataclass(frozen=True)
class Layout:
    """The attention of a model: the axes of each call of a run, None for a call that is not over the text's pieces."""

    calls: tuple[Axes | None, ...]

    @property
    def places(self) -> tuple[int, ...]:
        """The numbers of the calls that are attention, in order; attention 1 is the first of them."""
        return tuple(number for number, axes in enumerate(self.calls) if axes is not None)

    def axes(self, place: int) -> Axes:
        """The axes of the attention of this number, from 0."""
        found = self.calls[self.places[place]]
        assert found is not None
        return found


_known: weakref.WeakKeyDictionary[object, Layout] = weakref.WeakKeyDictionary()


def layout_of(model: Classifier, batch: Batch) -> Layout:
    """The layout of a model's attention, found on the first text of a batch and remembered.

    Raises UnsupportedError, with the reason, for a model without attention over pieces that can be seen.
    """
    try:
        known = _known.get(model)
    except TypeError:  # a user's model without an identity to remember
        known = None
    if known is None:
        known = learned(model, batch)
        try:
            _known[model] = known
        except TypeError:
            return known
    return known


def learned(model: Classifier, batch: Batch) -> Layout:
    """The layout of a model's attention, by runs on variants of the first text of a batch (see the module)."""
    row = batch.take(torch.tensor([0]))
    if not hasattr(model, "module"):
        raise UnsupportedError(f"the model {model.name} shows no attention: it is a black box, wrap its torch module")
    first = _run(model, row)
    copies = _run(model, row.take(torch.zeros(COPIES, dtype=torch.long)))
    spans = row.texts[0].segments
    sizes = [sizes_of(row)]
    runs = [first]
    for number, span in enumerate(spans):
        other, lengths = varied(row, span, number)
        runs.append(_run(model, other))
        sizes.append(lengths)
    if len({len(seen) for seen in [*runs, copies]}) > 1:
        if len({len(seen) for seen in runs}) > 1:
            raise UnsupportedError(
                f"the model {model.name} calls its attention another number of times for texts of other lengths (in a "
                "loop over words): its calls have no places of their own"
            )
        copies = copies[: len(first)]  # one text a call
    calls = [_axes([seen[n] for seen in runs], copies[n], sizes) for n in range(len(first))]
    outside = _outside_encoder(model, row)
    calls = [None if n in outside else axes for n, axes in enumerate(calls)]
    if not any(axes is not None for axes in calls):
        if offers(model, Spanned):
            raise UnsupportedError(f"the model {model.name} attends to spans, not to words: its method is spans")
        if offers(model, Trained):
            cast(Trained, model).calls(row)  # says so of a text that is read in windows
        raise UnsupportedError(f"the model {model.name} shows no attention: {UNSEEN}")
    found = Layout(tuple(calls))
    if offers(model, Differentiable):
        _check_aligned(model, row, found)
    elif not hasattr(model.module, "config"):  # of Hugging Face, whose tokenizers number the positions
        reason = next(iter(missing(model, Differentiable).values()))
        raise UnsupportedError(f"the words of model {model.name} cannot be followed to its attention: {reason}")
    return found


def _check_aligned(model: Any, row: Batch, layout: Layout) -> None:
    """Raise UnsupportedError if the first attention has its words elsewhere: turned round, or moved by one place.

    A column hangs most on its own word: the slopes of what stands there (its scores, or its value) by the word's own
    vector are held to those by the vectors of the words that would stand there. Only what is plainly elsewhere is
    refused, because states that mix words hang on others, too. Texts of fewer than three or of very many pieces tell
    nothing here.
    """
    width, axes = int(row.lengths[0]), layout.axes(0)
    if axes.across is not WHOLE or not 3 <= width <= LONGEST:
        return
    with torch.enable_grad(), Watch(values=True) as watch:
        vectors = model.embed(row).detach().requires_grad_()
        model.outputs_from(vectors, row)
    seen = watch.seen[layout.places[0]]
    held, axis = (seen.scores, axes.columns) if seen.scores is not None else (seen.values, -2)
    if held is None or not held.requires_grad or held.shape[axis] != width:
        return
    noise = torch.randn(held.shape, generator=torch.Generator().manual_seed(0)).to(held)
    with torch.enable_grad():
        columns = (held * noise).movedim(axis, 0).flatten(1).sum(1)
        found = [torch.autograd.grad(one, vectors, retain_graph=True)[0][0, :width].norm(dim=-1) for one in columns]
    slopes = torch.stack(found)
    own = float(slopes.diagonal().mean())
    others = (slopes.flip(1).diagonal().mean(), slopes.diagonal(1).mean(), slopes.diagonal(-1).mean())
    if max(map(float, others)) > PLAINLY * own:
        raise UnsupportedError(
            f"the attention of model {model.name} has the words at other places than the text (turned round, or behind "
            "a token put in front), so that weights and words do not match: let it read the text as it stands"
        )


def _run(model: Classifier, batch: Batch) -> list[Seen]:
    watch = Watch()
    with torch.no_grad(), watch:
        model.outputs(batch)
    return watch.seen


def sizes_of(row: Batch) -> list[int]:
    """The numbers of pieces of a text, and of each of its segments."""
    return [int(row.lengths[0]), *(span.width for span in row.texts[0].segments)]


def which_part(lengths: Sequence[int], sizes: Sequence[Sequence[int]]) -> tuple[bool, Part]:
    """Whether an axis of these lengths, one for each run, runs over pieces, and over which part of the text."""
    parts: list[Part] = [WHOLE, *range(len(sizes[0]) - 1)]
    for number, part in enumerate(parts):
        if list(lengths) == [size[number] for size in sizes]:
            return True, part
    return False, WHOLE


def varied(row: Batch, span: Span, number: int) -> tuple[Batch, list[int]]:
    """The text with one piece less in a segment (of a single piece: one more), and the sizes of its parts.

    The pieces at which a model is read stay: it reads a stand-in for one that is gone (``Text.places``).
    """
    text = row.texts[0]
    free = [at for at in range(span.start, span.stop) if not text.special[at]]
    if not free:
        raise UnsupportedError("attention is found on texts with a word in each part: this one has an empty side")
    gone = [at for at in free if not any(place.start <= at < place.stop for place in text.places)]
    at, more = (gone or free)[-1], len(free) == 1 or not gone
    keep = [*range(at + 1), at, *range(at + 1, len(text))] if more else [n for n in range(len(text)) if n != at]
    index = torch.tensor(keep, device=row.device)
    other = replace(row, ids=row.ids[:, index], mask=row.mask[:, index], segments=row.segments[:, index], texts=())
    sizes = sizes_of(row)
    step = 1 if more else -1
    sizes[0] += step
    sizes[1 + number] += step
    return other, sizes


def _axes(seen: Sequence[Seen], copies: Seen, sizes: Sequence[Sequence[int]]) -> Axes | None:
    """The axes of a call by its shapes in all runs; None if its columns are not pieces of the text."""
    shapes = [one.weights.shape for one in seen]
    first, columns = shapes[0], seen[0].dim
    if len({len(shape) for shape in shapes}) > 1 or any(one.dim != columns for one in seen):
        return None

    def part(axis: int) -> tuple[bool, Part]:
        """Whether an axis runs over pieces, and over which of them."""
        return which_part([shape[axis] for shape in shapes], sizes)

    runs_over, across = part(columns)
    if not runs_over:
        return None
    texts, folded = NONE, False
    if copies.weights.ndim == len(first) and copies.weights.shape != first:
        grown = [axis for axis in range(len(first)) if copies.weights.shape[axis] == COPIES * first[axis]]
        if len(grown) != 1 or grown[0] == columns:
            return None
        texts, folded = grown[0], first[grown[0]] > 1
    rest = [axis for axis in range(len(first)) if axis not in (columns, texts)]
    over = [axis for axis in rest if part(axis)[0]]
    if any(len({shape[axis] for shape in shapes}) > 1 for axis in rest if axis not in over):
        return None  # rows that are no pieces: a decoder's, or windows
    rows = over[-1] if over else NONE
    heads = tuple(axis for axis in rest if axis != rows)
    return Axes(texts, heads, rows, columns, part(rows)[1] if over else WHOLE, across, folded)


def _outside_encoder(model: Classifier, row: Batch) -> set[int]:
    """The calls of the decoder of an encoder-decoder, which reads the words moved by one place."""
    module: Any = getattr(model, "module", None)
    config = getattr(module, "config", None)
    if not getattr(config, "is_encoder_decoder", False) or not hasattr(module, "get_encoder"):
        return set()
    encoder = module.get_encoder()
    inside: list[int] = []
    with torch.no_grad(), Watch() as watch:
        enter = encoder.register_forward_pre_hook(lambda *_: inside.append(watch.count))
        leave = encoder.register_forward_hook(lambda *_: inside.append(watch.count))
        try:
            model.outputs(row)
        finally:
            enter.remove()
            leave.remove()
    spared = {n for start, stop in zip(inside[::2], inside[1::2], strict=False) for n in range(start, stop)}
    return set(range(watch.count)) - spared


@dataclass(frozen=True, eq=False)
class Read:
    """The attention of a model on one text: ``weights``, and if asked for the slopes of a number by weights and by
    scores.

    Each has one tensor ``[h, q, k]`` for each attention, in the order in which they run.
    """

    layout: Layout
    weights: tuple[Float[Tensor, "_ _ _"], ...]
    by_weights: tuple[Float[Tensor, "_ _ _"], ...] = ()
    by_scores: tuple[Float[Tensor, "_ _ _"], ...] = ()
    seen: tuple[Seen, ...] = ()


def read(
    model: Classifier,
    batch: Batch,
    number: Callable[[Float[Tensor, "b c"]], Tensor] | None = None,
    *,
    values: bool = False,
) -> Read:
    """The attention on a batch of one text, with the slopes of the ``number`` that is made of the outputs.

    Raises UnsupportedError for a model without attention that can be seen, or, for slopes, without gradients.
    """
    layout = layout_of(model, batch)
    with Watch(values=values) as watch:
        if number is None:
            with torch.no_grad():
                model.outputs(batch)
        else:
            able: Differentiable = model  # type: ignore[assignment]
            with torch.enable_grad():
                vectors = able.embed(batch).detach().requires_grad_()
                explained = number(able.outputs_from(vectors, batch)).sum()
    if len(watch.seen) != len(layout.calls):
        raise UnsupportedError(
            f"the model {model.name} calls its attention {len(watch.seen)} times for this text and "
            f"{len(layout.calls)} times for the first: its calls have no places of their own"
        )
    chosen = [(watch.seen[n], layout.calls[n]) for n in layout.places]
    turned = [axes.turned(seen.weights.detach(), 1)[0] for seen, axes in chosen if axes is not None]
    for axes, weights in zip([axes for _, axes in chosen if axes], turned, strict=True):
        if batch.texts and weights.shape[-1] != axes.span(axes.across, batch.texts[0]).width:
            raise UnsupportedError(f"the attention of model {model.name} reads other positions than the text's pieces")
    if number is None:
        return Read(layout, tuple(turned), seen=tuple(seen for seen, _ in chosen))
    stops = [seen.slopes_at() for seen, _ in chosen]
    flat = [tensor for held in stops for tensor in held]
    if not flat:
        raise UnsupportedError(f"no gradient reaches the attention of model {model.name}")
    try:
        found = list(torch.autograd.grad(explained, flat, allow_unused=True))
    except RuntimeError as error:
        raise UnsupportedError(f"no gradient reaches the attention of model {model.name}") from error
    slopes = []
    for (seen, layer), held in zip(chosen, stops, strict=True):
        part, found = found[: len(held)], found[len(held) :]
        first, second = seen.slopes(part)
        assert layer is not None
        slopes.append((layer.turned(first.detach(), 1)[0], layer.turned(second.detach(), 1)[0]))
    return Read(
        layout, tuple(turned), tuple(a for a, _ in slopes), tuple(s for _, s in slopes), tuple(s for s, _ in chosen)
    )


Replace = Callable[[int, slice, Float[Tensor, "n h q k"]], Float[Tensor, "n h q k"] | None]


@torch.no_grad()
def outputs_with(model: Classifier, batch: Batch, layout: Layout, replace_weights: Replace) -> Float[Tensor, "b c"]:
    """The outputs for texts of one length whose attention weights are replaced.

    ``replace_weights`` gets the number of an attention, the rows of the batch that run together, and their weights; it
    returns others of that shape, or None to keep them.

    Raises UnsupportedError if the module does not run its texts in the order of the batch.
    """
    done = [0] * len(layout.calls)

    def change(count: int, weights: Tensor) -> Tensor | None:
        number = count % len(layout.calls)
        axes = layout.calls[number]
        if axes is None:
            return None
        rows = 1
        if axes.texts != NONE:
            rows = weights.shape[axes.texts]
            if axes.folded:
                rows //= heads_of[number]
        turned = axes.turned(weights, rows)
        part = slice(done[number], done[number] + rows)
        done[number] += rows
        other = replace_weights(place[number], part, turned)
        return None if other is None else axes.back(other.to(turned.dtype), weights)

    place = {call: number for number, call in enumerate(layout.places)}
    heads_of = _folded_heads(model, batch, layout)
    with Watch(change) as watch:
        outputs = model.outputs(batch)
    if watch.count % len(layout.calls) or any(done[n] != len(batch) for n in layout.places):
        raise UnsupportedError(
            f"the model {model.name} runs its texts in parts of its own: its attention stays as it is"
        )
    return outputs


def _folded_heads(model: Classifier, batch: Batch, layout: Layout) -> dict[int, int]:
    """The number of heads of each call that holds texts and heads on one axis."""
    folded = [n for n, axes in enumerate(layout.calls) if axes is not None and axes.folded]
    if not folded:
        return {}
    seen = _run(model, batch.take(torch.tensor([0])))
    return {n: seen[n].weights.shape[layout.calls[n].texts] for n in folded}  # type: ignore[union-attr]


def is_square(layout: Layout) -> bool:
    """True if every attention runs from all pieces of the text to all of them, as rollout needs."""
    return all(
        axes.rows != NONE and axes.down is WHOLE and axes.across is WHOLE for axes in layout.calls if axes is not None
    )


def refuse_unless_square(name: str, model: Classifier, layout: Layout) -> None:
    """Raise UnsupportedError unless every attention runs from all pieces to all pieces."""
    if not is_square(layout):
        raise UnsupportedError(
            f"{name} follows attention from all pieces to all pieces through every layer, and that of the model "
            f"{model.name} pools them, or runs between the parts of a pair: take attention or attention-saliency"
        )
