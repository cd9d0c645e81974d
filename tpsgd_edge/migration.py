"""The verb `migrate`: what a device has learned, carried over to firmware of another spec."""

from pathlib import Path

from tpsgd_edge.files import check_output, write_whole
from tpsgd_edge.frontend.inputs import input_files
from tpsgd_edge.memory import digest_order, model_id
from tpsgd_edge.memory.checkpoint import checkpoint
from tpsgd_edge.reports.migration import MigrateResult
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages import prepare
from tpsgd_edge.stages.export import read_state
from tpsgd_edge.stages.migration import migrate_state
from tpsgd_edge.trace import digest


def migrate(old: Spec, new: Spec, *, weights: Path, out: Path | None = None) -> MigrateResult:
    """Write a checkpoint of the new spec's model with what a device of the old spec has learned.

    Args:
        weights: as for `export`, of the old spec's model.
        out: the file; NAME.checkpoint where not given.

    Raises:
        TpsgdError: a spec or its data are at fault, the weights are no state of the old model, or
            the new one has layers that they do not fit.
    """
    path = out or Path(f"{new.name}.checkpoint")
    inputs = (*input_files(old), *input_files(new), weights)
    check_output(path, "the checkpoint", inputs=inputs)
    before, after = prepare(old), prepare(new)
    state, _ = read_state(before, weights)
    made = migrate_state(before.model, state, after.model)
    id_, step = model_id(after.model), int(made.state["step"])
    content = checkpoint(made.raw[: after.plan.state.used_bytes], model_id=id_, step=step)
    write_whole(content, path, what="the checkpoint")
    return MigrateResult(
        old=before.spec,
        new=after.spec,
        path=path,
        bytes=len(content),
        before=model_id(before.model),
        after=id_,
        steps=step,
        crc=digest(made.state[name] for name in digest_order(after.model)),
        layers=made.layers,
    )
