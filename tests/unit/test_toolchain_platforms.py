"""Platform files, and the port that goes with a project."""

import inspect
import re

import pytest

from tpsgd_edge.errors import SpecError, ToolError
from tpsgd_edge.toolchain import open_device, sizes
from tpsgd_edge.toolchain.platform_file import read_platform_file
from tpsgd_edge.toolchain.platforms import (
    all_platforms,
    load_platform,
    port_files,
    port_sources,
)

CORES = [platform for platform in all_platforms() if platform.is_core]
AVRS = [platform for platform in CORES if platform.arch == "avr"]
# The memory of an AVR is the core's own; of others an emulator has any amount.
LARGE = [platform for platform in CORES if platform not in AVRS]
MODULES = [platform for platform in all_platforms() if platform.arch == "wasm"]


def test_all_platforms_are_there_and_the_host_comes_first():
    assert [platform.name for platform in all_platforms()] == [
        "host",
        "atmega2560",
        "cortex-m0plus",
        "cortex-m23",
        "cortex-m3",
        "cortex-m33",
        "cortex-m4f",
        "cortex-m55",
        "cortex-m7",
        "cortex-m85",
        "rv32imc",
        "rv32imcb",
        "wasm32",
    ]


def test_an_unknown_platform_names_those_that_are_close():
    with pytest.raises(SpecError) as caught:
        load_platform("cortex-m4")
    assert caught.value.what == "unknown platform 'cortex-m4'"
    assert "did you mean cortex-m4f" in caught.value.help


def test_a_platform_like_no_other_gets_the_list():
    with pytest.raises(SpecError) as caught:
        load_platform("z80")
    assert "known: host, atmega2560, cortex-m0plus" in caught.value.help


def test_unicorn_has_no_vectors_and_no_extension_b():
    without = {"cortex-m55", "cortex-m85", "rv32imcb"}
    assert {p.name for p in LARGE if p.emulators[0] != "unicorn"} == without
    assert all("qemu" in p.emulators for p in LARGE)
    assert all(p.emulators == ("simavr",) for p in AVRS)


def test_every_platform_builds_with_every_family():
    zig_alone = [load_platform("rv32imcb")]
    others = [p for p in all_platforms() if p not in (*MODULES, *AVRS, *zig_alone)]
    assert all(set(p.flags) == {"zig", "gcc", "clang"} for p in others)
    assert all(set(p.flags) == {"zig"} for p in zig_alone), "gcc has no runtime library for it"
    assert all(set(p.flags) == {"gcc"} for p in AVRS)
    assert all(set(p.flags) == {"zig", "clang"} for p in MODULES), "gcc does not write WebAssembly"


def test_the_host_has_no_port():
    assert port_files(load_platform("host")) == {}


def test_a_module_has_no_reset_and_no_addresses():
    assert [platform.name for platform in MODULES] == ["wasm32"]
    for platform in MODULES:
        assert platform.emulators == ("node",)
        assert set(port_files(platform)) == {
            "port/tps_port.h",
            "port/answers.h",
            "port/hearing.h",
            "port/harness.c",
            "port/answers.c",
            "port/memory.c",
            "port/startup_wasm.c",
        }


@pytest.mark.parametrize("platform", CORES, ids=lambda p: p.name)
def test_the_linker_script_has_the_numbers_of_the_platform(platform):
    script = port_files(platform)["port/link.ld"]
    assert f"ORIGIN = 0x{platform.memory.flash.origin:08x}" in script
    assert f"ORIGIN = 0x{platform.memory.ram.origin:08x}" in script
    assert f"startup_{platform.port}.o" in script
    # Of __global_pointer$, which an AVR has no use for.
    assert re.findall(r"\$", script) == ["$"] * (platform not in AVRS)


@pytest.mark.parametrize("platform", CORES, ids=lambda p: p.name)
def test_the_linker_script_has_every_section_that_sizes_are_read_from(platform):
    script = port_files(platform)["port/link.ld"]
    read = set(re.findall(r'"(\.\w+)"', inspect.getsource(sizes.measure)))
    assert {".weights", ".signal", ".bss"} < read
    assert read <= set(re.findall(r"^    (\.\w+) (?:\(NOLOAD\) )?: \{", script, re.MULTILINE))


