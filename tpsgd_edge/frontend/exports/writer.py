"""Nodes and constants of an ONNX graph as they are put together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import ToolError, how_to_install

# Lengths of axes; a name stands for one that is open.
Lengths = tuple[int | str, ...]
Named = tuple[str, Lengths]
_OPSET = 17
_IR_VERSION = 8


class OnnxWriter:
    """A graph in the making. Nodes come in the order of computing, names follow from it."""

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError:
            raise ToolError(
                "writing ONNX files needs the package onnx",
                help=how_to_install("onnx"),
            ) from None
        self._onnx: Any = onnx
        self._nodes: list[Any] = []
        self._tensors: dict[str, Any] = {}

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant, in its shape and in binary32 or int64; return its name."""
        array = values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
        self._tensors[name] = self._onnx.numpy_helper.from_array(array, name)
        return name

    def node(
        self, op: str, inputs: Sequence[str], name: str, *, outputs: int = 1, **attributes: Any
    ) -> str:
        """A node; the name of its first output, which is its own. Others are NAME/1, NAME/2."""
        outs = [name, *(f"{name}/{i}" for i in range(1, outputs))]
        made = self._onnx.helper.make_node(op, list(inputs), outs, name=name, **attributes)
        self._nodes.append(made)
        return name

    def inside(self) -> "OnnxWriter":
        """A writer for the body of a loop, which sees the constants of this one."""
        inner = OnnxWriter()
        inner._tensors = self._tensors
        return inner

    def body(self, name: str, inputs: Mapping[str, Lengths], outputs: Sequence[str]) -> Any:
        """The nodes so far as the body of a loop."""
        info, real = self._onnx.helper.make_tensor_value_info, self._onnx.TensorProto.FLOAT
        return self._onnx.helper.make_graph(
            self._nodes,
            name,
            [info(n, real, shape) for n, shape in inputs.items()],
            [info(n, real, None) for n in outputs],
        )

    def model(
        self,
        name: str,
        x: Named,
        y: Named,
        *,
        note: str,
        version: str,
        metadata: Mapping[str, str],
    ) -> bytes:
        """The finished file. It holds no date and no path.

        Args:
            x, y: names and shapes of input and output.
            note: what the model says of itself.
            metadata: more of it, for programs.
        """
        helper, real = self._onnx.helper, self._onnx.TensorProto.FLOAT
        info, tensors = helper.make_tensor_value_info, list(self._tensors.values())
        ends = [info(x[0], real, x[1])], [info(y[0], real, y[1])]
        model = helper.make_model(
            helper.make_graph(self._nodes, name, *ends, tensors),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="tpsgd-edge",
            producer_version=version,
            doc_string=note,
        )
        helper.set_model_props(model, dict(metadata))
        return bytes(model.SerializeToString(deterministic=True))
