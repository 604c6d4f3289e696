"""Recurrent layers written out: the gates and cell states of every step, from the results of torch's own kernel.

The kernel returns all hidden states; the gates of all steps are then one matrix product over ``(x_t, h_{t-1})`` and
the cell states an elementwise scan, without a Python loop over matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError
from exegesis.nn.blank import blank
from exegesis.nn.kernels import linear
from exegesis.nn.rounding import agree, near
from exegesis.protocols.recurrent import Direction

Way = tuple[int, int]  # the number of a layer, from the bottom, and of its direction
Weights = Sequence[Sequence[Sequence[Tensor | None]]]  # by layer and direction: W_x, W_h, b_x, b_h (None: no bias)
State = tuple[Tensor, Tensor | None]  # h, and c of an LSTM
GATES = {"lstm": "ifgo", "gru": "rzn", "rnn_tanh": "n", "rnn_relu": "n"}


def reading_order(
    values: Shaped[Tensor, "b t *rest"], lengths: Int[Tensor, " b"], reverse: bool
) -> Shaped[Tensor, "b t *rest"]:
    """Positions in the order in which a direction reads them; its own inverse. Padding stays on the right."""
    if not reverse:
        return values
    width = values.shape[1]
    step = torch.arange(width, device=values.device)
    turned = torch.where(step < lengths[:, None], lengths[:, None] - 1 - step, step)
    return values[torch.arange(len(values), device=values.device)[:, None], turned]


def before(direction: Direction) -> Float[Tensor, "b t h"]:
    """The hidden state before each step."""
    return torch.cat([direction.h0[:, None], direction.hidden[:, :-1]], 1)


def gates(direction: Direction, names: str) -> tuple[Float[Tensor, "b t h"], ...]:
    """The gates named by letters (LSTM i f g o, GRU r z n), after their sigmoid or tanh."""
    if direction.cell == "gru" and "n" in names:
        return _gru_gates(direction, names)
    letters, size = GATES[direction.cell], direction.hidden.shape[-1]

    def rows(value: Tensor) -> Tensor:
        parts = torch.split(value, size)
        return value if names == letters else torch.cat([parts[letters.index(letter)] for letter in names])

    weight = torch.cat([rows(direction.weight_ih), rows(direction.weight_hh)], 1)
    bias = None
    if direction.bias_ih is not None and direction.bias_hh is not None:
        bias = rows(direction.bias_ih) + rows(direction.bias_hh)
    plain = not set(names) & set("gn")
    width = direction.inputs.shape[-1]
    both = direction.inputs.new_empty(*direction.inputs.shape[:2], weight.shape[1])
    both[..., :width] = direction.inputs
    both[:, 0, width:] = direction.h0
    both[:, 1:, width:] = direction.hidden[:, :-1]
    summed = linear(both, weight, bias, sigmoid=plain)
    if plain:
        return summed.chunk(len(names), -1)
    by_letter = dict(zip(names, summed.chunk(len(names), -1), strict=True))
    return tuple(_activate(by_letter[letter], letter, direction.cell) for letter in names)


def _gru_gates(direction: Direction, names: str) -> tuple[Tensor, ...]:
    from_x = linear(direction.inputs, direction.weight_ih, direction.bias_ih).chunk(3, -1)
    from_h = linear(before(direction), direction.weight_hh, direction.bias_hh).chunk(3, -1)
    reset = (from_x[0] + from_h[0]).sigmoid()
    by_letter = {"r": reset, "z": (from_x[1] + from_h[1]).sigmoid(), "n": (from_x[2] + reset * from_h[2]).tanh()}
    return tuple(by_letter[letter] for letter in names)


def _activate(value: Tensor, letter: str, cell: str) -> Tensor:
    if cell == "rnn_relu":
        return value.relu()
    return value.tanh() if letter in "gn" else value.sigmoid()


def preactivations(
    direction: Direction, names: str
) -> tuple[tuple[Float[Tensor, "b t h"], ...], tuple[Float[Tensor, "b t h"], ...]]:
    """The parts of the first gates' arguments from the inputs and from the previous states, without biases.

    ``names`` are the gates' letters, in PyTorch's order.
    """
    rows = len(names) * direction.hidden.shape[-1]
    from_x = linear(direction.inputs, direction.weight_ih[:rows], None)
    from_h = linear(before(direction), direction.weight_hh[:rows], None)
    return from_x.chunk(len(names), -1), from_h.chunk(len(names), -1)


def cells(direction: Direction) -> Float[Tensor, "b t h"]:
    """Cell states c_t of an LSTM at every step: c_t = f_t c_{t-1} + i_t g_t."""
    i, f, g = gates(direction, "ifg")
    return scan(f, i * g, _real(direction.c0))


def scan(
    factor: Float[Tensor, "b t h"], term: Float[Tensor, "b t h"], start: Float[Tensor, "b h"]
) -> Float[Tensor, "b t h"]:
    """y_t = factor_t y_{t-1} + term_t, for all t."""
    state, states = start, []
    for step in range(factor.shape[1]):
        state = torch.addcmul(term[:, step], factor[:, step], state)
        states.append(state)
    return torch.stack(states, 1) if states else term


def follows(direction: Direction) -> bool:
    """True if each hidden state is the one that the cell makes of its input and of the state before."""
    if direction.cell == "lstm":
        i, f, g, o = gates(direction, "ifgo")
        made = o * scan(f, i * g, _real(direction.c0)).tanh()
    elif direction.cell == "gru":
        z, n = gates(direction, "zn")
        made = torch.lerp(n, before(direction), z)
    else:
        (made,) = gates(direction, "n")
    inside = torch.arange(made.shape[1], device=made.device) < direction.lengths.to(made.device)[:, None]
    made, found = made[inside], direction.hidden[inside]
    scale = made.abs().max().clamp_min(1.0) if len(made) else 1.0
    found, made, half = found / scale, made / scale, 8 * torch.finfo(made.dtype).eps
    if agree(found, made, double=1e-9, single=1e-4, half=half):
        return True
    products = float(nn.functional.linear(direction.inputs, direction.weight_ih).abs().max()) if len(made) else 1.0
    within = near(made, double=1e-9, single=1e-4, half=half, products=max(1.0, products))
    return torch.allclose(found, made, rtol=within, atol=within)


def kind_of(module: nn.RNNBase) -> str:
    """The cell of a torch module: lstm, gru, rnn_tanh or rnn_relu."""
    if isinstance(module, nn.RNN):
        return f"rnn_{module.nonlinearity}"
    return "lstm" if isinstance(module, nn.LSTM) else "gru"


def directions(
    module: nn.RNNBase,
    inputs: Float[Tensor, "b t d"],
    outputs: Float[Tensor, "b t w"],
    lengths: Int[Tensor, " b"],
    state: Sequence[Float[Tensor, "l b h"]] | None,
) -> tuple[tuple[Direction, ...], ...]:
    """All layers of a torch module as Directions, from its padded inputs, its outputs and its initial state."""
    return stacked(kind_of(module), weights_in(module), inputs, outputs, lengths, state)


def weights_in(module: nn.RNNBase) -> list[list[list[Tensor | None]]]:
    """The present weights of a torch module, as ``stacked`` takes them."""
    ends = ("", "_reverse") if module.bidirectional else ("",)
    return [
        [[_weight(module, f"{kind}_l{layer}{end}") for kind in _WEIGHTS] for end in ends]
        for layer in range(module.num_layers)
    ]


def stacked(
    kind: str,
    weights: Weights,
    inputs: Float[Tensor, "b t d"],
    outputs: Float[Tensor, "b t w"],
    lengths: Int[Tensor, " b"],
    state: Sequence[Float[Tensor, "l b h"]] | None,
) -> tuple[tuple[Direction, ...], ...]:
    """All layers as Directions, from the weights W_x, W_h, b_x, b_h (None: no bias) of each direction, from below.

    Inputs of upper layers are not among the kernel's results; lower layers run again, one direction at a time.
    """
    layers: list[tuple[Direction, ...]] = []
    for layer, ways in enumerate(weights):
        top = layer == len(weights) - 1
        built = []
        for number, (w_ih, w_hh, b_ih, b_hh) in enumerate(ways):
            row, size = layer * len(ways) + number, _real(w_hh).shape[1]
            read = reading_order(inputs, lengths, number == 1)
            first = inputs.new_zeros(len(inputs), size) if state is None else state[0][row]
            cell = None
            if kind == "lstm":
                cell = torch.zeros_like(first) if state is None else state[1][row]
            hidden = reading_order(outputs[..., number * size : (number + 1) * size], lengths, number == 1)
            way = Direction(kind, number == 1, _real(w_ih), _real(w_hh), b_ih, b_hh, read, hidden, first, cell, lengths)
            built.append(way if top else replace(way, hidden=continue_from(way, read, first, cell)))
        layers.append(tuple(built))
        if not top:
            inputs = torch.cat([reading_order(way.hidden, lengths, way.reverse) for way in built], -1)
    return tuple(layers)


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def continue_from(
    direction: Direction, inputs: Float[Tensor, "b t d"], h0: Float[Tensor, "b h"], c0: Float[Tensor, "b h"] | None
) -> Float[Tensor, "b t h"]:
    """Hidden states of a direction's cell over other inputs and from another state, through torch's kernel."""
    size, hidden = direction.inputs.shape[-1], direction.hidden.shape[-1]
    bias = direction.bias_ih is not None
    single: nn.RNNBase
    with blank():
        if direction.cell.startswith("rnn"):
            kind = direction.cell.removeprefix("rnn_")
            single = nn.RNN(size, hidden, nonlinearity=kind, bias=bias, batch_first=True)
        elif direction.cell == "lstm":
            single = nn.LSTM(size, hidden, bias=bias, batch_first=True)
        else:
            single = nn.GRU(size, hidden, bias=bias, batch_first=True)
    for name in _WEIGHTS if bias else _WEIGHTS[:2]:
        weight = getattr(direction, name)
        setattr(single, f"{name}_l0", nn.Parameter(weight, requires_grad=False))
    first = h0[None].contiguous()
    with torch.no_grad():
        states: Tensor = single(inputs, first if c0 is None else (first, c0[None].contiguous()))[0]
    return states


def _weight(module: nn.RNNBase, name: str) -> Tensor | None:
    """A weight by its name, detached; None if the module has no such weight."""
    weight: Tensor | None = getattr(module, name, None)
    return None if weight is None else weight.detach()


def _real(value: Tensor | None) -> Tensor:
    assert value is not None, "an LSTM has a cell state, every layer has weights"
    return value


def at_end(arriving: Float[Tensor, "b h"], lengths: Int[Tensor, " b"], width: int) -> Float[Tensor, "b t h"]:
    """Values for the last states, placed at the steps in reading order that made these."""
    steps = arriving.new_zeros(len(arriving), width, arriving.shape[-1])
    steps[torch.arange(len(arriving), device=arriving.device), lengths.to(arriving.device) - 1] = arriving
    return steps


def weights_of(
    kind: str, flat: Sequence[Tensor], biased: bool, count: int, ways: int
) -> list[list[list[Tensor | None]]]:
    """The weights that torch's functions take as a flat list, layer by layer and direction by direction.

    Raises UnsupportedError for a layer with projections.
    """
    per_way = len(flat) // (count * ways)
    if flat[1].shape[1] != flat[0].shape[0] // len(GATES[kind]):
        raise UnsupportedError("an LSTM with projections (proj_size) has no states h = o tanh(c): drop proj_size")
    parts = [[part.detach() for part in flat[at : at + per_way]] for at in range(0, len(flat), per_way)]
    full: list[list[Tensor | None]] = [[*part] if biased else [*part, None, None] for part in parts]
    return [full[layer * ways : (layer + 1) * ways] for layer in range(count)]


def step_of(
    cell: str, from_x: Tensor, from_h: Tensor, hidden: Tensor, memory: Tensor | None = None
) -> dict[str, Tensor]:
    """Every gate and state of one step by its letter, by torch's formulas: h, an LSTM's c, and the gates.

    ``from_x`` and ``from_h`` are the parts of the gates' arguments that come from the input and from the state before,
    with their biases, gates side by side in torch's order; ``hidden`` and ``memory`` are h and c of the step before.
    """
    if cell == "lstm":
        assert memory is not None
        i, f, g, o = (from_x + from_h).chunk(4, -1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * memory + i * g
        return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": o * c.tanh()}
    if cell == "gru":
        (r_x, z_x, n_x), (r_h, z_h, n_h) = from_x.chunk(3, -1), from_h.chunk(3, -1)
        r, z = (r_x + r_h).sigmoid(), (z_x + z_h).sigmoid()
        n = (n_x + r * n_h).tanh()
        return {"r": r, "z": z, "n": n, "h": n + z * (hidden - n)}
    whole = from_x + from_h
    return {"h": whole.tanh() if cell == "rnn_tanh" else whole.relu()}


def next_state(cell: str, from_x: Tensor, from_h: Tensor, hidden: Tensor, memory: Tensor | None) -> State:
    """The state after a step, from the parts of the gates' arguments that come from the input and from the state."""
    made = step_of(cell, from_x, from_h, hidden, memory)
    return made["h"], made.get("c")
