"""Generated code that talks: any compiler takes it, it is small, and two models do not meet."""

import re
import subprocess

import pytest

from tests.store.test_stored_projects import COMPILERS, M4F, STRICT, frames
from tests.support.narrow_int import findings
from tests.unit.test_codegen_builds import compiler
from tests.unit.test_odd_compilers import CPLUSPLUS, needed, refusal
from tests.unit.test_two_models import run, symbols
from tests.wire.projects import WIRED, wired, write_sources
from tpsgd_edge.link.frames import Frame, Reader, encoded
from tpsgd_edge.link.messages import Log

OWN = re.compile(r"_(wire|tps_frames)\.c$")
STORES = (False, True)


def own_sources(name, folder, *, has_store=False):
    """The sources of the wire, in a folder with all others."""
    own = [path for path in write_sources(name, folder, has_store=has_store) if OWN.search(path)]
    assert len(own) == 2
    return own


@pytest.mark.sampled(2)
@pytest.mark.series(6)
@pytest.mark.parametrize("compiler_name", COMPILERS)
@pytest.mark.parametrize("name", WIRED)
@pytest.mark.parametrize("define", ["", "_INFERENCE_ONLY"])
def test_compilers_take_it_without_a_warning(tmp_path, name, compiler_name, define):
    own = own_sources(name, tmp_path, has_store=name == "classes")
    flags = [f"-D{wired(name).project.name.upper()}{define}"] if define else []
    command = [needed(compiler_name), "-O2", *STRICT, *COMPILERS[compiler_name], *flags, "-c"]
    run(*command, *own, cwd=tmp_path)


@pytest.mark.series(1)
@pytest.mark.parametrize("compiler_name", CPLUSPLUS)
def test_the_headers_of_several_models_are_for_cplusplus_too(tmp_path, compiler_name):
    for name in WIRED:
        write_sources(name, tmp_path, has_store=True)
    names = [wired(name).project.name for name in WIRED]
    lines = [f'#include "{name}_wire.h"' for name in names]
    lines += [f"static struct {name}_model {name};" for name in names]
    lines += [f"static struct {name}_wire {name}_wire_of;" for name in names]
    lines.append("static struct tps_line line;")
    calls = [f"    {name}_wire_open(&{name}_wire_of, &line, &{name});" for name in names]
    lines += ["int main()", "{", *calls, "    return 0;", "}", ""]
    (tmp_path / "main.cpp").write_text("\n".join(lines))
    flags = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
    command = [needed(compiler_name), *CPLUSPLUS[compiler_name], *flags, "-fsyntax-only"]
    run(*command, "main.cpp", cwd=tmp_path)


def test_sources_say_that_they_are_c(tmp_path):
    for source in own_sources("classes", tmp_path):
        message = refusal([needed("g++"), "-fsyntax-only", "-x", "c++", source], tmp_path)
        assert "compile the .c files of petals as C11" in message, source


@pytest.mark.series(2)
@pytest.mark.parametrize("name", WIRED)
def test_no_expression_needs_more_than_16_bits_of_an_int(tmp_path, name):
    needed("clang-14")
    for source in own_sources(name, tmp_path):
        assert findings(tmp_path, source) == [], source


@pytest.mark.parametrize("optimize", ["-O2", "-Os"])
@pytest.mark.parametrize("has_store", STORES)
def test_flash_ram_and_stack_on_a_cortex_m4f(tmp_path, optimize, has_store):
    gcc = needed("arm-none-eabi-gcc")
    sources = [*own_sources("classes", tmp_path, has_store=has_store), "petals_tps_crc32.c"]
    run(gcc, *M4F, optimize, "-fstack-usage", "-c", *sources, cwd=tmp_path)
    table = run(needed("arm-none-eabi-size"), "-t", *tmp_path.glob("*.o")).splitlines()
    text, data, bss = (int(word) for word in table[-1].split()[:3])
    assert text < 3 * 1024
    assert (data, bss) == (0, 0)
    assert sum(sorted(frames(tmp_path).values())[-4:]) < 300
    (tmp_path / "size.c").write_text(
        '#include "petals_wire.h"\n'
        "static struct petals_wire *wire;\n"
        "char ram[sizeof *wire - sizeof wire->request - sizeof wire->answer];\n"
    )
    run(gcc, *M4F, "-c", "size.c", "-o", "size.elf", cwd=tmp_path)
    sizes = run(needed("arm-none-eabi-size"), tmp_path / "size.elf").splitlines()[1].split()
    assert 0 < int(sizes[1]) + int(sizes[2]) < 300


def test_models_with_wires_share_one_header_and_no_symbol(tmp_path):
    found = []
    for name in ("classes", "words"):
        folder = tmp_path / name
        sources = own_sources(name, folder)
        run(*compiler(), "-O0", "-std=c11", "-fno-sanitize=all", "-c", *sources, cwd=folder)
        own = {
            symbol
            for path in folder.glob("*.o")
            for symbol, is_defined in symbols(path)
            if is_defined
        }
        prefix = wired(name).project.name
        assert all(symbol.startswith(f"{prefix}_") for symbol in own)
        verbs = ("open", "poll", "take", "give", "serve", "note")
        assert {f"{prefix}_wire_{verb}" for verb in verbs} <= own
        found.append(own)
    assert not found[0] & found[1]
    assert len({wired(name).project.files["tps_line.h"] for name in WIRED}) == 1


