"""The view that templates see: every string and number is ready to print."""

from dataclasses import dataclass

from tpsgd_edge.codegen.activations import TableView, activation_tables
from tpsgd_edge.codegen.arrays import ArrayView, model_arrays
from tpsgd_edge.codegen.c import C_TYPES, c_float, c_uint
from tpsgd_edge.codegen.calls import LearningCalls, OperationView, use_state
from tpsgd_edge.codegen.constants import ProjectionView, projection_view
from tpsgd_edge.codegen.drift import DriftView
from tpsgd_edge.codegen.kernels import Kernels, needed_kernels
from tpsgd_edge.codegen.kinds import KINDS, LayerView
from tpsgd_edge.codegen.kinds.memory import memory_arrays
from tpsgd_edge.codegen.kinds.unit import UnitMembers, unit_members, unit_struct
from tpsgd_edge.codegen.log import LogView
from tpsgd_edge.codegen.notes import NotesView, notes_view
from tpsgd_edge.codegen.rate import RateView, rate_view
from tpsgd_edge.codegen.raw import RawView, raw_view
from tpsgd_edge.codegen.replay import ReplayView, replay_view
from tpsgd_edge.codegen.schedule import LABEL_PROBABILITY, inference_stages, training_calls_of
from tpsgd_edge.codegen.selftest import SelfTest, SelfTestView, selftest_view
from tpsgd_edge.codegen.sequence import LabelsView, SequenceView, labels_view, sequence_view
from tpsgd_edge.codegen.signal import SignalView
from tpsgd_edge.codegen.state import StateView, state_view
from tpsgd_edge.codegen.store import StoreView
from tpsgd_edge.codegen.wire import WireView
from tpsgd_edge.codegen.work import WorkView, work_view
from tpsgd_edge.memory import MemoryPlan, model_id
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel

# The version of firmware/runtime/ and of the kernel templates that generated code needs.
RUNTIME_VERSION = 2


@dataclass(frozen=True, slots=True)
class Origin:
    """Origin of a project, as printed in its files."""

    tool_version: str
    spec_file: str
    spec_digest: str


@dataclass(frozen=True, slots=True)
class ModelView:
    """Everything that any template prints.

    Attributes:
        value_type, output_type: of inputs and hidden outputs, and of the last outputs.
        unit_struct: the struct of dense units, of which `members` says what it needs.
        has_residual: whether some layer's input is added to its outputs.
        carries: whether layers carry scores, the sum of which is the answer.
        rule: the learning rule in words.
        how_it_learns: when in a training step the layers learn, in words.
        last: the name of the last layer.
        gate: the error gate as a literal; empty without one.
        replay: samples that are kept; None of a model that keeps none.
        confidence_c: C type of a confidence; empty where outputs give no probabilities of classes.
        store: the checkpoint of a project that saves; None of others.
        wire: the sizes of a project that a computer talks to; None of others.
        log: the log of a project that writes down what it learns from; None of others.
        drift: the detector of a project that has one; None of others.
        signal: what makes features of a signal; None where samples come as they are.
    """

    name: str
    model_id: str
    origin: Origin
    seed: int
    n_in: int
    n_out: int
    n_labels: int
    value_type: str
    output_type: str
    unit_struct: str
    labels: LabelsView
    sequence: SequenceView | None
    notes: NotesView
    layers: tuple[LayerView, ...]
    members: UnitMembers
    kernels: Kernels
    has_residual: bool
    carries: bool
    rule: str
    how_it_learns: str
    projection: ProjectionView | None
    tables: tuple[TableView, ...]
    state: StateView
    work: WorkView
    inference: tuple[OperationView, ...]
    training: LearningCalls
    last: str
    confidence_c: str
    gate: str
    rate: RateView
    constants: tuple[ArrayView, ...]
    selftest: SelfTestView
    raw: RawView
    replay: ReplayView | None
    store: StoreView | None = None
    wire: WireView | None = None
    log: LogView | None = None
    drift: DriftView | None = None
    signal: SignalView | None = None

    @property
    def runtime_version(self) -> int:
        """The version of the runtime that the generated code needs."""
        return RUNTIME_VERSION

    @property
    def upper(self) -> str:
        """Prefix of the model's macros."""
        return self.name.upper()

    @property
    def is_large(self) -> bool:
        """Tell whether something is larger than arrays are where addresses have 16 bits."""
        pieces = [self.work.model_bytes, self.work.training.work_bytes]
        pieces += [len(array.content) for array in self.constants]
        return max(pieces) > 0x7FFF

    @property
    def is_float(self) -> bool:
        """Tell whether the model computes in binary32."""
        return self.value_type == "f32"

    @property
    def is_classifier(self) -> bool:
        """Tell whether labels are numbers of classes."""
        return self.labels.is_class

    @property
    def x_c(self) -> str:
        """C type of inputs and hidden outputs."""
        return C_TYPES[self.value_type]

    @property
    def out_c(self) -> str:
        """C type of the last outputs."""
        return C_TYPES[self.output_type]

    @property
    def state_c(self) -> str:
        """C type of errors, of steps and of states of recurrent layers."""
        return "float" if self.is_float else "int16_t"

    @property
    def decay_c(self) -> str:
        """C type of the factor of all learning rates."""
        return "float" if self.is_float else "uint16_t"

    @property
    def step_c(self) -> str:
        """C type that a timestep of a stream returns: f32 refuses inputs without a proof."""
        return "tps_status" if self.is_float else "void"

    @property
    def values_per_word(self) -> int:
        """Inputs in 32 bits."""
        return 4 // DTYPES[self.value_type].itemsize

    @property
    def arrays(self) -> tuple[ArrayView, ...]:
        """All constants that lie in flash beside the layers' structs."""
        return (*self.constants, *self.selftest.arrays)

    @property
    def each_step(self) -> bool:
        """Tell whether every step of a sequence has a label."""
        return self.sequence is not None and self.sequence.each_step

    @property
    def detects(self) -> bool:
        """Tell whether the model finds anomalies."""
        return self.kernels.detector is not None

    @property
    def trains_in_words(self) -> str:
        """Say what a training step does."""
        if self.detects:
            return "Learn the sample x if its label is 0, normal; an anomaly teaches nothing."
        return "Train every layer once on the sample (x, label), during the forward pass."

    @property
    def forward_uses_state(self) -> bool:
        """Tell whether any layer of the forward pass has weights that change."""
        return use_state(self.inference)

    @property
    def asks_for_probability(self) -> bool:
        """Tell whether an error gate has no error kernel that tells it the label's probability."""
        learning = (
            [self.training] if self.sequence is None else [self.training, self.sequence.teach]
        )
        calls = (c for calls in learning for stage in calls.stages for c in stage.calls)
        return any(call.function == LABEL_PROBABILITY for call in calls)


