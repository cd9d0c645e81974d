"""Firmware of the fake project, built once for all tests that use it."""

import pytest

from tests.support.fake_project import SOURCES, write_project
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import compile_firmware
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.platforms import load_platform, port_files


def pytest_collection_modifyitems(items):
    """Everything here needs an emulator."""
    for item in items:
        if "emulator" in item.path.parts:
            item.add_marker(pytest.mark.emulator)


@pytest.fixture(scope="session")
def build_firmware(tmp_path_factory):
    """Builds the fake project for a platform, some files replaced; skips without a compiler."""
    folder = tmp_path_factory.mktemp("firmware")

    def build(platform_name, *, family=None, extra=None, **options):
        platform = load_platform(platform_name)
        try:
            compiler = find_compiler(platform, family)
        except ToolError as error:
            pytest.skip(f"{error.what}: {error.found}")
        project = write_project(
            tmp_path_factory.mktemp("project"), port_files(platform) | (extra or {})
        )
        options = {"build_dir": folder, "warnings_as_errors": True} | options
        return compile_firmware(project, "fake", SOURCES, platform, compiler, **options)

    return build


@pytest.fixture
def run_firmware():
    """Opens firmware on an emulator; skips where that is missing."""

    def run(binary, interface, *, emulator="auto", timeout=60.0):
        try:
            return open_device(binary, interface, emulator=emulator, timeout=timeout)
        except ToolError as error:
            if "not installed" not in error.what:
                raise
            pytest.skip(error.what)

    return run
