"""Guards the instruction counts: fails where one grew by more than 3 % against the last ones.

    python tools/check_counts.py                  compare with docs/results/counts.json
    python tools/check_counts.py --update         measure, and write that file

counts an inference and a training step of the digits example in s16 and s8 on each emulated core,
from the initial state, and adds the RAM that is linked. Last and new counts are printed
side by side. Counts are those of one compiler: with another one there is nothing to compare.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import compile_for_device, prepare, render_project, scratch_project
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.counting import count_instructions
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.sizes import measure

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "examples" / "digits.toml"
COUNTS = ROOT / "docs" / "results" / "counts.json"
PLATFORMS = ("cortex-m0plus", "cortex-m3", "cortex-m4f", "cortex-m55", "rv32imc")
FORMATS = ("s16", "s8")
SAMPLES = 16
# By how much a count may grow without the file being updated on purpose.
MOST_GROWTH = 0.03

Counts = dict[str, int]
Table = Mapping[str, Counts]


@cache
def digits() -> Dataset:
    """The samples, read once."""
    return load_dataset(load_spec(SPEC))


def measured(platform: str, weights: str) -> Counts:
    """Instructions of an inference and of a step, and bytes of RAM without the stack."""
    settings = [f"platform.name={platform}", f"numbers.weights={weights}"]
    prepared = prepare(load_spec(SPEC, settings), digits())
    x = quantize_inputs(prepared.model, prepared.dataset.x_train[:SAMPLES])
    labels = quantize_labels(prepared.model, prepared.dataset.y_train[:SAMPLES])
    project = render_project(prepared)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        counts = count_instructions(binary, interface_of(prepared.model), x, labels)
        ram = measure(binary).ram
    assert counts.step is not None
    return {
        "inference": counts.inference.per_run,
        "step": counts.step.per_run,
        "ram": ram.weights + ram.arena,
    }


def compiler_title() -> str:
    """The compiler of every core."""
    return find_compiler(load_platform("cortex-m4f")).title


def read(path: Path) -> tuple[str, Table]:
    """The compiler of a file, and its counts by core and format."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return content["compiler"], content["counts"]


def write(path: Path, compiler: str, counts: Table) -> None:
    """Write all counts, in a fixed order."""
    content = {"compiler": compiler, "counts": dict(sorted(counts.items()))}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def side_by_side(before: Table, now: Table) -> Iterator[str]:
    """What was counted last and what is counted now, as a Markdown table."""
    yield "| digits on | | last | now | change |"
    yield "|---|---|---:|---:|---:|"
    for core, counts in now.items():
        for name, new in counts.items():
            old = before.get(core, {}).get(name)
            shown = "" if old is None else f"{old:,}"
            yield f"| {core} | {name} | {shown} | {new:,} | {change(old, new)} |"


def change(old: int | None, new: int) -> str:
    """The change in percent.

    >>> change(1000, 1500), change(1000, 1000), change(None, 1)
    ('+50.0 %', '', 'new')
    """
    if old is None:
        return "new"
    return f"{100 * (new - old) / old:+.1f} %" if new != old else ""


def grown(before: Table, now: Table) -> list[str]:
    """Each count that grew by more than is allowed, in words."""
    return [
        f"digits on {core}: {name} grew by {100 * (new - old) / old:.1f} %, from {old:,} to {new:,}"
        for core, counts in now.items()
        for name, new in counts.items()
        if (old := before.get(core, {}).get(name)) is not None and new > (1 + MOST_GROWTH) * old
    ]


def check(path: Path, platforms: Sequence[str]) -> int:
    """Measure and compare; 1 where a count grew by too much."""
    compiler, before = read(path)
    if compiler != compiler_title():
        print(f"nothing to compare: {path.name} is of {compiler}, here is {compiler_title()}")
        return 0
    now = {
        f"{core} {weights}": measured(core, weights) for core in platforms for weights in FORMATS
    }
    print("\n".join(side_by_side(before, now)))
    found = grown(before, now)
    if found:
        print("\n".join(f"error: {line}" for line in found), file=sys.stderr)
        print(
            "  help:  make it faster; or, if it must be, update the counts on purpose:\n"
            "         python tools/check_counts.py --update, and make bench",
            file=sys.stderr,
        )
    return 1 if found else 0


def update(path: Path, platforms: Sequence[str]) -> int:
    """Measure, show and write."""
    before = read(path)[1] if path.exists() else {}
    now = {
        f"{core} {weights}": measured(core, weights) for core in platforms for weights in FORMATS
    }
    print("\n".join(side_by_side(before, now)))
    write(path, compiler_title(), {**before, **now})
    return 0


def main() -> int:
    """Compare, or update."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--update", action="store_true", help="write what is counted")
    parser.add_argument("--platform", action="append", help="one core; more with more of these")
    arguments = parser.parse_args()
    platforms = arguments.platform or PLATFORMS
    try:
        return (update if arguments.update else check)(COUNTS, platforms)
    except TpsgdError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