def model_view(
    model: QuantizedModel, plan: MemoryPlan, origin: Origin, selftest: SelfTest
) -> ModelView:
    """The view of a model."""
    constants = (*model_arrays(model), *memory_arrays(model))
    return ModelView(
        name=model.name,
        model_id=c_uint(model_id(model)),
        origin=origin,
        seed=model.seed,
        n_in=model.n_inputs,
        n_out=model.n_out,
        n_labels=model.labels.count,
        value_type=model.value_type,
        output_type=model.output_type,
        unit_struct=unit_struct(model),
        labels=labels_view(model),
        sequence=sequence_view(model, plan),
        notes=notes_view(model),
        layers=tuple(KINDS[layer.kind].struct(model, layer) for layer in model.layers),
        members=unit_members(model),
        kernels=needed_kernels(model),
        has_residual=any(layer.residual for layer in model.weighted),
        carries=bool(model.carrying),
        rule=_rule(model),
        how_it_learns=_how_it_learns(model),
        projection=projection_view(model),
        tables=tuple(activation_tables(model)),
        state=state_view(model, plan),
        work=work_view(plan),
        inference=inference_stages(model, plan),
        training=training_calls_of(model, plan),
        last=model.last.name,
        confidence_c=_confidence_c(model),
        gate=_gate(model),
        rate=rate_view(model),
        constants=constants,
        selftest=selftest_view(model, selftest, constants),
        raw=raw_view(model, None),
        replay=replay_view(model),
    )


def _rule(model: QuantizedModel) -> str:
    if model.detectors:
        return "unsupervised"
    return "backpropagation" if model.rule == "backprop" else "tpSGD"


def _how_it_learns(model: QuantizedModel) -> str:
    if model.detectors:
        return "it learns what is normal, without labels"
    if model.rule == "backprop":
        return "layers learn by backpropagation, the last one first"
    words = "every layer learns during the forward pass"
    return f"{words}, some from the error of a layer above" if model.ways_down else words


def _confidence_c(model: QuantizedModel) -> str:
    """The C type of a confidence; empty where the outputs are no probabilities of classes."""
    if not model.has_confidence:
        return ""
    return "float" if model.value_type == "f32" else "uint16_t"


def _gate(model: QuantizedModel) -> str:
    if model.gate is None or not model.has_error_gate:
        return ""
    return c_float(model.gate) if model.value_type == "f32" else str(model.gate)
