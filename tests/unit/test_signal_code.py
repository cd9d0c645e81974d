"""NAME_signal.h: the generated C makes the features that the reference makes."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.support.narrow_int import findings
from tests.support.signals import ALL, BANDS, hearing_spec, some_recordings
from tests.unit.test_misra import FLAGS, LISTED
from tests.unit.test_odd_compilers import needed
from tests.unit.test_two_models import run
from tpsgd_edge import verify
from tpsgd_edge.features import features_of
from tpsgd_edge.memory.state import digest_order
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.reference import Reference
from tpsgd_edge.stages import prepare, render_project, signals
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.folder import write_project
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.trace import digest

LINEAR = {"scale": "linear", "sample_rate": 1000, "bands": 5}
CASES = {
    "bands": BANDS,
    "statistics": {"window": 32, "statistics": ALL},
    "both, of three channels": {**BANDS, "statistics": ["rms", "kurtosis"]},
    "the shortest window": {**LINEAR, "window": 16, "hop": 1, "statistics": ["peaks"]},
    "the longest window": {**LINEAR, "window": 2048, "hop": 2048, "bands": 40},
    "one window": {**LINEAR, "window": 256, "length": 256},
}


@pytest.mark.series(3)
@pytest.mark.parametrize("name", CASES)
def test_reference_and_c_hear_alike(name, tmp_path):
    channels = 3 if "three" in name else 1
    x = some_recordings(12, 2048 if "longest" in name else 300, channels, seed=len(name))
    spec = hearing_spec(tmp_path, CASES[name], x=x)
    assert verify(spec, steps=3).verdict.verdict == "equal"


@pytest.mark.parametrize("weights", ["s8", "f32"])
def test_formats_do_not_matter(weights, tmp_path):
    spec = hearing_spec(tmp_path, BANDS, numbers={"weights": weights})
    assert verify(spec, steps=3).verdict.verdict == "equal"


def test_the_generator_takes_numbers_of_the_reference_and_no_more():
    sources = (Path(__file__).parents[2] / "tpsgd_edge" / "codegen").rglob("*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert set(re.findall(r"tpsgd_edge\.features\S*", text)) == {"tpsgd_edge.features.numbers"}


def test_a_wrong_device_is_found(tmp_path, monkeypatch):
    def wrong(numbers, recordings):
        made = features_of(numbers, recordings)
        made[:, -1, -1] += 1
        return made

    monkeypatch.setattr(signals, "features_of", wrong)
    verdict = verify(hearing_spec(tmp_path, BANDS), steps=3).verdict
    assert verdict.verdict == "mismatch"
    assert verdict.function == "hear"


MAIN = """
#include <stdio.h>
#include "ear_signal.h"

static const int16_t recording[EAR_N_RECORDING * EAR_N_CHANNELS] = {%s};

