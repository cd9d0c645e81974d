"""What the templates see: every string and number ready to print."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.arithmetic.random import Purpose, stream
from tpsgd_edge.arithmetic.tables import exp2_table
from tpsgd_edge.codegen.activations import TableView, activation_tables
from tpsgd_edge.codegen.arrays import ArrayView, model_arrays
from tpsgd_edge.codegen.below import BelowKernels, below_kernels
from tpsgd_edge.codegen.c import C_TYPES, c_float, c_uint
from tpsgd_edge.codegen.calls import Lesson, StageView, use_state
from tpsgd_edge.codegen.constants import (
    ProjectionView,
    projection_view,
)
from tpsgd_edge.codegen.kernels import Kernels, needed_kernels
from tpsgd_edge.codegen.kinds.join import JoinKernels, join_kernels
from tpsgd_edge.codegen.layers import LayerView, Uses, layer_views, uses_of
from tpsgd_edge.codegen.rate import RateView, rate_view
from tpsgd_edge.codegen.schedule import (
    LABEL_PROBABILITY,
    FirstValues,
    first_values,
    inference_stages,
    training_lesson,
)
from tpsgd_edge.codegen.selftest import SelfTest, SelfTestView, selftest_view
from tpsgd_edge.codegen.sequence import LabelsView, SequenceView, labels_view, sequence_view
from tpsgd_edge.codegen.wide import WideView, wide_view
from tpsgd_edge.codegen.work import WorkView, work_view
from tpsgd_edge.memory import MemoryPlan, StateTensor, digest_order, model_id
from tpsgd_edge.quantize.model import (
    DTYPES,
    QuantizedConv2d,
    QuantizedDense,
    QuantizedGru,
    QuantizedModel,
    QuantizedPool,
)

# The version of firmware/runtime/ and of the kernel templates that generated code needs.
RUNTIME_VERSION = 2


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a project comes from, as printed in its files."""

    tool_version: str
    spec_file: str
    spec_digest: str


@dataclass(frozen=True, slots=True)
class StateView:
    """One member of the state struct."""

    member: str
    declaration: str
    note: str
    address: str
    lvalue: str


@dataclass(frozen=True, slots=True)
class ModelView:
    """Everything that any template prints."""

    name: str
    model_id: str
    tool_version: str
    spec_file: str
    spec_digest: str
    runtime_version: int
    seed: int
    n_in: int
    n_out: int
    n_labels: int
    widest_input: int
    wide: WideView
    is_float: bool
    is_classifier: bool
    value_type: str
    x_c: str
    out_c: str
    labels: LabelsView
    decay_c: str
    state_c: str
    layer_struct: str
    has_conv: bool
    has_pool: bool
    has_residual: bool
    joins: JoinKernels
    sequence: SequenceView | None
    target_count: str
    input_note: str
    outputs_note: str
    summary_rows: tuple[str, ...]
    layers: tuple[LayerView, ...]
    uses: Uses
    kernels: Kernels
    below: BelowKernels | None
    projection: ProjectionView | None
    tables: tuple[TableView, ...]
    exp2_table: tuple[int, ...]
    state: tuple[StateView, ...]
    digest: tuple[StateView, ...]
    work: WorkView
    first_rng: str
    rng_advance: str
    first_values: tuple[FirstValues, ...]
    inference: tuple[StageView, ...]
    training: Lesson
    last_y: str
    confidence_c: str
    gate: str
    rate: RateView
    constants: tuple[ArrayView, ...]
    selftest: SelfTestView

    @property
    def arrays(self) -> tuple[ArrayView, ...]:
        """All constants that lie in flash beside the layers' structs."""
        return (*self.constants, *self.selftest.arrays)

    @property
    def values_per_word(self) -> int:
        """Inputs in 32 bits."""
        return 4 // DTYPES[self.value_type].itemsize

    @property
    def each_step(self) -> bool:
        """Tell whether every step of a sequence has a label."""
        return self.sequence is not None and self.sequence.each_step

    @property
    def outputs_count(self) -> str:
        """C for the number of outputs for a sample."""
        return f"{self.upper}_N_OUT" if self.sequence is None else self.sequence.outputs

    @property
    def upper(self) -> str:
        """Prefix of the model's macros."""
        return self.name.upper()

    @property
    def step_c(self) -> str:
        """What a step of a stream returns: f32 refuses what it is not proved for."""
        return "tps_status" if self.is_float else "void"

    @property
    def seen(self) -> str:
        """Prefix of the sizes of the map that a local loss averages."""
        return "seen" if self.uses.pooled_targets else "out"

    @property
    def rule(self) -> str:
        """The learning rule in words."""
        return "tpSGD" if self.below is None else "backpropagation"

    @property
    def how_it_learns(self) -> str:
        """When in a training step the layers learn."""
        if self.below is not None:
            return "layers learn by backpropagation, the last one first"
        return "every layer learns during the forward pass"

    @property
    def forward_uses_state(self) -> bool:
        """Tell whether any layer of the forward pass has weights that change."""
        return use_state(self.inference)

    @property
    def asks_for_probability(self) -> bool:
        """Tell whether an error gate has no error kernel that tells it the label's probability."""
        lessons = [self.training] if self.sequence is None else [self.training, self.sequence.teach]
        calls = (c for lesson in lessons for stage in lesson.stages for c in stage.calls)
        return any(call.function == LABEL_PROBABILITY for call in calls)


