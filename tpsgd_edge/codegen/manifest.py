"""manifest.json: what the project was made from, how inputs are scaled, where memory goes."""

from collections.abc import Mapping

from tpsgd_edge.codegen.kinds import KINDS
from tpsgd_edge.codegen.license import LICENSE
from tpsgd_edge.codegen.view import RUNTIME_VERSION, Origin
from tpsgd_edge.memory import ArenaPlan, MemoryPlan, model_id_text
from tpsgd_edge.quantize.model import QuantizedLayer, QuantizedModel


def manifest(
    model: QuantizedModel, plan: MemoryPlan, origin: Origin, digests: Mapping[str, str]
) -> dict[str, object]:
    """The manifest as a JSON document.

    Args:
        digests: SHA-256 of each file by its path.
    """
    return {
        "name": model.name,
        "tool": {"name": "tpsgd-edge", "version": origin.tool_version},
        "license": LICENSE,
        "runtime_version": RUNTIME_VERSION,
        "spec": {"file": origin.spec_file, "digest": origin.spec_digest},
        "seed": model.seed,
        "model_id": model_id_text(model),
        "input": {
            "type": model.value_type,
            "count": model.n_inputs,
            "mean": model.inputs.mean.tolist(),
            "deviation": model.inputs.std.tolist(),
            "scale": model.inputs.scale,
        },
        "labels": {
            "kind": model.labels.kind,
            "count": model.labels.count,
            "names": list(model.labels.names),
            "mean": model.labels.mean.tolist(),
            "deviation": model.labels.std.tolist(),
            "scale": model.labels.scale,
        },
        "layers": [_layer(layer) for layer in model.layers],
        "memory": {
            "state": {
                "bytes": plan.state.size,
                "tensors": [
                    {"name": t.name, "type": t.type, "shape": list(t.shape), "offset": t.offset}
                    for t in plan.state.tensors
                ],
            },
            "training_arena": _arena(plan.training),
            "inference_arena": _arena(plan.inference),
        },
        "files": dict(digests),
    }


def _layer(layer: QuantizedLayer) -> dict[str, object]:
    shape: dict[str, object] = {
        "name": layer.name,
        "kind": layer.kind,
        "input_values": layer.x_count,
        "output_values": layer.y_count,
        "output_type": layer.y_type,
    }
    return shape | KINDS[layer.kind].facts(layer)


def _arena(plan: ArenaPlan) -> dict[str, object]:
    return {
        "bytes": plan.size,
        "buffers": [
            {"name": b.name, "type": b.type, "count": b.count, "offset": b.offset}
            for b in plan.buffers
        ],
    }
