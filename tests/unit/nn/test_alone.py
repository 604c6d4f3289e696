"""One model asked by many threads gives the numbers that it gives to one, and its module is left as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import exegesis
from exegesis.nn.alone import alone
from exegesis.questions.trust.measuring.sanity import shuffled

WORDS = ["<pad>", "<unk>", *(f"w{number}" for number in range(20))]
TEXTS = ["w5 w6 w7", "w1 w9 w3 w2", "w4 w4", "w8 w2"]
LABELS = ["a", "b"]


class Reviews(nn.Module):
    def __init__(self, words: nn.Embedding | None = None) -> None:
        super().__init__()
        self.words = words or nn.Embedding(len(WORDS), 6)
        self.states, self.dropout, self.output = nn.LSTM(6, 5, batch_first=True), nn.Dropout(0.5), nn.Linear(5, 2)

    def forward(self, ids: Tensor) -> Tensor:
        outputs: Tensor = self.output(self.dropout(self.states(self.words(ids))[0][:, -1]))
        return outputs


@pytest.fixture
def pair() -> tuple[Reviews, Reviews]:
    """Two modules in training mode that share their embedding."""
    torch.manual_seed(0)
    first = Reviews()
    return first, Reviews(first.words)


def wrapped(module: nn.Module) -> Any:
    return exegesis.wrap(module, vocabulary=WORDS, labels=LABELS)


def chances(model: Any) -> np.ndarray:
    return np.array(list(exegesis.predict(model, TEXTS[0]).values()))


def scores(model: Any, method: str, text: str = TEXTS[0]) -> np.ndarray:
    return np.array(exegesis.explain(model, text, method).scores)


def questions(models: list[Any]) -> list[Callable[[], np.ndarray]]:
    asks: list[Callable[[], np.ndarray]] = []
    for model in models:
        for name, text in zip(("reat", "deeplift", "lrp", "leave-one-out"), TEXTS, strict=False):
            asks.append(partial(scores, model, name, text))
        asks.append(partial(chances, model))
    return asks


@contextmanager
def left_alone(*modules: nn.Module) -> Iterator[None]:
    """Hold modules to the mode, hooks, flags and weights that they have at the beginning."""

    def facts() -> list[object]:
        parts = [part for module in modules for part in module.modules()]
        weights = [weight for module in modules for weight in module.parameters()]
        hooks = [(len(part._forward_hooks), len(part._forward_pre_hooks)) for part in parts]
        values = [weight.detach().clone().tolist() for weight in weights]
        return [[part.training for part in parts], hooks, [weight.requires_grad for weight in weights], values]

    before = facts()
    yield
    assert facts() == before


def test_eight_threads_get_the_numbers_of_one(pair: tuple[Reviews, Reviews]) -> None:
    asks = questions([wrapped(module) for module in pair])
    expected = [ask() for ask in asks]
    meet = threading.Barrier(8)

    def work(thread: int) -> dict[int, np.ndarray]:
        order = np.random.default_rng(thread).permutation(len(asks))[:5]
        meet.wait()
        return {int(place): asks[place]() for place in order}

    with left_alone(*pair), ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    for found in results:
        for place, one in found.items():
            np.testing.assert_allclose(one, expected[place], rtol=1e-5, atol=1e-6)


def test_a_thread_that_runs_the_module_itself_is_not_recorded(pair: tuple[Reviews, Reviews]) -> None:
    module, _ = pair
    model, over = wrapped(module), threading.Event()
    expected = {name: scores(model, name) for name in ("reat", "lrp")}
    failures: list[Exception] = []

    def serve() -> None:
        ids = torch.tensor([[3, 3, 3, 3, 3]])
        while not over.is_set():
            try:
                with torch.no_grad():
                    module(ids)
            except Exception as error:
                failures.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        for name, right in expected.items():
            for _ in range(4):
                np.testing.assert_allclose(scores(model, name), right, rtol=1e-5, atol=1e-6)
    finally:
        over.set()
        thread.join()
    assert not failures


def test_what_another_thread_looks_up_meanwhile_is_its_own() -> None:
    """The other thread reads its words just when the vectors of this one's are replaced."""
    torch.manual_seed(0)
    own, ids, found = threading.get_ident(), torch.tensor([[3, 4, 5, 6, 7]]), []

    class Meanwhile(Reviews):
        def forward(self, ids: Tensor) -> Tensor:
            if threading.get_ident() == own:
                thread = threading.Thread(target=other)
                thread.start()
                thread.join()
            return super().forward(ids)

    def other() -> None:
        with torch.no_grad():
            found.append(module(ids))

    module = Meanwhile().eval()
    model = wrapped(module)
    right = Reviews.forward(module, ids).detach()
    found.clear()
    scores(model, "integrated-gradients")
    assert found
    for one in found:
        torch.testing.assert_close(one, right)


