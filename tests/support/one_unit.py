"""Firmware in one compilation of one unit: a third of the time that the product's build takes.

The product compiles each file for itself, which `compile_firmware` does.
"""

from pathlib import Path

from tpsgd_edge.codegen import CProject
from tpsgd_edge.toolchain.build import LINK, WARNINGS, Binary, device_flags
from tpsgd_edge.toolchain.compilers import Compiler, zig_environment
from tpsgd_edge.toolchain.platforms import Platform, port_files
from tpsgd_edge.toolchain.process import run_tool


def firmware_of_one_unit(
    project: CProject,
    folder: Path,
    platform: Platform,
    compiler: Compiler,
    *,
    optimize: str,
    inference_only: bool,
) -> Binary:
    """Compile and link a project in `folder`, with its port/, in one command; a warning fails."""
    name = project.name
    unit, target = folder / "unit.c", folder / f"{inference_only}.elf"
    own = (path for path in project.sources if not path.startswith("port/"))
    port = (path for path in port_files(platform) if path.endswith(".c"))
    unit.write_text("".join(f'#include "{path}"\n' for path in (*own, *port)))
    command = [
        *compiler.command,
        *(("cc",) if compiler.family == "zig" else ()),
        *device_flags(platform, compiler),
        optimize,
        *(*WARNINGS, "-Werror"),
        *((f"-D{name.upper()}_INFERENCE_ONLY",) if inference_only else ()),
        *("-I.", "-Iport", "unit.c"),
        *LINK[compiler.family],
        *("-Wl,-T,port/link.ld", "-Wl,--entry=tps_port_reset"),
        *(("-lgcc",) if compiler.family == "gcc" else ()),
        *("-o", target.name),
    ]
    environment = zig_environment(folder) if compiler.family == "zig" else None
    run_tool(
        command,
        purpose=f"compiling for {platform.name}",
        timeout=300,
        cwd=folder,
        environment=environment,
    )
    return Binary(target, "firmware", name, platform, compiler, inference_only)
