"""Nets that adapt to a person and to another domain: the tables of docs/RESULTS.md.

    python tools/results_adapt.py docs/results/adapt.json --hapt PACKAGE

with the package that tools/make_hapt.py takes, runs what the file does not hold yet with the
generated code, adds each result to it at once, and prints the tables; `--print` runs nothing.
Without `--hapt` there are only the Fashion-MNIST runs. With `--core cortex-m4f` the nets of the
table of domains learn on that emulated core as well, and it is said how many end with the same
weights.

People: one is left out, a net learns from the others by backpropagation in floating point, and the
generated code adapts it with the first windows of that person, drawn at random; all other windows
of the person are the test set. Learning rates are chosen on the first two people, for 50 windows;
the table is of the others. Domains: Fashion-MNIST, changed; rates are chosen on rotated samples of
their own.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from change_images import DOMAINS, SHIFTED
from experiments import Results, results_parser
from make_hapt import read_recordings, windows

from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays, load_dataset
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages import (
    Prepared,
    compile_for_device,
    on_host,
    prepare,
    render_project,
    scratch_project,
)
from tpsgd_edge.stages.adapting import (
    learn,
    save_weights,
    score_on,
    spec_of,
    training_ram,
)
from tpsgd_edge.stages.preparation import trained_graph
from tpsgd_edge.stages.strategies import Strategy
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device

COUNTS, ROOM = (20, 50, 100), 100
# Of windows of each person, and what is looked at with all of them.
DRAWS = (1, 2, 3)
DRAWN = (
    "last layer",
    "c1 through c2 and fc, and last",
    "c1 and c2 through fc, and last",
    "all, backpropagation",
)
DEV_PEOPLE = 2
RATES = (0.003, 0.01)
# Passes over the few windows of a person, and over the more images of a domain.
EPOCHS = {"person": 10, "domain": 4}
OTHERS = 3000
RULE = {"schedule": "constant"}
TAUGHT = {"method": "backprop", "epochs": 5, "learning_rate": 0.01}

HAPT: dict[str, Any] = {
    "name": "person",
    "model": {
        "layers": [
            {"name": "c1", "kind": "conv1d", "filters": 16, "kernel": 9, "stride": 4},
            {"name": "c2", "kind": "conv1d", "filters": 24, "kernel": 5, "stride": 2},
            {"name": "fc", "units": 32},
            {"name": "out", "units": 6},
        ],
        "pretrain": TAUGHT,
    },
    "rule": RULE,
    "data": {"file": "hapt", "scaling": "standard_channels"},
}
# The same, its last layer reads the second convolution too.
_C1, _C2, _FC, _OUT = HAPT["model"]["layers"]
BOTH = HAPT | {
    "model": {
        "layers": [
            *(_C1, _C2, _FC),
            {"name": "flat", "kind": "flatten", "from": ["c2"]},
            {"name": "both", "kind": "concat", "from": ["flat", "fc"]},
            _OUT,
        ],
        "pretrain": TAUGHT,
    }
}
FASHION = {
    "name": "domain",
    "model": {
        "layers": [
            {"name": "fc1", "units": 128},
            {"name": "fc2", "units": 64},
            {"name": "out", "units": 10},
        ],
        "pretrain": TAUGHT,
    },
    "rule": RULE,
    "data": {"file": "fashion-mnist", "scaling": "unit"},
}
# Which layers learn, towards what, the layers behind which adaptors learn, and those to which
# errors are passed.
PERSON_STRATEGIES = {
    "last layer": (("out",), "prototype", ()),
    "last two, prototypes": (("fc", "out"), "prototype", ()),
    "all, prototypes": (("c1", "c2", "fc", "out"), "prototype", ()),
    "all, random targets": (("c1", "c2", "fc", "out"), "random", ()),
    "all, backpropagation": (("c1", "c2", "fc", "out"), "backprop", ()),
    "adaptor behind fc, and last": (("out",), "prototype", ("fc",)),
    "last two, one error": (("fc", "out"), "prototype", (), ("fc",)),
    "c2 through fc, and last": (("c2", "out"), "prototype", (), ("c2",)),
    "c1 through c2 and fc, and last": (("c1", "out"), "prototype", (), ("c1",)),
    "c1 and c2 through fc, and last": (("c1", "c2", "out"), "prototype", (), ("c1", "c2")),
    "pairs": (("c1", "c2", "fc", "out"), "fitted", (), ("c1", "fc")),
    "pair c1, c2 by its own loss, and last": (("c1", "c2", "out"), "fitted", (), ("c1",)),
}
BOTH_STRATEGIES = {
    "last layer, reading c2 and fc": (("out",), "prototype", ()),
}
DOMAIN_STRATEGIES = {
    "last layer": (("out",), "prototype", ()),
    "fc2 and last, prototypes": (("fc2", "out"), "prototype", ()),
    "fc1 and last, prototypes": (("fc1", "out"), "prototype", ()),
    "all, prototypes": (("fc1", "fc2", "out"), "prototype", ()),
    "all, random targets": (("fc1", "fc2", "out"), "random", ()),
    "all, backpropagation": (("fc1", "fc2", "out"), "backprop", ()),
    "adaptor behind fc1, and last": (("out",), "prototype", ("fc1",)),
}
# Images that both the host and an emulated core answer.
ASKED = 100
RATES_FROM = "rotated"


def trained_file(spec: Spec, dataset: Dataset) -> Path:
    """The weights of the net before it adapts, in a file."""
    path = Path(tempfile.mkdtemp()) / "net.npz"
    save_weights(trained_graph(spec, dataset), path)
    return path


def scores(
    spec: Spec, dataset: Dataset, weights: Path, strategy: Strategy, counts: tuple[int, ...]
) -> dict[str, Any]:
    """Accuracy after as many samples each, here and where the net comes from; RAM."""
    prepared = prepare(spec_of(spec, strategy, weights), dataset)
    assert dataset.source_domain is not None
    found: dict[str, Any] = {"ram": training_ram(prepared.plan), "after": {}, "origin": {}}
    with on_host(prepared) as device:
        found["before"] = score_on(device, prepared, dataset.x_test, dataset.y_test)
        for count in counts:
            x, y = dataset.x_train[:count], dataset.y_train[:count]
            learn(device, prepared, x, y, epochs=EPOCHS[spec.name])
            here = score_on(device, prepared, dataset.x_test, dataset.y_test)
            found["after"][str(count)] = here
            there = score_on(
                device, prepared, dataset.source_domain.x_test, dataset.source_domain.y_test
            )
            found["origin"][str(count)] = there
    return found


def scores_or_none(*arguments: Any) -> dict[str, Any] | None:
    """The same, None where the rate is out of the integers' reach."""
    try:
        return scores(*arguments)
    except SpecError:
        return None


