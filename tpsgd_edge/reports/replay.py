"""Result of `replay`: whether a device computed what this computer does, and what it knew when."""

from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.ticker import PercentFormatter

from tpsgd_edge.reports.curve import Json, finite
from tpsgd_edge.reports.figures import figure_file
from tpsgd_edge.reports.results import Metric
from tpsgd_edge.reports.text import metric_name
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages.replay import Replay


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """A log, and what came of it.

    Attributes:
        crc: what NAME_digest() gives for the last model.
        class_names: of the classes, where they are known.
    """

    spec: Spec
    log: Path
    model_id: int
    crc: int
    metric: Metric
    class_names: tuple[str, ...]
    replay: Replay

    @property
    def is_equal(self) -> bool:
        """Tell whether every digest of the device came out again."""
        return self.replay.difference is None

    def to_json(self) -> Json:
        """The verdict, the curve, and the steps that changed the score most."""
        told = self.replay
        return {
            "name": self.spec.name,
            "spec": {"file": self.spec.source, "digest": self.spec.digest},
            "model_id": f"0x{self.model_id:08X}",
            "log": str(self.log),
            "verdict": "equal" if self.is_equal else "mismatch",
            "sessions": told.sessions,
            "steps": told.steps,
            "digests_compared": told.compared,
            "steps_unchecked": told.unchecked,
            "difference": None if told.difference is None else asdict(told.difference),
            "damage": list(told.damage),
            "digest": f"0x{self.crc:08x}",
            "metric": self.metric,
            "curve": [{"step": step, self.metric: finite(value)} for step, value in told.curve],
            "turns": [asdict(turn) for turn in told.turns],
        }


def plot_replay(result: ReplayResult, path: Path) -> None:
    """Write the score on the test set along the log into one file.

    Raises:
        OutputError: a format that is not known, or a file that cannot be written.
    """
    with figure_file(path, size=(8, 4)) as figure:
        axes = figure.subplots()
        axes.plot(*zip(*result.replay.curve, strict=True), marker=".", linewidth=1.6)
        for turn in result.replay.turns:
            axes.axvline(turn.step, color="0.6", linewidth=0.8, linestyle=":")
        axes.set_xlabel("training steps")
        axes.set_ylabel(f"{metric_name(result.metric)} on the test set")
        if result.metric == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
