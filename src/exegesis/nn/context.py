"""The state of torch in which everything here computes: its own, whatever the caller's, which is put back afterwards.

Torch keeps this state for each thread: gradients on or off, inference mode, automatic casts, a default device, modes
that replace functions. ``entry`` marks the functions where a caller comes in, ``ability`` the methods of models.

What torch keeps for the whole process (the default type, deterministic algorithms, the settings of cuDNN) is neither
changed, because other threads would see it, nor relied on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import nn
from torch.autograd import forward_ad
from torch.utils._device import DeviceContext

from exegesis.core.errors import ModelError
from exegesis.nn.alone import alone

P = ParamSpec("P")
T = TypeVar("T")
CASTING = ("cpu", "cuda", "mps", "xpu")  # kinds of devices on which torch may cast by itself


class _Here(threading.local):
    """Facts about a thread: how many blocks of ``own_context`` it is in, and the default device of its caller."""

    depth = 0
    device: torch.device | None = None


_here = _Here()


@contextmanager
def own_context(gradients: bool = True) -> Iterator[None]:
    """Torch as it is in a new thread, for the length of a block; ``gradients`` are on or off."""
    device = _here.device
    with ExitStack() as after:
        after.enter_context(torch.inference_mode(False))
        after.enter_context(torch.set_grad_enabled(gradients))
        for kind in filter(torch.is_autocast_enabled, CASTING):
            torch.set_autocast_enabled(kind, False)
            after.callback(torch.set_autocast_enabled, kind, True)
        if forward_ad._current_level >= 0:
            after.enter_context(forward_ad._set_fwd_grad_enabled(False))
        after.enter_context(_plain_functions())
        after.enter_context(_plain_graph())
        _here.depth += 1
        try:
            yield
        finally:
            _here.depth -= 1
            _here.device = device


@contextmanager
def _plain_functions() -> Iterator[None]:
    """No mode that replaces torch functions, or what they call, for the length of a block."""
    count = torch._C._len_torch_function_stack
    modes: list[Any] = []
    with ExitStack() as after:
        after.enter_context(torch._C._EnableTorchFunction())
        if torch._C._len_torch_dispatch_stack():
            from torch.utils._python_dispatch import _disable_current_modes

            after.enter_context(_disable_current_modes())
        if torch._C._functorch.peek_interpreter_stack() is not None:
            from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack

            after.enter_context(temporarily_clear_interpreter_stack())
        try:
            while count():
                modes.append(torch._C._pop_torch_function_stack())
            devices = [mode.device for mode in modes if isinstance(mode, DeviceContext)]
            _here.device = devices[0] if devices else _here.device
            yield
        finally:
            for mode in reversed(modes):
                torch._C._push_on_torch_function_stack(mode)


@contextmanager
def _plain_graph() -> Iterator[None]:
    """No hooks on the tensors that are saved for the backward pass, for the length of a block."""
    saving, hooks = torch._C._autograd, []
    try:
        while (hook := saving._top_saved_tensors_default_hooks(True)) is not None:
            saving._pop_saved_tensors_default_hooks()
            hooks.append(hook)
        yield
    finally:
        for hook in reversed(hooks):
            saving._push_saved_tensors_default_hooks(*hook)


def callers_device(module: nn.Module | None = None) -> AbstractContextManager[object]:
    """The caller's default device for the caller's own code: a function, or a module that lies on a device of its kind.

    A module may make tensors as it runs, which come to lie on the default device; beside a module that lies elsewhere
    they would be of no use.
    """
    device = _here.device
    if device is None or device.type == "meta":  # where nothing can be computed
        return nullcontext()
    weights = () if module is None else module.parameters()
    own = next((weight.device.type for weight in weights), device.type if module is None else "cpu")
    return torch.device(device) if own == device.type else nullcontext()


def entry(function: Callable[P, T]) -> Callable[P, T]:
    """Let a public function compute in a context of its own; modules among its arguments are held for its length."""

    @wraps(function)
    def entered(*arguments: P.args, **named: P.kwargs) -> T:
        modules = [value for value in (*arguments, *named.values()) if isinstance(value, nn.Module)]
        with own_context(), ExitStack() as after:
            for module in modules:
                after.enter_context(alone(module))
            try:
                return function(*arguments, **named)
            except RuntimeError as error:
                if not torch.is_anomaly_enabled() or "returned nan values" not in str(error):
                    raise
                reason = str(error).splitlines()[0]
                raise ModelError(
                    f"a gradient on the way to the scores is not a number ({reason}), which anomaly detection forbids: "
                    "take a method without gradients, or torch.autograd.set_detect_anomaly(False)"
                ) from error

    entered.is_entry = True  # type: ignore[attr-defined]
    return entered


def ability(method: Callable[P, T]) -> Callable[P, T]:
    """Let a method of a model compute in a context of its own if it is called from outside.

    The caller's gradients stay on or off, and so do modes of this package that look at a model while it runs.
    """

    @wraps(method)
    def able(*arguments: P.args, **named: P.kwargs) -> T:
        if _here.depth or _has_own_mode():
            return method(*arguments, **named)
        with own_context(torch.is_grad_enabled()):
            return method(*arguments, **named)

    able.is_entry = True  # type: ignore[attr-defined]
    return able


def _has_own_mode() -> bool:
    """True if a mechanism of this package, or of an author, is following the functions that a model calls."""
    count: int = torch._C._len_torch_function_stack()
    modes = (torch._C._get_function_stack_at(place) for place in range(count))
    return any(type(mode).__module__.startswith("exegesis.") for mode in modes)