def strategy_of(plan: tuple[Any, ...], rate: float) -> Strategy:
    """A strategy at a rate."""
    trains, targets, *rest = plan
    return Strategy(trains, targets, rate, *rest)


def equal_on(core: str, spec: Spec, dataset: Dataset, weights: Path, strategy: Strategy) -> bool:
    """Whether an emulated core ends with the bytes of state, and the outputs, that the host has."""
    prepared = prepare(spec_of(on_core(spec, core), strategy, weights), dataset)
    x, y = dataset.x_train[:SHIFTED], dataset.y_train[:SHIFTED]
    some = quantize_inputs(prepared.model, dataset.x_test[:ASKED])
    with on_host(prepared) as host, on_device(prepared) as device:
        for each in (host, device):
            learn(each, prepared, x, y, epochs=EPOCHS[spec.name])
        same = np.array_equal(host.outputs(some), device.outputs(some))
        return same and host.state() == device.state()


def on_core(spec: Spec, core: str) -> Spec:
    """The spec for an emulated core with memory enough."""
    platform = spec_from_dict({**FASHION, "platform": {"name": core, "ram": "1M", "flash": "2M"}})
    return spec.model_copy(update={"platform": platform.platform})


@contextmanager
def on_device(prepared: Prepared) -> Iterator[Device]:
    """The model as firmware on an emulated core."""
    project = render_project(prepared)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        with open_device(binary, interface_of(prepared.model)) as device:
            yield device


# ------------------------------------------------------------------ people


