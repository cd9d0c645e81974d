"""Instruction counts: a function of known length, and two emulators that count the same."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.fake_project import FILES, INTERFACE, samples
from tpsgd_edge.errors import ToolError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import load_spec, spec_from_dict
from tpsgd_edge.stages import compile_for_device, prepare, render_project, scratch_project
from tpsgd_edge.toolchain import qemu_counter
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.counting import count_instructions
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.platforms import all_platforms, load_platform
from tpsgd_edge.toolchain.simavr_link import check_simavr
from tpsgd_edge.toolchain.unicorn_link import import_unicorn

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
CORES = [platform.name for platform in all_platforms() if platform.is_core]
COUNTED = [
    pytest.param(platform.name, emulator, id=f"{platform.name}-{emulator}")
    for platform in all_platforms()
    if platform.is_core
    for emulator in platform.emulators
]

_THUMB = "movs r3, #10\\n1: subs r3, #1\\nbne 1b\\n{wide}movs r0, #0\\nbx lr"
_RISCV = "li t0, 10\\n1: addi t0, t0, -1\\nbnez t0, 1b\\n{wide}li a0, 0\\nret"
_AVR = "ldi r24, 10\\n1: dec r24\\nbrne 1b\\nlds r25, 0x200\\nclr r24\\nret"
# One before the loop, two for each of ten turns, two behind; and one of 4 bytes where there is one.
_SHORT, _WITH_WIDE = 23, 24


def needs(platform: str, *emulators: str) -> None:
    """Skip where one of the emulators is missing, or cannot count."""
    try:
        if "unicorn" in emulators:
            import_unicorn()
        if "qemu" in emulators:
            qemu_counter.check_plugins(load_platform(platform))
            find_compiler(load_platform("host"))
        if "simavr" in emulators:
            check_simavr()
            find_compiler(load_platform(platform))
    except ToolError as error:
        pytest.skip(str(error))


def known_function(platform: str) -> tuple[dict[str, str], int]:
    """The project with a training step in assembly, and that step's number of instructions."""
    if platform == "atmega2560":
        body, length = _AVR, _WITH_WIDE
    elif load_platform(platform).arch == "riscv":
        body, length = _RISCV.format(wide="lui t1, 0x12345\\n"), _WITH_WIDE
    elif platform == "cortex-m0plus":
        body, length = _THUMB.format(wide=""), _SHORT
    else:
        body, length = _THUMB.format(wide="movw r2, #1000\\n"), _WITH_WIDE
    text = FILES["fake.c"]
    start = text.index("tps_status fake_train_step_with")
    end = text.index("const int16_t *fake_last_output")
    unused = " __attribute__((unused))"
    step = (
        "__attribute__((naked)) tps_status fake_train_step_with(\n"
        f"    struct fake_model *model{unused}, const int8_t x[5]{unused},\n"
        f"    uint16_t label{unused})\n"
        f'{{\n    __asm volatile("{body}");\n}}\n\n'
    )
    return {"fake.c": text[:start] + step + text[end:]}, length


@pytest.mark.parametrize(("platform", "emulator"), COUNTED)
def test_a_function_of_known_length(build_firmware, platform, emulator):
    needs(platform, emulator)
    extra, length = known_function(platform)
    binary = build_firmware(platform, extra=extra)
    x, labels = samples(7)
    step = count_instructions(binary, INTERFACE, x, labels, emulator=emulator).step
    assert (step.runs, step.per_run) == (7, length)
    assert dict(step.by_function) == {"fake_train_step_with": 7 * length}
    assert dict(step.by_layer) == {"model": 7 * length}


@pytest.mark.parametrize("platform", CORES)
def test_layers_and_functions_add_up(build_firmware, platform):
    needs(platform, load_platform(platform).emulators[0])
    x, labels = samples(5)
    counts = count_instructions(build_firmware(platform), INTERFACE, x, labels)
    for count in (counts.step, counts.inference):
        assert count.runs == 5
        assert set(count.by_layer) == {"model", "fc1", "fc2"}
        assert sum(count.by_layer.values()) == sum(count.by_function.values()) == count.total
        # 4 x 5 products against 3 x 4.
        assert count.by_layer["fc1"] > count.by_layer["fc2"] > count.by_layer["model"]
    assert "tps_dense_forward" in counts.inference.by_function
    assert "tps_dense_update" not in counts.inference.by_function
    assert counts.step.per_run > counts.inference.per_run


