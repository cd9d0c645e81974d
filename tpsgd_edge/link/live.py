"""A device that is watched in the background, while others look at what was seen last."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from tpsgd_edge.codegen.drift import DriftView
from tpsgd_edge.errors import LinkError
from tpsgd_edge.link.linked import LinkedDevice
from tpsgd_edge.link.watching import View, Watch

# Seconds between two trials to open a line that has gone.
_AGAIN = 1.0

Sample = tuple[Any, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """The latest look and its number; words for what went wrong and what was done, or none."""

    number: int = 0
    view: View | None = None
    problem: str = ""
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """All of it as a JSON document."""
        view = None if self.view is None else asdict(self.view)
        if view is not None:
            view["confusion"] = np.asarray(view["confusion"]).tolist()
        words = {"problem": self.problem, "message": self.message}
        return {"number": self.number, "view": view, **words}


class Live:
    """Looks at a device every `interval` seconds. A context manager: leaving it ends the looking.

    Args:
        reopen: opens the line, again where it has gone.
        samples: to train on between looks; None to look only.
        drift: the detector of the spec, if it has one.
    """

    def __init__(
        self,
        reopen: Callable[[], LinkedDevice],
        *,
        interval: float = 0.5,
        latest: int = 200,
        samples: Iterator[Sample] | None = None,
        drift: DriftView | None = None,
    ) -> None:
        self._reopen, self._interval, self._latest = reopen, interval, latest
        self._samples, self._drift = samples, drift
        self._device: LinkedDevice | None = None
        self._watch: Watch | None = None
        self._seen = Seen()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Live":
        self._open()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)
        if self._device is not None:
            self._device.close()

    @property
    def seen(self) -> Seen:
        """The latest look."""
        return self._seen

    @property
    def is_training(self) -> bool:
        """Tell whether there are samples left to train on."""
        return self._samples is not None

    def save(self) -> str:
        """Let the device save; what came of it, in words."""
        with self._lock:
            try:
                words = "no device" if self._device is None else _saved(self._device)
            except LinkError as error:
                words = f"not saved: {error.found or error.what}"
        self._note(message=words)
        return words

    def _note(self, **what: Any) -> None:
        self._seen = replace(self._seen, number=self._seen.number + 1, **what)

    def _open(self) -> None:
        self._device = self._reopen()
        self._watch = Watch(self._device, self._latest, drift=self._drift)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._round()
            except LinkError as error:
                self._note(problem=error.message())
                self._close()
                self._stop.wait(_AGAIN)

    def _round(self) -> None:
        with self._lock:
            if self._device is None:
                self._open()
            assert self._watch is not None
            self._note(view=self._watch.look(), problem="")
        if self._samples is None:
            self._stop.wait(self._interval)
        else:
            self._train()

    def _train(self) -> None:
        """Train until it is time for the next look, or as many as the device's log keeps."""
        for _ in range(16):
            sample = None if self._samples is None else next(self._samples, None)
            if sample is None:
                self._samples = None
                return
            with self._lock:
                assert self._device is not None
                self._device.train(*sample)
            if self._stop.is_set():
                return

    def _close(self) -> None:
        with self._lock:
            if self._device is not None:
                self._device.close()
            self._device = None


def _saved(device: LinkedDevice) -> str:
    return f"saved at step {device.checkpoint():,}"
