"""A small net for each thing that a spec can name, and the stages that all of them go through."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from tpsgd_edge.comparison.runs import Run
from tpsgd_edge.comparison.training import execute
from tpsgd_edge.frontend.imports.onnx_net import read_onnx
from tpsgd_edge.memory import model_id, state_layout
from tpsgd_edge.memory.dump import read_dump
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.reference import Reference
from tpsgd_edge.reports.costs import formats_of, layer_costs
from tpsgd_edge.spec import LayerSpec, Spec, spec_from_dict
from tpsgd_edge.stages import Prepared, on_host, prepare, prove, render_project
from tpsgd_edge.stages.export import onnx_of
from tpsgd_edge.stages.quantization import layer_errors
from tpsgd_edge.toolchain.interface import interface_of

Table = dict[str, Any]
CLASSES, SAMPLES = 3, 30
# The kinds of layers that a spec can name, and the class of their settings.
SECTIONS: Mapping[str, type] = {
    mark.tag: get_args(part)[0]
    for part in get_args(get_args(LayerSpec)[0])
    for mark in get_args(part)[1:]
}
KINDS: tuple[str, ...] = tuple(SECTIONS)
# Weights and activations; in f32 all is binary32.
FORMATS = (("s16", "s8"), ("s8", "s8"), ("s16", "s16"), ("s8", "s16"), ("f32", "s8"))
_MAP: Table = {"kind": "conv2d", "name": "map", "filters": 2, "kernel": 2, "projection": "random"}
_FC: Table = {"name": "fc", "units": 4}
_EACH_STEP: Table = {"kind": "conv1d", "filters": 4, "kernel": 1, "projection": "random"}
# Kinds that only `compare` has.
IN_FLOATS_ALONE = ("attention",)
# The shape of a sample, and the layers before the last one.
NETS: Mapping[str, tuple[tuple[int, ...], list[Table]]] = {
    "dense": ((6,), [_FC]),
    "adaptor": ((6,), [_FC, {"kind": "adaptor", "name": "a"}]),
    "conv2d": ((5, 6, 2), [_MAP]),
    "conv1d": ((6, 2), [{**_MAP, "kind": "conv1d"}]),
    "rnn": ((4, 3), [{"kind": "rnn", "name": "r", "units": 4}]),
    "gru": ((4, 3), [{"kind": "gru", "name": "g", "units": 4}]),
    "lstm": ((4, 3), [{"kind": "lstm", "name": "l", "units": 4}]),
    "memory": ((7, 3), [{"kind": "memory", "every": 2}, _FC, {"kind": "memory"}]),
    "norm": ((5, 6, 4), [{**_MAP, "filters": 4}, {"kind": "norm"}]),
    "max_pool": ((5, 6, 2), [_MAP, {"kind": "max_pool", "size": 2}]),
    "avg_pool": ((5, 6, 2), [_MAP, {"kind": "avg_pool", "size": 2}]),
    "global_avg_pool": ((5, 6, 2), [_MAP, {"kind": "global_avg_pool"}]),
    "flatten": ((5, 6, 2), [_MAP, {"kind": "flatten"}]),
    "detector": ((6,), [{"kind": "detector", "name": "d"}]),
    "add": ((6,), [{**_FC, "units": 6}, {"kind": "add", "from": ["x", "fc"]}]),
    "concat": ((6,), [_FC, {"kind": "concat", "from": ["fc", "x"]}]),
    "attention": (
        (6, 2),
        [
            *({**_EACH_STEP, "name": name, "from": "x"} for name in "qkv"),
            {"kind": "attention", "heads": 2, "from": ["q", "k", "v"]},
        ],
    ),
}


def net(
    kind: str = "dense",
    formats: tuple[str, str] = FORMATS[0],
    *,
    layer: Table | None = None,
    output: Table | None = None,
    model: Table | None = None,
    is_class: bool = True,
    **sections: Table,
) -> Spec:
    """Make the spec of a small net, whose data are samples at random in a folder of their own.

    Args:
        kind: the layer kind that it shows.
        layer: keys of the first layer.
        output: keys of the last one.
        model: more keys of [model].
    """
    shape, (first, *rest) = NETS[kind]
    folder = Path(tempfile.mkdtemp(prefix="tpsgd-kinds-"))
    rng = np.random.default_rng(1)
    y = np.arange(SAMPLES) % CLASSES if is_class else rng.normal(size=(SAMPLES, CLASSES))
    np.savez(folder / "d.npz", x=rng.normal(size=(SAMPLES, *shape)), y=y)
    last = [] if kind == "detector" else [{"name": "out", "units": CLASSES, **(output or {})}]
    task = "classification" if is_class else "regression"
    data = {"task": "anomaly", "normal": ["0", "1"]} if kind == "detector" else {"task": task}
    content = {
        "name": "small",
        "model": {"layers": [{**first, **(layer or {})}, *rest, *last], **(model or {})},
        "numbers": {"weights": formats[0], "activations": formats[1]},
        "data": {"file": "d.npz", **data},
        **sections,
    }
    return spec_from_dict(content, folder=folder)


@dataclass(frozen=True)
class Way:
    """A net on its way: the spec, the model, and a reference that has trained for some steps."""

    spec: Spec
    prepared: Prepared
    reference: Reference


def begun(spec: Spec) -> Way:
    """Quantize a net and train its reference for three steps."""
    prepared = prepare(spec)
    model, dataset = prepared.model, prepared.dataset
    reference = Reference(model)
    x = quantize_inputs(model, dataset.x_train[:3])
    for sample, label in zip(x, quantize_labels(model, dataset.y_train[:3]), strict=True):
        reference.train_step(sample, label)
    assert int(reference.state()["step"]) >= 3
    return Way(spec, prepared, reference)


def _codegen(way: Way) -> None:
    assert f"{way.spec.name}.c" in render_project(way.prepared).files


def _memory(way: Way) -> None:
    model, state = way.prepared.model, way.reference.state()
    raw = state_layout(model).write(state)
    again = read_dump(model, raw, where="dump")
    assert all(again[name].tobytes() == state[name].tobytes() for name in again)
    assert 0 <= model_id(model) < 2**32


def _reports(way: Way) -> None:
    costs = layer_costs(way.prepared.model, way.prepared.plan)
    assert {cost.layer for cost in costs} >= set(formats_of(way.prepared.model))
    assert all(cost.shape and cost.about for cost in costs)


def _quantization(way: Way) -> None:
    errors = layer_errors(way.prepared, None, 5, lambda *_: None)
    assert len(errors) == len(way.prepared.model.layers)


def _export(way: Way) -> None:
    path = way.spec.folder / "net.onnx"
    path.write_bytes(onnx_of(way.prepared, dict(way.reference.state())))


def _import(way: Way) -> None:
    _export(way)
    assert read_onnx(way.spec.folder / "net.onnx").layers[-1]["units"] == CLASSES


def _in_torch(way: Way) -> None:
    result = execute(way.prepared.spec, Run("tpsgd", seed=1, rate=None, epochs=1, batch=4))
    assert len(result.scores) == 2


def _backprop_in_torch(way: Way) -> None:
    result = execute(way.prepared.spec, Run("backprop", seed=1, rate=0.01, epochs=1, batch=4))
    assert len(result.scores) == 2


def _backprop(way: Way) -> None:
    data = way.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    # Under backpropagation hidden layers have neither targets nor losses of their own.
    data.pop("projection", None)
    for table in data["model"]["layers"][:-1]:
        for key in ("projection", "loss"):
            table.pop(key, None)
    _codegen(
        begun(
            spec_from_dict(
                {**data, "rule": {**data.get("rule", {}), "kind": "backprop"}},
                folder=way.spec.folder,
            )
        )
    )


# What a net goes through beside the stages of `begun`, those that are in real numbers apart.
IN_REAL_NUMBERS = ("export", "import", "torch", "backprop in torch")
STAGES: Mapping[str, Callable[[Way], None]] = {
    "codegen": _codegen,
    "memory": _memory,
    "reports": _reports,
    "quantization": _quantization,
    "export": _export,
    "import": _import,
    "torch": _in_torch,
    "backprop in torch": _backprop_in_torch,
    "backprop": _backprop,
}


def assert_trains_on_this_computer(way: Way, steps: int = 20) -> None:
    """Compile the net and compare its training with the reference, bit for bit."""
    with on_host(way.prepared) as device:
        verdict = prove(device, way.prepared, steps, lambda *_: None)
    assert verdict.verdict == "equal", verdict.describe()
    assert interface_of(way.prepared.model).trace_names
