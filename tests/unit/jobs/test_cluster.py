"""A run on a Ray cluster of two nodes on this machine, where ray is installed: the store of a run alone, byte for byte,
also after a worker was lost."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

import exegesis
from exegesis.core.errors import MissingExtraError, UsageError
from exegesis.jobs import cluster

TEXTS = [f"The film number {i} is {'very ' * (i % 3)}good and not dull ." for i in range(24)]


def content(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (store / "rows").glob("*.parquet")}


def test_wrong_engines_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    for options, said in (
        ({"engine": "spark"}, "unknown engine 'spark'"),
        ({"gpus": 1}, "gpus belongs to engine='ray'"),
    ):
        with pytest.raises(UsageError, match=said):
            exegesis.run("bundled", TEXTS, tmp_path / "s", "lrp", **options)
    with pytest.raises(UsageError, match="load the model themselves"):
        exegesis.run(exegesis.load(), TEXTS, tmp_path / "s", "lrp", engine="ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"needs the package ray: pip install 'exegesis\[ray\]'") as missing:
        exegesis.run("bundled", TEXTS[:2], tmp_path / "s", "lrp", engine="ray")
    assert str(pickle.loads(pickle.dumps(missing.value))) == str(missing.value)  # as it comes from a worker


@pytest.fixture
def two_nodes(monkeypatch):
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()
    nodes.shutdown()


def workers() -> list[int]:
    """The processes of this machine that are workers of a cluster."""
    named = {int(one.parent.name): one.read_bytes() for one in Path("/proc").glob("[0-9]*/cmdline") if one.exists()}
    return [number for number, name in named.items() if name.startswith(b"ray::Worker")]


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_leaves_the_store_of_a_run_alone(two_nodes, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)  # a thread for each worker, as here
    torch.set_num_threads(1)
    exegesis.run("bundled", TEXTS, tmp_path / "alone", ["lrp", "leave-one-out"], unit=4)
    seen: list[str] = []
    lost = threading.Event()

    put = cluster.Store.put

    def watched(self, *given):
        """After the first shard one of the workers is killed, as a lost machine takes it."""
        if not lost.is_set():
            lost.set()
            nodes = [node for node in two_nodes.nodes() if node["Alive"]]
            assert [node["Resources"]["CPU"] for node in nodes] == [1, 1]  # so that each has one worker
            os.kill(workers()[0], signal.SIGKILL)
            time.sleep(0.2)
        seen.append(given[0])
        return put(self, *given)

    monkeypatch.setattr(cluster.Store, "put", watched)
    ran = exegesis.run("bundled", TEXTS, tmp_path / "both", ["lrp", "leave-one-out"], unit=4, processes=2, engine="ray")
    assert (ran.done, ran.failed) == (48, 0)
    assert len(seen) == 12
    assert content(tmp_path / "both") == content(tmp_path / "alone")
    again = exegesis.run("bundled", TEXTS, tmp_path / "both", ["lrp"], unit=4, processes=2, engine="ray")
    assert (again.done, again.present) == (0, 24)
