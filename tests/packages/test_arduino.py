"""Arduino: arduino-builder compiles sketches; in simavr and avr8js they learn the same bits."""

import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.packages.making import digits_spec, made
from tests.unit.test_example import expected_digest, make_spec
from tests.unit.test_odd_compilers import needed
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.board_emulators import node_packages
from tpsgd_edge.toolchain.node_link import node_command

_CORE = Path("/usr/share/arduino/hardware")
_BUILDER = Path("/usr/share/arduino-builder")
PASSES = 2
# Debian's core does not know itself which digits a double has.
_FLAGS = f"-DDECIMAL_DIG=17 -DWAIT_MS=1 -DPASSES={PASSES}"
BOARDS = {"uno": ("uno", "atmega328p"), "mega": ("mega:cpu=atmega2560", "atmega2560")}

pytestmark = pytest.mark.slow


def sketch_on(board: str, sketch: Path, libraries: Path) -> str:
    """What a sketch says until its digest, on a simulated board."""
    simavr, elf = needed("simavr"), sketch_for(board, sketch, libraries)
    return until_digest(simavr, BOARDS[board][1], elf)


def sketch_for(board: str, sketch: Path, libraries: Path) -> Path:
    """The ELF of a sketch."""
    builder = needed("arduino-builder")
    if not _CORE.is_dir():
        pytest.skip("arduino-core-avr is not installed")
    name, _ = BOARDS[board]
    build = libraries.parent / "build"
    tools = libraries.parent / "tools"
    for folder in (build, tools):
        folder.mkdir(exist_ok=True)
    words = [builder, "-compile", "-fqbn", f"arduino:avr:{name}", "-libraries", libraries]
    words += ["-hardware", _CORE, "-hardware", _BUILDER, "-tools", tools, "-build-path", build]
    words += ["-prefs", f"compiler.cpp.extra_flags={_FLAGS}", "-warnings", "all"]
    done = subprocess.run(
        [*map(str, words), str(sketch)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # avr-gcc 5 takes a constant that it optimizes in another part (-flto) for one without a value.
    warnings = re.findall(r"^(?!.*put into program memory area).*warning:.*$", done.stderr, re.M)
    ours = [line for line in warnings if "/cores/" not in line]
    assert ours == []
    return build / f"{sketch.name}.elf"


def until_digest(simavr: str, core: str, elf: Path) -> str:
    """The lines that firmware sends, until one that begins with its digest is whole."""
    command = [simavr, "-m", core, "-f", "16000000", str(elf)]
    said = ""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        end = time.monotonic() + 120
        for line in process.stdout:
            said += re.sub(r"\x1b\[\d*m", "", line)
            if re.search(r"^digest .*\.\.$", said, re.MULTILINE) or time.monotonic() > end:
                break
        process.kill()
    return said


def in_avr8js(elf: Path) -> str:
    """What the program of an Uno sends until its digest, in another emulator."""
    try:
        node, packages = node_command(), node_packages("avr8js")
    except ToolError as error:
        pytest.skip(error.what)
    script = Path(__file__).with_name("avr8js.mjs")
    environment = {"NODE_PATH": str(packages), "PATH": str(Path(node).parent)}
    done = subprocess.run(
        [node, script, elf, "3000"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def test_an_uno_learns_digits_in_its_2_kb(tmp_path):
    spec = digits_spec()
    folder = made(spec, "arduino", tmp_path / "libraries" / "digits").folder
    sketch = folder / "examples" / "Learn" / "Learn.ino"
    said = sketch_on("uno", sketch, tmp_path / "libraries")
    assert "self-test passed.." in said
    assert f"digest {expected_digest(spec, PASSES):X}.." in said
    assert "saved" not in said, "1 KB of EEPROM does not hold two checkpoints"
    again = in_avr8js(tmp_path / "build" / "Learn.ino.elf")
    assert without_times(again) == without_times(said.replace("..\n", "\n"))
    assert f"digest {expected_digest(spec, PASSES):X}" in again.splitlines()


def without_times(said: str) -> list[str]:
    """Lines of a sketch, but for its microseconds and what a simulator says itself."""
    lines = re.findall(r"^(?:self-test|answer|pass|steps|digest).*$", said, re.MULTILINE)
    return [re.sub(r"microseconds .*", "", line) for line in lines]


def test_a_mega_learns_values_and_saves_them(tmp_path):
    spec = make_spec(tmp_path, "values s16")
    folder = made(spec, "arduino", tmp_path / "libraries" / "net").folder
    said = sketch_on("mega", folder / "examples" / "Learn" / "Learn.ino", tmp_path / "libraries")
    assert "self-test passed.." in said
    assert "\nsaved.." in said
    assert f"digest {expected_digest(spec, PASSES):X}.." in said


_TWO = """
#include <digits_arduino.h>
#include <net_arduino.h>
#include <store_arduino_eeprom.h>

static DigitsLearner digits;
static NetLearner net;
static uint8_t page[32];
static store_eeprom first, second;

void setup()
{
    Serial.begin(115200);
    store_eeprom_open(&first, 0, page, sizeof page, DIGITS_CHECKPOINT_BYTES, 2);
    store_eeprom_open(&second, 3000, page, sizeof page, NET_CHECKPOINT_BYTES, 2);
    Serial.println(digits.begin() && net.begin() ? F("both right") : F("wrong"));
    Serial.println(digits.load(first.storage) || net.load(second.storage) ? F("full") : F("empty"));
    net.model.step = 7;
    Serial.println(digits.save(first.storage) && net.save(second.storage) ? F("saved") : F("not"));
    net.model.step = 0;
    Serial.println(net.load(second.storage) && digits.load(first.storage) ? F("there") : F("gone"));
    Serial.print(F("steps "));
    Serial.println(net.steps());
    Serial.println(F("digest "));
}

void loop()
{
}
"""


def test_libraries_of_two_models_go_together_in_one_sketch(tmp_path):
    libraries = tmp_path / "libraries"
    made(digits_spec(), "arduino", libraries / "digits")
    made(make_spec(tmp_path, "unit s8"), "arduino", libraries / "net")
    sketch = tmp_path / "Two" / "Two.ino"
    sketch.parent.mkdir()
    sketch.write_text(_TWO)
    said = sketch_on("mega", sketch, libraries)
    lines = ["both right..", "empty..", "saved..", "there..", "steps 7.."]
    assert [line for line in said.splitlines() if line in lines] == lines