int main(void)
{
    static struct ear_model model;
    static struct ear_signal work, signal;
    static int16_t whole[EAR_N_IN], row[EAR_N_WINDOW_FEATURES];
    uint32_t at = 0, different = 0;
    uint16_t label = 99;

    ear_init(&model);
    ear_features(&work, recording, whole);
    for (int i = 0; i < EAR_N_IN; i++) {
        printf("%%d ", whole[i]);
    }
    for (uint32_t i = 0; i + EAR_N_HOP <= EAR_N_RECORDING; i += EAR_N_HOP) {
        if (ear_hear(&signal, recording + i * EAR_N_CHANNELS, row)) {
            for (uint32_t k = 0; k < EAR_N_WINDOW_FEATURES; k++) {
                different += row[k] != whole[at++];
            }
        }
    }
    printf("\\n%%u %%u", (unsigned)at, (unsigned)different);
    printf(" %%d", (int)ear_train_signal(&model, &work, recording, 1));
    printf(" %%d", (int)ear_train_signal(&model, &work, recording, 2));
    printf(" %%d", (int)ear_predict_signal(&model, &work, recording, &label));
    printf(" %%u %%08lx\\n", (unsigned)label, (unsigned long)ear_digest(&model));
    return 0;
}
"""


def compiled(folder: Path, main: str, *flags: str) -> str:
    """What a program prints that is compiled with the project of `folder`/ear."""
    (folder / "main.c").write_text(main, encoding="utf-8")
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
    sources = sorted((folder / "ear").glob("*.c"))
    compiler = find_compiler(load_platform("host"))
    command = [*compiler.command, "-std=c11", "-O1", *strict, *flags, "-I", folder / "ear"]
    command += [folder / "main.c", *sources, "-o", folder / "demo"]
    subprocess.run(command, check=True, timeout=300)
    done = subprocess.run([folder / "demo"], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


def test_a_recording_at_once_and_a_stream_are_the_same(tmp_path):
    x = some_recordings(30, 300, 2)
    features = {**BANDS, "statistics": ["deviation"]}
    prepared = prepare(hearing_spec(tmp_path, features, x=x))
    write_project(render_project(prepared).files, tmp_path / "ear")
    loud = x[np.abs(x.astype(int)).sum(axis=(1, 2)).argmax()]
    listed = ", ".join(map(str, loud.ravel().tolist()))
    whole, rest = compiled(tmp_path, MAIN % listed).splitlines()
    expected = features_of(prepared.features, loud[None]).reshape(1, -1)
    assert list(map(int, whole.split())) == expected[0].tolist()
    reference = Reference(prepared.model)
    sample = quantize_inputs(prepared.model, expected)[0]
    reference.train_step(sample, np.uint16(1))
    count, different, trained, refused, answered, label, digest = rest.split()
    assert (int(count), int(different)) == (expected.size, 0)
    assert (trained, refused, answered) == ("0", "1", "0")
    assert int(label) == int(reference.each_output(sample)[-1].argmax())
    assert digest == digest_of(reference, prepared)


def digest_of(reference, prepared) -> str:
    state = reference.state()
    return f"{digest(state[name] for name in digest_order(prepared.model)):08x}"


SELFTEST = """
#include <stdio.h>
#include "ear_signal.h"

int main(void)
{
    static struct ear_signal signal;

    printf("%d %d\\n", (int)ear_signal_selftest(&signal), (int)signal.heard);
    return 0;
}
"""


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("ear_tps_spectrum.c", "1455,", "1455,", "0 0"),
        ("ear_tps_spectrum.c", "1455,", "1955,", "2 0"),
        ("ear_tps_statistics.c", "> INT16_MAX", "> 9000", "2 0"),
    ],
)
def test_a_board_tests_what_it_makes_of_a_signal(file, old, new, said, tmp_path):
    spec = hearing_spec(tmp_path, {**BANDS, "statistics": ALL}, x=some_recordings(12, 300, 2))
    files = dict(render_project(prepare(spec)).files)
    assert old in files[file]
    files[file] = files[file].replace(old, new)
    write_project(files, tmp_path / "ear")
    assert compiled(tmp_path, SELFTEST).strip() == said


ROWS = """
#include <stdio.h>
#include "ear_signal.h"