@pytest.mark.series(1)
@pytest.mark.parametrize(
    ("core", "example"),
    [("cortex-m4f", "digits"), ("cortex-m3", "digits"), ("rv32imc", "diabetes")],
)
@pytest.mark.slow
def test_both_emulators_count_the_same(core, example):
    needs(core, "unicorn", "qemu")
    prepared = prepare(load_spec(EXAMPLES / f"{example}.toml", [f"platform.name={core}"]))
    x = quantize_inputs(prepared.model, prepared.dataset.x_train[:3])
    labels = quantize_labels(prepared.model, prepared.dataset.y_train[:3])
    project, interface = render_project(prepared), interface_of(prepared.model)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        one = count_instructions(binary, interface, x, labels, emulator="unicorn")
        other = count_instructions(binary, interface, x, labels, emulator="qemu")
    assert one == other
    assert set(one.step.by_layer) == {"model", *interface.layers}


@pytest.mark.parametrize("kind", ["rnn", "gru"])
def test_kernels_of_parts_of_a_layer_count_for_the_layer(kind):
    """A kernel gets a unit of a recurrent layer, which lies inside of the layer's struct."""
    needs("cortex-m4f", "unicorn", "qemu")
    layers = [{"name": "a", "kind": kind, "units": 24}, {"name": "out", "units": 3}]
    spec = spec_from_dict(
        {
            "name": "net",
            "model": {"layers": layers},
            "data": {"file": "arrays"},
            "platform": {"name": "cortex-m4f"},
        }
    )
    x = np.random.default_rng(1).standard_normal((30, 12, 4)).astype(np.float32)
    prepared = prepare(spec, dataset_from_arrays(spec, x, np.arange(30) % 3))
    inputs = quantize_inputs(prepared.model, prepared.dataset.x_train[:2])
    labels = quantize_labels(prepared.model, prepared.dataset.y_train[:2])
    project, interface = render_project(prepared), interface_of(prepared.model)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        one = count_instructions(binary, interface, inputs, labels, emulator="unicorn")
        other = count_instructions(binary, interface, inputs, labels, emulator="qemu")
    assert (one.step.total, one.inference.total) == (other.step.total, other.inference.total)
    for count in (one.step, one.inference, other.step, other.inference):
        assert sum(count.by_layer.values()) == count.total
        # Around the layers there are calls and the schedule, nothing that grows with them.
        assert count.by_layer["model"] < 0.03 * count.total


def test_a_count_repeats_exactly(build_firmware):
    needs("cortex-m4f", "unicorn")
    binary = build_firmware("cortex-m4f")
    x, labels = samples(50)
    first = count_instructions(binary, INTERFACE, x, labels)
    assert count_instructions(binary, INTERFACE, x, labels) == first


def test_firmware_without_training_has_no_step(build_firmware):
    needs("cortex-m4f", "unicorn")
    binary = build_firmware("cortex-m4f", inference_only=True)
    counts = count_instructions(binary, INTERFACE, *samples(3))
    assert counts.step is None
    assert counts.inference.runs == 3


def test_what_unicorn_does_not_know_it_does_not_count(build_firmware):
    needs("cortex-m55", "unicorn")
    binary = build_firmware("cortex-m55")
    with pytest.raises(ToolError, match="unicorn has no model of Arm Cortex-M55"):
        count_instructions(binary, INTERFACE, *samples(1), emulator="unicorn")


def test_a_qemu_without_plugins_says_so(monkeypatch):
    needs("cortex-m55", "qemu")
    monkeypatch.setattr(qemu_counter, "run_tool", lambda *_, **__: "-monitor dev\n")
    with pytest.raises(ToolError, match="takes no plugins") as error:
        qemu_counter.check_plugins(load_platform("cortex-m55"))
    assert "--enable-plugins" in error.value.help
