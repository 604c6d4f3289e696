"""A store of training texts: their representations, outputs and projected gradients, written once and mapped.

``FOLDER/index.json`` says of which model (its fingerprint) and of which texts (a hash of their content, in order) it
is, and which arrays it has; ``NAME.f32`` is an array of float32, ``[texts, width]``, little-endian; ``done`` has a byte
for each block of texts, 1 once its rows are on the disk; ``gram.f64`` has the products ΦᵀΦ of gradients. Building goes
block by block, so that memory does not grow with the texts, and goes on where a killed run stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.disk.files import lock, read_text, write_whole
from exegesis.core.errors import FileError, UsageError
from exegesis.core.parameters import at_least, checked
from exegesis.data.examples import Example
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import Losses
from exegesis.mech.curvature.projection import Projection
from exegesis.models.fingerprint import fingerprint
from exegesis.protocols.model import Classifier
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.features import features
from exegesis.questions.sources.method import Training
from exegesis.questions.sources.space import read, states

FORMAT, VERSION = "exegesis.index", 1
BLOCK = 512  # texts that are read and written together
LAST = "last linear"  # the name of the vectors that the last linear layer reads
OUTPUTS, GRADIENTS, MISSED, PULLS = "outputs", "gradients", "missed", "pulls"


@checked
@dataclass(frozen=True)
class Wanted:
    """What a store holds: the ``layers`` of representations (the vector that the last linear layer reads is always one)
    and, where ``width`` is above 0, gradients of log odds projected to about so many numbers for each weight, by
    ``seed``; ``weights`` names the weights that count, all by default."""

    layers: tuple[str, ...] = ()
    width: Annotated[int, at_least(0)] = 0
    weights: str = ""
    seed: Annotated[int, at_least(0)] = 0

    def said(self) -> str:
        """It in words."""
        parts = [f"the layers {', '.join(self.layers)}" if self.layers else "the last layer"]
        if self.width:
            named = self.weights or "all weights"
            parts.append(f"gradients (width {self.width}, of {named}, seed {self.seed})")
        return " and ".join(parts)


class Store:
    """A finished or unfinished store (see the module). ``of`` opens one to read, ``build`` makes or finishes one."""

    def __init__(self, folder: Path, head: Mapping[str, Any]) -> None:
        self.folder, self.head = folder, head
        self.wanted = Wanted(**{**head["wanted"], "layers": tuple(head["wanted"]["layers"])})
        self.count: int = head["texts"]

    @classmethod
    def of(cls, folder: str | os.PathLike[str], model: Classifier, training: Training) -> Store:
        """Open a store of a model and of texts.

        Raises FileError where there is none, it is unfinished or damaged, or is of another model or of other texts.
        """
        store = cls(Path(folder), _head(Path(folder)))
        store._refuse_others(fingerprint(model), content(training.examples))
        if not store.done.all() or (store.wanted.width and not store._gram.is_file()):
            raise FileError(f"{folder} is unfinished: give the command of exegesis index again, which goes on with it")
        return store

    @classmethod
    def build(
        cls,
        folder: str | os.PathLike[str],
        model: Trained,
        examples: Sequence[Example],
        wanted: Wanted,
        told: Callable[[int], object] = lambda count: None,
    ) -> Store:
        """Write a store, or what is missing of it; ``told`` hears how many texts were written.

        Raises FileError for a folder that holds something else, is of another model, of other texts or of other arrays,
        or that another process writes, and the errors of reading texts; UsageError without a text or with a label that
        the model does not know.
        """
        path = Path(folder)
        if not examples:
            raise UsageError("there are no training texts; give at least one")
        Training.of(model, examples, later=True)  # an unknown label is said at once, and not after hours
        own, texts = fingerprint(model), content(examples)
        if (path / "index.json").is_file():
            store = cls(path, _head(path))
            store._refuse_others(own, texts)
            if store.wanted != wanted:
                raise FileError(f"{path} holds an index of {store.wanted.said()}, not of {wanted.said()}: name another "
                                "folder, or ask for the same")  # fmt: skip
        else:
            first = Training.of(model, examples[:1], first=1)
            cls(path, {"wanted": asdict(wanted), "texts": 1})._made(
                model, first
            )  # what is wrong is said before it is begun
            store = cls._new(path, own, texts, len(examples), wanted)
        handle = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if os.name == "posix" and not lock(handle):
                raise FileError(f"{path} is being written by another run: wait for its end, or name another folder")
            store._fill(model, examples, told)
        finally:
            os.close(handle)
        return store

    @property
    def done(self) -> np.ndarray:
        """For each block of texts, 1 if its rows are written."""
        blocks = -(-self.count // BLOCK)
        try:
            raw = (self.folder / "done").read_bytes()
        except OSError:
            raw = b""
        return np.frombuffer(raw[:blocks].ljust(blocks, b"\0"), np.uint8)

    def states(self, layers: Sequence[str]) -> list[Float[Tensor, "n d"]]:
        """The representations at some layers. Raises FileError for a layer that the store does not have."""
        found = []
        for name in layers or (LAST,):
            if name not in (LAST, *self.wanted.layers):
                has = ", ".join((LAST, *self.wanted.layers))
                raise FileError(f"{self.folder} holds no layer {name!r} (it has {has}): index it with --layers")
            found.append(torch.from_numpy(np.asarray(self.array(name))))
        return found

    def outputs(self) -> Float[Tensor, "n c"]:
        """The model's outputs for all texts."""
        return torch.from_numpy(np.asarray(self.array(OUTPUTS)))

    def pulls(self) -> Float[Tensor, " n"] | None:
        """The trace of each text's curvature (see ``features``), as far as gradients were asked for."""
        return torch.from_numpy(np.asarray(self.array(PULLS)))[:, 0].double() if self.wanted.width else None

    def remembered(self, parts: Sequence[object], make: Callable[[], Float[Tensor, " n"]]) -> Float[Tensor, " n"]:
        """Numbers that are made once: those kept under a name of these parts, or made now and kept."""
        path = self.folder / f"kept-{_hashed(parts)}.f64"
        if path.is_file() and path.stat().st_size % 8 == 0:
            return torch.from_numpy(np.fromfile(path, "<f8"))
        made = make()
        write_whole(path, made.double().numpy().astype("<f8").tobytes())
        return made

    def products(
        self, parts: Sequence[object], make: Callable[[], Float[Tensor, "a a"]]
    ) -> tuple[Float[Tensor, "a a"], float]:
        """A square matrix that is made once (see ``remembered``), as float32, and the seconds that it took."""
        start, made = time.perf_counter(), list[Tensor]()

        def seconds() -> Tensor:
            made.append(make())
            write_whole(path, made[0].cpu().float().numpy().astype("<f4").tobytes())
            return torch.tensor([time.perf_counter() - start, len(made[0])], dtype=torch.float64)

        path = self.folder / f"kept-{_hashed(parts)}.f32"
        took, size = self.remembered(parts, seconds).tolist()
        if not made and (not path.is_file() or path.stat().st_size != 4 * int(size) ** 2):
            raise FileError(f"{path} is missing or damaged: delete the files kept-*.f64 in {self.folder}")
        values = np.fromfile(path, "<f4").reshape(int(size), int(size))
        return torch.from_numpy(values), float(took)

    def array(self, name: str) -> np.memmap:
        """An array, mapped. Raises FileError if it is not of its size."""
        path, width = self.folder / _file(name), self.head["widths"].get(name)
        if width is None or not path.is_file() or path.stat().st_size != 4 * width * self.count:
            state = "damaged" if path.is_file() else "missing, as in an index of an older version, or deleted"
            raise FileError(f"{path} is {state}: delete {self.folder} and index again")
        return np.memmap(path, "<f4", "c", shape=(self.count, width))

    def _refuse_others(self, own: str, texts: str) -> None:
        if self.head["model"] != own:
            raise FileError(f"{self.folder} is a store of another model, or the model has changed: index it anew")
        if self.head["content"] != texts:
            raise FileError(f"{self.folder} is a store of other training texts, or in another order: index these")

    @classmethod
    def _new(cls, path: Path, own: str, texts: str, count: int, wanted: Wanted) -> Store:
        if path.exists() and (not path.is_dir() or any(one.name[0] != "." for one in path.iterdir())):
            raise FileError(f"{path} holds other files: name a store, or a folder that is empty or does not exist")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"cannot write {path} ({error.strerror or error}); choose another place") from error
        head = {"format": FORMAT, "version": VERSION, "model": own, "content": texts, "texts": count,
                "wanted": asdict(wanted), "widths": {}}  # fmt: skip
        write_whole(path / "index.json", json.dumps(head, indent=1) + "\n")
        return cls(path, head)

    def _fill(self, model: Trained, examples: Sequence[Example], told: Callable[[int], object]) -> None:
        marks = self.done.copy()
        for block in np.flatnonzero(marks == 0).tolist():
            start = block * BLOCK
            training = Training.of(model, examples[start : start + BLOCK], first=start + 1)
            for name, rows in self._made(model, training).items():
                self._write(name, start, rows)
            marks[block] = 1
            write_whole(self.folder / "done", marks.tobytes())
            told(len(training))
        if self.wanted.width and not self._gram.is_file():
            mapped = self.array(GRADIENTS)
            gram = np.zeros((mapped.shape[1], mapped.shape[1]))
            for start in range(0, self.count, BLOCK):
                part = mapped[start : start + BLOCK].astype(np.float64)
                gram += part.T @ part
            write_whole(self._gram, gram.astype("<f8").tobytes())

    @property
    def _gram(self) -> Path:
        return self.folder / "gram.f64"

    def gram(self) -> Float[Tensor, "f f"]:
        """The products ΦᵀΦ of the gradients of all texts. Raises FileError if the file is damaged."""
        width = self.head["widths"].get(GRADIENTS, 0)
        if not self._gram.is_file() or self._gram.stat().st_size != 8 * width * width:
            raise FileError(f"{self._gram} is missing or damaged: delete {self.folder} and index again")
        return torch.from_numpy(np.fromfile(self._gram, "<f8").reshape(width, width))

    def _made(self, model: Trained, training: Training) -> dict[str, Float[Tensor, "b d"]]:
        made = dict(zip((LAST, OUTPUTS), read(model, training.texts), strict=True))
        if self.wanted.layers:
            made |= dict(zip(self.wanted.layers, states(model, training.texts, self.wanted.layers), strict=True))
        if self.wanted.width:
            passes = Passes(model, self.wanted.weights.split())
            projection = Projection(passes.layout, self.wanted.width, self.wanted.seed)
            gradients, missed, pulls = features(Losses(passes, training.texts, training.gold), projection)
            made |= {GRADIENTS: gradients, MISSED: missed[:, None], PULLS: pulls[:, None]}
        return made

    def _write(self, name: str, start: int, rows: Float[Tensor, "b d"]) -> None:
        values = rows.float().numpy().astype("<f4", copy=False)
        path, widths = self.folder / _file(name), self.head["widths"]
        if name not in widths:
            self.head = {**self.head, "widths": {**widths, name: values.shape[1]}}
            write_whole(self.folder / "index.json", json.dumps(self.head, indent=1) + "\n")
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                os.ftruncate(handle, 4 * values.shape[1] * self.count)
                os.pwrite(handle, values.tobytes(), 4 * values.shape[1] * start)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise FileError(f"cannot write {path} ({error.strerror or error}); choose another place") from error


def content(examples: Sequence[Example]) -> str:
    """A hash of the content of texts and labels, in order."""
    seen = hashlib.sha256()
    for example in examples:
        seen.update(example.id.encode("ascii"))
    return seen.hexdigest()[:32]


def _hashed(parts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()[:16]


def _file(name: str) -> str:
    kept = "".join(letter if letter.isalnum() else "-" for letter in name)
    return f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:6]}.f32"


def _head(path: Path) -> dict[str, Any]:
    mark = path / "index.json"
    if not mark.is_file():
        raise FileError(f"{path} is no store of training texts (no index.json): exegesis index writes one")
    try:
        head: dict[str, Any] = json.loads(read_text(mark))
        fits = head["format"] == FORMAT and type(head["version"]) is int and type(head["texts"]) is int
        fits = fits and isinstance(head["widths"], dict) and set(head["wanted"]) == set(asdict(Wanted()))
    except (ValueError, TypeError, LookupError):
        fits = False
    if not fits:
        raise FileError(f"{mark} is damaged or of another program: index again into another folder")
    if head["version"] > VERSION:
        raise FileError(f"{path} was written in version {head['version']}, newer than {VERSION}: upgrade exegesis")
    return head
