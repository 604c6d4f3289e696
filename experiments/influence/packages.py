"""The other packages: what each is called with, on a network, its training texts and some queries.

Each returns its methods by title, with the settings to choose among (``None``: it has none to choose, or its own) and a
function of a case and a setting, which gives scores ``[queries, texts]``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

DECAY = 1e-3  # of the weights, in training
DAMPINGS = (1e-3, 3e-3, 1e-2, 3e-2)

Given = tuple[nn.Module, TensorDataset, TensorDataset]  # a network, its training texts, the queries
Work = tuple[tuple[Any, ...], Callable[[Given, Any], np.ndarray]]


def cross(raw: Tensor, gold: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(raw, gold)


def captum_works() -> dict[str, Work]:
    from captum.influence import TracInCP, TracInCPFast
    from captum.influence._core.arnoldi_influence_function import ArnoldiInfluenceFunction

    def load(module: nn.Module, path: str) -> float:
        module.load_state_dict(torch.load(path, weights_only=True))
        return 1.0

    def made(kind: Any, given: Given, **options: Any) -> np.ndarray:
        module, train, asked = given
        with tempfile.NamedTemporaryFile(suffix=".pt") as file:
            torch.save(module.state_dict(), file.name)
            where = file.name if kind is ArnoldiInfluenceFunction else [file.name]
            loss = nn.CrossEntropyLoss(reduction=options.pop("reduction", "none"))
            scorer = kind(
                module, train_dataset=train, checkpoints_load_func=load, loss_fn=loss, batch_size=250,
                **({"checkpoint": where} if kind is ArnoldiInfluenceFunction else {"checkpoints": where}), **options,
            )  # fmt: skip
            found: np.ndarray = scorer.influence(asked.tensors).detach().numpy()
            return found

    return {
        "captum TracInCP": ((None,), lambda given, _: made(TracInCP, given)),
        "captum TracInCP, fast path": (
            (None,),
            lambda given, _: made(TracInCP, given, sample_wise_grads_per_batch=True, reduction="sum"),
        ),
        "captum TracInCPFast (last layer)": (
            (None,),
            lambda given, _: made(TracInCPFast, given, final_fc_layer=given[0].output, reduction="sum"),
        ),
        "captum Arnoldi": (
            (50, 25, 100),
            lambda given, size: made(ArnoldiInfluenceFunction, given, projection_dim=size),
        ),
    }


def dattri_works() -> dict[str, Work]:
    from dattri.algorithm.influence_function import (
        IFAttributorCG,
        IFAttributorDataInf,
        IFAttributorEKFAC,
        IFAttributorExplicit,
    )
    from dattri.algorithm.tracin import TracInAttributor
    from dattri.algorithm.trak import TRAKAttributor
    from dattri.task import AttributionTask

    def task(module: nn.Module) -> Any:
        def loss(params: Any, data: Any) -> Tensor:
            inputs, gold = data
            single = inputs.dim() == 1
            raw = torch.func.functional_call(module, params, inputs[None] if single else inputs)
            return cross(raw, gold[None] if single else gold)

        return AttributionTask(loss_func=loss, model=module, checkpoints=module.state_dict())

    def chance(module: nn.Module) -> Any:
        def of(params: Any, data: Any) -> Tensor:
            inputs, gold = data
            raw = torch.func.functional_call(module, params, inputs[None])
            return torch.exp(-cross(raw, gold[None]))

        from dattri.func.utils import flatten_func

        return flatten_func(module)(of)

    def odds(module: nn.Module) -> Any:
        def of(params: Any, data: Any) -> Tensor:
            inputs, gold = data
            lost = cross(torch.func.functional_call(module, params, inputs[None]), gold[None])
            return -lost - torch.log1p(-torch.exp(-lost) + 1e-12)

        return AttributionTask(loss_func=of, model=module, checkpoints=module.state_dict())

    def made(attributor: Any, given: Given, gradients: bool = False) -> np.ndarray:
        _, train, asked = given
        loader = DataLoader(train, len(train), shuffle=False)
        with torch.set_grad_enabled(gradients):
            attributor.cache(loader)
            found: np.ndarray = (
                attributor.attribute(loader, DataLoader(asked, len(asked), shuffle=False)).detach().numpy().T
            )
        return found

    def tracin(given: Given, _: None) -> np.ndarray:
        module, train, asked = given
        one = TracInAttributor(task(module), weight_list=torch.ones(1), normalized_grad=False)
        loaders = (DataLoader(part, len(part), shuffle=False) for part in (train, asked))
        with torch.no_grad():
            found: np.ndarray = one.attribute(*loaders).numpy().T
        return found

    def trak(given: Given, _: None) -> np.ndarray:
        module, train, asked = given
        one = TRAKAttributor(
            odds(module), chance(module), projector_kwargs={"proj_dim": 512, "proj_max_batch_size": 32}
        )
        return made(one, (module, train, asked))

    return {
        "dattri explicit": (
            DAMPINGS,
            lambda given, size: made(IFAttributorExplicit(task(given[0]), regularization=size), given),
        ),
        "dattri CG": (
            DAMPINGS,
            lambda given, size: made(IFAttributorCG(task(given[0]), max_iter=50, regularization=size), given),
        ),
        "dattri DataInf": (
            DAMPINGS,
            lambda given, size: made(IFAttributorDataInf(task(given[0]), regularization=size), given),
        ),
        "dattri EK-FAC": (
            DAMPINGS,
            lambda given, size: made(IFAttributorEKFAC(task(given[0]), damping=size), given, True),
        ),
        "dattri TracIn": ((None,), tracin),
        "dattri TRAK": ((None,), trak),
    }


def kronfluence_works() -> dict[str, Work]:
    from kronfluence.analyzer import Analyzer, prepare_model
    from kronfluence.arguments import FactorArguments, ScoreArguments
    from kronfluence.task import Task

    class Classify(Task):  # type: ignore[misc]
        def compute_train_loss(self, batch: Any, model: nn.Module, sample: bool = False) -> Tensor:
            raw = model(batch[0])
            gold = torch.distributions.Categorical(logits=raw.detach()).sample() if sample else batch[1]
            return torch.nn.functional.cross_entropy(raw, gold, reduction="sum")

        def compute_measurement(self, batch: Any, model: nn.Module) -> Tensor:
            return torch.nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="sum")

    def ekfac(given: Given, damping: float | None) -> np.ndarray:
        module, train, asked = given
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            model = prepare_model(module, Classify())
            analyzer = Analyzer("influence", model, Classify(), cpu=True, output_dir=folder, disable_tqdm=True)
            analyzer.fit_all_factors("factors", train, 500, factor_args=FactorArguments("ekfac"))
            analyzer.compute_pairwise_scores(
                "scores", "factors", asked, train, len(asked), 500, score_args=ScoreArguments(damping_factor=damping)
            )
            found: np.ndarray = analyzer.load_pairwise_scores("scores")["all_modules"].numpy()
            return found

    return {"kronfluence EK-FAC": ((None, *DAMPINGS), ekfac)}


def bergson_works() -> dict[str, Work]:
    from bergson import GradientProcessor, InMemoryCollector
    from bergson.config.config import IndexConfig
    from datasets import Dataset

    def gradients(module: nn.Module, texts: TensorDataset) -> tuple[dict[str, Tensor], int]:
        inputs, gold = texts.tensors
        module.device = torch.device("cpu")  # type: ignore[assignment]
        rows = Dataset.from_dict({"length": [1] * len(gold)})
        collector = InMemoryCollector(
            model=module, data=rows, cfg=IndexConfig(run_path="none"),
            processor=GradientProcessor(include_bias=True),
        )  # fmt: skip
        with collector:
            raw = module(inputs[:, None] if inputs.is_floating_point() else inputs)
            raw = raw[:, 0] if raw.dim() == 3 else raw
            losses = torch.nn.functional.cross_entropy(raw, gold, reduction="none")
            losses.sum().backward()  # type: ignore[no-untyped-call]
            collector.process_batch(list(range(len(gold))), losses=losses)
        collector.teardown()
        module.zero_grad()
        return {name: value.double() for name, value in collector.gradients.items()}, len(gold)

    def products(given: Given, _: None) -> np.ndarray:
        mine, theirs = (torch.cat(list(gradients(given[0], part)[0].values()), 1) for part in given[1:])
        found: np.ndarray = (theirs @ mine.t()).numpy()
        return found

    def cosines(given: Given, _: None) -> np.ndarray:
        mine, theirs = (torch.cat(list(gradients(given[0], part)[0].values()), 1) for part in given[1:])
        normal = torch.nn.functional.normalize
        found: np.ndarray = (normal(theirs) @ normal(mine).t()).numpy()
        return found

    def autocorrelation(given: Given, share: float) -> np.ndarray:
        """Bergson's H: the gradients' second moments, module by module."""
        module, train, asked = given
        (mine, count), (theirs, _) = gradients(module, train), gradients(module, asked)
        total = torch.zeros(len(asked), len(train), dtype=torch.float64)
        for name, right in mine.items():
            second = right.t() @ right / count
            eye = torch.eye(len(second), dtype=second.dtype)
            damped = second + share * second.diagonal().mean() * eye
            total += theirs[name] @ torch.linalg.solve(damped, right.t())
        found: np.ndarray = total.numpy()
        return found

    return {
        "bergson gradients, dot": ((None,), products),
        "bergson gradients, cosine": ((None,), cosines),
        "bergson gradients, autocorrelation": ((0.1, 0.01, 0.03, 0.3), autocorrelation),
    }


PEERS = {"captum": captum_works, "dattri": dattri_works, "kronfluence": kronfluence_works, "bergson": bergson_works}
