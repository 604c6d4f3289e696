"""Memory and time of corpus runs over more and more texts: the bundled model, one process, one thread.

python benchmarks/corpus_memory.py STORES TEXTS.tsv [TEXTS.tsv ...] [--method gradient] [--texts 10000,100000]

The different texts of the files are explained into STORES/N for each number N of texts, each in a process of its own.
A line says the peak of the process's resident memory, before the run (the model, the texts) and at its end, its seconds
and which share of them was estimated, its processor time, and what the texts themselves take. It goes on where it was
stopped: then the time is that of the rest.
"""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path


def one(store: Path, files: list[str], method: str, count: int) -> None:
    """Run in this process, and say what it took."""
    import torch

    import exegesis
    from exegesis.jobs.estimate import peak_memory

    torch.set_num_threads(1)
    texts = list(dict.fromkeys(text for file in files for text in texts_of(file)))[:count]
    model = exegesis.load()
    exegesis.explain(model, texts[:256], method)
    before, spent = peak_memory(), os.times()
    ran = exegesis.run(model, texts, store, method)
    after, now = peak_memory(), os.times()
    seconds = now.user + now.system - spent.user - spent.system
    size = sum(map(sys.getsizeof, texts))
    rows = sum(path.stat().st_size for path in (store / "rows").glob("*.parquet"))
    told = [
        f"{len(texts):8,} texts ({size / 2**20:.0f} MB): {before / 2**20:.0f} MB before, {after / 2**20:.0f} MB at end",
        f"{ran.done:,} explained in {ran.seconds:.0f} s ({ran.estimate.seconds / max(ran.seconds, 1e-9):.2f} of it "
        f"estimated), {seconds:.0f} s of processor time, {ran.failed} failed",
        f"{rows / 2**20:.0f} MB on the disk ({ran.estimate.bytes / max(rows, 1):.2f} of it estimated)",
    ]  # fmt: skip
    print("; ".join(told), flush=True)


def texts_of(file: str) -> list[str]:
    """The texts of a file, without labels."""
    import exegesis

    return [example.text for example in exegesis.read_examples(file) if isinstance(example.text, str)]


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("stores", type=Path)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--method", default="gradient")
    parser.add_argument("--texts", default="10000,100000")
    parser.add_argument("--one", type=int, help="for the processes of this script")
    given = parser.parse_args()
    if given.one:
        one(given.stores / str(given.one), given.files, given.method, given.one)
        return
    given.stores.mkdir(parents=True, exist_ok=True)
    for count in given.texts.split(","):
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--one", count], check=True)


if __name__ == "__main__":
    main()
