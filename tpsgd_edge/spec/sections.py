"""The sections of a spec: every key, its type, its range, its default, and what it does.

What concerns one key or one section is checked here; what concerns several is in `rules.py`. The
network is in `model.py`, its layer kinds in `layers.py`, losses in `loss.py`, the hardware in
`platform.py`, what else a project holds in `firmware.py`, the names that C leaves free in
`names.py`. `problems.py` puts pydantic's messages in better words. The text under a key is what
docs/SPEC.md, the schema and `tpsgd-edge explain` say.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, PrivateAttr, field_validator, model_validator

from tpsgd_edge.spec.base import Positive, Section
from tpsgd_edge.spec.drift import DriftSpec
from tpsgd_edge.spec.features import FeaturesSpec
from tpsgd_edge.spec.firmware import FirmwareSpec
from tpsgd_edge.spec.loss import LossSpec
from tpsgd_edge.spec.model import ModelSpec
from tpsgd_edge.spec.names import check_class_names, check_model_name
from tpsgd_edge.spec.platform import PlatformSpec
from tpsgd_edge.spec.replay import ReplaySpec
from tpsgd_edge.spec.search import SearchSpec
from tpsgd_edge.spec.source import SourceInput
from tpsgd_edge.spec.weighted import ModelFormat

ActivationFormat = Literal["s8", "s16"]
RawType = Literal["float", "uint8", "int8", "uint16", "int16"]
RandomKind = Literal["hadamard", "sign", "ternary", "gaussian"]
ProjectionKind = Literal[RandomKind, "fitted", "learned", "prototype"]
ScheduleKind = Literal["constant", "linear", "cosine", "exponential"]
# Every kind of schedule.
SCHEDULES: tuple[ScheduleKind, ...] = get_args(ScheduleKind)
# The learning rate that a schedule ends at, as a share of the one that it starts with. A device
# that goes on learning has this one for ever: at 0.01 it could not follow a drift any more, and
# 0.3 costs nothing without one (docs/RESULTS.md).
DEFAULT_FINAL_RATE = 0.3


class NumbersSpec(Section):
    """Number formats."""

    weights: ModelFormat = "s16"
    """Format of weights: 16 bits; 8 bits, with random rounding; or binary32, where all else is
    binary32 too. Example: `weights = "s8"`"""
    activations: ActivationFormat = "s8"
    """Format of inputs and outputs of layers; not used in f32. Example: `activations = "s16"`"""


class RuleSpec(Section):
    """The learning rule: local losses, learning rate and schedule, dead zone, error gate.

    Without a learning rate, nets that start from nothing have one for each layer, a step size over
    the mean square of what it reads (`rates.is_normalized`); nets that learned before 0.003. Of
    a convolution it is the rate of the averages over windows that its loss sees.
    With `kind` = "backprop", short rule = "backprop", all layers follow the gradient of the last
    layer's loss instead; it is there to compare with.
    """

    kind: Literal["tpsgd", "backprop"] = "tpsgd"
    """What the layers follow: local losses towards projected targets, or the gradient of the last
    layer's loss, which is there to compare with. Example: `kind = "backprop"`"""
    # None: the best measured for the kind of labels (`rules.layer_loss`).
    loss: LossSpec | None = None
    """Local loss of hidden layers, by name or as a table; where not given, the best measured for
    their targets. Example: `loss = "projected_l2"`"""
    output_loss: LossSpec | None = None
    """Loss of the last layer, by name or as a table; where not given, softmax cross entropy for
    classes, l2 for values. Example: `output_loss = "l2"`"""
    # "auto" is read as None.
    learning_rate: Positive | None = None
    """Learning rate of all layers that have none of their own; where not given, or "auto", it
    follows from the data. Of a convolution it is the rate of the averages over windows that its
    loss sees. Example: `learning_rate = 0.02`"""
    step_size: Annotated[float, Field(gt=0, le=100)] | None = None
    """What a rate that follows from the data makes of an error in one step: the rate is step_size
    over the mean square of what a layer reads. Where not given, or "auto", what was measured best
    for each kind of layer. Example: `step_size = 0.1`"""
    output_learning_rate: Positive | None = None
    """Learning rate of the last layer, where it differs. Example: `output_learning_rate = 0.01`"""
    schedule: ScheduleKind = "linear"
    """How the learning rate comes down over all epochs. Example: `schedule = "constant"`"""
    final_rate: Annotated[float, Field(gt=0, le=1)] = DEFAULT_FINAL_RATE
    """Where the schedule ends, as a share of the first rate; the rate stays there for ever.
    Example: `final_rate = 0.1`"""
    epochs: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Passes over the training samples, and the length of the schedule; where not given, or "auto",
    what 10,000 steps take, 10 at least. Example: `epochs = 20`"""
    dead_zone: Annotated[float, Field(ge=0, lt=2)] = 0.0
    """Errors smaller than this change nothing. Example: `dead_zone = 0.05`"""
    # Not set: `rules.error_gate` decides. "none" is read as a None that is set.
    error_gate: Annotated[float, Field(gt=0, le=1)] | None = None
    """Hidden layers learn only where the net gives the label less than this probability; "none":
    everywhere. Where not given, 0.9 in integer classifiers of dense layers that start from nothing,
    none elsewhere. Example: `error_gate = 0.8`"""
    # None: `carried.carries_scores` decides.
    scores: Literal["own", "carried"] | None = None
    """What a hidden layer of a classifier learns from: the scores of its own read-out, or their sum
    with those of all layers before it, which the last layer adds its outputs to: the net answers
    with the sum. Where not given, carried in nets of three convolutions that learn or more, if they
    start from nothing, own elsewhere. Example: `scores = "carried"`"""
    learn_every: Annotated[int, Field(ge=0, le=65535)] = 1
    """A sequence with one label teaches the layers along it, recurrent ones and those between
    memories, after every so many steps; 0: at its end. Where not given, dense layers behind a
    memory learn whenever it hands on. Example: `learn_every = 4`"""

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
    """The matrices that make targets of labels; `rules.layer_projection` decides what is open."""

    kind: ProjectionKind | None = None
    """Kind of the matrices that turn labels into targets: random; fitted to the initial weights;
    learned beside the layer; or the mean activations of each class in a trained net. Where not
    given, each layer gets what was measured best for it. Example: `kind = "hadamard"`"""
    storage: Literal["seed", "packed", "s8"] = "seed"
    """Where random matrices are: drawn again from the seed at each use, packed in 2 bits an entry,
    or one byte an entry in flash. Example: `storage = "packed"`"""
    scale: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Amplitude of random targets, as a share of the output's range. Example: `scale = 0.5`"""

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
    """Source of the samples, their split and their scaling."""

    file: str
    """File of the samples: .npz, .csv, .tsv or IDX, relative to the spec; or "fashion-mnist".
    Example: `file = "samples.csv"`"""
    labels_file: str | None = None
    """IDX file of the labels, where samples have one of their own.
    Example: `labels_file = "train-labels.idx"`"""
    source_file: str | None = None
    """Samples of the domain that a trained net comes from, where `file` is another one:
    pre-training, scaling, scales and prototypes follow from these.
    Example: `source_file = "old_sensor.npz"`"""
    source_labels_file: str | None = None
    """IDX file of the labels of source_file.
    Example: `source_labels_file = "old-labels.idx", source_file = "old.idx"`"""
    test_file: str | None = None
    """File of test samples, instead of a part of `file`. Example: `test_file = "test.csv"`"""
    test_labels_file: str | None = None
    """IDX file of the labels of test_file.
    Example: `test_labels_file = "test-labels.idx", test_file = "test.idx"`"""
    x: str = "x"
    """Name of the array of samples in an .npz file. Example: `x = "images"`"""
    y: str = "y"
    """Name of the array of labels in an .npz file, or of the label column of a table; several
    columns, parted by commas, are values to predict. Example: `y = "species"`"""
    classes: tuple[str, ...] | None = None
    """Names of the classes, in the order of the outputs. Example: `classes = ["up", "down"]`"""
    header: bool | None = None
    """Whether the first line of a CSV file holds names of columns; where not given, it is looked
    at. Example: `header = false`"""
    drop: tuple[str, ...] = ()
    """Columns of a CSV file that are no inputs. Example: `drop = ["id", "time"]`"""
    task: Literal["auto", "classification", "regression", "anomaly"] = "auto"
    """Whether labels are classes or values to predict, or say which samples are normal; "auto"
    looks at them. Example: `task = "regression"`"""
    normal: tuple[str, ...] | None = None
    """Names of the classes that are normal in an anomaly task: only these are learned, and all
    others are anomalies; where not given, the class normal, ok, good or 0. Since: 0.2.0.
    Example: `normal = ["idle", "running"]`"""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the samples that is kept for testing, where there is no test_file.
    Example: `test_fraction = 0.25`"""
    scaling: Literal["auto", "none", "unit", "standard", "standard_channels", "standard_all"] = (
        "auto"
    )
    """What is done to samples first: nothing; division by the largest magnitude; mean 0 and
    deviation 1 for each input, for each channel, or for all inputs together. "auto" is what suits
    the samples: inputs of unlike ranges are standardised, images and inputs of like ranges have one
    scale, signals one for each channel, and a net that was trained before reads them as they are.
    Example: `scaling = "standard"`"""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Number of training samples that are used; where not given, all. Example: `limit = 500`"""
    input_shape: tuple[int, int, int] | None = None
    """Height, width and channels of a sample; where not given, what the file says.
    Example: `input_shape = [28, 28, 1]`"""
    layout: Literal["channels_last", "channels_first"] | None = None
    """How the values of a sample lie in the file; where not given, by the rule of docs/LAYOUT.md.
    Example: `layout = "channels_first"`"""
    raw: RawType | None = None
    """C type of what a sensor gives, which NAME_raw.h converts; where not given, or "auto", that of
    the file: the integers of an .npz or IDX file of up to 16 bits, else float. Since: 0.2.0.
    Example: `raw = "int16"`"""
    _net_input: SourceInput | None = PrivateAttr(default=None)

    @property
    def net_input(self) -> SourceInput | None:
        """Input of the net in the model's source; None if the layers are the spec's own."""
        return self._net_input

    def for_net(self, source: SourceInput, input_shape: tuple[int, int, int]) -> "DataSpec":
        """The same section for a net that reads such samples."""
        shape = self.input_shape if source.is_vector else input_shape
        data = self.model_copy(update={"input_shape": shape})
        data._net_input = source
        return data

    @field_validator("classes", mode="before")
    @classmethod
    def _names_of_classes(cls, value: object) -> object:
        return None if value is None else check_class_names(value)

    @field_validator("normal", mode="before")
    @classmethod
    def _names_of_normal_classes(cls, value: object) -> object:
        names = (value,) if isinstance(value, str | int) else value
        if isinstance(names, list | tuple):
            return tuple(str(name) if type(name) is int else name for name in names)
        return names

    @field_validator("raw", mode="before")
    @classmethod
    def _no_type_by_name(cls, value: object) -> object:
        return None if value == "auto" else value

    @field_validator("drop", mode="before")
    @classmethod
    def _names_of_columns(cls, value: object) -> object:
        if isinstance(value, str):
            return (value,)
        return tuple(value) if isinstance(value, list) else value

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
        if self.classes is not None and self.task == "regression":
            raise ValueError("'classes' are names of classes, but task = \"regression\"")
        return self


