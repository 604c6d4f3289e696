"""How much faster a corpus run is in several processes: the same texts, the bundled model, one thread each.

python benchmarks/corpus_processes.py TEXTS.tsv [--texts 20000] [--method lrp] [--processes 1,2] [--repeats 3]

Runs alternate, each into a fresh store; the line of each number of processes has the texts a second of its fastest run,
with the loading of the models and without the estimate, and the last line how often that of one process it is. Measure
on a machine that does nothing else.
"""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser

os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> None:
    import exegesis

    parser = ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--method", default="lrp")
    parser.add_argument("--processes", default="1,2")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    texts = list({str(example.text): example for example in exegesis.read_examples(given.file)}.values())[: given.texts]
    counts = [int(count) for count in given.processes.split(",")]
    rates = dict.fromkeys(counts, 0.0)
    for _ in range(given.repeats):
        for count in counts:
            with tempfile.TemporaryDirectory() as folder:
                ran = exegesis.run("bundled", texts, f"{folder}/s", given.method, processes=count)
            rates[count] = max(rates[count], ran.done / ran.seconds)
            print(f"{count} processes: {ran.done / ran.seconds:,.0f} texts a second", flush=True)
    for count in counts:
        print(f"{count} processes: {rates[count]:,.0f} texts a second, {rates[count] / rates[counts[0]]:.2f} times")


if __name__ == "__main__":
    main()
