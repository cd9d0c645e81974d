"""Anomaly tasks: what a spec may say, which samples are learned, what is told, what C offers."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.kinds import assert_trains_on_this_computer, begun, net
from tests.unit.test_codegen_builds import compiler
from tools import results_anomaly
from tpsgd_edge.cli.running import run
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays
from tpsgd_edge.graph.detector import usual_units
from tpsgd_edge.memory import state_layout
from tpsgd_edge.memory.dump import read_dump
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.quantize.detectors import OwnTensor
from tpsgd_edge.reference import Reference
from tpsgd_edge.reports.detection_plots import roc_svg, scores_svg
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages import render_project
from tpsgd_edge.stages.detection import auroc, detection_of

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "digits_anomaly.toml"
RESULTS = ROOT / "docs" / "results"
DETECTOR = {"kind": "detector", "name": "d"}
RNG = np.random.default_rng(3)


def spec(*layers: dict[str, Any], **sections: dict[str, Any]) -> Spec:
    data = {"file": "a.npz", **sections.pop("data", {})}
    return spec_from_dict({"name": "n", "model": {"layers": layers}, "data": data, **sections})


@pytest.mark.parametrize(
    ("layers", "sections", "words"),
    [
        (
            [{"name": "a", "units": 3}],
            {"data": {"task": "anomaly"}},
            "needs a detector as its last",
        ),
        ([{"name": "a", "units": 3}], {"data": {"normal": ["0"]}}, "'normal' names the normal"),
        ([DETECTOR], {"data": {"task": "regression"}}, "ends in a detector finds anomalies"),
        ([DETECTOR], {"numbers": {"weights": "f32"}}, "detectors compute in integers"),
        ([DETECTOR], {"rule": {"kind": "backprop"}}, "learns without labels"),
        ([DETECTOR], {"rule": {"error_gate": 0.9}}, "learns without labels"),
        ([DETECTOR, {"name": "a", "units": 3}], {}, "must be the last layer"),
        ([{"name": "a", "units": 3}, DETECTOR], {}, "cannot learn before a detector"),
        ([{"kind": "memory"}, DETECTOR], {}, "no detector can follow"),
        ([{"kind": "rnn", "name": "r", "units": 3}, DETECTOR], {}, "no detector can follow"),
        ([{**DETECTOR, "train": False}], {}, "always learns"),
        ([{**DETECTOR, "loss": "l1"}], {}, "neither targets nor labels"),
        ([{**DETECTOR, "method": "statistics", "units": 3}], {}, "is of a reconstruction"),
        ([{**DETECTOR, "false_alarms": 0.9}], {}, "out of range"),
        ([DETECTOR, {"name": "d_v", "units": 3}], {}, "C name of a tensor of layer 'd'"),
    ],
)
def test_what_does_not_go_with_a_detector_is_refused(layers, sections, words):
    with pytest.raises(SpecError, match=words):
        spec(*layers, **sections)


def test_as_many_units_as_inputs_are_refused():
    with pytest.raises(SpecError, match="would reconstruct everything"):
        begun(net("detector", layer={"units": 6}))
    assert [usual_units(n) for n in (1, 2, 16, 100, 1000)] == [1, 2, 2, 13, 32]


def dataset(y: Any, *, y_test: Any = None, **data: Any) -> Dataset:
    x = np.arange(len(y), dtype=np.float32)[:, np.newaxis] + np.zeros(4, np.float32)
    tests = None if y_test is None else 100 + np.arange(len(y_test))[:, np.newaxis] * np.ones(4)
    own = spec(DETECTOR, data=data)
    return dataset_from_arrays(own, x, np.array(y), tests, None if y_test is None else y_test)


def test_only_normal_samples_are_learned_and_all_anomalies_are_for_the_test():
    y = [0, 1, 0, 2] * 10
    made = dataset(y, normal=[0])
    assert made.class_names == ("normal", "anomaly")
    assert made.y_train.tolist() == [0] * len(made.y_train)
    learned = {int(row[0]) for row in made.x_train}
    tested = {int(row[0]): int(label) for row, label in zip(made.x_test, made.y_test, strict=True)}
    assert learned | tested.keys() == set(range(40))
    assert not learned & tested.keys()
    assert all(tested[i] == (y[i] != 0) for i in tested)
    assert sum(tested.values()) == 20
    assert made.said.labels.startswith("normal is 0, against 1, 2, from")


def test_a_test_set_of_its_own_stays_as_it_is():
    made = dataset(["ok", "bad"] * 6, y_test=np.array(["ok", "bad", "worse"]))
    assert len(made.x_train) == 6
    assert made.y_test.tolist() == [0, 1, 1]


@pytest.mark.parametrize("normal", [[1], ["up"], "up"])
def test_classes_that_are_numbered_go_by_their_names_too(normal):
    names = {} if normal == [1] else {"classes": ["down", "up"]}
    made = dataset([0, 1] * 6, normal=normal, **names)
    assert len(made.x_train) == round(6 - (made.y_test == 0).sum())


@pytest.mark.parametrize(
    ("y", "data", "words"),
    [
        (["a", "b"] * 6, {}, "not clear which samples are normal"),
        ([0, 1] * 6, {"normal": ["2"]}, "no sample is of the normal class '2'"),
        ([0.5, 1.5] * 6, {}, "needs one class for each sample"),
        (np.eye(4)[[0, 1] * 6], {}, "needs one class for each sample"),
    ],
)
def test_labels_that_do_not_say_what_is_normal_are_refused(y, data, words):
    with pytest.raises(DataError, match=words):
        dataset(y, **data)


def test_no_normal_sample_in_the_training_set_is_refused():
    with pytest.raises(DataError, match="no normal sample to learn from"):
        dataset(["bad"] * 6, y_test=np.array(["ok"] * 3), normal=["ok"])


def test_labels_that_are_the_samples_are_told_of():
    x = RNG.normal(size=(30, 3)).astype(np.float32)
    own = spec({"name": "a", "units": 2}, {"name": "b", "units": 3}, data={"task": "regression"})
    notes = [dataset_from_arrays(own, x, y).said.notes for y in (x, x[::-1])]
    assert ["labels are the samples themselves" in " ".join(said) for said in notes] == [
        True,
        False,
    ]


def test_auroc_is_the_share_of_pairs_in_the_right_order():
    scores, y = RNG.integers(0, 9, 60), RNG.integers(0, 2, 60)
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[y == 1] for b in scores[y == 0]]
    assert auroc(scores, y) == pytest.approx(np.mean(pairs))
    assert np.isnan(auroc(scores, 0 * y))


def test_what_is_told_of_the_scores():
    outputs = np.array([[5, 2], [5, 6], [5, 5], [5, 9], [5, 1]], np.int16)
    found = detection_of(outputs, np.array([0, 0, 0, 1, 1]), unit=0.5, asked=0.01)
    assert found is not None
    assert (found.threshold, found.false_alarms, found.found) == (2.5, pytest.approx(1 / 3), 0.5)
    assert (sum(found.normal), sum(found.anomalies)) == (3, 2)
    assert found.roc[0] == (0.0, 0.0)
    assert found.roc[-1] == (1.0, 1.0)
    assert all(a <= b for a, b in zip(found.roc, found.roc[1:], strict=False))
    without = detection_of(outputs, np.zeros(5, int), unit=1.0, asked=0.01)
    assert without is not None
    assert (without.found, without.roc) == (None, ())


def test_plots_hold_both_kinds_of_samples_and_the_threshold():
    outputs = np.stack([np.full(40, 20), RNG.integers(1, 40, 40)], axis=1)
    found = detection_of(outputs, np.arange(40) % 2, unit=1.0, asked=0.01)
    assert found is not None
    scores, roc = scores_svg(found), roc_svg(found)
    assert all(word in scores for word in ("<svg", "normal", "anomalies", "threshold"))
    assert "anomalies found" in roc
    assert scores_svg(found) == scores


@pytest.mark.slow
def test_a_report_tells_of_scores_and_of_the_roc(tmp_path: Path, capsys: Any):
    html = tmp_path / "r.html"
    given = ["--platform", "host", "--steps", "20", "--epochs", "2", "--out", str(html), "--json"]
    assert run(["report", str(EXAMPLE), *given]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["metric"], told["verdict"]) == ("auroc", "equal")
    assert told["accuracy_after"] > 0.85
    found = told["detection"]
    assert sum(found["histogram"]["normal"]) == 179
    assert 0 <= found["false_alarms"] <= 0.1
    page = html.read_text(encoding="utf-8")
    assert all(word in page for word in ("<h2>Scores</h2>", "<h2>ROC</h2>", "AUROC"))


def test_the_tables_in_the_documentation_are_those_of_the_results():
    page = (RESULTS / "anomaly.md").read_text(encoding="utf-8")
    results = results_anomaly.Results(RESULTS / "anomaly.json", may_train=False)
    for name in results_anomaly.SETS:
        assert "\n".join(results_anomaly.score_table(results, name)) in page
    costs = "\n".join(results_anomaly.cost_table(results, list(results_anomaly.SETS)))
    assert costs.count("equal, 200 steps") == 16
    assert costs in page


def test_a_detector_behind_layers_that_do_not_train():
    layers = [{"kind": "conv2d", "name": "map", "filters": 2, "kernel": 2, "train": False}]
    folder = net("conv2d").folder
    content = {"file": "d.npz", "normal": [0, 1], "input_shape": [5, 6, 2]}
    own = {"name": "n", "model": {"layers": [*layers, {**DETECTOR, "units": 5}]}, "data": content}
    assert_trains_on_this_computer(begun(spec_from_dict(own, folder=folder)))


@pytest.mark.parametrize("method", ["reconstruction", "statistics"])
def test_a_dump_with_values_that_no_device_holds_is_refused(method):
    way = begun(net("detector", layer={"method": method}))
    model, state = way.prepared.model, dict(way.reference.state())
    tensor: OwnTensor = model.detectors[0].tensors[0]
    broken = state[f"d.{tensor.role}"].copy()
    broken[0] = tensor.low - 1
    raw = state_layout(model).write({**state, f"d.{tensor.role}": broken})
    with pytest.raises(DataError, match=f"what 'd.{tensor.role}' can never be"):
        read_dump(model, raw, where="dump")


MAIN = """
#include <stdio.h>
#include "small_raw.h"

