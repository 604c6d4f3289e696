"""Kill runs over a corpus at random moments, and compare the store that they leave with that of a quiet run.

python benchmarks/corpus_kills.py [KILLS] [SEED] [PROCESSES]         by default 200 kills, which take some minutes

A process with the bundled model in memory forks one that runs (``exegesis.run``), and kills it (SIGKILL) after a random
time; then the next goes on. With several processes each run is a new one, which is killed while they load or work; they
must end by themselves. When a run ends, its store must hold the same files, byte for byte, as the quiet one. The last
line says how many kills there were, and how many stores were finished.
"""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import exegesis

TEXTS = [f"The film number {i} is {'very ' * (i % 5)}good and not {'dull' if i % 3 else 'bad'} ." for i in range(64)]


def content(store: Path) -> dict[str, bytes]:
    """The shards of a store; a kill may also leave a hidden file, which the next run clears."""
    return {path.name: path.read_bytes() for path in (store / "rows").glob("*.parquet")}


def run(model: object, store: Path, processes: int = 1) -> None:
    exegesis.run(model, TEXTS, store, ["gradient", "leave-one-out"], unit=2, processes=processes)


def killed(model: object, store: Path, after: float, processes: int) -> bool:
    """Run in a child and kill it after so many seconds; False if it ended before."""
    if processes > 1:
        child = subprocess.Popen([sys.executable, __file__, str(store), str(processes)]).pid
    elif (child := os.fork()) == 0:
        code = 1
        try:
            run(model, store)
            code = 0
        finally:
            os._exit(code)
    end = time.monotonic() + after
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0, "a run failed"
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def main() -> None:
    if len(sys.argv) > 1 and not sys.argv[1].isdigit():  # a run of several processes
        run("bundled", Path(sys.argv[1]), int(sys.argv[2]))
        return
    kills, seed, processes = (int(value) for value in [*sys.argv[1:], *("200", "0", "1")[len(sys.argv) - 1 :]])
    draw, model = random.Random(seed), exegesis.load()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first", "quiet"):  # the first loads what all need
            quiet = Path(folder) / name
            start = time.monotonic()
            if processes > 1:
                killed(model, quiet, math.inf, processes)
            else:
                run(model, quiet)
        whole, expected = time.monotonic() - start, content(quiet)
        count = finished = partial = 0
        while count < kills:
            store = Path(folder) / f"store-{finished}"
            while killed(model, store, draw.uniform(0, 1.25 * whole), processes):
                count += 1
                found = content(store) if (store / "rows").is_dir() else {}
                assert found.items() <= expected.items(), "a torn or a foreign shard"
                partial += 0 < len(found) < len(expected)
            assert content(store) == expected, "the store of a killed run differs"
            finished += 1
        print(f"{count} kills ({partial} with a store in part), {finished} finished stores, all the same")


if __name__ == "__main__":
    main()
