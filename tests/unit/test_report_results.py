"""Results as JSON: the keys that others build on, null where nothing is known."""

import json
from dataclasses import replace

import pytest

from tests.support.results import (
    MISMATCH,
    build_result,
    regression_result,
    report_result,
    simulate_result,
    verify_result,
)
from tpsgd_edge.reports.results import KEYS
from tpsgd_edge.toolchain.sizes import Flash, Ram, Sizes

PROMISED = {
    "verdict",
    "steps",
    "accuracy_before",
    "accuracy_after",
    "ram_bytes",
    "flash_bytes",
    "instructions_per_step",
    "instructions_per_inference",
    "samples_per_second",
    "platform",
    "formats",
}


@pytest.mark.parametrize(
    "result",
    [build_result(), verify_result(), simulate_result(), regression_result(), report_result()],
    ids=lambda result: type(result).__name__,
)
def test_every_verb_gives_all_promised_keys_as_strict_json(result):
    document = result.to_json()
    assert PROMISED <= set(KEYS) <= document.keys()
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_a_verb_leaves_null_what_it_does_not_know():
    document = build_result().to_json()
    unknown = {key for key in KEYS if document[key] is None}
    assert unknown == PROMISED - {"ram_bytes", "flash_bytes", "platform", "formats"} | {"metric"}


def test_the_report_knows_everything():
    document = report_result().to_json()
    assert {key: document[key] for key in PROMISED} == {
        "verdict": "equal",
        "steps": 500,
        "accuracy_before": 0.31,
        "accuracy_after": 0.92,
        "ram_bytes": {"weights": 5000, "arena": 220, "stack": 416, "total": 5636},
        "flash_bytes": {"code": 4212, "constants": 1460, "total": 5672},
        "instructions_per_step": 50_222,
        "instructions_per_inference": 16_520,
        "samples_per_second": 91_234.6,
        "platform": "cortex-m4f",
        "formats": {"fc1": "s16 weights, s8 activations", "out": "s16 weights, s16 outputs"},
    }
    assert document["html"] == "out/digits.html"


def test_a_stack_that_no_run_has_measured_is_null():
    sizes = Sizes(Ram(5000, 220, 0), Flash(4212, 1460), 0, 0)
    document = replace(build_result(), sizes=sizes).to_json()
    assert document["ram_bytes"] == {"weights": 5000, "arena": 220, "stack": None, "total": 5220}


def test_what_is_not_compiled_has_no_sizes():
    document = replace(build_result(), compiled=False, sizes=None, compiler=None).to_json()
    assert document["ram_bytes"] is None
    assert document["flash_bytes"] is None


def test_a_number_that_json_cannot_say_is_null():
    assert regression_result().to_json()["accuracy_before"] is None


def test_a_mismatch_says_where_and_how_to_see_it_again():
    document = verify_result(MISMATCH).to_json()
    assert document["verdict"] == "mismatch"
    assert document["mismatch"].splitlines() == [
        "mismatch: step 17, layer 'fc1', tensor 'w', index [3][11]: reference -42, device -41",
        "  first difference of 9 in this tensor; 16 earlier steps agree",
        "  repeat: tpsgd-edge verify digits.toml --platform cortex-m4f --steps 17",
    ]
