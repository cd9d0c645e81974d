"""Instruction counts."""

import pytest

from tests.support.fake_project import FILES, INTERFACE, samples
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.counting import count_instructions
from tpsgd_edge.toolchain.platforms import all_platforms

pytest.importorskip("unicorn")

COUNTED = [platform.name for platform in all_platforms() if platform.unicorn]

_THUMB = "movs r3, #10\\n1: subs r3, #1\\nbne 1b\\n{wide}movs r0, #0\\nbx lr"
_RISCV = "li t0, 10\\n1: addi t0, t0, -1\\nbnez t0, 1b\\n{wide}li a0, 0\\nret"
# One before the loop, two for each of ten turns, two behind; and one of 4 bytes where there is one.
_SHORT, _WITH_WIDE = 23, 24


def known_function(platform: str) -> tuple[dict[str, str], int]:
    """The project with a training step in assembly, and that step's number of instructions."""
    if platform == "rv32imc":
        body, length = _RISCV.format(wide="lui t1, 0x12345\\n"), _WITH_WIDE
    elif platform == "cortex-m0plus":
        body, length = _THUMB.format(wide=""), _SHORT
    else:
        body, length = _THUMB.format(wide="movw r2, #1000\\n"), _WITH_WIDE
    text = FILES["fake.c"]
    start = text.index("enum tps_status fake_train_step")
    end = text.index("const int16_t *fake_last_output")
    unused = " __attribute__((unused))"
    step = (
        "__attribute__((naked)) enum tps_status fake_train_step(\n"
        f"    struct fake_model *model{unused}, const int8_t x[5]{unused},\n"
        f"    uint16_t label{unused})\n"
        f'{{\n    __asm volatile("{body}");\n}}\n\n'
    )
    return {"fake.c": text[:start] + step + text[end:]}, length


@pytest.mark.parametrize("platform", COUNTED)
def test_a_function_of_known_length(build_firmware, platform):
    extra, length = known_function(platform)
    binary = build_firmware(platform, extra=extra)
    x, labels = samples(7)
    step = count_instructions(binary, INTERFACE, x, labels).step
    assert (step.runs, step.per_run) == (7, length)
    assert dict(step.by_function) == {"fake_train_step": 7 * length}
    assert dict(step.by_layer) == {"model": 7 * length}


@pytest.mark.parametrize("platform", COUNTED)
def test_layers_and_functions_add_up(build_firmware, platform):
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


def test_a_count_repeats_exactly(build_firmware):
    binary = build_firmware("cortex-m4f")
    x, labels = samples(50)
    first = count_instructions(binary, INTERFACE, x, labels)
    assert count_instructions(binary, INTERFACE, x, labels) == first


def test_firmware_without_training_has_no_step(build_firmware):
    binary = build_firmware("cortex-m4f", inference_only=True)
    counts = count_instructions(binary, INTERFACE, *samples(3))
    assert counts.step is None
    assert counts.inference.runs == 3


def test_what_unicorn_does_not_know_is_not_counted(build_firmware):
    with pytest.raises(ToolError, match="unicorn has no model of Arm Cortex-M55"):
        count_instructions(build_firmware("cortex-m55"), INTERFACE, *samples(1))
