"""The verb `replay`: what a device learned, done again from the log that it wrote."""

from pathlib import Path

from tpsgd_edge.errors import DataError
from tpsgd_edge.files import check_output
from tpsgd_edge.frontend.inputs import input_files
from tpsgd_edge.memory import digest_order, model_id
from tpsgd_edge.memory.log import log_format, read_log
from tpsgd_edge.reports.replay import ReplayResult
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages import prepare
from tpsgd_edge.stages.export import read_state, write_state
from tpsgd_edge.stages.replay import replay as replay_stage
from tpsgd_edge.stages.running import on_host
from tpsgd_edge.stages.training import Progress, metric_of
from tpsgd_edge.trace import digest

# Some weeks of a sample a second.
_LARGEST = 1 << 30


def replay(
    spec: Spec,
    log: Path,
    *,
    weights_in: Path | None = None,
    weights_out: Path | None = None,
    progress: Progress | None = None,
) -> ReplayResult:
    """Train again on what a device wrote down, and compare with each digest in its log.

    Args:
        log: what the firmware passed to the function in its NAME_log, from the first byte on.
        weights_in: what the device had learned before, as for `export`.
        weights_out: the state at the end goes here, as a debugger would dump it.

    Raises:
        TpsgdError: the spec or its data are at fault, the log is none of this model, or it begins
            with a model that is neither the initial one nor that of `weights_in`.
    """
    inputs = (*input_files(spec), log, *([] if weights_in is None else [weights_in]))
    if weights_out is not None:
        check_output(weights_out, "the weights", inputs=inputs)
    prepared = prepare(spec)
    model, layout = prepared.model, prepared.plan.state
    sessions = read_log(_read(log), log_format(model), where=log.name)
    base = None if weights_in is None else layout.write(read_state(prepared, weights_in)[0])
    with on_host(prepared) as device:
        told = replay_stage(
            device,
            prepared,
            sessions,
            where=log.name,
            progress=progress or (lambda *_: None),
            base=base,
        )
    if weights_out is not None:
        write_state(prepared, told.state, weights_out)
    state = layout.read(told.state)
    return ReplayResult(
        spec=prepared.spec,
        log=log,
        model_id=model_id(model),
        crc=digest(state[name] for name in digest_order(model)),
        metric=metric_of(model),
        class_names=model.labels.names,
        replay=told,
    )


def _read(log: Path) -> bytes:
    try:
        with log.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        raise DataError(
            f"the log '{log.name}' cannot be read",
            where=str(log),
            found=getattr(error, "strerror", None) or str(error),
        ) from None
    if len(raw) > _LARGEST:
        raise DataError(
            "the log is too large", where=str(log), found=f"more than {_LARGEST:,} bytes"
        )
    return raw
