"""An ATmega2560 in simavr: 8 bits, 16-bit addresses, 8 KB of RAM, constants apart in flash."""

from pathlib import Path

import numpy as np
import pytest

from tests.emulator import test_random_blocks, test_random_maps, test_random_sequences
from tests.emulator.test_counting import needs
from tests.emulator.test_random_networks import recipe_of, run_on
from tpsgd_edge.errors import ToolError
from tpsgd_edge.pipeline import verify
from tpsgd_edge.spec import load_spec
from tpsgd_edge.toolchain.elf import Elf
from tpsgd_edge.toolchain.executed import instructions_in
from tpsgd_edge.toolchain.simavr_link import check_simavr, flash_image

pytestmark = pytest.mark.emulator

AVR = "atmega2560"
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "digits.toml"
# Of each set of random nets those that fit into the memory.
NETS = {
    "dense": (lambda number: recipe_of(number).model(), (0, 1, 2, 3, 5, 6, 8, 9, 13, 17, 19)),
    "maps": (test_random_maps.model_of, (0, 1, 2, 3)),
    "sequences": (test_random_sequences.model_of, (0, 1, 3)),
    "gated": (test_random_sequences.gated_model_of, (0, 1, 3)),
    "blocks": (test_random_blocks.model_of, (0, 1, 2)),
}


@pytest.mark.sampled(2)
@pytest.mark.series(2)
@pytest.mark.parametrize(
    ("kind", "number"), [(kind, number) for kind, (_, fits) in NETS.items() for number in fits]
)
def test_nets_that_fit_learn_as_the_reference_does(kind, number):
    needs(AVR, "simavr")
    run_on(AVR, NETS[kind][0](number), number, family="gcc")


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 5, 9])
def test_firmware_that_only_predicts_does_too(number):
    needs(AVR, "simavr")
    run_on(AVR, recipe_of(number).model(), number, family="gcc", inference_only=True)


def test_what_does_not_fit_is_refused_in_words():
    needs(AVR, "simavr")
    with pytest.raises(ToolError) as caught:
        run_on(AVR, recipe_of(10).model(), 10, family="gcc")
    assert caught.value.what == "the firmware does not fit into the memory of AVR ATmega2560"
    assert caught.value.found.startswith("RAM is ")
    assert "s8" in caught.value.help


@pytest.mark.slow
def test_a_person_proves_digits_on_a_mega():
    needs(AVR, "simavr")
    change = ("platform.name=atmega2560", "platform.ram=8K", "numbers.weights=s8")
    result = verify(load_spec(EXAMPLE, change), steps=100)
    assert result.is_equal
    # simavr knows the cycles: one for each instruction at least, two for most loads.
    step, cycles = result.instructions_per_step, result.cycles_per_step
    assert step < cycles < 3 * step


def test_long_instructions():
    words = {0x9140: True, 0x9300: True, 0x940E: True, 0x940C: True, 0x9508: False, 0x9409: False}
    for word, is_long in words.items():
        code = np.array([word, 0], "<u2").tobytes()
        assert instructions_in(code, "avr") == (1 if is_long else 2), hex(word)


def test_a_flash_image_has_gaps_of_erased_flash():
    elf = Elf({0: b"\x01\x02", 5: b"\x03"}, {}, {}, ())
    assert flash_image(elf) == b"\x01\x02\xff\xff\xff\x03"


def test_simavr_that_is_missing_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("tpsgd_edge.toolchain.simavr_link._has_headers", lambda _: False)
    with pytest.raises(ToolError) as caught:
        check_simavr()
    assert caught.value.what == "the emulator simavr is not installed"
    assert "libsimavr-dev" in caught.value.help
