"""Engines of a search: the same front wherever trials run."""

import sys
import types
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.support.searched import spec_for
from tpsgd_edge.errors import ToolError
from tpsgd_edge.search.engines import crew_of

pytest.importorskip("optuna")

from tpsgd_edge.search.search import search


class Task:
    """Stands for a remote function: it is called in a thread, with what pickle would carry."""

    def __init__(self, threads, call):
        self.threads, self.call = threads, call

    def remote(self, *arguments):
        future = self.threads.submit(self.call, *arguments)
        return types.SimpleNamespace(future=lambda: future)


@pytest.fixture
def cluster(monkeypatch):
    """A module that does as ray does, with one thread; what it was started with."""
    started = []
    # One at a time: generated code of this process works in one arena.
    with ThreadPoolExecutor(1) as threads:
        ray = types.ModuleType("ray")
        ray.init = lambda **options: started.append(options)
        ray.shutdown = lambda: started.append("shutdown")
        ray.cluster_resources = lambda: {"CPU": 2.0}
        ray.remote = lambda **options: lambda call: Task(threads, call)
        monkeypatch.setitem(sys.modules, "ray", ray)
        yield ray, started


def seen(result):
    """What two searches have in common."""
    return [
        (trial.params, trial.outcome and replace(trial.outcome, processor=0, training=0))
        for trial in result.trials
    ], [found.trial.number for found in result.front]


def test_a_cluster_finds_the_front_of_one_process(tmp_path, cluster, monkeypatch):
    _, started = cluster
    monkeypatch.setenv("RAY_ADDRESS", "somewhere:6379")
    spec, asked = spec_for(tmp_path), {"trials": 5, "batch": 3}
    there = search(spec, **asked, engine="ray", store=tmp_path / "ray.sqlite")
    assert seen(there) == seen(search(spec, **asked, jobs=1, store=tmp_path / "one.sqlite"))
    assert [one if one == "shutdown" else one["address"] for one in started] == [
        "somewhere:6379",
        "shutdown",
    ]


def test_without_an_address_the_cluster_is_this_computer(cluster, monkeypatch):
    _, started = cluster
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with crew_of("ray", 3, 8) as crew:
        assert crew.jobs == 3
        assert crew.workers.submit(max, 1, 2).result() == 2
    assert started[0]["num_cpus"] == 3


def test_a_cluster_that_is_not_there_is_said(cluster, monkeypatch):
    ray, _ = cluster
    monkeypatch.setenv("RAY_ADDRESS", "nowhere:1")

    def fail(**options):
        raise ConnectionError("no GCS\nand more")

    ray.init = fail
    with pytest.raises(ToolError, match="cannot be reached") as caught, crew_of("ray", None, 4):
        pass
    assert caught.value.found == "no GCS"


def test_a_missing_package_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ToolError, match="not installed"), crew_of("ray", None, 4):
        pass


def test_one_process_is_this_one():
    with crew_of("processes", 1, 4) as crew:
        assert crew.workers is None
    with crew_of("processes", 8, 1) as crew:
        assert crew.jobs == 1
