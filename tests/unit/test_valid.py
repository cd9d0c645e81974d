"""NAME_valid: trained models are valid; one number beyond its range is found in each member."""

import re
import subprocess

import pytest

from tests.support.small_projects import SMALL, small_project
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform

MAIN = """
#include <stdio.h>
#include "{name}.h"

static struct {name}_model model;

static void say(const char *what)
{{
    printf("%s %d\\n", what, {name}_valid(&model));
    {name}_init(&model);
}}

int main(void)
{{
    {name}_init(&model);
    say("first");
    {name}_selftest(&model);
    say("trained");
    model.start = model.step + 1;
    say("start");
    model.rate = ({rate})(1.5 * {one});
    say("rate");
{changes}
    return 0;
}}
"""
# A range in the C, and the member that it is of.
RANGE = re.compile(r"tps_within_(\w+)\(model->(\w+), ([\d *]+), (\S+), (\S+)\)")


@pytest.mark.series(4)
@pytest.mark.parametrize("name", SMALL)
def test_each_member_is_looked_at_to_its_end(name, tmp_path):
    project = small_project(name)
    for path, text in project.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    own = project.files[f"{project.name}.c"]
    ranges = RANGE.findall(own)
    is_float = "model->rate >= 0.0f" in own
    kept = list(beyond_kept_samples(own))
    (tmp_path / "main.c").write_text(
        MAIN.format(
            name=project.name,
            rate="float" if is_float else "uint32_t",
            one=1 if is_float else 32768,
            changes="\n".join([*(line for one in ranges for line in beyond(*one)), *kept]),
        )
    )
    compiler = find_compiler(load_platform("host"))
    sources = [tmp_path / path for path in project.sources]
    command = [*compiler.command, "-std=c11", "-O0", "-ffp-contract=off", tmp_path / "main.c"]
    subprocess.run([*command, *sources, "-o", tmp_path / "demo"], check=True, timeout=300)
    done = subprocess.run(
        [tmp_path / "demo"], check=True, capture_output=True, text=True, timeout=60
    )
    said = dict(line.split() for line in done.stdout.splitlines())
    assert said.pop("first") == said.pop("trained") == "1"
    assert set(said.values()) == {"0"}
    assert len(said) == 2 + len(ranges) * (3 if is_float else 2) + len(kept)
    assert len(kept) == (2 if name == "keeps" else 0)
    # Biases at least: their type always holds more than training makes.
    assert {member for _, member, *_ in ranges} >= set(re.findall(r"(\w+_b)\[", header(project)))


def header(project):
    text = project.files[f"{project.name}.h"]
    return text[
        text.index(f"struct {project.name}_model {{") : text.index(f"struct {project.name}_work")
    ]


def beyond(kind, member, count, low, high):
    """The last number, one beyond each end of its range."""
    values = {"low": f"{low} - 1", "high": f"{high} + 1"}
    if kind == "f32":
        values = {"low": f"{low} * 2", "high": f"{high} * 2", "none": "0.0f / (model.rate - 1)"}
    for end, value in values.items():
        yield f'    model.{member}[{count} - 1] = {value};\n    say("{member}.{end}");'


def beyond_kept_samples(own):
    """One sample more than there is room for, and a class that is none in the last place."""
    found = re.search(r"replay_kept <= (\w+) && tps_all_below\(model->(\w+), (\d+), (\w+)\)", own)
    if found:
        size, label, count, classes = found.groups()
        yield f'    model.replay_kept = {size} + 1;\n    say("kept");'
        yield f'    model.{label}[{count} - 1] = {classes};\n    say("{label}");'
