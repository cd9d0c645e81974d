"""The generated C on this computer: as a library, and under sanitizers as a program."""

import numpy as np
import pytest

from tests.support.check_device import check_device
from tests.support.fake_project import FILES, INTERFACE, SOURCES, samples, write_project
from tpsgd_edge.errors import DataError, OutputError, ToolError
from tpsgd_edge.toolchain.build import compile_simulation
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.sizes import measure


@pytest.fixture(scope="module")
def compiler():
    return find_compiler(load_platform("host"))


@pytest.fixture
def compile_(tmp_path, compiler):
    """Builds the project, with some of its files replaced."""

    def build(extra=None, **options):
        folder = write_project(tmp_path / "project", extra)
        return compile_simulation(
            folder, "fake", SOURCES, compiler, build_dir=tmp_path / "build", **options
        )

    return build


def sanitized(compile_, extra=None):
    try:
        return compile_(extra, sanitize=True, warnings_as_errors=True)
    except ToolError as error:
        pytest.skip(f"no sanitizers: {error.found}")


def test_the_library_does_what_the_twin_does(compile_):
    with open_device(compile_(warnings_as_errors=True), INTERFACE) as device:
        check_device(device)
        assert device.stack_bytes() == 0


def test_two_models_of_one_library_do_not_share_their_state(compile_):
    binary = compile_()
    x, labels = samples(5)
    with open_device(binary, INTERFACE) as one, open_device(binary, INTERFACE) as other:
        untrained = other.state()
        one.train(x, labels)
        assert other.state() == untrained


def test_the_sanitized_program_does_what_the_twin_does(compile_):
    with open_device(sanitized(compile_), INTERFACE) as device:
        check_device(device)


def test_long_runs_fit_through_the_pipes(compile_):
    x, labels = samples(5000)
    with open_device(sanitized(compile_), INTERFACE) as device:
        assert device.outputs(x).shape == (5000, 3)
        assert device.trace(x, labels).steps == 5000


def test_a_sanitizer_stops_a_bad_step(compile_):
    broken = FILES["fake.c"].replace("arena_x[i] = x[i]", "arena_x[i + label_of(x)] = x[i]")
    broken = broken.replace(
        "static void forward",
        "static int label_of(const int8_t *x)\n{\n    return x[0];\n}\n\nstatic void forward",
        1,
    )
    x, labels = samples(1)
    x[0, 0] = 100
    binary = sanitized(compile_, {"fake.c": broken})
    with open_device(binary, INTERFACE) as device, pytest.raises(ToolError) as caught:
        device.train(x, labels)
    assert caught.value.what == "the harness failed"
    assert "fake.c" in caught.value.found


def test_what_has_been_built_is_not_built_again(compile_):
    first = compile_()
    written = first.path.stat().st_mtime_ns
    assert compile_() == first
    assert first.path.stat().st_mtime_ns == written
    other = compile_({"fake.c": FILES["fake.c"].replace("12345", "54321")})
    assert other.path != first.path


def test_nothing_is_left_of_a_build_that_fails(compile_, tmp_path):
    with pytest.raises(ToolError, match="compiling 'fake' for the host failed") as caught:
        compile_({"fake.c": "this is no C\n"})
    assert "this is no C" in caught.value.found
    assert list((tmp_path / "build").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path, compiler):
    (tmp_path / "build").write_text("in the way")
    folder = write_project(tmp_path / "project")
    with pytest.raises(OutputError, match="the build folder cannot be written"):
        compile_simulation(folder, "fake", SOURCES, compiler, build_dir=tmp_path / "build")


def test_a_library_of_another_model_is_refused(compile_):
    other = FILES["fake.h"].replace("int16_t fc2_w[12]", "int16_t fc2_w[14]")
    with pytest.raises(ToolError, match="another model"):
        open_device(compile_({"fake.h": other}), INTERFACE)


@pytest.mark.parametrize(
    ("x", "labels", "words"),
    [
        (np.zeros((2, 4), np.int8), np.zeros(2, np.uint16), "x does not fit"),
        (np.zeros((2, 5), np.int16), np.zeros(2, np.uint16), "int16 of shape (2, 5)"),
        (np.zeros((2, 5), np.int8), np.zeros((2, 1), np.uint16), "labels do not fit"),
        (np.zeros((2, 5), np.int8), np.zeros(3, np.uint16), "differ in number"),
    ],
)
@pytest.mark.slow
def test_samples_that_do_not_fit_are_refused(compile_, x, labels, words):
    with open_device(compile_(), INTERFACE) as device, pytest.raises(DataError) as caught:
        device.train(x, labels)
    assert words in str(caught.value)


def test_an_order_beyond_the_samples_is_refused(compile_):
    x, labels = samples(3)
    with open_device(compile_(), INTERFACE) as device, pytest.raises(DataError, match="order"):
        device.train(x, labels, order=np.array([0, 3]))


def test_a_state_of_another_size_is_refused(compile_):
    with open_device(compile_(), INTERFACE) as device, pytest.raises(DataError, match="state"):
        device.load_state(b"short")


def test_sizes_are_of_firmware(compile_):
    with pytest.raises(ToolError, match="sizes are read from firmware"):
        measure(compile_())
