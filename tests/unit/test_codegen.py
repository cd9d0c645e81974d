"""The rendered project as text: nothing unused, nothing untidy, nothing that C forbids."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.random.networks import ORIGIN, network, project_of, random_recipe, samples_of
from tests.support.models import random_model
from tests.support.small_projects import SMALL, small_project
from tpsgd_edge import codegen
from tpsgd_edge.codegen import CProject
from tpsgd_edge.codegen.arrays import pack_entries
from tpsgd_edge.codegen.c import c_float, c_rows, c_wrapped
from tpsgd_edge.memory import plan_memory
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.stages.selftest import selftest_of

COUNT = 60
_DEFINED = re.compile(r"^(?!static)[a-z][\w ]*?[ *](tps_\w+)\([^;]*?\)\n\{", re.MULTILINE)
_DECLARED = re.compile(r"^(?!static)[a-z][\w ]*?[ *](tps_\w+)\([^{]*?\);", re.MULTILINE)
_TABLE = re.compile(r"^const \w+ (\w+)\[", re.MULTILINE)


def render(model: QuantizedModel) -> CProject:
    x, labels = samples_of(model, 1)
    return project_of(model, x[:2], labels[:2])


@cache
def projects() -> tuple[tuple[QuantizedModel, CProject], ...]:
    """Random models, some on maps, and what is rendered for them."""
    models = [random_recipe(np.random.default_rng(seed)).model() for seed in range(COUNT)]
    for seed in range(COUNT // 2):
        rng = np.random.default_rng(seed)
        # One kind in one storage, as a spec asks for it.
        own = {"projection": "sign", "storage": ("seed", "packed", "s8")[seed % 3]}
        models.append(random_model(rng, maps=True, max_width=8, **own))
    return tuple((model, render(model)) for model in models)


def code(project: CProject) -> Iterator[tuple[str, str]]:
    """C files and headers."""
    return ((path, text) for path, text in project.files.items() if path.endswith((".c", ".h")))


def small(**wanted: Any) -> CProject:
    wanted = {"projection": "sign", "storage": "seed", "n_in": 4, "hidden": [3]} | wanted
    return render(random_model(np.random.default_rng(1), **wanted))


# ------------------------------------------------------------------ nothing unused


@pytest.mark.slow
def test_every_function_is_called_and_every_table_is_used():
    for _, project in projects():
        sources = {path: text for path, text in code(project) if path.endswith(".c")}
        whole = "\n".join(text for _, text in code(project))
        for text in sources.values():
            for name in (*_DEFINED.findall(text), *_TABLE.findall(text)):
                # Defined once, declared once, and used.
                assert len(re.findall(rf"\b{name}\b", whole)) >= 3, f"{name} is not used"


@pytest.mark.slow
def test_what_is_declared_is_defined():
    for _, project in projects():
        whole = "\n".join(text for _, text in code(project))
        for path, text in code(project):
            for name in _DECLARED.findall(text):
                assert re.search(rf"\b{name}\([^;]*?\)\n\{{", whole), f"{name} of {path}"


def test_what_the_public_header_declares_is_defined():
    """A function of a sequence that only some models have is declared in these alone."""
    models = [network(seed, recurrent=True) for seed in range(12)]
    for project in [render(model) for model in models]:
        declared = re.findall(
            r"^[a-z][\w ]*?[ *](net_\w+)\([^{]*?\);", project.files["net.h"], re.M
        )
        for name in declared:
            assert re.search(rf"\b{name}\([^;]*?\)\n\{{", project.files["net.c"]), name
    learning = {model.learn_every > 0 and len(model.learning_steps) > 1 for model in models}
    assert learning == {True, False}


@pytest.mark.slow
def test_members_of_the_layer_struct_are_set_by_some_layer():
    for model, project in projects():
        struct = project.files["net_tps_layer.h"]
        source = project.files[f"{model.name}.c"]
        members = re.findall(r"^    [\w ]+?[ *](\w+);", struct, re.MULTILINE)
        for member in set(members) - {"init_bound"}:
            assert f".{member} = " in source, member


@pytest.mark.parametrize(
    ("wanted", "absent", "present"),
    [
        ({"value_type": "f32"}, ["tps_fixed.h", "tps_dense.c", "tps_tables.c"], ["tps_f32.h"]),
        ({"value_type": "s8"}, ["tps_f32.h", "tps_dense_f32.c"], ["tps_fixed.h", "tps_dense.c"]),
        ({"value_type": "s8", "hidden": []}, ["tps_projection.h"], []),
        ({"value_type": "s8", "activations": ["relu", "linear"]}, ["tps_tables.c"], []),
        ({"value_type": "s8", "activations": ["tanh", "linear"]}, [], ["tps_tables.c"]),
        ({"value_type": "s8", "losses": ["l2", "l2"]}, ["tps_softmax.c"], ["tps_projection.h"]),
    ],
)
def test_files_that_are_not_needed_are_not_there(wanted, absent, present):
    files = {name.removeprefix("net_") for name in small(**wanted).files}
    assert not set(absent) & files
    assert set(present) <= files


def test_one_kernel_serves_all_layers_of_a_kind():
    wanted = {"value_type": "s8", "label_kind": "class", "weight_types": ["s16"] * 5}
    kinds = {"activations": ["tanh"] * 4 + ["linear"], "losses": ["l2"] * 5}
    text = small(**wanted, **kinds, hidden=[3] * 4).files["net_tps_dense.c"]
    assert re.findall(r"^void tps_dense_forward_(\w+)", text, re.MULTILINE) == [
        "s16_s8_s8",
        "s16_s8_s16",
    ]


# ------------------------------------------------------------------ tidy


def test_lines_end_in_time():
    for _, project in projects():
        for path, text in code(project):
            long = [line for line in text.splitlines() if len(line) > 100]
            assert not long, f"{path}: {long[0]}"


def test_texts_are_plain_and_end_with_one_line_end():
    for _, project in projects():
        for path, text in project.files.items():
            assert text.isascii(), path
            assert text.endswith("\n"), path
            assert not text.endswith("\n\n"), path
            assert "\r" not in text, path
            assert path == "Makefile" or "\t" not in text, path
            assert not re.search(r"[ \t]$", text, re.MULTILINE), path
            assert "\n\n\n" not in text, path


def test_code_includes_nothing_but_stdint_and_its_own():
    for _, project in projects():
        for path, text in code(project):
            allowed = {"stdint.h", "stddef.h"} if path.startswith("port/") else {"stdint.h"}
            if path == "net_tps_pairs.h":
                allowed.add("arm_mve.h")  # of the compiler, not of a C library; with Helium only
            assert set(re.findall(r"#include <(.*?)>", text)) <= allowed, path
            own = {name.removeprefix("port/") for name in project.files}
            assert set(re.findall(r'#include "(.*?)"', text)) <= own, path


def test_headers_are_guarded():
    for _, project in projects():
        for path, text in code(project):
            if path.endswith(".h"):
                guard = path.removeprefix("port/").upper().replace(".", "_")
                assert f"#ifndef {guard}\n#define {guard}\n" in text, path


@pytest.mark.slow
def test_nothing_that_a_small_device_lacks():
    for _, project in projects():
        for path, text in code(project):
            for word in ("malloc", "free", "printf", "memcpy", "memset", "double"):
                assert not re.search(rf"\b{word}\b", text), f"{word} in {path}"


# ------------------------------------------------------------------ what it says


def test_the_proved_bounds_are_printed():
    for model, project in projects():
        source = project.files[f"{model.name}.c"]
        for layer in model.trainable:
            if layer.numbers.accumulator is not None:
                assert f"|acc| <= {layer.numbers.accumulator.high:,}" in source


def test_the_memory_plan_is_printed():
    for model, project in projects():
        plan, header = plan_memory(model), project.files[f"{model.name}.h"]
        assert f"union {{ /* {plan.training.size} bytes */" in header
        assert f"union {{ /* {plan.inference.size} bytes */" in header


def test_the_manifest_tells_digests_scales_and_memory():
    for model, project in projects():
        document = json.loads(project.files["manifest.json"])
        assert set(document["files"]) == set(project.files) - {"manifest.json"}
        for path, digest in document["files"].items():
            assert hashlib.sha256(project.files[path].encode()).hexdigest() == digest
        plan = plan_memory(model)
        assert document["memory"]["state"]["bytes"] == plan.state.size
        assert document["memory"]["training_arena"]["bytes"] == plan.training.size
        assert document["memory"]["inference_arena"]["bytes"] == plan.inference.size
        assert [layer["name"] for layer in document["layers"]] == [x.name for x in model.layers]


def test_each_file_names_its_licence_and_no_document_that_is_not_there():
    for _, project in projects():
        for path, text in project.files.items():
            assert "Apache-2.0 OR 0BSD" in text, path
            assert "docs/" not in text or path == "README.md", path
        assert "Free to use in any product" in project.files[f"{project.name}.h"]


def test_the_digest_of_a_project_tells_projects_apart():
    digests = {project.digest for _, project in projects()}
    assert len(digests) == len(projects())
    _, project = projects()[0]
    path = next(iter(project.files))
    changed = replace(project, files={**project.files, path: project.files[path] + "\n"})
    assert changed.digest not in digests


# ------------------------------------------------------------------ pieces of C


@pytest.mark.parametrize("seed", range(5))
def test_float_literals_are_read_back_as_they_were(seed):
    bits = np.random.default_rng(seed).integers(0, 2**32, 2000, np.uint32).astype(np.uint32)
    for value in bits.view(np.float32):
        if np.isfinite(value):
            text = c_float(float(value))
            assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", text), text
            assert "." in text or "e" in text, text
            assert np.float32(float(text[:-1])).tobytes() == value.tobytes()


def test_calls_are_wrapped():
    arguments = [f"argument_number_{i}" for i in range(12)]
    statement = f"some_function({', '.join(arguments)});"
    lines = c_wrapped(statement).splitlines()
    assert len(lines) > 1
    assert all(len(line) <= 100 and line.startswith("    ") for line in lines)
    assert " ".join(line.strip() for line in lines) == statement


def test_a_call_with_a_long_first_argument_is_wrapped_before_it():
    first = "a" * 85
    assert c_wrapped(f"some_function({first}, b);") == f"    some_function(\n        {first}, b);"


def test_the_names_that_a_linker_sees_are_those_that_the_headers_declare():
    """A declaration in a header begins at the margin; what is static no linker sees."""
    inner = "static|typedef|#|TPS_ONCE"
    declared = re.compile(rf"^(?!{inner})\w[\w *]*?\b(tps_\w+)(?=\(|\[)", re.MULTILINE)
    branched = network(3, graph=True)
    test = selftest_of(branched, *(part[:2] for part in samples_of(branched, 1)))
    additions = codegen.Additions(has_store=True)
    saving = codegen.render(branched, plan_memory(branched), ORIGIN, test, {}, additions)
    for project in (saving, *map(small_project, SMALL)):
        files = project.files
        headers = (text for path, text in files.items() if path.endswith(".h"))
        found = {one for text in headers for one in declared.findall(text)}
        names = files[f"{project.name}_tps_names.h"]
        assert re.findall(r"^#define (tps_\w+) ", names, re.MULTILINE) == sorted(found)


@pytest.mark.parametrize("width", [1, 3, 5, 8, 11, 20])
def test_rows_are_wrapped(width):
    values = [10 ** (width - 1)] * 40
    rows = list(c_rows(values))
    assert all(len(row) <= 92 for row in rows)
    assert ", ".join(row.removesuffix(",") for row in rows) == ", ".join(map(str, values))


def test_entries_are_packed_in_twos_complement():
    values = np.random.default_rng(1).integers(-1, 2, (7, 11)).astype(np.int8)
    packed = pack_entries(values)
    assert packed.shape == (7, 3)
    for row in range(7):
        for k in range(11):
            pair = int(packed[row, k >> 2]) >> (2 * (k & 3)) & 3
            assert (pair & 1) - (pair & 2) == values[row, k]
