"""What one spec takes and costs on every platform, and whether each does what the reference does.

    python tools/platform_table.py examples/digits.toml

builds and verifies the spec for each platform and prints a Markdown table. Sizes are read from the
linked ELF, the stack from its paint, instructions are counted on the emulated core over the first
32 steps. Exits with 1 where a platform differs from the reference. A platform that no installed
emulator runs gets its reason instead of figures.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tpsgd_edge.errors import ToolError
from tpsgd_edge.pipeline import build, verify
from tpsgd_edge.reports.results import BuildResult, VerifyResult
from tpsgd_edge.spec import load_spec
from tpsgd_edge.toolchain.platforms import Platform, all_platforms

COLUMNS = (
    "platform",
    "weights",
    "arena",
    "stack",
    "RAM",
    "code",
    "constants",
    "flash",
    "instructions a step",
    "an inference",
    "verdict",
)


@dataclass(frozen=True)
class Row:
    """One platform: both results, or why there are none."""

    platform: Platform
    build: BuildResult | None
    verify: VerifyResult | None
    reason: str = ""

    @property
    def is_equal(self) -> bool:
        """No difference was found."""
        return self.verify is None or self.verify.is_equal


def row_of(spec_path: Path, overrides: list[str], platform: Platform, steps: int) -> Row:
    """Build and verify for one platform."""
    spec = load_spec(spec_path, [*overrides, f"platform.name={platform.name}"])
    built = None
    try:
        with TemporaryDirectory(prefix="platform-table-") as folder:
            built = build(spec, out=Path(folder) / spec.name)
        return Row(platform, built, verify(spec, steps=steps))
    except ToolError as error:
        return Row(platform, built, None, str(error).splitlines()[0])


def cells_of(row: Row) -> Iterator[str]:
    """The row in words."""
    sizes = row.build.sizes if row.build else None
    yield row.platform.title
    if sizes is None:
        yield from [""] * 7
    else:
        ram, flash = sizes.ram, sizes.flash
        for figure in (ram.weights, ram.arena, ram.stack, ram.total):
            yield f"{figure:,}"
        for figure in (flash.code, flash.constants, flash.total):
            yield f"{figure:,}"
    if row.verify is None:
        yield from ("", "", row.reason)
        return
    for count in (row.verify.instructions_per_step, row.verify.instructions_per_inference):
        yield "" if count is None else f"{count:,}"
    where = row.verify.emulator or "in-process"
    yield f"{row.verify.verdict.verdict}, {row.verify.steps:,} steps, {where}"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=1000, help="training steps to compare")
    parser.add_argument("--platform", action="append", help="only this platform")
    arguments = parser.parse_args()
    rows = []
    for platform in all_platforms():
        if not arguments.platform or platform.name in arguments.platform:
            print(f"{platform.title} ...", file=sys.stderr)
            rows.append(row_of(arguments.spec, arguments.set, platform, arguments.steps))
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---|" + "---:|" * (len(COLUMNS) - 2) + "---|")
    for row in rows:
        print(f"| {' | '.join(cells_of(row))} |")
    compilers = {row.build.compiler for row in rows if row.build and row.build.compiler}
    print(f"\nbuilt with {', '.join(sorted(compilers)) or 'no compiler'}")
    return 0 if all(row.is_equal for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
