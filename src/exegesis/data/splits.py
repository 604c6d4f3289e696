"""The training, development and test texts that a user names, each with where it was read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from exegesis.core.errors import UsageError
from exegesis.data.examples import Column, Example, find_split, is_dataset_name, read_examples


class Split(NamedTuple):
    """The examples of a split, and where they were read, in words."""

    examples: list[Example]
    origin: str


def read_splits(
    train: str,
    others: Mapping[str, str | None],
    text: Column | None = None,
    label: Column | None = None,
    *,
    pair: Column | None = None,
    header: bool | None = None,
    datasets: bool = False,
    encoding: str | None = None,
) -> dict[str, Split]:
    """Read the training texts from ``train``, and each of the ``others`` from the source that the user named for it.

    A split without a source of its own is read from ``train`` if that is a folder that holds it, or, if ``datasets``
    may be named, a dataset that has it. Columns, the encoding of files and errors are those of ``read_examples``.
    """

    folder, dataset = Path(train), datasets and is_dataset_name(train)
    splits = {}
    for split, named in {"train": train, **others}.items():
        if named is None and not dataset and not (folder.is_dir() and find_split(folder, split)):
            continue
        source = train if named is None else named
        within = split if Path(source).is_dir() or (datasets and is_dataset_name(source)) else None
        try:
            examples = read_examples(source, text, label, pair, within, header=header, encoding=encoding)
        except UsageError:
            if named is not None or not dataset:
                raise
            continue  # a dataset without this split
        splits[split] = Split(examples, source if within is None else f"{source} ({within})")
    return splits
