"""Sizes from the linked ELF."""

import pytest

from tests.support.fake_project import FILES
from tpsgd_edge.toolchain.platforms import all_platforms, load_platform
from tpsgd_edge.toolchain.sizes import measure

DEVICES = [platform.name for platform in all_platforms() if platform.is_core]
STATE = 108
# arena_x, arena_y, arena_out
ARENA, INFERENCE_ARENA = 10 + 8 + 6, 10 + 8


def copied(platform, sizes):
    """Bytes of constants that lie in RAM too: on an AVR those that no code reads from flash."""
    return sizes.flash.constants if load_platform(platform).arch == "avr" else 0


@pytest.mark.parametrize("platform", DEVICES)
def test_ram_is_the_state_and_the_static_data(build_firmware, platform):
    sizes = measure(build_firmware(platform))
    ram = sizes.ram
    assert ram.weights == STATE
    # Arrays may start at multiples of 4.
    assert ARENA <= ram.arena - copied(platform, sizes) <= ARENA + 8
    assert ram.total == ram.weights + ram.arena


@pytest.mark.parametrize("platform", DEVICES)
def test_firmware_without_training_is_smaller(build_firmware, platform):
    training = measure(build_firmware(platform))
    inference = measure(build_firmware(platform, inference_only=True))
    arena = inference.ram.arena - copied(platform, inference)
    assert INFERENCE_ARENA <= arena <= INFERENCE_ARENA + 4
    assert inference.ram.arena < training.ram.arena
    assert inference.ram.weights == STATE
    assert inference.flash.code < training.flash.code
    assert inference.port_flash < training.port_flash


def test_a_larger_array_shows_in_its_place_and_nowhere_else(build_firmware):
    before = measure(build_firmware("cortex-m4f"))
    text = FILES["fake.c"]
    text = text.replace("arena_out[3];", "arena_out[103];")
    arena = measure(build_firmware("cortex-m4f", extra={"fake.c": text}))
    assert 200 <= arena.ram.arena - before.ram.arena <= 204
    assert (arena.flash, arena.port_ram, arena.port_flash) == (
        before.flash,
        before.port_ram,
        before.port_flash,
    )


def test_constants_are_told_from_code(build_firmware):
    before = measure(build_firmware("cortex-m4f")).flash
    table = "static const int16_t table[500] = {1, 2, 3};\n"
    text = FILES["fake.c"].replace("static int16_t arena_x", table + "\nstatic int16_t arena_x")
    text = text.replace("model->step++", "model->step += (uint32_t)table[(uint16_t)label * 3] ^ 2u")
    after = measure(build_firmware("cortex-m4f", extra={"fake.c": text})).flash
    assert 1000 <= after.constants - before.constants <= 1004
    assert 0 < after.code - before.code < 100


def test_the_stack_is_added_when_it_is_known(build_firmware):
    sizes = measure(build_firmware("cortex-m4f"))
    assert sizes.ram.stack == 0
    assert sizes.with_stack(200).ram.total == sizes.ram.total + 200
