"""Makes the tables of docs/results/search.md: fronts of five data sets, and what a trial costs.

    python tools/results_search.py              all of them, some minutes for each of the last two
    python tools/results_search.py digits wine

HAPT needs examples/hapt_train.npz (tools/make_hapt.py), Fashion-MNIST Debian's package, wine and
breast cancer scikit-learn. What lies in build/search from an earlier run is gone on with.
"""

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tpsgd_edge.reports.text import bytes_text, count_text, metric_text
from tpsgd_edge.search.result import SearchResult
from tpsgd_edge.search.search import search
from tpsgd_edge.spec import Spec, load_spec, spec_from_dict
from tpsgd_edge.stages import prepare, train_on_host

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "search"
# Name, budget of RAM, what is set in the example.
SEARCHES = {
    "digits": ("digits", "4K", []),
    "digits-2644": ("digits", "2644", []),
    "wine": ("wine", "2K", []),
    "cancer": ("breast_cancer", "2K", []),
    "hapt": ("har_memory", "16K", []),
    "fashion": (
        "fashion_small",
        "32K",
        ["platform.name=cortex-m4f", "data.limit=12000", "rule.epochs=5"],
    ),
}


def spec_of(name: str) -> Spec:
    """The spec of a search with its budget."""
    example, ram, overrides = SEARCHES[name]
    path = ROOT / "examples" / f"{example}.toml"
    if path.exists():
        return load_spec(path, [*overrides, f'platform.ram="{ram}"'])
    return table_spec(example, ram)


def table_spec(name: str, ram: str) -> Spec:
    """A spec with nothing but layers, for a table that scikit-learn brings."""
    from sklearn import datasets

    table = getattr(datasets, f"load_{name}")()
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.savez(FOLDER / f"{name}.npz", x=table.data.astype(np.float32), y=table.target)
    layers = [{"name": "fc1", "units": 16}, {"name": "fc2", "units": len(set(table.target))}]
    content = {
        "name": name,
        "model": {"layers": layers},
        "data": {"file": f"{name}.npz"},
        "platform": {"name": "cortex-m0plus", "ram": ram},
    }
    return spec_from_dict(content, FOLDER, f"{name}.toml")


def rows(result: SearchResult) -> Iterator[str]:
    """The front as rows of Markdown."""
    for found in result.front:
        size, trial = found.size, found.trial
        star = "**" if found == result.best else ""
        cells = [
            f"{star}{found.words}{star}",
            f"{trial.params['rate']:g}",
            bytes_text(size.ram),
            bytes_text(size.flash),
            count_text(size.instructions),
            metric_text(result.metric, found.outcome.score),
            metric_text(result.metric, trial.test_score),
        ]
        yield f"| {' | '.join(cells)} |"


def own_net(spec: Spec) -> tuple[float, float]:
    """The score of the spec's own net, and processor time of its training by `simulate`."""
    os.environ["TPSGD_EDGE_CACHE"] = ""
    begin = _processor()
    prepared = prepare(without_budget(spec))
    training = train_on_host(
        prepared, prepared.spec.rule.passes, lambda *_: None, "training", check=True
    )
    return training.scores[-1].value, _processor() - begin


def without_budget(spec: Spec) -> Spec:
    """The spec without a budget."""
    return spec.model_copy(update={"platform": spec.platform.model_copy(update={"ram": None})})


def _processor() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def show(name: str) -> None:
    """Search, and print the front and what a trial costs."""
    spec = spec_of(name)
    begin = time.perf_counter()
    store = FOLDER / f"{name}.sqlite"
    result = search(spec, store=store)
    tried, trained = (
        sum(getattr(one, what) for one in result.tried) for what in ("processor", "training")
    )
    score, simulated = own_net(spec)
    print(f"\n## {name}: {result.path.name}, {time.perf_counter() - begin:.0f} s\n")
    print("| net | rate | RAM | flash | instructions a step | held out | test set |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    print(*rows(result), sep="\n")
    count = len(result.tried)
    print(f"\n{count} nets, {result.stopped} stopped, {result.refused} points refused;", end=" ")
    print(f"the spec's own net: {metric_text(result.metric, score)}")
    print(f"processor time a trial: {tried / count:.2f} s, ", end="")
    print(f"{tried / trained:.2f} times that of the training alone; ", end="")
    print(f"simulate of the spec's own net: {simulated:.2f} s", flush=True)


def main() -> None:
    """Run the searches that are named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=list(SEARCHES), help=", ".join(SEARCHES))
    for name in parser.parse_args().names:
        show(name)


if __name__ == "__main__":
    main()
