"""The sections of a spec: every key, its type, its range and its default.

What concerns one key or one section is checked here; what concerns several is in `rules.py`. The
layer kinds are in `layers.py`, the names that C leaves free in `names.py`. `problems.py` puts
pydantic's messages in better words.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from tpsgd_edge.spec.base import Positive, Section
from tpsgd_edge.spec.layers import (
    DenseSpec,
    GlobalAvgPoolSpec,
    GruSpec,
    LayerSpec,
    LossSpec,
    PoolSpec,
    TrainedSpec,
    WeightFormat,
)
from tpsgd_edge.spec.names import check_model_name

ActivationFormat = Literal["s8", "s16"]
RandomKind = Literal["hadamard", "sign", "ternary", "gaussian"]
ProjectionKind = Literal[RandomKind, "fitted", "learned", "prototype"]


class PretrainSpec(Section):
    """Training in floating point before quantization (needs torch)."""

    method: Literal["backprop", "tpsgd"] = "tpsgd"
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 5
    learning_rate: Positive = 0.01
    batch: Annotated[int, Field(ge=1)] = 32


def _check_members(layers: Sequence[LayerSpec], names: list[str]) -> None:
    # A layer owns the C names NAME, NAME_w and NAME_b; a gru also those of NAME_x and NAME_h.
    owners = [(name, name) for name in names]
    grus = [layer.name for layer in layers if isinstance(layer, GruSpec)]
    owners += [(name, f"{name}_{unit}") for name in grus for unit in "xh"]
    for name, owner in owners:
        members = (f"{owner}_w", f"{owner}_b") if owner == name else (owner, f"{owner}_w")
        for member in members:
            if member in names:
                raise ValueError(f"layer {member!r} has the C name of a tensor of layer {name!r}")


class ModelSpec(Section):
    """The network: layers from input to output, and where their first weights come from.

    With `source`, an ONNX file, both come from there: `layers` stay empty until it is read
    (`with_layers`), and `settings` adds to single layers, by name, what the file cannot say.
    """

    layers: Annotated[tuple[LayerSpec, ...], Field(min_length=1, max_length=64)] = ()
    source: str | None = None
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    # Layers of a source behind which adaptors are put: NAME_adaptor.
    adaptors: tuple[str, ...] = ()
    # Units of the last layer, beside those that the layers have, for classes that come later.
    extra_classes: Annotated[int, Field(ge=0, le=1000)] = 0
    weights_file: str | None = None
    pretrain: PretrainSpec | None = None

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
    def names(self) -> tuple[str | None, ...]:
        """The name of each layer: pooling without one is pool1, pool2, ...; flatten needs none."""
        count = 0
        names: list[str | None] = []
        for layer in self.layers:
            name = layer.name
            if isinstance(layer, PoolSpec | GlobalAvgPoolSpec):
                count += 1
                name = name or f"pool{count}"
            names.append(name)
        return tuple(names)

    @property
    def trained(self) -> tuple[TrainedSpec, ...]:
        """The layers with weights."""
        return tuple(layer for layer in self.layers if isinstance(layer, TrainedSpec))

    @property
    def has_first_weights(self) -> bool:
        """Whether the first weights are those of a net that has learned something."""
        origins = (self.source, self.weights_file, self.pretrain)
        return any(origin is not None for origin in origins)

    @property
    def n_out(self) -> int:
        """Units of the last layer with those of extra classes.

        It is 0 where the layer is not dense, which `load_spec` refuses.
        """
        last = self.layers[-1] if self.layers else None
        return last.units + self.extra_classes if isinstance(last, DenseSpec) else 0


class NumbersSpec(Section):
    """Number formats. With weights = "f32" everything is binary32 and `activations` is not used."""

    weights: WeightFormat = "s16"
    activations: ActivationFormat = "s8"


class RuleSpec(Section):
    """The learning rule: local losses, learning rate and schedule, dead zone, error gate.

    Without a learning rate, nets that start from nothing have one for each layer, a step size over
    the mean square of what it reads (`rates.is_normalized`); nets that learned before 0.003. Of
    a convolution it is the rate of the averages over windows that its loss sees.
    With `kind` = "backprop", short rule = "backprop", all layers follow the gradient of the last
    layer's loss instead; it is there to compare with.
    """

    kind: Literal["tpsgd", "backprop"] = "tpsgd"
    # None: the best measured for the kind of labels (`rules.layer_loss`).
    loss: LossSpec | None = None
    output_loss: LossSpec | None = None
    # "auto" is read as None.
    learning_rate: Positive | None = None
    step_size: Annotated[float, Field(gt=0, le=100)] | None = None
    output_learning_rate: Positive | None = None
    schedule: Literal["constant", "linear", "cosine", "exponential"] = "linear"
    final_rate: Annotated[float, Field(gt=0, le=1)] = 0.01
    # None, or "auto": what 10,000 steps take, 10 at least.
    epochs: Annotated[int, Field(ge=1, le=100_000)] | None = None
    dead_zone: Annotated[float, Field(ge=0, lt=2)] = 0.0
    # Not set: `rules.error_gate` decides. "none" is read as a None that is set.
    error_gate: Annotated[float, Field(gt=0, le=1)] | None = None
    # A sequence with one label teaches recurrent layers after every so many steps, 0: at its end.
    learn_every: Annotated[int, Field(ge=0, le=65535)] = 1

    @field_validator("learning_rate", "step_size", "epochs", mode="before")
    @classmethod
    def _no_rate_by_name(cls, value: object) -> object:
        return None if value == "auto" else value

    @field_validator("error_gate", mode="before")
    @classmethod
    def _no_gate_by_name(cls, value: object) -> object:
        return None if value == "none" else value

    @field_validator("loss", "output_loss", mode="before")
    @classmethod
    def _loss_by_name(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_of_both(self) -> "RuleSpec":
        if self.learning_rate is not None and self.step_size is not None:
            raise ValueError(
                "'step_size' is there to find a learning rate; 'learning_rate' gives one: keep one"
            )
        return self

    @property
    def passes(self) -> int:
        """Epochs, where `with_defaults` has said how many.

        Raises:
            ValueError: they still follow from the data.
        """
        if self.epochs is None:
            raise ValueError("epochs follow from the data; call with_defaults first")
        return self.epochs


class ProjectionSpec(Section):
    """The matrices: random, fitted, learned, or prototypes, which are measured in a trained net.

    Without a `kind`, `rules.layer_projection` decides for each layer. `scale` is the amplitude of
    random targets as a share of the output's range.
    """

    kind: ProjectionKind | None = None
    storage: Literal["seed", "packed", "s8"] = "seed"
    scale: Annotated[float, Field(gt=0, le=1)] = 0.8

    @model_validator(mode="after")
    def _gaussian_is_not_packed(self) -> "ProjectionSpec":
        if self.kind == "gaussian" and self.storage == "packed":
            raise ValueError('2 bits hold sign and ternary entries; use storage = "s8" or "seed"')
        if self.kind == "learned" and "storage" in self.model_fields_set:
            raise ValueError("projections that learn lie in RAM; leave storage out")
        is_drawn = self.kind not in ("fitted", "prototype")
        if not is_drawn and self.storage != "s8" and "storage" in self.model_fields_set:
            what = "projections are fitted" if self.kind == "fitted" else "prototypes are measured"
            raise ValueError(f'{what}, so they are stored: use storage = "s8"')
        return self

    @property
    def random_kind(self) -> RandomKind:
        """The kind of the matrices that follow from the seed; those that learn start so."""
        if self.kind == "learned":
            return "hadamard"
        if self.kind is None or self.kind == "fitted" or self.kind == "prototype":
            return "sign"
        return self.kind


FASHION_MNIST = "fashion-mnist"


class DataSpec(Section):
    """Where samples come from and how they are split and scaled.

    `source_file` holds the samples of the domain that the net comes from, where `file` is another
    one: pre-training, scaling, calibration and prototypes then come from there.
    """

    file: str
    labels_file: str | None = None
    source_file: str | None = None
    source_labels_file: str | None = None
    test_file: str | None = None
    test_labels_file: str | None = None
    x: str = "x"
    y: str = "y"
    task: Literal["auto", "classification", "regression"] = "auto"
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    scaling: Literal["auto", "none", "unit", "standard", "standard_channels", "standard_all"] = (
        "auto"
    )
    limit: Annotated[int, Field(ge=1)] | None = None
    # Height, width and channels of a sample; None: what the data set's own shape says.
    input_shape: tuple[int, int, int] | None = None

    @field_validator("input_shape", mode="before")
    @classmethod
    def _three_lengths(cls, value: object) -> object:
        if value is None:
            return None
        lengths = tuple(value) if isinstance(value, list | tuple) else ()
        if len(lengths) != 3 or not all(type(n) is int and 1 <= n <= 65535 for n in lengths):
            raise ValueError("'input_shape' looks like [28, 28, 1]: height, width, channels")
        return lengths

    @model_validator(mode="after")
    def _files_belong_together(self) -> "DataSpec":
        if self.test_labels_file is not None and self.test_file is None:
            raise ValueError("test_labels_file goes with a test_file")
        others = (self.labels_file, self.test_file, self.test_labels_file)
        if self.source_labels_file is not None and self.source_file is None:
            raise ValueError("source_labels_file goes with a source_file")
        if self.file == FASHION_MNIST and others != (None, None, None):
            raise ValueError(f'file = "{FASHION_MNIST}" brings its own labels and test set')
        return self


_BYTES = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([KM]?)i?B?", re.IGNORECASE | re.ASCII)


def parse_bytes(text: str) -> int:
    """A memory size in bytes; K is 1,024.

    >>> parse_bytes("20K"), parse_bytes("1.5 MB"), parse_bytes("512")
    (20480, 1572864, 512)
    """
    match = _BYTES.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"a memory size looks like 20K, 1M or 512, not {text!r}")
    return int(float(match[1]) * {"": 1, "K": 1024, "M": 1024 * 1024}[match[2].upper()])


class PlatformSpec(Section):
    """The hardware and its budget."""

    name: str = "host"
    ram: str | int | None = None
    flash: str | int | None = None

    # Before the union of types, whose own messages would name each type apart.
    @field_validator("ram", "flash", mode="before")
    @classmethod
    def _is_a_size(cls, value: object) -> object:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"a memory size looks like 20K, 1M or 512, not {value!r:.40}")
        if isinstance(value, str):
            value = parse_bytes(value)
        if not 0 < value < 2**50:
            raise ValueError("a memory size is a positive number of bytes")
        return value

    @property
    def ram_bytes(self) -> int | None:
        """RAM budget in bytes, None without one."""
        return parse_bytes(str(self.ram)) if self.ram is not None else None

    @property
    def flash_bytes(self) -> int | None:
        """Flash budget in bytes, None without one."""
        return parse_bytes(str(self.flash)) if self.flash is not None else None


class Spec(Section):
    """One training project, as `load_spec` or `spec_from_dict` made it."""

    name: str
    seed: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] = 1
    model: ModelSpec
    numbers: NumbersSpec = NumbersSpec()
    rule: RuleSpec = RuleSpec()
    projection: ProjectionSpec = ProjectionSpec()
    data: DataSpec
    platform: PlatformSpec = PlatformSpec()

    _c_name = field_validator("name")(check_model_name)

    @field_validator("rule", mode="before")
    @classmethod
    def _rule_by_name(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) else value

    _folder: Path = PrivateAttr(default_factory=Path)
    _source: str = PrivateAttr(default="spec")
    _overrides: tuple[str, ...] = PrivateAttr(default=())

    @property
    def folder(self) -> Path:
        """Where relative paths in the spec start: the folder of its file."""
        return self._folder

    @property
    def source(self) -> str:
        """The file's own name, without its folder, for messages and generated files."""
        return self._source

    @property
    def overrides(self) -> tuple[str, ...]:
        """The `key=value` settings that were applied on reading."""
        return self._overrides

    @property
    def digest(self) -> str:
        """A SHA-256 of what the spec says, with defaults and overrides, in whatever form."""
        content: dict[str, Any] = self.model_dump(mode="json")
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
