"""Result of `migrate`: the checkpoint that was written, and what became of each layer."""

from dataclasses import asdict, dataclass
from pathlib import Path

from tpsgd_edge.reports.curve import Json
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages.migration import Carried


@dataclass(frozen=True, slots=True)
class MigrateResult:
    """A checkpoint of the new model.

    Attributes:
        before, after: the model's id in the old and in the new spec.
        steps: training steps that it has seen.
        crc: what NAME_digest() gives for it.
    """

    old: Spec
    new: Spec
    path: Path
    bytes: int
    before: int
    after: int
    steps: int
    crc: int
    layers: tuple[Carried, ...]

    def to_json(self) -> Json:
        """Both specs and ids, the file, and the layers."""
        return {
            "name": self.new.name,
            "old_spec": {"file": self.old.source, "digest": self.old.digest},
            "spec": {"file": self.new.source, "digest": self.new.digest},
            "old_model_id": f"0x{self.before:08X}",
            "model_id": f"0x{self.after:08X}",
            "file": str(self.path),
            "bytes": self.bytes,
            "steps": self.steps,
            "digest": f"0x{self.crc:08x}",
            "layers": [asdict(layer) for layer in self.layers],
        }