@pytest.mark.parametrize("platform", CORES, ids=lambda p: p.name)
def test_a_port_has_the_start_up_code_of_its_core_only(platform):
    assert set(port_sources(platform)) == {
        "port/harness.c",
        "port/answers.c",
        "port/boot.c",
        "port/memory.c",
        *(() if platform in AVRS else ("port/semihosting.c",)),
        f"port/startup_{platform.port}.c",
    }


@pytest.mark.parametrize("platform", LARGE, ids=lambda p: p.name)
def test_memory_holds_the_largest_model_in_every_format(platform):
    largest = (784 * 256 + 256 + 256 * 10 + 10) * 4
    assert platform.memory.ram.size > largest + platform.memory.stack
    assert platform.memory.flash.size > largest


GOOD = """\
title = "Arm Cortex-M23"
notes = "No FPU."
arch = "arm"
port = "cortex_m"

[compilers]
gcc = ["-mcpu=cortex-m23"]

[memory]
flash = { origin = 0, size = 4096 }
ram = { origin = 0x20000000, size = 4096 }
stack = 1024

[emulators]
qemu = { command = "qemu-system-arm", arguments = ["-M", "mps2-an505"] }
"""


def refusal(path, text):
    """How a platform file with this text is answered."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_platform_file(path)
    return caught.value.message()


class TestPlatformFiles:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "cortex-m23.toml"

    def test_a_good_one_is_read(self, path):
        path.write_text(GOOD, encoding="utf-8")
        keys = read_platform_file(path)
        assert (keys.port, keys.memory.ram.origin, keys.emulators.unicorn) == (
            "cortex_m",
            0x20000000,
            None,
        )

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("title", "titel", ["'title' is missing", "unknown key 'titel'", "mean 'title'?"]),
            ('"arm"', '"aarm"', ["unknown value of 'arch'", "did you mean 'arm'"]),
            ("stack = 1024", "", ["'stack' is missing", "[memory]"]),
            ("size = 4096 }\nram", 'size = "4K" }\nram', ["'size' must be a whole number"]),
            ("gcc = [", "icc = [", ["unknown key 'icc'", "[compilers]"]),
            ("qemu = {", "qemo = {", ["unknown key 'qemo'", "did you mean 'qemu'?"]),
            ('port = "cortex_m"\n', "", ["does not say how its core starts", "without port"]),
            ('title = "', "title = ", ["is not valid TOML"]),
        ],
    )
    def test_a_mistake_is_answered_in_words(self, path, old, new, words):
        assert old in GOOD
        said = refusal(path, GOOD.replace(old, new, 1))
        assert "platforms/cortex-m23.toml" in said
        assert not [word for word in words if word not in said], said

    # Compilers and emulators are a platform's own choice.
    @pytest.mark.parametrize(
        "line",
        [
            number
            for number, text in enumerate(GOOD.splitlines())
            if text and not text.startswith(("gcc", "[emulators]", "qemu"))
        ],
    )
    def test_no_line_may_go_in_silence(self, path, line):
        kept = [text for n, text in enumerate(GOOD.splitlines()) if n != line]
        assert refusal(path, "\n".join(kept))


@pytest.mark.parametrize(
    ("platform", "work", "installed", "chosen"),
    [
        ("cortex-m4f", 10**6, {"unicorn", "qemu"}, "unicorn"),
        ("cortex-m4f", 10**7, {"unicorn", "qemu"}, "qemu"),
        ("cortex-m4f", 10**9, {"unicorn"}, "unicorn"),
        ("cortex-m4f", 10**6, {"qemu"}, "qemu"),
        ("cortex-m55", 10**9, {"unicorn", "qemu"}, "qemu"),
    ],
)
def test_long_proofs_take_the_quicker_emulator(monkeypatch, platform, work, installed, chosen):
    def look(name):
        def at(_):
            if name not in installed:
                raise ToolError(f"no {name}")

        return at

    looks = {name: look(name) for name in ("unicorn", "qemu", "node")}
    monkeypatch.setattr(open_device, "_LOOKS", looks)
    assert open_device.quickest_emulator(load_platform(platform), work) == chosen