def model_view(
    model: QuantizedModel, plan: MemoryPlan, origin: Origin, selftest: SelfTest
) -> ModelView:
    """The view of a model."""
    is_float = model.value_type == "f32"
    has_conv = any(isinstance(layer, QuantizedConv2d) for layer in model.layers)
    constants = model_arrays(model)
    return ModelView(
        name=model.name,
        model_id=c_uint(model_id(model)),
        tool_version=origin.tool_version,
        spec_file=origin.spec_file,
        spec_digest=origin.spec_digest,
        runtime_version=RUNTIME_VERSION,
        seed=model.seed,
        n_in=model.n_in,
        n_out=model.n_out,
        n_labels=model.labels.count,
        widest_input=max(layer.n_in for layer in model.weighted),
        wide=wide_view(model),
        is_float=is_float,
        is_classifier=model.labels.kind == "class",
        value_type=model.value_type,
        x_c=C_TYPES[model.value_type],
        out_c=C_TYPES[model.output_type],
        labels=labels_view(model),
        decay_c="float" if is_float else "uint16_t",
        state_c="float" if is_float else "int16_t",
        layer_struct="tps_dense_f32" if is_float else "tps_dense",
        has_conv=has_conv,
        has_pool=any(isinstance(layer, QuantizedPool) for layer in model.layers),
        has_residual=any(layer.residual for layer in model.weighted),
        joins=join_kernels(model),
        sequence=sequence_view(model, plan),
        target_count="layer->n_target" if has_conv else "layer->n_out",
        input_note=_input_note(model),
        outputs_note=_outputs_note(model),
        summary_rows=tuple(_summary_rows(model)),
        layers=layer_views(model),
        uses=uses_of(model),
        kernels=needed_kernels(model),
        below=below_kernels(model),
        projection=projection_view(model),
        tables=tuple(activation_tables(model)),
        exp2_table=tuple(int(v) for v in exp2_table()),
        state=tuple(_state_view(t) for t in plan.state.tensors),
        digest=tuple(_digest_views(model, plan)),
        work=work_view(plan),
        first_rng=c_uint(stream(model.seed, Purpose.TRAINING, 0)),
        rng_advance=f"TPS_PHI * {model.total_units}u",
        first_values=first_values(model),
        inference=inference_stages(model, plan),
        training=training_lesson(model, plan),
        last_y=f"work->arena.{model.last.name}_y.at",
        confidence_c=_confidence_c(model),
        gate=_gate(model),
        rate=rate_view(model),
        constants=constants,
        selftest=selftest_view(model, selftest, constants),
    )


def _input_note(model: QuantizedModel) -> str:
    unit = (
        "" if model.value_type == "f32" else f" / {model.inputs.scale:.6g}, rounded and saturated"
    )
    per = "" if model.inputs.mean.size == 1 else " of each input"
    if model.inputs.mean.size == 1:
        mean, deviation = float(model.inputs.mean[0]), float(model.inputs.deviation[0])
        return f"x = (raw - {mean:.6g}) / {deviation:.6g}{unit}"
    return f"x = (raw - mean) / deviation{per}{unit}; see manifest.json"


def _outputs_note(model: QuantizedModel) -> str:
    if model.value_type == "f32":
        return "real numbers"
    if model.last.loss.kind == "softmax_cross_entropy":
        return (
            f"{2.0 ** (8 - model.last.loss.logit_shift):g} units are a factor of two in probability"
        )
    return f"one unit is {model.last.y_scale:.6g}"


def _summary_rows(model: QuantizedModel) -> Iterator[str]:
    yield "layer             in    out  weights  activation  loss"
    for layer in model.layers:
        row = f"{layer.name:<14}{layer.x_count:>6} {layer.y_count:>6}  "
        if isinstance(layer, QuantizedDense):
            learns = layer.loss.kind if layer.trains else "none: it does not train"
            yield f"{row}{layer.weight_type:<7}  {layer.activation:<10}  {learns}"
        elif isinstance(layer, QuantizedGru):
            learns = layer.taught.loss.kind if layer.taught else "none: it does not train"
            yield f"{row}{layer.weight_type:<7}  {layer.kind:<10}  {learns}"
        else:
            yield f"{row}{layer.kind.replace('_', ' ')}"


def _state_view(tensor: StateTensor) -> StateView:
    c_type = C_TYPES[tensor.type]
    product = " * ".join(str(n) for n in tensor.shape)
    is_scalar = not tensor.shape
    declaration = f"{c_type} {tensor.member}" + ("" if is_scalar else f"[{product}]")
    note = _counter_note(tensor, declaration)
    if len(tensor.shape) == 2:
        note = f" /* [{tensor.shape[0]}][{tensor.shape[1]}] */"
    return StateView(
        member=tensor.member,
        declaration=declaration,
        note=note,
        address=f"{'&' if is_scalar else ''}model->{tensor.member}",
        lvalue=f"model->{tensor.member}",
    )


def _counter_note(tensor: StateTensor, declaration: str) -> str:
    """A comment behind a counter's declaration, in one column with the others'."""
    notes = {
        "rng": "state of the random numbers",
        "step": "training steps so far",
        "start": "the step at which the schedule of the learning rate began",
        "rate": "factor of all learning rates" + ("" if tensor.type == "f32" else ", Q15"),
    }
    if tensor.name not in notes:
        return ""
    return " " * (len("uint32_t start ") - len(declaration)) + f"/* {notes[tensor.name]} */"


def _digest_views(model: QuantizedModel, plan: MemoryPlan) -> Iterator[StateView]:
    by_name = {tensor.name: tensor for tensor in plan.state.tensors}
    for name in digest_order(model):
        yield _state_view(by_name[name])


def _confidence_c(model: QuantizedModel) -> str:
    """The C type of a confidence; empty where the outputs are no probabilities of classes."""
    if not model.has_confidence:
        return ""
    return "float" if model.value_type == "f32" else "uint16_t"


def _gate(model: QuantizedModel) -> str:
    if model.gate is None or not model.is_gated:
        return ""
    return c_float(model.gate) if model.value_type == "f32" else str(model.gate)