def test_nobody_pays_who_does_not_ask():
    from tests.golden.projects import golden_project

    files = golden_project("classes").files
    assert not [path for path in files if re.search("wire|frames|line", path)]


def test_the_readme_of_a_project_says_how_to_listen():
    text = wired("classes").project.files["README.md"]
    assert "petals_wire_poll(&wire);" in text


def test_a_device_of_its_own_notes_what_it_did(tmp_path):
    """NAME_wire_note, and a line that works by interrupts: bytes are taken and given one by one."""
    sources = write_sources("classes", tmp_path)
    (tmp_path / "main.c").write_text(_NOTES)
    flags = ("-O0", "-std=c11", "-fno-sanitize=all")
    run(*compiler(), *flags, "main.c", *sources, "-o", "program", cwd=tmp_path)
    words = [int(word) for word in run(tmp_path / "program", cwd=tmp_path).split()]
    served, idle, *sent = words
    assert (served, idle) == (1, 0)
    (frame,) = Reader().feed(bytes(sent))
    log = Log.read(frame.payload)
    assert [(entry.label, entry.is_trained) for entry in log.entries] == [(2, True), (None, False)]
    assert all(entry.answer in (0, 1, 2) and entry.confidence > 0 for entry in log.entries)


def test_bytes_without_end_keep_nobody(tmp_path):
    """Nor does a line that takes nothing: a poll ends."""
    sources = write_sources("classes", tmp_path)
    hello = b"\0" + encoded(Frame(1, 7, b""))
    takes = "".join(f"petals_wire_take(&wire, {byte}); " for byte in hello)
    (tmp_path / "main.c").write_text(_ENDLESS.replace("HELLO", takes))
    flags = ("-O0", "-std=c11", "-fno-sanitize=all")
    run(*compiler(), *flags, "main.c", *sources, "-o", "program", cwd=tmp_path)
    done = subprocess.run([tmp_path / "program"], timeout=20, capture_output=True, check=True)
    asked, offered, same = map(int, done.stdout.split())
    assert 0 < asked < 5000
    # A byte that was not taken is offered again, and no other one.
    assert (offered, same) == (3, 1)


_ENDLESS = """
#include "petals_wire.h"

#include <stdio.h>

static struct petals_model model;
static struct petals_wire wire;
static int asked, offered, last, same = 1;

static int get(void *context)
{
    (void)context;
    return ++asked % 7;
}

static int put(void *context, uint8_t byte)
{
    (void)context;
    same &= offered == 0 || byte == last;
    last = byte;
    offered++;
    return 1;
}

int main(void)
{
    static const struct tps_line line = {.get = get, .put = put};

    petals_init(&model);
    petals_wire_open(&wire, &line, &model);
    petals_wire_poll(&wire);
    HELLO
    for (int i = 0; i < 3; i++) {
        petals_wire_serve(&wire);
        petals_wire_poll(&wire);
    }
    printf("%d %d %d", asked, offered, same);
    return 0;
}
"""
_NOTES = """
#include "petals_wire.h"

#include <stdio.h>

static struct petals_model model;
static struct petals_wire wire;

static void ask(uint8_t command, uint32_t number, uint32_t count)
{
    uint8_t body[16] = {1, command};
    uint32_t crc = 0xFFFFFFFFu;
    for (int i = 0; i < 4; i++) {
        body[4 + i] = (uint8_t)(number >> (8 * i));
    }
    for (uint32_t i = 0; i < 8 + count; i++) {
        crc ^= body[i];
        for (int k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
        }
    }
    for (int i = 0; i < 4; i++) {
        body[8 + count + (uint32_t)i] = (uint8_t)(~crc >> (8 * i));
    }
    petals_wire_take(&wire, 0);
    for (uint32_t at = 0; at <= 12 + count; at++) {
        uint32_t n = 0;
        while (at + n < 12 + count && body[at + n] != 0) {
            n++;
        }
        petals_wire_take(&wire, (uint8_t)(n + 1));
        for (uint32_t i = 0; i < n; i++) {
            petals_wire_take(&wire, body[at + i]);
        }
        at += n;
    }
    petals_wire_take(&wire, 0);
}

int main(void)
{
    static const int8_t x[PETALS_N_IN] = {10, -20, 30};

    petals_init(&model);
    petals_wire_open(&wire, NULL, &model);
    petals_train_step(&model, x, 2);
    petals_wire_note(&wire, &petals_own_work, 2, 1);
    petals_predict(&model, x);
    petals_wire_note(&wire, &petals_own_work, TPS_WIRE_NO_LABEL, 0);
    ask(1, 5, 0);
    printf("%d ", petals_wire_serve(&wire));
    const uint32_t number = wire.answer.told.numbers[0];
    while (petals_wire_give(&wire) >= 0) {
    }
    ask(11, number, 4);
    const int served = petals_wire_serve(&wire);
    printf("%d", petals_wire_serve(&wire));
    for (int byte; served && (byte = petals_wire_give(&wire)) >= 0;) {
        printf(" %d", byte);
    }
    return 0;
}
"""
