"""What results_gru.py and results_lstm.py have in common: trainings in torch, and two tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import TYPE_CHECKING, Any

from experiments import trained_score
from of_seeds import each

from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.network import build_graph, dataset_scaling
from tpsgd_edge.graph import Graph
from tpsgd_edge.memory import plan_memory
from tpsgd_edge.quantize import quantize
from tpsgd_edge.spec import LossSpec, Spec
from tpsgd_edge.stages import Prepared
from tpsgd_edge.toolchain.platforms import load_platform

if TYPE_CHECKING:
    from tpsgd_edge.rule.rules import RuleName

Rates = tuple[float, float]
Found = Mapping[str, float]
UNITS, BATCH, TEMPERATURE, CLIP_NORM = 64, 16, 0.5, 1.0
SEEDS = (1, 2)
# Weights and activations of a net that was trained in floating point.
FORMATS = (("f32", "s16"), ("s16", "s16"), ("s16", "s8"), ("s8", "s16"), ("s8", "s8"))


def titles(kind: str) -> dict[str, str]:
    """Rows of the table of what trains a kind of layer, by rule."""
    return {
        "last_layer": f"{kind} left at random, torch",
        "tpsgd": "tpSGD, torch",
        "backprop": "backpropagation through time, torch",
        "code f32": "tpSGD, generated code, f32",
        "code s16": "tpSGD, generated code, s16",
        "code s8": "tpSGD, generated code, s8",
    }


def hidden_loss() -> dict[str, Any]:
    """The loss of the gated layer, as a spec has it."""
    return {"kind": "projected_cross_entropy", "temperature": TEMPERATURE}


def in_torch(
    spec_in: Callable[[str, str], Spec],
    dataset: Dataset,
    rule: "RuleName",
    rates: Rates,
    *,
    in_formats: bool,
) -> dict[str, float]:
    """Accuracy in floating point; asked for, also that of the generated code with these weights.

    Args:
        spec_in: the spec with formats of weights and activations; epochs and seed are its own.
    """
    from tpsgd_edge.rule.train import train_float

    spec, filled = with_defaults(spec_in("s16", "s8"), dataset)
    graph = replace(build_graph(spec, filled), learn_every=spec.rule.learn_every)
    middle, std = dataset_scaling(spec, filled)
    net = train_float(
        graph,
        ((filled.x_train - middle) / std).astype("float32"),
        filled.y_train,
        rule=rule,
        losses=[LossSpec(**hidden_loss()), LossSpec(kind="softmax_cross_entropy")],
        learning_rate=rates,
        epochs=spec.rule.passes,
        batch=BATCH,
        clip_norm=CLIP_NORM if rule == "backprop" else None,
        seed=spec.seed,
    )
    found = {"float": net.accuracy((filled.x_test - middle) / std, filled.y_test)}
    if in_formats:
        trained = replace(graph, weights=net.weights())
        for formats in FORMATS:
            found[" ".join(formats)] = _accuracy(spec_in(*formats), trained, dataset)
    return found


def _accuracy(spec: Spec, graph: Graph, dataset: Dataset) -> float:
    """Of the generated code with these weights, before it learns anything."""
    spec, dataset = with_defaults(spec, dataset)
    model = quantize(spec, graph, dataset)
    platform = load_platform("host")
    return trained_score(Prepared(spec, dataset, graph, model, plan_memory(model), platform), 0)


def learning_rows(found: Mapping[str, tuple[Rates, Sequence[Found]]]) -> Iterator[str]:
    """The table of what trains: by title the rates, and what each seed came to."""
    yield "| trained by | learning rates | test, mean, % | of each seed |"
    yield "|---|---:|---:|---|"
    for title, (tried, entries) in found.items():
        values = [100 * entry["float"] for entry in entries]
        if values:
            rates = ", ".join(f"{rate:g}" for rate in tried)
            yield f"| {title} | {rates} | {mean(values):.2f} | {each(values)} |"


def format_rows(found: Sequence[Found]) -> Iterator[str]:
    """The table of formats: weights after backpropagation, run by the generated code."""
    yield "| weights, activations | test, mean, % | of each seed | below float |"
    yield "|---|---:|---|---:|"
    for key in ("float", *(" ".join(names) for names in FORMATS)) if found else ():
        values = [100 * entry[key] for entry in found]
        lost = mean(100 * entry["float"] for entry in found) - mean(values)
        title = {"float": "float, torch", "f32 s16": "f32"}.get(key, key.replace(" ", ", "))
        yield f"| {title} | {mean(values):.2f} | {each(values)} | {lost:.2f} |"
