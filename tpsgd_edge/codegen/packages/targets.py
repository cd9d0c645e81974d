"""The ecosystems, in one table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """The record of an ecosystem: whatever is not in its folder of templates.

    Attributes:
        name: as it is typed, and its folder in `codegen_templates/packages/`.
        title: in words.
        adapter: the file of `firmware/store/` that keeps checkpoints there.
        example: the folder of the package's example, where samples are put.
        shares_example: whether the example is the C program that several ecosystems share.
        archive: the name of an archive that the ecosystem's tool takes; empty where it takes the
            folder. Fields are those of the view.
        next: the command, or the place, that takes the package.
    """

    name: str
    title: str
    adapter: str
    example: str
    shares_example: bool
    archive: str
    next: str


_ALL = (
    Target(
        name="arduino",
        title="Arduino library",
        adapter="store_arduino_eeprom.h",
        example="examples/Learn",
        shares_example=False,
        archive="{p.name}-{p.version}.zip",
        next="Arduino IDE: Sketch, Include Library, Add .ZIP Library; or "
        "arduino-cli lib install --zip-path {archive}",
    ),
    Target(
        name="platformio",
        title="PlatformIO library",
        adapter="store_arduino_eeprom.h",
        example="examples/learn/src",
        shares_example=False,
        archive="",
        next="pio pkg pack {folder}; or cd {folder}/examples/learn and pio run",
    ),
    Target(
        name="zephyr",
        title="Zephyr module",
        adapter="store_zephyr_nvs.h",
        example="samples/learn/src",
        shares_example=True,
        archive="",
        next="west build -b BOARD {folder}/samples/learn",
    ),
    Target(
        name="esp-idf",
        title="ESP-IDF component",
        adapter="store_esp_nvs.h",
        example="examples/learn/main",
        shares_example=True,
        archive="",
        next="idf.py -C {folder}/examples/learn set-target esp32c3 build flash monitor",
    ),
    Target(
        name="cmsis-pack",
        title="CMSIS-Pack",
        adapter="store_file.h",
        example="examples/learn",
        shares_example=True,
        archive="{p.vendor}.{p.name}.{p.version}.pack",
        next="cpackget add {archive}",
    ),
    Target(
        name="micropython",
        title="MicroPython module",
        adapter="store_file.h",
        example="examples",
        shares_example=False,
        archive="",
        next="make -C ports/unix USER_C_MODULES={parent}, in MicroPython's tree",
    ),
    Target(
        name="c",
        title="C library",
        adapter="store_file.h",
        example="examples/learn",
        shares_example=True,
        archive="",
        next="make -C {folder}, which makes build/lib{p.name}.a and build/learn there",
    ),
)
TARGETS = {target.name: target for target in _ALL}
