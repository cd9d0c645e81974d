"""Engines of a search: processes of this computer, or a Ray cluster."""

import importlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from tpsgd_edge.comparison.workers import cores, workers_of
from tpsgd_edge.errors import ToolError

Engine = Literal["processes", "ray"]
ENGINES: tuple[Engine, ...] = get_args(Engine)


class Workers(Protocol):
    """Whatever calls functions somewhere else."""

    def submit(self, call: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Begin a call, and return what will have its result."""


@dataclass(frozen=True, slots=True)
class Crew:
    """Workers, and how many calls they carry out at a time; None: they are done right here."""

    jobs: int
    workers: Workers | None


@contextmanager
def crew_of(engine: Engine, jobs: int | None, most: int) -> Iterator[Crew]:
    """The workers of an engine.

    Args:
        jobs: how many; one for each core, of this computer or of the cluster, where not given.
        most: no more have work at a time.

    Raises:
        ToolError: ray is not installed, or there is no cluster.
    """
    if engine == "ray":
        with _on_ray(jobs, most) as crew:
            yield crew
        return
    count = min(jobs or cores(), most)
    if count == 1:
        yield Crew(1, None)
        return
    with workers_of(count) as workers:
        yield Crew(count, workers)


@contextmanager
def _on_ray(jobs: int | None, most: int) -> Iterator[Crew]:
    """The cluster that RAY_ADDRESS names, or one of this computer that ends with the context."""
    ray = _ray()
    address = os.environ.get("RAY_ADDRESS")
    options = {"address": address} if address else {"num_cpus": jobs or cores()}
    try:
        ray.init(**options, include_dashboard=False if not address else None, log_to_driver=False)
    except (ConnectionError, RuntimeError) as error:
        raise ToolError(
            "the Ray cluster cannot be reached",
            where="RAY_ADDRESS" if address else "this computer",
            found=str(error).partition("\n")[0][:200],
            help="`ray start --head` begins one, `ray start --address=HOST:6379` joins it",
        ) from None
    try:
        there = int(ray.cluster_resources().get("CPU", 1))
        yield Crew(min(jobs or there, most), _RayWorkers(ray))
    finally:
        ray.shutdown()


@dataclass(frozen=True, slots=True)
class _RayWorkers:
    """Tasks of a cluster, one core each."""

    ray: Any

    def submit(self, call: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Begin a call on the cluster."""
        task = self.ray.remote(num_cpus=1, max_retries=1)(call)
        future: Future[Any] = task.remote(*arguments).future()
        return future


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError:
        raise ToolError(
            "ray, which spreads the trials over computers, is not installed",
            where="--engine ray",
            help="pip install ray (in a checkout: pip install -c constraints.txt ray)",
        ) from None
