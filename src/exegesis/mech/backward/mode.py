"""A run of any model in which chosen torch functions are replaced, so that autograd carries something else than slopes.

While a ``Mode`` is active, it sees every torch function that the model calls. One that touches no *live* tensor (a
tensor that depends on the word vectors given to ``start``) runs as it stands. A function with a *rule* is computed by
it. *Structural* functions (``mech.structure``: moving, choosing, summing, scaling by constants) run natively, because
their slopes are what every such method hands back. Any other function of a live tensor is refused by name, so that
nothing is passed on by a rule that nobody wrote down.

How another method plugs in: ``Mode(rules, fixed)`` takes its own table from a function's name (``canonical``: ``relu``
stands for ``torch.relu``, ``relu_``, ``F.relu`` and ``Tensor.relu``) to a rule, which is called with a ``Call`` and
gives what the function would give, usually through an ``autograd.Function``. A rule is asked before the structural
table, and may give NotImplemented to leave the call to it (``maximum`` with other slopes; ``add`` of two live tensors,
but not of a constant). ``fixed(value, rows, name)`` gives the tensor that stands for a constant beside live values (a
bias added by hand, what ``masked_fill`` writes); by default the constant itself.

Every live tensor has a ``Shadow``: ``rows`` says, element by element, which text of the batch it belongs to, whatever
the layout (time first, packed, sorted by length, ``[b, c, t]``), so that rules can book amounts per text. ``before`` is
its value before the activation it came from; it follows where elements are only moved. ``other`` is for methods that
compare two inputs: the value that the same tensor has at the other one. It is given to ``start``, structural
functions compute it along, and rules that make a new tensor give it to ``Mode.note``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.overrides import TorchFunctionMode

from exegesis.core.errors import UnsupportedError

Rule = Callable[["Call"], Any]
Fixed = Callable[[Tensor, Tensor, str], Tensor]
IN_PLACE = ("iadd", "isub", "imul", "itruediv", "idiv")
ALIASES = {
    "radd": "add", "rmul": "mul", "truediv": "div", "multiply": "mul", "subtract": "sub", "divide": "div",
    "true_divide": "div", "iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "div", "idiv": "div",
    "concat": "cat", "concatenate": "cat", "negative": "neg", "swapaxes": "transpose", "swapdims": "transpose",
    "moveaxis": "movedim", "clip": "clamp", "absolute": "abs",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shadow:
    """What is known of a live tensor beside its values (see the module's description); all of the tensor's shape.

    ``gate``: it came out of a sigmoid and was only moved since, so that it can be the gate of a product.
    """

    rows: Int[Tensor, "*shape"]
    before: Tensor | None = None
    gate: bool = False
    other: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a torch function that touches live tensors."""

    mode: Mode
    func: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def native(self) -> Any:
        """What the function itself gives."""
        return self.func(*self.args, **self.kwargs)

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)

    def live(self, value: object) -> bool:
        return isinstance(value, Tensor) and value.requires_grad

    def shadow(self, value: Tensor) -> Shadow:
        return self.mode.shadow(value)

    def swapped(self, pick: Callable[[Tensor], Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with another tensor in the place of each live one."""

        def swap(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return type(value)(*map(swap, value)) if hasattr(value, "_fields") else type(value)(map(swap, value))
            return pick(value) if self.live(value) else value

        return swap(self.args), {key: swap(value) for key, value in self.kwargs.items()}


class Mode(TorchFunctionMode):
    """See the module's description. One run of a model: ``with mode: outputs_from(mode.start(leaf), batch)``.

    The backward pass comes after the block. Raises UnsupportedError, in the run, for a function without a rule.
    """

    def __init__(self, rules: Mapping[str, Rule], fixed: Fixed | None = None) -> None:
        super().__init__()
        self.rules, self._fixed = rules, fixed
        self._shadows: dict[int, tuple[Tensor, Shadow]] = {}
        self._refusal: UnsupportedError | None = None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """An operator of tensors takes a TypeError, as refusals are, for "not implemented": the refusal is told."""
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        if error is not None and self._refusal is not None and error is not self._refusal:
            raise self._refusal from None

    def start(self, leaf: Tensor, other: Tensor | None = None) -> Tensor:
        """The word vectors [b, t, d], from now on live."""
        rows = torch.arange(len(leaf), dtype=torch.int32, device=leaf.device)[:, None, None].expand(leaf.shape)
        return self.note(leaf, Shadow(rows, other=other))

    def coarsest(self) -> torch.dtype:
        """The type of the fewest digits among live tensors."""
        return max((value.dtype for value, _ in self._shadows.values()), key=lambda dtype: torch.finfo(dtype).eps)

    def forget(self) -> None:
        """Let go of all tensors, once the run's results have been looked at."""
        self._shadows.clear()

    def note(self, value: Tensor, shadow: Shadow) -> Tensor:
        """Remember a live tensor's shadow; gives the tensor."""
        if value.requires_grad:
            self._shadows[id(value)] = (value, replace(shadow, rows=shadow.rows.expand(value.shape)))
        return value

    def shadow(self, value: Tensor) -> Shadow:
        """Raises UnsupportedError for a tensor that came from a function that torch does not show."""
        kept = self._shadows.get(id(value))
        if kept is None:
            raise UnsupportedError(
                "the module computes with a function that is out of sight (a custom autograd function, compiled or "
                "scripted code): write it in torch functions"
            )
        return kept[1]

    def fixed(self, value: Tensor, rows: Tensor, name: str = "fixed parts") -> Tensor:
        """What stands for a constant beside live values."""
        return value if self._fixed is None else self._fixed(value, rows, name)

    def run(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A function as if the model had called it: for rules that are made of others."""
        return self.__torch_function__(func, (), args, kwargs)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if not any(value.requires_grad and self._comes_from_words(value) for value in tensors((args, given))):
            return func(*args, **given)
        try:
            return self._live(func, args, given)
        except UnsupportedError as error:
            self._refusal = error
            raise

    def _comes_from_words(self, value: Tensor) -> bool:
        """Weights that a module makes while it runs have gradients too."""
        return not isinstance(value, torch.nn.Parameter) or id(value) in self._shadows

    def _live(self, func: Any, args: tuple[Any, ...], given: dict[str, Any]) -> Any:
        name, in_place = canonical(func)
        if (in_place or given.get("inplace") is True) and name not in ("requires_grad", "detach"):
            return self._in_place(func, name, args, given)
        return self._answer(Call(self, func, name, args, given))

    def _answer(self, call: Call) -> Any:
        from exegesis.mech.backward.structural import STRUCTURE

        for table in (self.rules, STRUCTURE):
            if call.name in table:
                found = table[call.name](call)
                if found is not NotImplemented:
                    return found
        found = call.native()
        if any(value.requires_grad for value in tensors(found)):
            raise UnsupportedError(
                f"the module computes with {named(call.func)}, which has no rule: build it of parts that have one "
                "(linear and convolution layers, recurrent layers, activations, sums, products, pooling, softmax)"
            )
        return found

    def _in_place(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Computed beside, then written over the first argument."""
        target = args[0] if args else kwargs["input"]
        if name == "setitem":
            return self._answer(Call(self, func, name, args, kwargs))
        old = target.clone()
        if target.requires_grad:
            self.note(old, self.shadow(target))
        plain = func if "inplace" in kwargs else getattr(torch.Tensor, name, getattr(torch.nn.functional, name, None))
        if plain is None:
            raise UnsupportedError(f"the module computes with {named(func)} in place: use the function that does not")
        rest = {key: value for key, value in kwargs.items() if key not in ("inplace", "input")}
        found = self.run(plain, old, *args[1:], **rest)
        target.copy_(found)
        if target._is_view():  # what it shares its numbers with no longer came out of an activation
            self.forget_activations(target)
        return self.note(target, self.shadow(found))

    def forget_activations(self, changed: Tensor) -> None:
        """After writing into a tensor: nothing that shares its memory is known to come from an activation."""
        place = changed.untyped_storage().data_ptr()
        for key, (value, shadow) in self._shadows.items():
            if shadow.before is not None and value.untyped_storage().data_ptr() == place:
                self._shadows[key] = (value, replace(shadow, before=None, gate=False))


def canonical(func: Any) -> tuple[str, bool]:
    """A function's name without the marks of its variants, and whether it writes over its first argument."""
    raw = getattr(func, "__name__", "")
    if raw == "__get__":
        return str(func.__self__.__name__), False
    name = raw.strip("_")
    written = name in IN_PLACE or name == "setitem" or (raw.endswith("_") and not raw.endswith("__"))
    return ALIASES.get(name, name), written


def named(func: Any) -> str:
    """A function as its user knows it."""
    found = torch.overrides.resolve_name(func)
    return str(found) if found else str(getattr(func, "__name__", func))


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in arguments or results, lists and tuples looked into."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors(one)
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
