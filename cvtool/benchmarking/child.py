"""Work in a process of its own, so that engines neither disturb one another nor end everything.

    python -m cvtool.benchmarking.child JOB

JOB is a JSON file with the name of the work, its arguments, and the file for its result.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cvtool.errors import CvtoolError, ModelError

# Seconds that a process may take beyond what it is to measure.
PATIENCE = 600

# Work -> module of cvtool.benchmarking with a function of that name.
_WORK = {"prepare": "preparing", "measure": "measuring"}


class WorkError(CvtoolError):
    """What a process could not do, in one line."""


def run_child(work: str, patience: float = PATIENCE, **arguments: Any) -> Any:
    """Run one function in a new process and wait for it.

    Args:
        work: "prepare" or "measure".
        patience: seconds until it is stopped.
        arguments: of that function, as JSON can hold them.
    Returns:
        what it returns.
    Raises:
        ModelError: the function refuses what a user gave.
        WorkError: anything else: it has raised, was killed, or took too long.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        job, result = Path(folder) / "job.json", Path(folder) / "result.json"
        job.write_text(
            json.dumps({"work": work, "arguments": arguments, "result": str(result)}),
            encoding="utf-8",
        )
        # -P: a user's onnx.py in the current folder is not what `import onnx` means.
        command = [sys.executable, "-P", "-m", "cvtool.benchmarking.child", str(job)]
        try:
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                # What engines say is of no interest, unless one dies of it.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=patience,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WorkError(f"took more than {patience:.0f} seconds and was stopped") from None
        if not result.exists():
            raise WorkError(how_it_ended(ended.returncode, ended.stderr))
        answer = json.loads(result.read_text(encoding="utf-8"))
    if "refused" in answer:
        raise ModelError(answer["refused"])
    if "error" in answer:
        raise WorkError(answer["error"])
    return answer["value"]


def how_it_ended(code: int, said: bytes) -> str:
    """What became of a process that left no result, in one line."""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        remedy = ", perhaps for want of memory" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{remedy}"
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    return f"its process ended with {code}" + (f": {lines[-1].strip()[:160]}" if lines else "")


def main(job: str) -> None:
    """Do what a job asks for; every error becomes part of its result."""
    from importlib import import_module

    description = json.loads(Path(job).read_text(encoding="utf-8"))
    work = description["work"]
    try:
        module = import_module(f"cvtool.benchmarking.{_WORK[work]}")
        answer = {"value": getattr(module, work)(**description["arguments"])}
    except CvtoolError as error:
        answer = {"refused": str(error)}
    except Exception as error:
        lines = str(error).strip().splitlines()
        answer = {"error": f"{type(error).__name__}: {' '.join(lines[:2])[:240]}"}
    part = Path(description["result"] + ".part")
    part.write_text(json.dumps(answer), encoding="utf-8")
    os.replace(part, description["result"])


if __name__ == "__main__":
    main(sys.argv[1])
