"""The stages between a spec and a result, each one function; `pipeline.py` puts them in order."""

from tpsgd_edge.stages.firmware import Firmware, inspect_firmware
from tpsgd_edge.stages.prepare import (
    Prepared,
    compile_for_device,
    compile_for_host,
    prepare,
    render_project,
    scratch_project,
)
from tpsgd_edge.stages.proof import default_steps, prove
from tpsgd_edge.stages.training import (
    Progress,
    Training,
    metric_of,
    quantize_samples,
    train,
    with_frozen_hidden_layers,
)

__all__ = [
    "Firmware",
    "Prepared",
    "Progress",
    "Training",
    "compile_for_device",
    "compile_for_host",
    "default_steps",
    "inspect_firmware",
    "metric_of",
    "prepare",
    "prove",
    "quantize_samples",
    "render_project",
    "scratch_project",
    "train",
    "with_frozen_hidden_layers",
]
