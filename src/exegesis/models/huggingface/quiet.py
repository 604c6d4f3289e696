"""Loading without a word: no bars, no warnings, no network for a folder, and panics of tokenizers as errors."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from exegesis.core.errors import is_panic
from exegesis.core.silence import silent

_loading = threading.RLock()  # all of this is set for the whole process, so that threads load one after the other


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """Silence progress bars, log lines and warnings while loading, and ask for no conversion of weights on the hub."""
    with _loading:
        log = transformers.utils.logging
        hub = logging.getLogger("huggingface_hub")
        hub_level = hub.level
        level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
        conversion = os.environ.get("DISABLE_SAFETENSORS_CONVERSION")
        os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
        log.set_verbosity(log.CRITICAL)
        log.disable_progress_bar()
        hub.setLevel(logging.CRITICAL)
        try:
            with silent():
                yield
        finally:
            log.set_verbosity(level)
            hub.setLevel(hub_level)
            if bars:
                log.enable_progress_bar()
            if conversion is None:
                del os.environ["DISABLE_SAFETENSORS_CONVERSION"]
            else:
                os.environ["DISABLE_SAFETENSORS_CONVERSION"] = conversion


@contextmanager
def offline(wanted: bool) -> Iterator[None]:
    """Keep the client of the hub from any request within the block: a folder has all that is needed."""
    with _loading:
        from huggingface_hub import constants

        before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = before or wanted
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = before


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Raise a RuntimeError for a panic of a library in Rust, which is no Exception and prints a page by itself.

    What is printed to standard error within the block is held back, and printed after it unless it was a panic's.
    """
    with _loading:
        _flush()
        try:
            kept = os.dup(2)
        except OSError:  # standard error is closed
            kept = -1
        with tempfile.TemporaryFile() as page:
            if kept >= 0:
                os.dup2(page.fileno(), 2)
            panicked = False
            try:
                yield
            except BaseException as error:
                panicked = is_panic(error)
                if not panicked:
                    raise
                raise RuntimeError(f"a library broke down ({error}), as at a damaged tokenizer.json") from None
            finally:
                _flush()
                if kept >= 0:
                    os.dup2(kept, 2)
                    os.close(kept)
                    page.seek(0)
                    if not panicked:
                        os.write(2, page.read())


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