int main(void)
{
    static struct small_model model, other;
    static const float raw[8][6] = {%s};
    small_init(&model);
    small_init(&other);
    for (int i = 0; i < 8; i++) {
        int8_t x[6];
        int16_t outputs[2], score = 0;
        uint16_t label = 9;
        small_prepare(raw[i], x);
        small_outputs(&model, x, outputs);
        small_score_raw(&model, raw[i], &score);
        small_predict_raw(&model, raw[i], &label);
        printf("%%d %%d %%d %%d %%d %%d ", outputs[0], outputs[1], score, small_score(&model, x),
               label, small_is_anomaly(&model, x));
        printf("%%d\\n", small_threshold());
        small_learn_raw(&model, raw[i]);
        small_learn(&other, x);
    }
    printf("%%d %%lu\\n", small_digest(&model) == small_digest(&other), (unsigned long)model.step);
    return 0;
}
"""


def test_the_functions_of_a_detector_say_the_same(tmp_path: Path):
    way = begun(net("detector"))
    model, raw = way.prepared.model, way.prepared.dataset.x_train[:8].astype(np.float32)
    project = render_project(way.prepared)
    for path, text in project.files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    rows = ", ".join("{" + ", ".join(f"{v!r}f" for v in row.tolist()) + "}" for row in raw)
    (tmp_path / "main.c").write_text(MAIN % rows)
    command = [*compiler(), "-O0", "-std=c11", "-ffp-contract=off", "main.c", *project.sources]
    subprocess.run([*command, "-o", "main"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    *lines, last = done.stdout.splitlines()
    reference, seen = Reference(model), []
    for x in quantize_inputs(model, raw):
        threshold, score = (int(value) for value in reference.output(x))
        odd = int(score > threshold)
        seen.append([threshold, score, score, score, odd, odd, threshold])
        reference.train_step(x, 0)
    assert [[int(n) for n in line.split()] for line in lines] == seen
    assert last == "1 8"
    assert seen[0][0] == 32767
