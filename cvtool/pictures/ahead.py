"""Work done ahead in threads, with as many results alive as asked for and no more."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class WorkAhead:
    """A few threads that run jobs; with none, a job runs when it is submitted.

    A download that stalls would hold up a `concurrent.futures` executor, and the end of the
    program, for its whole time limit; these threads are daemons, and `close` waits only a moment
    for them.
    """

    def __init__(self, threads: int) -> None:
        self._jobs: queue.SimpleQueue = queue.SimpleQueue()
        self._threads = threads
        self._started: list[threading.Thread] = []
        self.closing = threading.Event()

    def submit(self, job: Callable[[], Any]) -> Future:
        """Queue a job; the future gives its result or raises what it raised."""
        future: Future = Future()
        if self._threads == 0:
            _run(job, future)
            return future
        self._jobs.put((job, future))
        if len(self._started) < self._threads:
            thread = threading.Thread(target=self._work, name="cvtool-read-ahead", daemon=True)
            self._started.append(thread)
            thread.start()
        return future

    def close(self, patience: float = 2.0) -> None:
        """Drop the jobs not yet begun and end the threads, waiting `patience` seconds in all."""
        self.closing.set()
        for _ in self._started:
            self._jobs.put(None)
        for thread in self._started:
            thread.join(patience / len(self._started))

    def _work(self) -> None:
        while (task := self._jobs.get()) is not None:
            if self.closing.is_set():
                task[1].cancel()
                task[1].set_running_or_notify_cancel()
            else:
                _run(*task)
            # A thread that waits must not keep the last picture alive.
            del task


def _run(job: Callable[[], Any], future: Future) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = job()
    except BaseException as error:  # handed to whoever waits for the result
        future.set_exception(error)
    else:
        future.set_result(result)
