"""The network of a spec: its layers, and where they and their initial weights come from."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from tpsgd_edge.spec.base import Positive, Section
from tpsgd_edge.spec.detector import DETECTOR
from tpsgd_edge.spec.edges import Edges
from tpsgd_edge.spec.layers import DenseSpec, GatedSpec, LayerSpec
from tpsgd_edge.spec.weighted import WeightedSpec


class PretrainSpec(Section):
    """Training in floating point before quantization (needs torch)."""

    method: Literal["backprop", "tpsgd"] = "tpsgd"
    """What it learns by. Example: `method = "backprop"`"""
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Passes over the training samples. Example: `epochs = 10`"""
    learning_rate: Positive = 0.01
    """Learning rate of the whole training. Example: `learning_rate = 0.05`"""
    batch: Annotated[int, Field(ge=1)] = 32
    """Samples a step. Example: `batch = 64`"""


def _check_members(layers: Sequence[LayerSpec], names: list[str]) -> None:
    # A layer owns the C names NAME, NAME_w and NAME_b; a gated layer also those of NAME_x and
    # NAME_h, a detector NAME_m, NAME_v and NAME_t.
    owners = [(name, name) for name in names]
    gated = [layer.name for layer in layers if isinstance(layer, GatedSpec)]
    owners += [(name, f"{name}_{unit}") for name in gated for unit in "xh"]
    detectors = [layer.name for layer in layers if layer.kind == DETECTOR]
    for name, owner in owners:
        members = [f"{owner}_w", f"{owner}_b"] if owner == name else [owner, f"{owner}_w"]
        members += [f"{name}_{tensor}" for tensor in "mvt" if name in detectors]
        for member in members:
            if member in names:
                raise ValueError(f"layer {member!r} has the C name of a tensor of layer {name!r}")


class ModelSpec(Section):
    """The network: layers from input to output, and where their initial weights come from.

    With `source`, an ONNX file, both come from there: `layers` stay empty until it is read
    (`with_layers`), and `settings` adds to single layers, by name, what the file cannot say.
    """

    layers: Annotated[tuple[LayerSpec, ...], Field(min_length=1, max_length=64)] = ()
    """Layers from input to output, a table for each.
    Example: `layers = [{ name = "fc1", units = 32 }, { name = "fc2", units = 10 }]`"""
    source: str | None = None
    """File of a trained net (.onnx, .tflite), instead of layers. Example: `source = "net.onnx"`"""
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Keys of single layers of a source, by the layer's name: what the file cannot say.
    Example: `settings = { conv1 = { train = false } }, source = "net.onnx"`"""
    adaptors: tuple[str, ...] = ()
    """Layers of a source behind which adaptors are put, called NAME_adaptor.
    Example: `adaptors = ["conv1"], source = "net.onnx"`"""
    extra_classes: Annotated[int, Field(ge=0, le=1000)] = 0
    """Units of the last layer beside those of its classes, for classes that come later. Teach them
    among samples of the others: a new class alone drives out what is known of these.
    Example: `extra_classes = 2`"""
    weights_file: str | None = None
    """Archive (.npz) of initial weights, with arrays NAME.w and NAME.b for each layer.
    Example: `weights_file = "net.npz"`"""
    pretrain: PretrainSpec | None = None
    """Training in floating point before quantization."""

    # Names of the classes in the order of the outputs, where the file of a source has them.
    _class_names: tuple[str, ...] | None = PrivateAttr(default=None)

    @field_validator("layers", "adaptors", mode="before")
    @classmethod
    def _list_is_a_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _names_are_unique(self) -> "ModelSpec":
        if (self.source is None) == (not self.layers):
            raise ValueError(
                'a model has layers, or a source for them: source = "net.onnx"; not both'
                if self.layers
                else "a model needs layers, or a source for them"
            )
        names = [name for name in self.names if name is not None]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"layer names must differ; used twice: {', '.join(twice)}")
        _check_members(self.layers, names)
        origins = [name for name in ("source", "weights_file", "pretrain") if getattr(self, name)]
        if len(origins) > 1:
            raise ValueError(f"weights come from one place only, not from {' and '.join(origins)}")
        if self.settings and self.source is None:
            raise ValueError("settings are for a source; layers have their keys themselves")
        if self.adaptors and self.source is None:
            raise ValueError('adaptors are for a source; put { kind = "adaptor" } between layers')
        return self

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, in the order of the outputs, that the source has; None without."""
        return self._class_names

    @property
    def names(self) -> tuple[str | None, ...]:
        """The name of each layer; flatten needs none.

        Pools without one are pool1, pool2, ..., sums add1, ..., norms norm1, ... and so on.
        """
        counts: Counter[str] = Counter()
        names: list[str | None] = []
        for layer in self.layers:
            stem = layer.stem
            counts.update([stem] if stem else [])
            names.append(layer.name or (f"{stem}{counts[stem]}" if stem else None))
        return tuple(names)

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the layers, those without a name by their place."""
        return tuple(name or f"layers[{i}]" for i, name in enumerate(self.names))

    @property
    def edges(self) -> Edges:
        """Values that each layer reads, layers named as in `keys`."""
        pairs = zip(self.keys, self.layers, strict=True)
        return Edges.of(self.keys, {key: layer.reads for key, layer in pairs if layer.reads})

    @property
    def weighted(self) -> tuple[WeightedSpec, ...]:
        """The layers with weights."""
        own = (layer.weighted for layer in self.layers)
        return tuple(layer for layer in own if layer is not None)

    @property
    def has_first_weights(self) -> bool:
        """Tell whether the initial weights are those of a net that has learned something."""
        origins = (self.source, self.weights_file, self.pretrain)
        return any(origin is not None for origin in origins)

    @property
    def n_out(self) -> int:
        """Units of the last layer with those of extra classes; 2 of a detector.

        It is 0 where the layer is not dense, which `load_spec` refuses.
        """
        last = self.layers[-1] if self.layers else None
        if last is not None and last.kind == DETECTOR:
            return 2
        return last.units + self.extra_classes if isinstance(last, DenseSpec) else 0