def test_other_threads_wait_while_weights_are_shuffled(pair: tuple[Reviews, Reviews]) -> None:
    model = wrapped(pair[0])
    right = chances(model)
    with ThreadPoolExecutor(1) as pool:
        with shuffled(model):
            asked = pool.submit(exegesis.predict, model, TEXTS[0])
            changed = chances(model)
            assert not asked.done()
        np.testing.assert_allclose(list(asked.result().values()), right)
    assert np.abs(changed - right).max() > 1e-4


def test_a_hook_of_a_running_module_explains_it(pair: tuple[Reviews, Reviews]) -> None:
    """The user's own call runs the hook once; what the explanation itself runs does not come back to it."""
    module, _ = pair
    model = wrapped(module)
    right = scores(model, "reat")
    found: list[np.ndarray] = []

    def look(*_: object) -> None:
        if not found:
            found.append(np.zeros(0))
            found.append(scores(model, "reat"))

    handle = module.register_forward_hook(look)
    with left_alone(module):
        module(torch.tensor([[2, 3]]))
    handle.remove()
    np.testing.assert_allclose(found[1], right)


@pytest.mark.parametrize("method", ["reat", "lrp"])
def test_a_module_that_asks_for_itself_while_it_is_explained_is_refused(
    method: str, pair: tuple[Reviews, Reviews]
) -> None:
    module, other = pair
    model, sharing = wrapped(module), wrapped(other)
    for again in (model, sharing):
        handle = module.register_forward_hook(lambda *_, again=again: exegesis.predict(again, TEXTS[1]) and None)
        with left_alone(module, other), pytest.raises(exegesis.ModelError, match="explain it after its forward pass"):
            exegesis.explain(model, TEXTS[0], method)
        handle.remove()
    assert np.isfinite(scores(model, method)).all()


def test_a_module_may_ask_another_model_as_it_runs(pair: tuple[Reviews, Reviews]) -> None:
    torch.manual_seed(1)
    module, other = pair[0], wrapped(Reviews())
    model = wrapped(module)
    right = [scores(model, name) for name in ("lrp", "reat")]
    seen: list[np.ndarray] = []
    ask = lambda *_: seen.append(scores(other, "deeplift", TEXTS[1]))  # noqa: E731
    handle = module.register_forward_hook(ask)
    for name, expected in zip(("lrp", "reat"), right, strict=True):
        np.testing.assert_allclose(scores(model, name), expected)
    handle.remove()
    expected = scores(other, "deeplift", TEXTS[1])
    for answer in seen:
        np.testing.assert_allclose(answer, expected)


def test_an_interrupt_in_one_thread_lets_the_others_in(pair: tuple[Reviews, Reviews]) -> None:
    module, _ = pair
    model, inside, go = wrapped(module), threading.Event(), threading.Event()
    right = chances(model)

    def interrupt(*_: object) -> None:
        if threading.current_thread().name.startswith("first"):
            inside.set()
            assert go.wait(10)
            raise KeyboardInterrupt

    handle = module.register_forward_hook(interrupt)
    with left_alone(module), ThreadPoolExecutor(1, "first") as one, ThreadPoolExecutor(1, "second") as two:
        first = one.submit(exegesis.predict, model, TEXTS[0])
        assert inside.wait(10)
        second = two.submit(exegesis.predict, model, TEXTS[0])
        assert not second.done()
        go.set()
        with pytest.raises(KeyboardInterrupt):
            first.result(10)
        np.testing.assert_allclose(list(second.result(10).values()), right)
    handle.remove()


def test_threads_that_would_wait_for_each_other_are_told() -> None:
    modules = [nn.Linear(1, 1), nn.Linear(1, 1)]
    meet = threading.Barrier(2)

    def both(number: int) -> str:
        with alone(modules[number]):
            meet.wait(10)
            try:
                with alone(modules[1 - number]):
                    return "in"
            except exegesis.ModelError as error:
                return str(error)

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(both, range(2)))
    assert answers[0] == "in"
    assert "wait for each other" in answers[1]


def test_things_that_share_nothing_do_not_wait() -> None:
    with alone(nn.Linear(1, 1)), ThreadPoolExecutor(1) as pool:

        def enter(thing: object) -> bool:
            with alone(thing):
                return True

        assert pool.submit(enter, nn.Linear(1, 1)).result(10)
        assert pool.submit(enter, None).result(10)
