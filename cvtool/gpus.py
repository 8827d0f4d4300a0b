"""Is there a GPU? The answer without the seconds that importing TensorFlow costs."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# One of these exists wherever an NVIDIA driver runs: Linux, then WSL 2.
DRIVER_FILES = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")


def no_gpu_reason() -> str | None:
    """Why TensorFlow cannot see a GPU here, as a phrase; None if it may see one.

    None is only a maybe: whether the CUDA libraries are there, TensorFlow itself must say.
    """
    if sys.platform == "darwin":
        if _installed("tensorflow-metal"):
            return None
        return "on a Mac, TensorFlow needs the package tensorflow-metal for the GPU"
    if sys.platform == "win32":
        return "TensorFlow has no GPU support on Windows outside WSL 2"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and (hidden.strip() == "" or hidden.strip().startswith("-1")):
        return f'CUDA_VISIBLE_DEVICES is "{hidden}", which hides every GPU'
    if not any(Path(file).exists() for file in DRIVER_FILES):
        return "no NVIDIA driver is loaded"
    return None


def visible_gpus() -> tuple[list[str], str | None]:
    """The GPUs that TensorFlow sees, and why there is none if there is none.

    TensorFlow is imported only where a driver makes a GPU possible.

    Returns:
        Names such as "NVIDIA RTX A4000 (/physical_device:GPU:0)"; and the reason why the
        list is empty, or None.
    """
    reason = no_gpu_reason()
    if reason:
        return [], reason
    from cvtool.tensorflow_import import import_tensorflow, quiet_stderr

    tensorflow = import_tensorflow()
    with quiet_stderr():
        devices = tensorflow.config.list_physical_devices("GPU")
        names = [_describe(tensorflow, device) for device in devices]
    if names:
        return names, None
    return [], (
        "a GPU driver is loaded, but TensorFlow sees no GPU; "
        'its CUDA libraries come with: pip install "cvtool[cuda]"'
    )


def _describe(tensorflow, device) -> str:
    details = tensorflow.config.experimental.get_device_details(device)
    return f"{details.get('device_name', 'GPU')} ({device.name})"


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