@cache
def people(package: Path, draw: int = 1) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Windows and activities of each person, in an order drawn at random."""
    found = {}
    for person, recordings in sorted(read_recordings(package).items()):
        samples = [sample for recording in recordings for sample in windows(recording)]
        seed = person if draw == 1 else (person, draw)
        order = np.random.default_rng(seed).permutation(len(samples))
        x, y = np.stack([s for s, _ in samples]), np.array([a for _, a in samples])
        found[person] = x[order], y[order]
    return found


def person_data(spec: Spec, package: Path, person: int, draw: int = 1) -> Dataset:
    """The person's first windows to learn from, the rest to test; the others as source domain.

    The others come in the same order whatever the draw is, so that the net begins as it was.
    """
    everyone = people(package)
    others = [value for other, value in everyone.items() if other != person]
    x, y = (np.concatenate(parts) for parts in zip(*others, strict=True))
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:OTHERS], order[OTHERS : OTHERS + 1000]
    source_domain = dataset_from_arrays(spec, x[train], y[train], x[test], y[test])
    x, y = people(package, draw)[person]
    own = dataset_from_arrays(
        spec, x[:ROOM], y[:ROOM], x[ROOM:], y[ROOM:], source_domain=source_domain
    )
    # As they were drawn: the first 20 are among the first 50.
    return replace(own, x_train=x[:ROOM].reshape(ROOM, -1), y_train=y[:ROOM])


def person_runs(table: Results, package: Path | None, limit: int) -> None:
    """All runs on people, first those that rates are chosen by."""
    if package is None or not table.may_train:
        return
    everyone = list(people(package))
    for person in everyone[: DEV_PEOPLE + limit]:
        for net, strategies in ((HAPT, PERSON_STRATEGIES), (BOTH, BOTH_STRATEGIES)):
            is_dev = person in everyone[:DEV_PEOPLE]
            wanted = list(_wanted(table, person, strategies, is_dev=is_dev))
            if all(key in table.results for key, _ in wanted):
                continue
            spec = spec_from_dict(net)
            dataset = person_data(spec, package, person)
            weights = trained_file(spec, dataset)
            counts = (50,) if is_dev else COUNTS
            for key, strategy in wanted:
                table.get(key, partial(scores_or_none, spec, dataset, weights, strategy, counts))
        print(f"person {person} done", flush=True)


def _wanted(
    table: Results, person: int, strategies: dict[str, Any], *, is_dev: bool
) -> Iterator[tuple[str, Strategy]]:
    for name, plan in strategies.items():
        for rate in _rates(plan) if is_dev else (chosen_rate(table, f"person/{name}"),):
            yield (
                f"person/{name}/{'dev' if is_dev else 'test'}/{person}/{rate:g}",
                strategy_of(plan, rate),
            )


def draw_runs(table: Results, package: Path | None, limit: int) -> None:
    """The most telling ways again, with other windows of each person."""
    if package is None or not table.may_train:
        return
    spec, everyone = spec_from_dict(HAPT), list(people(package))
    for person in everyone[DEV_PEOPLE : DEV_PEOPLE + limit]:
        wanted = [(draw, name) for draw in DRAWS[1:] for name in DRAWN]
        keys = {
            (draw, name): f"draw/{name}/{draw}/{person}/{chosen_rate(table, f'person/{name}'):g}"
            for draw, name in wanted
        }
        if all(key in table.results for key in keys.values()):
            continue
        weights = trained_file(spec, person_data(spec, package, person))
        for (draw, name), key in keys.items():
            dataset = person_data(spec, package, person, draw)
            strategy = strategy_of(PERSON_STRATEGIES[name], float(key.rpartition("/")[2]))
            table.get(key, partial(scores_or_none, spec, dataset, weights, strategy, COUNTS))


def draw_table(table: Results) -> Iterator[str]:
    """Means over people and draws, and how far the mean over people goes from draw to draw."""
    yield f"| what learns | {' | '.join(f'{n} windows' for n in COUNTS)} |"
    yield "|---|" + "---|" * len(COUNTS)
    many = 0
    for name in DRAWN:
        first = {p: row["after"] for p, row in _by_person(table, name).items()}
        rows = [first, *(_of_draw(table, name, draw) for draw in DRAWS[1:])]
        everyone = set.intersection(*(set(found) for found in rows))
        many = len(everyone)
        if not everyone:
            continue
        cells = [
            _percent([mean(found[p][str(n)] for p in everyone) for found in rows]) for n in COUNTS
        ]
        yield f"| {name} | {' | '.join(cells)} |"
    yield f"\n{many} people, {len(DRAWS)} draws; ± from draw to draw."


def _of_draw(table: Results, name: str, draw: int) -> dict[str, Any]:
    start = f"draw/{name}/{draw}/"
    found = {k.split("/")[3]: v for k, v in table.results.items() if k.startswith(start) and v}
    return {person: row["after"] for person, row in found.items()}


def _rates(plan: tuple[Any, ...]) -> tuple[float, ...]:
    """Rates to choose from; errors that pass through a layer come out small."""
    return (*RATES, 0.03) if len(plan) > 3 else RATES


def chosen_rate(table: Results, start: str) -> float:
    """The rate with the best mean on what rates are chosen by."""
    found: dict[float, list[float]] = {}
    for key, value in table.results.items():
        if key.startswith(f"{start}/dev/"):
            rate = float(key.rpartition("/")[2])
            reached = max(value["after"].values()) if value else 0.0
            found.setdefault(rate, []).append(reached)
    return max(found, key=lambda rate: mean(found[rate])) if found else RATES[1]


def person_table(table: Results) -> Iterator[str]:
    """Mean over the people with whom all is done."""
    strategies = PERSON_STRATEGIES | BOTH_STRATEGIES
    of = {name: _by_person(table, name) for name in strategies}
    everyone = sorted(set.intersection(*(set(rows) for rows in of.values() if rows)))
    counts = " | ".join(f"{n} windows" for n in COUNTS)
    yield f"| what learns | rate | RAM | before | {counts} | the others, after {COUNTS[-1]} |"
    yield "|---|---|---|---|" + "---|" * (len(COUNTS) + 1)
    for name in strategies:
        rows = [of[name][person] for person in everyone if person in of[name]]
        if not rows:
            continue
        after = [_percent([row["after"][str(n)] for row in rows]) for n in COUNTS]
        there = _percent([row["origin"][str(COUNTS[-1])] for row in rows])
        before = _percent([row["before"] for row in rows])
        rate = chosen_rate(table, f"person/{name}")
        cells = (name, f"{rate:g}", f"{rows[0]['ram']:,}", before, *after, there)
        yield f"| {' | '.join(cells)} |"
    yield f"\n{len(everyone)} people."


def _by_person(table: Results, name: str) -> dict[str, Any]:
    start = f"person/{name}/test/"
    return {k.split("/")[3]: v for k, v in table.results.items() if k.startswith(start) and v}


def _percent(values: list[float]) -> str:
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


# ------------------------------------------------------------------ domains


def domain_runs(table: Results, core: str | None) -> None:
    """All runs on changed images."""
    if not table.may_train:
        return
    spec = spec_from_dict(FASHION)
    whole = load_dataset(spec)
    source_domain = replace(
        whole,
        x_train=whole.x_train[:20_000],
        y_train=whole.y_train[:20_000],
        x_test=whole.x_test[:4000],
        y_test=whole.y_test[:4000],
    )
    first = replace(source_domain, source_domain=source_domain)
    weights = trained_file(spec, first)
    for domain, change in DOMAINS.items():
        x, y = change(whole.x_train[30_000:34_000]), whole.y_train[30_000:34_000]
        learns = replace(first, x_train=x[:SHIFTED], y_train=y[:SHIFTED])
        dev = replace(learns, x_test=x[1000:], y_test=y[1000:])
        test = replace(learns, x_test=change(source_domain.x_test))
        for name, plan in DOMAIN_STRATEGIES.items():
            for rate in RATES if domain == RATES_FROM else ():
                strategy = strategy_of(plan, rate)
                table.get(
                    f"domain/{domain}/{name}/dev/0/{rate:g}",
                    partial(scores_or_none, spec, dev, weights, strategy, (SHIFTED,)),
                )
            strategy = strategy_of(plan, chosen_rate(table, f"domain/{RATES_FROM}/{name}"))
            key = f"domain/{domain}/{name}/test/0/{strategy.rate:g}"
            table.get(key, partial(scores, spec, test, weights, strategy, (SHIFTED,)))
            if core is not None:
                table.get(
                    f"equal/{core}/{key}", partial(equal_on, core, spec, test, weights, strategy)
                )
        print(f"{domain} done", flush=True)


def domain_table(table: Results) -> Iterator[str]:
    """Accuracy on the new domain / on the old one afterwards."""
    yield f"| what learns | RAM | {' | '.join(DOMAINS)} |"
    yield "|---|---|" + "---|" * len(DOMAINS)
    before, body = {}, []
    for name in DOMAIN_STRATEGIES:
        cells, ram = [], 0
        for domain in DOMAINS:
            start = f"domain/{domain}/{name}/test/"
            row = next((v for k, v in table.results.items() if k.startswith(start)), None)
            if row is None:
                cells.append("")
                continue
            before[domain], ram = 100 * row["before"], row["ram"]
            after, there = (100 * row[part][str(SHIFTED)] for part in ("after", "origin"))
            cells.append(f"{after:.1f} / {there:.1f}")
        body.append(f"| {name} | {ram:,} | {' | '.join(cells)} |")
    cells = [f"{before[domain]:.1f}" if domain in before else "" for domain in DOMAINS]
    yield f"| nothing | | {' | '.join(cells)} |"
    yield from body
    for core in sorted({key.split("/")[1] for key in table.results if key.startswith("equal/")}):
        found = [table.results[key] for key in table.results if key.startswith(f"equal/{core}/")]
        yield f"\nOn an emulated {core}: {sum(found)} of {len(found)} end with the same bytes."


def main() -> None:
    """Run what is missing, print the tables."""
    parser = results_parser(__doc__)
    parser.add_argument("--hapt", type=Path, help="the package that tools/make_hapt.py takes")
    parser.add_argument("--people", type=int, default=26, help="how many, beside the first two")
    parser.add_argument("--core", metavar="PLATFORM", help="let domains be learned there too")
    arguments = parser.parse_args()
    table = Results(arguments.results, may_train=not arguments.only_print)
    person_runs(table, arguments.hapt, arguments.people)
    domain_runs(table, arguments.core)
    draw_runs(table, arguments.hapt, arguments.people)
    for lines in (person_table(table), draw_table(table), domain_table(table)):
        print("\n".join(lines), end="\n\n")


if __name__ == "__main__":
    main()