class Spec(Section):
    """One training project.

    `load_spec` and `spec_from_dict` make it.
    """

    name: str
    """Name of the project: of the C files, functions and types. Example: `name = "digits"`"""
    seed: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] = 1
    """Where all that is drawn starts: initial weights, projections, random rounding, the split and
    the order of the samples. Example: `seed = 7`"""
    model: ModelSpec
    """The network."""
    numbers: NumbersSpec = NumbersSpec()
    """Number formats."""
    rule: RuleSpec = RuleSpec()
    """How the layers learn; rule = "backprop" in one word is [rule] with kind = "backprop"."""
    projection: ProjectionSpec = ProjectionSpec()
    """Where the targets of hidden layers come from."""
    data: DataSpec
    """Samples and labels."""
    features: FeaturesSpec | None = None
    """Features that are made of a signal before the net reads it. Since: 0.2.0.
    Example: `features = { statistics = ["rms", "kurtosis"] }`"""
    replay: ReplaySpec = ReplaySpec()
    """What the device keeps of the samples that it has seen."""
    drift: DriftSpec = DriftSpec()
    """What notices that the net does worse than it did."""
    platform: PlatformSpec = PlatformSpec()
    """The hardware and its budget."""
    firmware: FirmwareSpec = FirmwareSpec()
    """What the generated project holds beside the model."""
    search: SearchSpec = SearchSpec()
    """What `tpsgd-edge search` chooses from."""

    _c_name = field_validator("name")(check_model_name)

    @field_validator("rule", mode="before")
    @classmethod
    def _rule_by_name(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) else value

    _folder: Path = PrivateAttr(default_factory=Path)
    _source: str = PrivateAttr(default="spec")
    _overrides: tuple[str, ...] = PrivateAttr(default=())
    _notes: tuple[str, ...] = PrivateAttr(default=())

    @property
    def folder(self) -> Path:
        """Folder of the spec's file, where relative paths in the spec start."""
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
    def notes(self) -> tuple[str, ...]:
        """Notes made while reading: names that are old ones (`aliases.py`), what a source lost."""
        return self._notes

    def with_notes(self, *notes: str) -> Self:
        """The spec with further notes behind its own."""
        made = self.model_copy()
        made._notes = (*self._notes, *notes)
        return made

    @property
    def digest(self) -> str:
        """A SHA-256 of what the spec says, with defaults and overrides, in whatever form.

        [search] is left out: it says nothing of the net that is built.
        """
        content: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude={"search"})
        for layer in content["model"]["layers"]:
            # The layer before is meant, however that is said.
            if layer["from"] is None:
                del layer["from"]
        if content["features"] is None:
            del content["features"]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
