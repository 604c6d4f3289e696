"""A run of any model in which chosen torch functions are replaced, so that autograd carries other values than slopes.

While a ``Mode`` is active, it sees every torch function that the model calls. A function that touches no *live* tensor
(a tensor that depends on the word vectors given to ``start``) runs unchanged. A function of live tensors is computed by
its *rule* in the mode's table, or refused by name if the table has no rule, so that nothing is propagated without an
explicit rule.

A method builds its table from the tables of this folder and its own rules:

    {**STRUCTURAL, **COMPOUND, **own}

A table of ``quick`` ways may answer the commonest calls first, with what their rules would answer, or None if it is not
one of those that they know.

``STRUCTURAL`` leaves to autograd what moves, chooses, sums or scales numbers; ``COMPOUND``, ``NORMS`` and ``ATTENTION``
take functions apart into others. Keys are canonical names (``relu`` stands for ``torch.relu``, ``relu_``, ``F.relu``
and ``Tensor.relu``). A rule is called with a ``Call`` and returns what the function would return, usually through an
``autograd.Function``. ``constants(value, rows, name)`` returns the tensor that replaces a constant beside live values
(a bias added by hand, the value that ``masked_fill`` writes); by default the constant itself.

Every live tensor has a ``Shadow``: ``rows`` holds, element by element, the text of the batch to which it belongs,
whatever the layout (time first, packed, sorted by length, ``[b, c, t]``), so that rules can book amounts per text.
``before`` is its value before the activation that produced it; it is kept while elements are only moved. ``source`` is
the tensor of which it is an elementwise function, so that what a module writes in several functions (x σ(1.7 x)) can be
taken for one. ``baseline`` is for methods that compare two inputs: the value of the same tensor at the baseline. It is
given to ``start``, structural functions compute it too, and rules that make a new tensor pass it to ``Mode.note``.

Constants can have a name, and what is computed from them keeps it (``backward.constants``): the vectors of positions
and segments, the weights of attention that is held constant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.overrides import TorchFunctionMode

from exegesis.core.errors import UnsupportedError

Rule = Callable[["Call"], Any]
Constants = Callable[[Tensor, Tensor, str], Tensor]
Quick = Callable[["Mode", Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
Namer = Callable[[str, tuple[Any, ...], dict[str, Any]], "str | None"]
PLAIN = frozenset(
    ("shape", "dtype", "device", "ndim", "requires_grad", "is_cuda", "layout", "size", "dim", "numel",
     "is_floating_point")
)  # fmt: skip
LOOKING_UP = ("embedding", "__getitem__", "narrow", "select")
IN_PLACE = ("iadd", "isub", "imul", "itruediv", "idiv")
ALIASES = {
    "radd": "add", "rmul": "mul", "truediv": "div", "multiply": "mul", "subtract": "sub", "divide": "div",
    "true_divide": "div", "iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "div", "idiv": "div",
    "concat": "cat", "concatenate": "cat", "negative": "neg", "swapaxes": "transpose", "swapdims": "transpose",
    "moveaxis": "movedim", "clip": "clamp", "absolute": "abs",
}  # fmt: skip


@dataclass(eq=False, slots=True)  # made for every tensor: a frozen one would take three times as long
class Shadow:
    """Facts about a live tensor beside its values (see the module's docstring), each in the tensor's shape.

    ``gate``: it came out of a sigmoid and was only moved since, so that it can be the gate of a product. ``length``: it
    came out of a root, and may be what a norm divides by. ``weights``: it came out of a softmax.
    """

    rows: Int[Tensor, "*shape"]
    before: Tensor | None = None
    gate: bool = False
    baseline: Tensor | None = None
    source: Tensor | None = None
    length: bool = False
    weights: bool = False


@dataclass(eq=False, slots=True)
class Call:
    """A call of a torch function that touches live tensors; ``sources`` are its arguments with a gradient."""

    mode: Mode
    func: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    sources: Sequence[Tensor]

    def native(self) -> Any:
        """The result of the function itself."""
        return self.func(*self.args, **self.kwargs)

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by its position or its name."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name, default)

    def live(self, value: object) -> bool:
        """True if a value depends on the word vectors."""
        return isinstance(value, Tensor) and value.requires_grad

    def shadow(self, value: Tensor) -> Shadow:
        """The shadow of a live tensor."""
        return self.mode.shadow(value)

    def rows(self, shape: torch.Size, *values: Tensor) -> Int[Tensor, "*shape"]:
        """The rows of an elementwise function of live values."""
        parts = [self.mode.shadow(value).rows for value in values]  # refuses what is out of sight
        if self.mode.single is not None:
            return self.mode.single_rows(shape)
        return merged(shape, parts)

    def swapped(self, pick: Callable[[Tensor], Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with each live tensor replaced by ``pick`` of it."""

        def swap(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return type(value)(*map(swap, value)) if hasattr(value, "_fields") else type(value)(map(swap, value))
            return pick(value) if self.live(value) else value

        return swap(self.args), {key: swap(value) for key, value in self.kwargs.items()}


class Mode(TorchFunctionMode):
    """A run of a model: ``with mode: outputs_from(mode.start(leaf), batch)``; see the module's docstring.

    The backward pass comes after the block. Raises UnsupportedError, during the run, for a function without a rule.
    """

    def __init__(
        self,
        table: Mapping[str, Rule],
        constants: Constants | None = None,
        namer: Namer | None = None,
        quick: Mapping[Any, Quick] | None = None,
    ) -> None:
        super().__init__()
        self.table, self._constants, self._namer, self._quick = table, constants, namer, quick or {}
        self._shadows: dict[int, tuple[Tensor, Shadow | None]] = {}  # None: ``plain`` of the tensor's shape
        self._names: dict[int, tuple[Tensor, str]] = {}
        self.single: Tensor | None = None
        self._single_rows: dict[torch.Size, Tensor] = {}
        self._plain: dict[torch.Size, Shadow] = {}
        self._refusal: UnsupportedError | None = None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Raise the refusal itself: tensor operators take a TypeError, as refusals are, for "not implemented"."""
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        if error is not None and self._refusal is not None and error is not self._refusal:
            raise self._refusal from None

    def start(self, leaf: Tensor, baseline: Tensor | None = None) -> Tensor:
        """The word vectors [b, t, d], from now on live."""
        if len(leaf) == 1:  # every element belongs to the one text
            self.single = torch.zeros((), dtype=torch.int32, device=leaf.device)
        rows = torch.arange(len(leaf), dtype=torch.int32, device=leaf.device)[:, None, None].expand(leaf.shape)
        return self.note(leaf, Shadow(rows, baseline=baseline))

    def coarsest(self) -> torch.dtype:
        """The least precise type among live tensors."""
        return max((value.dtype for value, _ in self._shadows.values()), key=lambda dtype: torch.finfo(dtype).eps)

    def forget(self) -> None:
        """Release all tensors, once the results of the run are checked."""
        self._shadows.clear()
        self._names.clear()

    def name(self, value: Tensor, name: str) -> Tensor:
        """Give a constant a name, which what is computed from it keeps, and return it."""
        self._names[id(value)] = (value, name)
        return value

    def name_of(self, value: object) -> str | None:
        """The name of a constant, None if it has none."""
        entry = self._names.get(id(value))
        return None if entry is None else entry[1]

    def note(self, value: Tensor, shadow: Shadow) -> Tensor:
        """Remember a live tensor's shadow and return the tensor."""
        if value.requires_grad:
            shape = value.shape
            if self.single is not None:
                rows = self.single_rows(shape)
                shadow = shadow if rows is shadow.rows else replace(shadow, rows=rows)
            elif shadow.rows.shape != shape:
                shadow = replace(shadow, rows=shadow.rows.expand(shape))
            self._shadows[id(value)] = (value, None if shadow is self._plain.get(shape) else shadow)
        return value

    def noted(self, value: Tensor) -> Tensor:
        """``note`` of a tensor of a run of one text of which nothing else is to be known."""
        if value.requires_grad:
            self._shadows[id(value)] = (value, None)
        return value

    def knows(self, value: object) -> bool:
        """True for a live tensor of a run of one text."""
        return id(value) in self._shadows and self.single is not None

    def unmarked(self, *values: object) -> bool:
        """True in a run of one text if these are live tensors of which nothing else is to be known."""
        for value in values:
            entry = self._shadows.get(id(value))
            if entry is None or entry[1] is not None:
                return False
        return True

    def plain(self, shape: torch.Size) -> Shadow:
        """The shadow of such a tensor; all of one shape share it."""
        found = self._plain.get(shape)
        if found is None:
            found = self._plain[shape] = Shadow(self.single_rows(shape))
        return found

    def single_rows(self, shape: torch.Size) -> Int[Tensor, "*shape"]:
        """The rows of a tensor of a run of one text."""
        assert self.single is not None
        rows = self._single_rows.get(shape)
        if rows is None:
            rows = self._single_rows[shape] = self.single.expand(shape)
        return rows

    def shadow(self, value: Tensor) -> Shadow:
        """The shadow of a live tensor. Raises UnsupportedError if the function that made it is invisible to torch."""
        entry = self._shadows.get(id(value))
        if entry is None:
            raise UnsupportedError(
                "the module computes with a function that is out of sight (a custom autograd function, as of flash "
                "attention or quantised layers; scripted code): write it in torch functions, or load the model with "
                "attn_implementation='sdpa' and its weights as they were trained"
            )
        return self.plain(value.shape) if entry[1] is None else entry[1]

    def constant(self, value: Tensor, rows: Tensor, name: str = "fixed parts") -> Tensor:
        """The tensor that replaces a constant beside live values."""
        return value if self._constants is None else self._constants(value, rows, name)

    def run(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function as if the model had called it: for rules that are made of others."""
        return self.__torch_function__(func, (), args, kwargs)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        quick = self._quick.get(func)
        if quick is not None and (answer := quick(self, func, args, options)) is not None:
            return answer
        name, in_place, plain = canonical(func)
        if plain:
            return func(*args, **options)
        present = given(args, options)
        sources = [value for value in present if value.requires_grad]
        live = sources and any(map(self._comes_from_words, sources))
        if not live or not torch.is_grad_enabled():  # what a module computes without gradients is a constant
            return self._constant(func, present, args, options)
        try:
            if (in_place or options.get("inplace") is True) and name not in ("requires_grad", "detach"):
                return self._in_place(func, name, args, options)
            return self._answer(Call(self, func, name, args, options, sources))
        except UnsupportedError as error:
            self._refusal = error
            raise

    def _constant(self, func: Any, present: list[Tensor], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """The result of a function of constants, under the name of those that have one."""
        result, raw = func(*args, **options), getattr(func, "__name__", "")
        if self._namer is None or (not self._names and raw not in LOOKING_UP):
            return result
        if not isinstance(result, Tensor) or not result.is_floating_point():
            return result
        names = [self._names[id(value)][1] for value in present if id(value) in self._names]
        name = names[0] if names else self._namer(raw, args, options)
        return result if name is None else self.name(result, name)

    def _comes_from_words(self, value: Tensor) -> bool:
        """Tell live tensors from weights that a module makes while it runs, which have gradients too."""
        return id(value) in self._shadows or not isinstance(value, torch.nn.Parameter)  # which is slow to ask

    def _answer(self, call: Call) -> Any:
        rule = self.table.get(call.name)
        if rule is not None:
            return rule(call)
        result = call.native()
        if any(value.requires_grad for value in tensors(result)):
            raise UnsupportedError(
                f"the module computes with {named(call.func)}, which has no rule: build it of parts that have one "
                "(linear and convolution layers, recurrent layers, activations, sums, products, pooling, softmax)"
            )
        return result

    def _in_place(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute beside, then write over the first argument."""
        target = args[0] if args else kwargs["input"]
        if name == "setitem":
            sources = [value for value in given(args, kwargs) if value.requires_grad]
            return self._answer(Call(self, func, name, args, kwargs, sources))
        old = target.clone()
        if target.requires_grad:
            self.note(old, self.shadow(target))
        plain = func if "inplace" in kwargs else getattr(torch.Tensor, name, getattr(torch.nn.functional, name, None))
        if plain is None:
            raise UnsupportedError(f"the module computes with {named(func)} in place: use the function that does not")
        rest = {key: value for key, value in kwargs.items() if key not in ("inplace", "input")}
        result = self.run(plain, old, *args[1:], **rest)
        target.copy_(result)
        if target._is_view():  # tensors that share its memory no longer come from an activation
            self.forget_activations(target)
        return self.note(target, self.shadow(result))

    def forget_activations(self, changed: Tensor) -> None:
        """After writing into a tensor: nothing that shares its memory is known to come from an activation."""
        memory = changed.untyped_storage().data_ptr()
        for key, (value, shadow) in self._shadows.items():
            if shadow is not None and shadow.before is not None and value.untyped_storage().data_ptr() == memory:
                self._shadows[key] = (value, replace(shadow, before=None, gate=False))


@lru_cache(4096)
def canonical(func: Any) -> tuple[str, bool, bool]:
    """A function's name without the marks of its variants; whether it writes over its first argument; whether it only
    tells a tensor's type or size."""
    raw = getattr(func, "__name__", "")
    if raw == "__get__":
        attribute = str(func.__self__.__name__)
        return attribute, False, attribute in PLAIN
    name = raw.strip("_")
    written = name in IN_PLACE or name == "setitem" or (raw.endswith("_") and not raw.endswith("__"))
    return ALIASES.get(name, name), written, raw in PLAIN


def named(func: Any) -> str:
    """A function's name as users know it."""
    name = torch.overrides.resolve_name(func)
    return str(name) if name else str(getattr(func, "__name__", func))


def merged(shape: torch.Size, rows: Sequence[Tensor]) -> Int[Tensor, "*shape"]:
    """The rows of an elementwise function of several live tensors."""
    total = rows[0].expand(shape)
    for part in rows[1:]:
        wide = part.expand(shape)
        total = total if same_memory(wide, total) else torch.maximum(total, wide)
    return total


def same_memory(first: Tensor, second: Tensor) -> bool:
    """True if two tensors are views of the same elements in the same places."""
    return (first.data_ptr(), first.stride(), first.shape) == (second.data_ptr(), second.stride(), second.shape)


def given(args: tuple[Any, ...], options: dict[str, Any]) -> list[Tensor]:
    """The tensors among arguments: ``tensors``, for what is asked at every call."""
    found: list[Tensor] = []
    for value in (*args, *options.values()) if options else args:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple | dict):
            found.extend(tensors(value))
    return found


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in arguments or results, including those inside lists, tuples and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors(part)
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
