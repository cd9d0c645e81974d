"""The stages between a spec and a result, each one function; `pipeline.py` puts them in order."""

from typing import TYPE_CHECKING

from tpsgd_edge.lazy import on_first_use

if TYPE_CHECKING:
    from tpsgd_edge.stages.detection import detection_in
    from tpsgd_edge.stages.firmware import Firmware, check_binary, inspect_firmware
    from tpsgd_edge.stages.preparation import (
        Prepared,
        compile_for_device,
        compile_for_host,
        compile_predicting,
        prepare,
        render_project,
        scratch_project,
    )
    from tpsgd_edge.stages.proof import default_steps, emulator_of_proof, prove, prove_all
    from tpsgd_edge.stages.running import on_host, train_on_host
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
    "check_binary",
    "compile_for_device",
    "compile_for_host",
    "compile_predicting",
    "default_steps",
    "detection_in",
    "emulator_of_proof",
    "inspect_firmware",
    "metric_of",
    "on_host",
    "prepare",
    "prove",
    "prove_all",
    "quantize_samples",
    "render_project",
    "scratch_project",
    "train",
    "train_on_host",
    "with_frozen_hidden_layers",
]

__getattr__ = on_first_use(
    __name__,
    {
        "Firmware": "firmware",
        "Prepared": "preparation",
        "Progress": "training",
        "Training": "training",
        "check_binary": "firmware",
        "compile_for_device": "preparation",
        "compile_for_host": "preparation",
        "compile_predicting": "preparation",
        "default_steps": "proof",
        "detection_in": "detection",
        "emulator_of_proof": "proof",
        "inspect_firmware": "firmware",
        "metric_of": "training",
        "on_host": "running",
        "prepare": "preparation",
        "prove": "proof",
        "prove_all": "proof",
        "quantize_samples": "training",
        "render_project": "preparation",
        "scratch_project": "preparation",
        "train": "training",
        "train_on_host": "running",
        "with_frozen_hidden_layers": "training",
    },
)