int main(void)
{
    static struct ear_signal signal;
    static struct ear_window window;
    static int16_t block[EAR_N_HOP], row[EAR_N_WINDOW_FEATURES];
    int blocks = 0, samples = 0;

    for (int t = 0; t < 40; t++) {
        for (int i = 0; i < EAR_N_HOP; i++) {
            block[i] = (int16_t)((t * 31 + i * 7) % 200);
        }
        if (ear_hear(&signal, block, row)) {
            bool is_full = false;
            blocks++;
            ear_push(&window, row, &is_full);
            samples += is_full;
        }
    }
    printf("%d %d %d\\n", blocks, samples, EAR_N_WINDOWS);
    return 0;
}
"""


def test_windows_of_a_stream_become_samples(tmp_path):
    spec = hearing_spec(tmp_path, BANDS, firmware={"hop": 3})
    write_project(render_project(prepare(spec)).files, tmp_path / "ear")
    blocks, samples, windows = map(int, compiled(tmp_path, ROWS).split())
    assert (blocks, windows) == (39, 8)
    assert samples == (39 - 8) // 3 + 1


@pytest.mark.parametrize("features", [BANDS, {"window": 32, "statistics": ["mean"]}])
def test_a_project_has_what_it_needs(features, tmp_path):
    files = render_project(prepare(hearing_spec(tmp_path, features))).files
    assert ("ear_tps_spectrum.c" in files) == ("tps_bin.h" in files) == ("bands" in features)
    assert ("ear_tps_statistics.c" in files) == ("statistics" in features)
    assert "ear_tps_window.h" in files
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    for name, text in files.items():
        if name.endswith(".h") and "/" not in name:
            (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "main.cpp").write_text('#include "ear_signal.h"\n')
    flags = ["-std=c++11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
    subprocess.run([compiler, *flags, tmp_path / "main.cpp"], check=True, timeout=60)


def test_code_that_only_predicts_has_nothing_unused(tmp_path):
    folder = tmp_path / "ear"
    write_project(render_project(prepare(hearing_spec(tmp_path, BANDS))).files, folder)
    (folder / "unit.c").write_text("".join(f'#include "{p.name}"\n' for p in folder.glob("*.c")))
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-DEAR_INFERENCE_ONLY", "-c"]
    command = [*find_compiler(load_platform("host")).command, *flags, "-o", "unit.o", "unit.c"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)


def flat_project(folder: Path) -> list[str]:
    """A project with all features in a folder, without its port; the sources that hear."""
    files = render_project(prepare(hearing_spec(folder, {**BANDS, "statistics": ALL}))).files
    for path, text in files.items():
        if "/" not in path:
            (folder / path).write_text(text, encoding="utf-8")
    return ["ear_signal.c", "ear_tps_spectrum.c", "ear_tps_statistics.c"]


def test_no_expression_needs_more_than_16_bits_of_an_int(tmp_path):
    needed("clang-14")
    for source in flat_project(tmp_path):
        assert findings(tmp_path, source) == [], source


def test_an_avr_keeps_tables_in_flash(tmp_path):
    gcc, dump = needed("avr-gcc"), needed("avr-objdump")
    flags = ["-std=gnu11", "-Os", "-Wall", "-Wextra", "-Werror", "-mmcu=atmega2560", "-c"]
    run(gcc, *flags, *flat_project(tmp_path), cwd=tmp_path)
    symbols = run(dump, "-t", *(path.name for path in tmp_path.glob("*.o")), cwd=tmp_path)
    tables = re.findall(
        r" O (\.[\w.]+)\s+\w+ (\w*(?:signal_[csr]|log_t)\w+)$", symbols, re.MULTILINE
    )
    assert {name: section for section, name in tables} == dict.fromkeys(
        ("log_table", "signal_cosines", "signal_starts", "signal_rise"), ".progmem.data"
    )


@pytest.mark.slow
def test_no_rule_of_misra_is_broken_that_is_not_in_the_table(tmp_path):
    cppcheck = needed("cppcheck")
    done = subprocess.run(
        [cppcheck, *FLAGS, *flat_project(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    rules = set(re.findall(r"\[(?:misra-c2012-)?([\w.]+)\]$", done.stderr, re.MULTILINE))
    assert len(rules) > 5
    assert rules - LISTED == set()


@pytest.mark.slow
def test_no_sum_overflows(tmp_path):
    """Under the sanitizer of undefined behaviour, with signals at the ends of 16 bits."""
    folder = tmp_path / "ear"
    x = np.random.default_rng(1).choice([-(2**15), 2**15 - 1], (12, 2048)).astype(np.int16)
    features = {**LINEAR, "window": 1024, "hop": 256, "statistics": ALL}
    prepared = prepare(hearing_spec(tmp_path, features, x=x))
    write_project(render_project(prepared).files, folder)
    flags = ("-fsanitize=undefined", "-fno-sanitize-recover=all")
    listed = ", ".join(map(str, x[0].tolist()))
    whole, _ = compiled(tmp_path, MAIN % listed, *flags).splitlines()
    expected = features_of(prepared.features, x[:1, :, None])
    assert list(map(int, whole.split())) == expected.ravel().tolist()
