"""TensorFlow Lite files put together by LiteRT's own classes, and what LiteRT answers."""

from typing import Any

import ai_edge_litert.schema_py_generated as schema
import flatbuffers
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

RELU, RELU6 = schema.ActivationFunctionType.RELU, schema.ActivationFunctionType.RELU6
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
_TYPES = {
    np.dtype("f4"): "FLOAT32",
    np.dtype("f2"): "FLOAT16",
    np.dtype("i4"): "INT32",
    np.dtype("i1"): "INT8",
    np.dtype("u1"): "UINT8",
    np.dtype("i8"): "INT64",
}
Steps = tuple[Any, Any]  # scale and zero point, or arrays of them


def options(name: str, **fields: Any) -> Any:
    """The options of an operator: `options("Conv2D", padding=SAME)`."""
    made = getattr(schema, f"{name}OptionsT")()
    for field, value in fields.items():
        assert hasattr(made, field), field
        setattr(made, field, value)
    return made


class Builder:
    """A file in the making; tensors are known by their places."""

    def __init__(self, shape: tuple[int, ...], kind: str = "f4", steps: Steps | None = None):
        self.net = schema.SubGraphT()
        self.net.tensors, self.net.operators = [], []
        self.buffers, self.codes = [schema.BufferT()], []
        self.x = self.tensor("x", shape, kind, steps)

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        kind: str = "f4",
        steps: Steps | None = None,
        axis: int = 0,
    ) -> int:
        made = schema.TensorT()
        made.name, made.shape = name, list(shape)
        made.type = getattr(schema.TensorType, _TYPES[np.dtype(kind)])
        if steps is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = np.atleast_1d(steps[0]).astype(np.float32)
            made.quantization.zeroPoint = np.atleast_1d(steps[1]).astype(np.int64)
            made.quantization.quantizedDimension = axis
        self.net.tensors.append(made)
        return len(self.net.tensors) - 1

    def constant(self, array: NDArray[Any], steps: Steps | None = None, axis: int = 0) -> int:
        array = np.asarray(array)
        array = array.astype("f4") if array.dtype == np.float64 else array
        array = array.astype("i4") if array.dtype == np.int64 else array
        index = self.tensor("c", array.shape, array.dtype.str, steps, axis)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.net.tensors[index].buffer = len(self.buffers)
        self.buffers.append(buffer)
        return index

    def op(
        self,
        name: str,
        inputs: list[int],
        shape: tuple[int, ...],
        how: Any = None,
        *,
        called: str = "",
        kind: str = "f4",
        steps: Steps | None = None,
    ) -> int:
        """The place of the output of one more operator."""
        code, op = schema.OperatorCodeT(), schema.OperatorT()
        number = getattr(schema.BuiltinOperator, name)
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
        code.version = 1
        self.codes.append(code)
        op.opcodeIndex, op.inputs = len(self.codes) - 1, inputs
        output = self.tensor(called or f"net/{name.lower()}_{len(self.codes)}", shape, kind, steps)
        op.outputs = [output]
        if how is not None:
            op.builtinOptions = how
            kind_of = type(how).__name__.removesuffix("T")
            op.builtinOptionsType = getattr(schema.BuiltinOptions, kind_of)
        self.net.operators.append(op)
        return output

    def content(self, *outputs: int) -> bytes:
        """The bytes of the file, with these outputs."""
        self.net.inputs, self.net.outputs = [self.x], list(outputs)
        model = schema.ModelT()
        model.version, model.operatorCodes = 3, self.codes
        model.subgraphs, model.buffers = [self.net], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def litert(content: bytes, x: NDArray[Any]) -> NDArray[np.float64]:
    """What LiteRT's own kernels answer to each sample, in real numbers."""
    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    runtime = Interpreter(model_content=content, experimental_op_resolver_type=kernels)
    runtime.allocate_tensors()
    given, made = runtime.get_input_details()[0], runtime.get_output_details()[0]
    rows = []
    for sample in x:
        # Cells and outputs of an LSTM go on from call to call else.
        runtime.reset_all_variables()
        runtime.set_tensor(given["index"], sample.reshape(given["shape"]).astype(given["dtype"]))
        runtime.invoke()
        rows.append(runtime.get_tensor(made["index"]).astype(np.float64).ravel())
    scale, zero = made["quantization"]
    return (np.stack(rows) - zero) * (scale or 1.0)
