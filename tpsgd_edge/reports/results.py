"""Frozen results, one class for each verb, which the terminal, JSON, Markdown and HTML read.

`to_json` of every result gives a document with the same keys (`KEYS`), null where the verb does not
know. `data` of a result says what the labels were understood as, and what is odd about the data.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.frontend.data import NO_NOTES, DataNotes
from tpsgd_edge.frontend.order import Order
from tpsgd_edge.memory.plan import Buffer
from tpsgd_edge.reports.curve import CurvePoint, Json, finite
from tpsgd_edge.reports.layer_cost import Budget, LayerCost
from tpsgd_edge.reports.notebook import ShownInNotebooks
from tpsgd_edge.reports.sizes_json import sizes_json
from tpsgd_edge.spec import Spec
from tpsgd_edge.toolchain.board import Board, board_of
from tpsgd_edge.toolchain.sizes import Sizes

if TYPE_CHECKING:
    from tpsgd_edge.reports.forgetting import Forgetting
    from tpsgd_edge.stages.costs import Costs
    from tpsgd_edge.stages.detection import Detection
    from tpsgd_edge.stages.doubts import Doubt
    from tpsgd_edge.stages.quantization import LayerError
    from tpsgd_edge.stages.widget import Widget
    from tpsgd_edge.verdict import Verdict

Metric = Literal["accuracy", "r2", "auroc"]

KEYS = (
    "verdict",
    "steps",
    "metric",
    "accuracy_before",
    "accuracy_after",
    "ram_bytes",
    "flash_bytes",
    "instructions_per_step",
    "instructions_per_inference",
    "samples_per_second",
    "platform",
    "formats",
)


@dataclass(frozen=True, slots=True)
class BuildResult(ShownInNotebooks):
    """A rendered and perhaps compiled project.

    Attributes:
        folder: where the project was written, None when it was only rendered.
        files: paths inside the folder.
        sizes: None where nothing was compiled.
        formats: number formats of each layer, in words.
        arena: buffers of the training arena, from the memory plan.
        kept_bytes: of the samples that the device keeps.
        digests: hexadecimal digests by name ("project", "initial weights").
        board: which one the spec names; where it does not boot, the program is the harness of an
            emulated core.
        costs: what calls take at most; None where nobody asked.
    """

    spec: Spec
    platform: str
    folder: Path | None
    files: tuple[str, ...]
    compiled: bool
    sizes: Sizes | None
    budget: Budget
    compiler: str | None
    formats: Mapping[str, str]
    layers: tuple[LayerCost, ...]
    arena: tuple[Buffer, ...] = ()
    kept_bytes: int = 0
    digests: Mapping[str, str] = field(default_factory=dict)
    data: DataNotes = NO_NOTES
    warnings: "tuple[Doubt, ...]" = ()
    board: Board | None = None
    costs: "Costs | None" = None

    def to_json(self) -> Json:
        """The common keys, and folder, files, compiler, board, budget, layers, costs."""
        return _document(self, self.warnings) | {
            **sizes_json(self.sizes),
            "folder": str(self.folder) if self.folder is not None else None,
            "files": list(self.files),
            "compiler": self.compiler,
            "board": None if self.board is None else self.board.name,
            "budget_bytes": {"ram": self.budget.ram, "flash": self.budget.flash},
            "layers": [layer.to_json() for layer in self.layers],
            "digests": dict(self.digests),
            "costs": None if self.costs is None else self.costs.to_json(),
        }


@dataclass(frozen=True, slots=True)
class VerifyResult(ShownInNotebooks):
    """Reference against device.

    Attributes:
        steps: training steps that were compared.
        seconds: wall-clock time of the run on the device or emulator.
        emulator: what ran it, with its version; None on the host.
        weights: the state that both began with; None for the first one.
    """

    spec: Spec
    platform: str
    verdict: "Verdict"
    steps: int
    seconds: float
    emulator: str | None
    formats: Mapping[str, str]
    instructions_per_step: int | None = None
    instructions_per_inference: int | None = None
    cycles_per_step: int | None = None
    cycles_per_inference: int | None = None
    data: DataNotes = NO_NOTES
    warnings: "tuple[Doubt, ...]" = ()
    weights: Path | None = None

    @property
    def is_equal(self) -> bool:
        """Tell whether every step agrees, bit for bit."""
        return self.verdict.verdict == "equal"

    @property
    def milliseconds_per_step(self) -> float | None:
        """Estimate the time of a training step on the spec's board; None without one.

        Of cores whose cycles are not known, an instruction takes one.
        """
        board = board_of(self.spec)
        cycles = self.cycles_per_step or self.instructions_per_step
        if board is None or board.clock is None or cycles is None:
            return None
        return 1000 * cycles / board.clock

    @property
    def mismatch(self) -> str | None:
        """The first difference in words, and the command that shows it again; None when equal."""
        if self.is_equal:
            return None
        command = f"tpsgd-edge verify {command_arguments(self.spec, self.platform)}"
        if self.weights is not None:
            command += f" --weights-in {shlex.quote(str(self.weights))}"
        steps = max(1, self.verdict.step or 0)
        return f"{self.verdict.describe()}\n  repeat: {command} --steps {steps}"

    def to_json(self) -> Json:
        """The common keys, and the mismatch in words."""
        return _document(self, self.warnings) | {
            "verdict": self.verdict.verdict,
            "steps": self.steps,
            "instructions_per_step": self.instructions_per_step,
            "instructions_per_inference": self.instructions_per_inference,
            "cycles_per_step_estimate": self.cycles_per_step,
            "cycles_per_inference_estimate": self.cycles_per_inference,
            "milliseconds_per_step_estimate": self.milliseconds_per_step,
            "emulator": self.emulator,
            "seconds": round(self.seconds, 3),
            "mismatch": self.mismatch,
        }


@dataclass(frozen=True, slots=True)
class SimulateResult(ShownInNotebooks):
    """A whole training run with the generated code.

    Attributes:
        metric: what `accuracy_*`, the curve and `baselines` hold: the share of test samples that
            are right, R^2, or of a detector AUROC.
        confusion: test samples by true class (row) and predicted class (column), (K, K); None for
            regression.
        class_names: names of the K classes; empty for regression.
        baselines: the same metric of what this net is compared with ("hidden layers at random").
        weights: where the trained state was written.
        source_domain: the same metric on the source domain, before and after; empty where
            it comes from no other.
        warnings: what makes the result doubtful.
        planned_ram: bytes of weights, arena and streams on a device; the stack comes on top.
        detection: scores and threshold of a detector on the test set; None of other nets.
        order: in which the samples came.
        forgetting: what became of each class; None unless they came one after the other.
        state: the trained state struct.
    """

    spec: Spec
    platform: str
    epochs: int
    metric: Metric
    accuracy_before: float
    accuracy_after: float
    curve: tuple[CurvePoint, ...]
    confusion: NDArray[np.int64] | None
    samples_per_second: float | None
    class_names: tuple[str, ...]
    formats: Mapping[str, str]
    sizes: Sizes | None = None
    instructions_per_step: int | None = None
    instructions_per_inference: int | None = None
    baselines: Mapping[str, float] = field(default_factory=dict)
    weights: Path | None = None
    source_domain: tuple[float, ...] = ()
    data: DataNotes = NO_NOTES
    warnings: "tuple[Doubt, ...]" = ()
    planned_ram: int | None = None
    detection: "Detection | None" = None
    order: Order = "shuffled"
    forgetting: "Forgetting | None" = None
    state: bytes = field(default=b"", repr=False)

    def to_json(self) -> Json:
        """The common keys, and epochs, learning curve, confusion matrix."""
        speed = self.samples_per_second
        return _document(self, self.warnings) | {
            **sizes_json(self.sizes),
            "metric": self.metric,
            "accuracy_before": finite(self.accuracy_before),
            "accuracy_after": finite(self.accuracy_after),
            "instructions_per_step": self.instructions_per_step,
            "instructions_per_inference": self.instructions_per_inference,
            "samples_per_second": None if speed is None else round(speed, 1),
            "epochs": self.epochs,
            "curve": [point.to_json() for point in self.curve],
            "confusion": None if self.confusion is None else self.confusion.tolist(),
            "class_names": list(self.class_names),
            "baselines": {name: finite(value) for name, value in self.baselines.items()},
            "origin": [finite(value) for value in self.source_domain],
            "weights": None if self.weights is None else str(self.weights),
            "planned_ram_bytes": self.planned_ram,
            "detection": None if self.detection is None else self.detection.to_json(),
            "order": self.order,
            "forgetting": None if self.forgetting is None else self.forgetting.to_json(),
        }


@dataclass(frozen=True, slots=True)
class ExportResult:
    """A trained net that was written for other tools.

    Attributes:
        path: the file.
        bytes: its size.
        steps: training steps that the weights have seen.
        crc: what NAME_digest() gives for them.
        input_shape: of one sample that the net reads.
        knows_model: whether anything said that the weights are of this very model.
        kind: of file: onnx or tflite.
    """

    spec: Spec
    platform: str
    path: Path
    bytes: int
    steps: int
    crc: int
    input_shape: tuple[int, ...]
    formats: Mapping[str, str]
    knows_model: bool
    data: DataNotes = NO_NOTES
    kind: str = "onnx"

    def to_json(self) -> Json:
        """The common keys, and file, size, digest, shape of a sample."""
        return _document(self) | {
            "steps": self.steps,
            self.kind: str(self.path),
            f"{self.kind}_bytes": self.bytes,
            "digest": f"0x{self.crc:08x}",
            "input_shape": list(self.input_shape),
            "model_id_checked": self.knows_model,
        }


@dataclass(frozen=True, slots=True)
class QuantizationResult:
    """Comparison of the integer net with the same net in real numbers.

    Attributes:
        layers: the error of each layer's outputs, first to last.
        real, integers: the metric on all test samples.
        agreement: share of test samples to which both give the same class; None for label vectors.
        samples: test samples that the layers were compared on.
        is_trained: whether the weights have learned anything.
    """

    spec: Spec
    platform: str
    metric: Metric
    layers: "tuple[LayerError, ...]"
    real: float
    integers: float
    agreement: float | None
    samples: int
    formats: Mapping[str, str]
    data: DataNotes = NO_NOTES
    is_trained: bool = True

    def to_json(self) -> Json:
        """The common keys, both metrics, agreement, and the layers."""
        return _document(self) | {
            "metric": self.metric,
            "real": finite(self.real),
            "integers": finite(self.integers),
            "agreement": finite(self.agreement),
            "samples": self.samples,
            "is_trained": self.is_trained,
            "layers": [
                {name: finite(v) if isinstance(v, float) else v for name, v in _fields(layer)}
                for layer in self.layers
            ],
        }


def _fields(layer: "LayerError") -> list[tuple[str, object]]:
    return [(name, getattr(layer, name)) for name in layer.__slots__]


@dataclass(frozen=True, slots=True)
class ReportResult(ShownInNotebooks):
    """All three verbs on one spec, the model for the page, and where the HTML was written.

    `widget` is in a sentence why there is none, or empty where nobody asked for one.
    """

    build: BuildResult
    verify: VerifyResult
    simulate: SimulateResult
    html: Path | None = None
    widget: "Widget | str" = ""

    @property
    def spec(self) -> Spec:
        """The spec of the report."""
        return self.build.spec

    @property
    def data(self) -> DataNotes:
        """The notes on the data."""
        return self.build.data

    def to_json(self) -> Json:
        """The keys of all three; where several know a key, the first that is not null."""
        parts = [self.build.to_json(), self.verify.to_json(), self.simulate.to_json()]
        merged: Json = {}
        for part in parts:
            for key, value in part.items():
                if merged.get(key) is None:
                    merged[key] = value
        merged["warnings"] = self.simulate.to_json()["warnings"]
        return merged | {"html": str(self.html) if self.html is not None else None}


_Result = BuildResult | VerifyResult | SimulateResult | ExportResult | QuantizationResult


def command_arguments(spec: Spec, platform: str) -> str:
    """Arguments that make a command run on the same spec: its file, the platform, all overrides."""
    words = [spec.source, "--platform", platform]
    for override in spec.overrides:
        if not override.startswith("platform.name="):
            words += ["--set", override]
    return shlex.join(words)


def _document(result: _Result, warnings: "Sequence[Doubt]" = ()) -> Json:
    spec, said = result.spec, result.data
    return {
        "name": spec.name,
        "spec": {"file": spec.source, "digest": spec.digest},
        **dict.fromkeys(KEYS),
        "platform": result.platform,
        "formats": dict(result.formats),
        "labels": said.labels or None,
        "notes": list(said.notes),
        "chosen": [asdict(choice) for choice in said.chosen],
        "warnings": [doubt.to_json() for doubt in warnings],
    }
