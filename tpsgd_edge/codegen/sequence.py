"""Labels, and what models with recurrent layers have beside the others."""

from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.codegen.calls import LearningCalls, OperationView, use_state
from tpsgd_edge.codegen.classes import ClassView, class_views
from tpsgd_edge.codegen.schedule import step_stages, teaching_calls_of
from tpsgd_edge.codegen.work import BufferView
from tpsgd_edge.memory import MemoryPlan
from tpsgd_edge.quantize.model import DTYPES, SAMPLE, QuantizedModel


@dataclass(frozen=True, slots=True)
class LabelsView:
    """Labels as arguments of C functions.

    Attributes:
        is_class: whether a label is the number of a class, else a vector.
        c_type: of one entry.
        by_value: whether a sample has a single entry.
        count: entries for one sample.
        outputs: outputs for one sample.
        extra: how many of the classes, the last ones, are still to be taught.
        classes: in the order of the outputs; empty where they have no names.
    """

    is_class: bool
    c_type: str
    by_value: bool
    count: int
    outputs: int
    extra: int
    classes: tuple[ClassView, ...]


@dataclass(frozen=True, slots=True)
class SequenceView:
    """Parts that only models with recurrent layers have.

    Attributes:
        stream: members of the stream struct.
        traces: those that only training needs.
        step: the stages of one step.
        teach: learning in the middle of a sequence.
        each_step: whether every step has a label.
        learn_every: steps after which the layers that walk learn; 0 for the end of a sequence only.
        keeps_outputs: whether outputs stay in the arena from step to step.
        keepers, walkers: what keeps something between steps, and what walks along a sequence.
        summing: names of memories whose sums end with a sequence; may be empty.
    """

    steps: int
    step_in: int
    stream: tuple[BufferView, ...]
    traces: tuple[BufferView, ...]
    step: tuple[OperationView, ...]
    teach: LearningCalls
    each_step: bool
    learn_every: int
    keeps_outputs: bool
    keepers: str
    walkers: str
    summing: str

    @property
    def step_uses_state(self) -> bool:
        """Tell whether any layer that walks has weights that change."""
        return use_state(self.step)


def labels_view(model: QuantizedModel) -> LabelsView:
    """The labels of a model."""
    is_class = model.labels.kind == "class"
    c_type = "uint16_t" if is_class else C_TYPES[model.output_type]
    return LabelsView(
        is_class=is_class,
        c_type=c_type,
        by_value=is_class and not model.labels.each_step,
        count=model.answers * (1 if is_class else model.labels.count),
        outputs=model.answers * model.n_out,
        extra=model.labels.extra,
        classes=class_views(model),
    )


def sequence_view(model: QuantizedModel, plan: MemoryPlan) -> SequenceView | None:
    """The sequences of a model; None of one that reads none."""
    if not model.walk:
        return None
    memories = [la for la in model.of_kind("memory") if la in model.walk]
    return SequenceView(
        steps=model.steps,
        step_in=model.value(SAMPLE).count,
        stream=_members(plan, "h", "v", "c", "g", "s", "n"),
        traces=_members(plan, "trace"),
        step=step_stages(model),
        each_step=model.labels.each_step,
        teach=teaching_calls_of(model, plan),
        learn_every=0 if len(model.learning_steps) == 1 else model.learn_every,
        keeps_outputs=model.walks_in_turns,
        keepers="layers" if memories else "recurrent layers",
        walkers="layers along the sequence" if memories else "recurrent layers",
        summing=" and ".join(la.name for la in memories if not la.leak_shifts),
    )


def _members(plan: MemoryPlan, *roles: str) -> tuple[BufferView, ...]:
    # Larger types first: no padding.
    buffers = sorted(
        (b for b in plan.stream if b.role in roles), key=lambda b: -DTYPES[b.type].itemsize
    )
    return tuple(BufferView(b.name, C_TYPES[b.type], b.count) for b in buffers)
