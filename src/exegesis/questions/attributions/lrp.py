"""Layer-wise relevance propagation through recurrent networks (Arras et al. 2019) and transformers (AttnLRP)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.parameters import at_least
from exegesis.core.place import Place
from exegesis.engine.methods import BACKWARD, Scores, method
from exegesis.mech.lrp.propagate import propagate, trial
from exegesis.mech.lrp.recurrent import relevance
from exegesis.mech.lrp.shares import EPSILON, LrpOptions
from exegesis.nn.recurrent import reading_order
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable, Recurrent, offers
from exegesis.protocols.recurrent import Unrolled
from exegesis.protocols.target import Link, Target


@method(
    "lrp",
    question="which words?",
    summary="the number propagated back through the network, each neuron giving its inputs their shares",
    paper="Arras et al., Explaining and Interpreting LSTMs",
    year=2019,
    complete=True,
)
@dataclass(frozen=True)
class Lrp:
    """A word's relevance for a logit or margin: the sum over the components of its vector, in units of the logit.

    Identity: words + biases + absorbed by epsilon + absorbed by softmax + positions + segments (+ initial states, if
    they are not zero, + fixed parts) = the number, to the rounding of the largest relevance on the way; a neuron whose
    inputs nearly cancel propagates up to 1 / ``epsilon`` times the relevance that it received. *Positions* and
    *segments* are what the module looks up for places and token types, also as a term of the scores of attention.
    *Fixed parts* are other constants beside the words: a vector put in front, pad tokens that fill up a text too short
    for a convolution, positions that are computed rather than looked up.

    Linear maps and accumulations follow the epsilon rule (Sec. 11.3.1, 11.3.3) with sign(0) = 1. Products of a gate and
    a signal follow ``product`` (Table 11.1): ``all`` (the signal takes all), ``prop``, ``abs`` or ``half``, with the
    values before activation; ``prop`` and ``abs`` have ``stabilizer`` in the denominator, by default ``epsilon``, and
    0.2 for ``prop``, which needs it according to the chapter (footnote 9). The chapter ran ``prop`` with 0.2 in linear
    maps too: give ``epsilon=0.2`` to repeat it. Relevance that products absorb counts as absorbed by epsilon. With
    ``bias="keep"`` a bias keeps its share; with ``"spread"`` this share and that of epsilon are divided evenly among
    the map's inputs: the components of x_t and h_{t-1}, the two terms of an accumulation, the components of the states
    that are read. The initial states then receive shares even if they are zero. In a module that is not traceable, the
    maps are its linear layers and its sums of two terms.

    A model with one linear layer on pooled recurrent states is computed for all steps and targets at once: its poolings
    and output layer are one linear map from states to the number, so ``epsilon`` acts on the number itself. If another
    layer lies between the word vectors and the recurrent layer (a second recurrent layer, a projection), the module
    runs as any other; if that layer has no rule (a LayerNorm), its effect is credited to the word at its position.

    Any other module runs as it is (``mech.lrp.propagate``), if every function that it applies to live values has a
    rule: linear and convolution layers, recurrent layers and cells, sums and products of tensors, elementwise
    activations (which pass relevance on unchanged), poolings, attention. Each map and each sum of two tensors has its
    own ``epsilon``. A factor that comes out of a sigmoid is a gate; if neither or both factors of a product are gates,
    ``all`` gives halves. Sums and means over positions, products with constants and a maximum's winner have no epsilon.
    Cells written out in such functions follow the same rules, but x_t and h_{t-1} go through a sum of two maps.

    ``rule``, for linear and convolution layers: ``epsilon``, ``gamma`` (with ``gamma``) or ``alpha-beta`` (with
    ``alpha`` - ``beta`` = 1); ``mech.lrp.signed`` has the formulas. Recurrent layers and cells keep the epsilon rule.
    With any rule other than epsilon, every module runs as it is.

    A ``margin`` is propagated as one number. Without epsilon its scores would be the differences of the two classes'
    relevances; with epsilon they are close but not equal, because epsilon is added to the margin instead of each logit
    and absorbs relevance along the whole way.

    A module that has attention of several queries or normalises, and has no recurrent layer, is a transformer. It
    follows AttnLRP (Achtibat et al. 2024, "AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for
    Transformers"): what divides in a LayerNorm or an RMSNorm, or as a vector's length, is constant, while the mean
    passes relevance on (their rule for normalisation); each factor of a product of two tensors receives half (their
    rule for matrix products), so of queries and keys, weights and values, and a gated map whose gate is no sigmoid; the
    softmax keeps its own slopes (their rule for softmax). The softmax thereby absorbs relevance, which may be most of
    the number: ``absorbed by softmax`` says how much. ``attention="constant"`` holds the weights of attention constant
    instead, and the gates of products that come out of an activation (CP-LRP: Ali et al. 2022, "XAI for Transformers");
    then nothing is absorbed, and what is not biases, positions or segments is the words'. ``epsilon`` is 0 in a
    transformer unless it is given, because slopes and quotients z / x need none, and no sum divides. An activation
    written out (x σ(1.7 x), the GELU with tanh) is one function, whose constants are no biases. Where the paper has
    ε-LRP for linear maps with a small ε, the default here is LRP-0, its limit.

    Beyond the chapter: stacked layers; a GRU in PyTorch's form, where 1 - z has the value -a_z before activation, the
    products with the signals n and h_{t-1} both reach z, ``r q`` is one input of n's map beside x_t, and q = U h_{t-1}
    + b is a separate map; a plain RNN, which has no products. The weights of a pooling, and of attention over recurrent
    states, are constant unless ``attention="propagated"``. The places of maxima are constants of this text.

    Without a value, ``epsilon`` is 0.001, and 0 in transformers; ``attention`` is ``constant``, and ``propagated`` in
    transformers; with ``rule`` other than epsilon, or ``bias="spread"``, ``epsilon`` is 0.001 everywhere.

    Raises UnsupportedError for a part without a rule, by name, for a target that is not linear in the logits, and for
    ``bias="spread"`` with another ``rule`` than epsilon or in modules that lose such shares. Raises UsageError unless
    ``alpha`` - ``beta`` = 1, if an ``epsilon`` or ``stabilizer`` of 0 would divide relevance by zero, and if relevance
    overflows (``prop`` with a small stabilizer multiplies it at every step at which gate and signal nearly cancel).
    """

    epsilon: Annotated[float, at_least(0)] | None = None
    product: Literal["all", "prop", "abs", "half"] = "all"
    stabilizer: Annotated[float, at_least(0)] | None = None
    bias: Literal["keep", "spread"] = "keep"
    rule: Literal["epsilon", "gamma", "alpha-beta"] = "epsilon"
    gamma: Annotated[float, at_least(0)] = 0.25
    alpha: float = 2.0
    beta: Annotated[float, at_least(0)] = 1.0
    attention: Literal["propagated", "constant"] | None = None

    wants: ClassVar[str] = "a rule for every part"

    def __post_init__(self) -> None:
        if abs(self.alpha - self.beta - 1) >= 1e-9:
            raise UsageError(f"alpha - beta must be 1 (lrp), not {self.alpha:g} - {self.beta:g}")

    @property
    def denominator(self) -> float:
        """The number that stabilises the denominators of products."""
        return self.options.stabilizer

    @staticmethod
    def lacks(model: Differentiable) -> str | None:
        """The reason why a model cannot be served, found by one short trial; None if it can."""
        if model.link.hidden or (model.link is Link.LOG_SOFTMAX and not offers(model, Recurrent)):
            outputs = "probabilities" if model.link.hidden else "log-probabilities"
            return f"what turns logits into {outputs} has none; wrap the module without its last step"
        return None if offers(model, Recurrent) else trial(model, Lrp().settled)

    @property
    def options(self) -> LrpOptions:
        """The rules of a run through a recurrent model."""
        return self.settled(False)

    def settled(self, transformer: bool) -> LrpOptions:
        """The rules of a run through a transformer, or through any other model."""
        exact = transformer and self.rule == "epsilon" and self.bias == "keep"
        epsilon = (0.0 if exact else EPSILON) if self.epsilon is None else self.epsilon
        stabilizer = 0.2 if self.product == "prop" else self.epsilon if self.epsilon is not None else EPSILON
        return LrpOptions(
            epsilon,
            self.product,
            stabilizer if self.stabilizer is None else self.stabilizer,
            self.rule,
            self.gamma,
            self.alpha,
            self.beta,
            self.bias == "spread",
            self.attention or ("propagated" if transformer else "constant"),
        )

    def __call__(self, model: Differentiable, batch: Batch, target: Target) -> Scores:
        matrix = target.linear(model.link.width(len(model.labels)))  # refuses a probability before any work is done
        unrolled = self.unrolled(model, batch)
        if unrolled is not None and reads_vectors(unrolled, model, batch):
            return self._fast(unrolled, matrix)
        try:
            return self._general(model, batch, matrix)
        except UnsupportedError:
            if unrolled is None:
                raise
            return self._fast(unrolled, matrix)

    def passes(self, words: int, numbers: int) -> int:
        """A pass, and a backward pass for each number."""
        return 1 + BACKWARD * numbers

    def unrolled(self, model: Differentiable, batch: Batch) -> Unrolled | None:
        """The unrolled recurrent pass for the fast path, or None if the fast path does not apply.

        It does not apply to other models and rules, to texts on which the recurrent pass is out of sight, nor if
        several linear layers are folded into one map, which redistributes relevance differently from one layer after
        the other.
        """
        if not offers(model, Recurrent) or self.rule != "epsilon" or self.attention == "propagated":
            return None
        try:
            unrolled = cast(Recurrent, model).unroll(batch)
        except UnsupportedError:
            return None
        return None if unrolled.folded else unrolled

    def _general(self, model: Differentiable, batch: Batch, matrix: Float[Tensor, "b k c"]) -> Scores:
        """Scores by the general path; relevance of padding that the module reads goes to the account."""
        values, account, _ = self.propagated(model, batch, matrix)
        outside = values.sum(-1).masked_fill(batch.mask[:, None], 0.0)
        if bool((outside != 0).any()):  # padding that the module reads
            account["fixed parts"] = account.get("fixed parts", 0.0) + outside.sum(-1)
        return Scores(values.sum(-1) - outside, account)

    def propagated(
        self, model: Differentiable, batch: Batch, target: Float[Tensor, "b k c"], *, nodes: bool = False
    ) -> tuple[Float[Tensor, "b k t d"], dict[str, Float[Tensor, "b k"]], dict[Place, Tensor]]:
        """The relevance of the word vectors' components ``[b, k, t, d]``, the account, the relevance of inner places.

        This is the general path (``mech.lrp.propagate``), for any model. Raises UnsupportedError for parts without a
        rule, UsageError if relevance overflows.
        """
        spread = self.bias == "spread"
        if spread and self.rule != "epsilon":
            raise UnsupportedError(f"bias='spread' belongs to rule='epsilon', not to {self.rule!r}: take bias='keep'")
        values, account, parts = propagate(model, batch, target, self.settled, states=nodes)
        limit = 1e30 if values.dtype != torch.float64 else 1e100
        if not bool((values.abs() < limit).all()):
            raise UsageError("relevance overflowed: take a larger epsilon or stabilizer")
        if spread:
            number = torch.einsum("bkc,bc->bk", target.to(values), model.outputs(batch).to(values))
            _refuse_loss(number, values.sum((-2, -1)) + sum(account.values()))
        return values, account, parts

    def _fast(self, unrolled: Unrolled, matrix: Float[Tensor, "b k c"]) -> Scores:
        """Scores by the fast path: all steps and targets at once."""
        with torch.no_grad():
            values, account = relevance(unrolled, matrix.to(unrolled.outputs), self.options)
        if bool(unrolled.outputs.isfinite().all()) and not bool(values.isfinite().all()):
            raise UsageError("relevance overflowed: take a larger epsilon or stabilizer")
        parts = {name: part for name, part in account.items() if name != "initial states" or self._starts(unrolled)}
        return Scores(values, parts)

    def _starts(self, unrolled: Unrolled) -> bool:
        """True if initial states can receive relevance."""
        states = [state for layer in unrolled.layers for d in layer for state in (d.h0, d.c0) if state is not None]
        return self.bias == "spread" or any(bool((state != 0).any()) for state in states)


def reads_vectors(unrolled: Unrolled, model: Differentiable, batch: Batch) -> bool:
    """True if the lowest recurrent layer reads the word vectors unchanged."""
    first, vectors = unrolled.layers[0][0], model.embed(batch)
    read = reading_order(first.inputs, first.lengths, first.reverse)
    if read.shape != vectors.shape:
        return False
    return bool(((read == vectors) | ~batch.mask[..., None]).all())


def _refuse_loss(number: Float[Tensor, "b k"], total: Float[Tensor, "b k"]) -> None:
    """Raise UnsupportedError if relevance was lost in parts that are multiplied by zero and cannot propagate it."""
    tight = 1e-6 if number.dtype == torch.float64 else 1e-2
    if bool(((total - number).abs() > tight * (1 + number.abs())).any()):
        raise UnsupportedError("bias='spread' reaches parts that the module multiplies by zero: take bias='keep'")
