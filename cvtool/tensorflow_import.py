"""Import TensorFlow without its start-up talk.

TensorFlow's C++ side writes to file descriptor 2 before any of its settings is
read, so no environment variable silences it: the descriptor itself is pointed at
a buffer while the import runs. What was written is kept and shown if the import
fails. `--verbose` lets everything through.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cvtool.errors import CvtoolError

_verbose = False


def set_verbose(on: bool) -> None:
    """Let TensorFlow's own messages through, or not; to be called before the first import."""
    global _verbose
    _verbose = on


def import_tensorflow():
    """Import TensorFlow quietly and return the module.

    Memory growth is turned on for every GPU, so that TensorFlow takes what it needs
    instead of all there is. The first call takes 3 to 4 seconds. Where the caller
    imported TensorFlow itself before, its settings are left as they are.

    Raises:
        CvtoolError: it cannot be imported; what it wrote has gone to stderr.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    if not _verbose:
        # 3 leaves fatal messages only. It must be set before the import.
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    try:
        with quiet_stderr(keep_on_error=True):
            import tensorflow

            _grow_gpu_memory(tensorflow)
    except ImportError as error:
        reason = str(error).splitlines()[0] if str(error) else "no reason given"
        raise CvtoolError(
            f"TensorFlow cannot be imported ({reason}); install it again: pip install tensorflow"
        ) from error
    if not _verbose:
        _quiet_loggers()
    return tensorflow


@contextmanager
def quiet_stderr(*, keep_on_error: bool = False) -> Iterator[None]:
    """Drop whatever is written to file descriptor 2 meanwhile, by C++ code too.

    Does nothing under --verbose, or where there is no such descriptor.

    Args:
        keep_on_error: if the body raises, write to stderr what was held back.
    """
    if _verbose or not _stderr_is_open():
        yield
        return
    from tempfile import TemporaryFile

    sys.stderr.flush()
    with TemporaryFile() as buffer:
        saved = os.dup(2)
        failed = True
        try:
            os.dup2(buffer.fileno(), 2)
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            if failed and keep_on_error:
                buffer.seek(0)
                sys.stderr.write(buffer.read().decode(errors="replace"))


def _stderr_is_open() -> bool:
    try:
        os.fstat(2)
    except OSError:
        return False
    return sys.stderr is not None


def _grow_gpu_memory(tensorflow) -> None:
    for gpu in tensorflow.config.list_physical_devices("GPU"):
        # A RuntimeError says that the GPUs are in use already: too late, and harmless.
        try:
            tensorflow.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            return


def _quiet_loggers() -> None:
    # TensorFlow's retracing warnings and absl's "compiled metrics" ones.
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
