"""Processes that work for one that waits for them, on all cores."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager


@contextmanager
def workers_of(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end at once where the work is interrupted."""
    context, others = multiprocessing.get_context("spawn"), multiprocessing.active_children()
    workers = ProcessPoolExecutor(jobs, mp_context=context, initializer=begin)
    try:
        yield workers
    except BaseException:
        # The executor's own thread waits for them: two that wait for one process get in each
        # other's way.
        for process in set(multiprocessing.active_children()).difference(others):
            process.terminate()
        workers.shutdown(cancel_futures=True)
        raise
    workers.shutdown()


@contextmanager
def deaf_to_the_keyboard() -> Iterator[None]:
    """Processes started here do not hear an interruption; this one ends them itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def begin() -> None:
    """Start a process: one thread, and an end when its parent ends."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process that trains does not outlive the one that asked for it, however that one ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
