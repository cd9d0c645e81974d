"""The live model of a report: what it holds, and in words why there is none."""

import base64
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.results import report_result
from tests.unit.test_report_html import Page, words_of
from tpsgd_edge.errors import ToolError
from tpsgd_edge.memory import state_layout
from tpsgd_edge.quantize.samples import quantize_inputs
from tpsgd_edge.reports.html import render_html
from tpsgd_edge.spec import load_spec, spec_from_dict
from tpsgd_edge.stages import prepare, render_project
from tpsgd_edge.stages import widget as stage
from tpsgd_edge.stages.widget import ShownSamples, Widget, widget_of

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture(scope="module")
def petals():
    prepared = prepare(load_spec(GOLDEN / "classes.toml"))
    return prepared, render_project(prepared)


@pytest.fixture
def without_compiler(monkeypatch):
    """The module is some bytes: what is in it is looked at where it runs."""
    monkeypatch.setattr(stage, "_compiled", lambda project: ("zig 0", b"\0asm" + bytes(100)))


def made(petals, **changes) -> Widget | str:
    prepared, project = petals
    prepared = replace(prepared, **changes)
    return widget_of(prepared, project, bytes(state_layout(prepared.model).size), 2)


def facts_of(widget: Widget) -> dict:
    html = render_html(replace(report_result(), widget=widget))
    text = re.search(r'id="widget-facts">(.*?)</script>', html, re.DOTALL)[1]
    return json.loads(text)


def unpacked(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype)


def test_the_page_holds_the_samples_as_the_data_set_has_them(petals, without_compiler):
    facts, dataset = facts_of(made(petals)), petals[0].dataset
    assert (facts["train"]["type"], facts["isWhole"]) == ("u8", True)
    raw = unpacked(facts["train"]["raw"], "u1").reshape(-1, facts["nIn"])
    expected = quantize_inputs(petals[0].model, dataset.x_train)
    assert (quantize_inputs(petals[0].model, raw) == expected).all()
    labels = unpacked(facts["test"]["labels"], "<u2")
    assert labels.tolist() == dataset.y_test.tolist()
    assert facts["classes"] == list(dataset.class_names)
    assert (facts["look"], facts["epochs"], facts["seed"]) == ("table", 2, 7)
    assert facts["types"] == {"raw": "f32", "label": "u16", "output": "s16"}
    assert facts["crc"] == zlib.crc32(bytes(len(unpacked(facts["state"], "u1"))))


def test_its_script_is_the_only_one_and_loads_nothing(petals, without_compiler):
    html = render_html(replace(report_result(), widget=made(petals)))
    page = Page(html)
    assert html.count("<script") == 2
    assert not page.tags & {"link", "img", "iframe", "object", "base", "form"}
    assert all(link.startswith("#") for link in page.links)
    assert not re.search(r"https?://(?!www\.w3\.org/)|\bfetch\(|XMLHttpRequest|\bimport\b", html)
    assert "The same C as on cortex-m4f, compiled to WebAssembly (104 B, zig 0)" in words_of(html)
    assert html == render_html(replace(report_result(), widget=made(petals)))


def test_a_class_cannot_end_the_script(petals, without_compiler):
    names = ("</script><b>", "<!--", "&amp;")
    widget = replace(made(petals), class_names=names)
    assert "</script><b>" not in render_html(replace(report_result(), widget=widget))
    assert facts_of(widget)["classes"] == list(names)


def test_classes_with_room_but_no_name_are_numbered(petals, without_compiler):
    widget = made(petals)
    widget = replace(widget, interface=replace(widget.interface, n_out=5))
    assert facts_of(widget)["classes"][3:] == ["3", "4"]


def test_without_a_compiler_the_page_says_so(petals, monkeypatch):
    def missing(project):
        raise ToolError("no C compiler for platform 'wasm32'", help="pip install zig")

    monkeypatch.setattr(stage, "_compiled", missing)
    said = made(petals)
    assert said == (
        "The page has no live model: no C compiler for platform 'wasm32'. pip install zig."
    )
    html = render_html(replace(report_result(), widget=said))
    assert said in words_of(html)
    assert "<script" not in html


def test_a_page_without_one_says_nothing_of_it():
    html = render_html(report_result())
    assert "widget" not in html
    assert "live model" not in html


def test_a_module_that_is_too_large_is_left_out(petals, monkeypatch):
    monkeypatch.setattr(stage, "_compiled", lambda project: ("zig 0", bytes(600_000)))
    assert "would grow by 600,000 bytes of code" in made(petals)


def test_labels_at_each_step_cannot_be_shown(petals, without_compiler):
    labels = replace(petals[0].model.labels, each_step=True)
    model = replace(petals[0].model, labels=labels)
    assert "labels at each step" in made(petals, model=model)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([[0, 255]], "u1"),
        ([[-1, 255]], "<i2"),
        ([[0, 32768]], "<f4"),
        ([[0, 0.5]], "<f4"),
    ],
)
def test_samples_take_the_smallest_type_that_has_them_all(values, dtype):
    x = np.array(values, np.float32)
    assert stage._small(x).dtype == np.dtype(dtype)
    assert (stage._small(x) == x).all()


def test_samples_are_cut_to_what_a_page_should_hold():
    x, y = np.ones((1000, 64), np.float32), np.arange(1000)
    cut = stage._first(x, y, 64 * 10)
    assert (cut.raw.shape, cut.labels.tolist()) == ((10, 64), list(range(10)))
    assert isinstance(cut, ShownSamples)
    assert len(stage._first(x, y, 1).raw) == 1


@pytest.mark.parametrize(
    ("shape", "kinds", "look"),
    [
        ((64,), [], ("image", (8, 8, 1))),
        ((8, 8), [], ("image", (8, 8, 1))),
        ((8, 8, 3), [], ("image", (8, 8, 3))),
        ((16,), [], ("table", (16,))),
        ((63,), [], ("table", (63,))),
        (
            (20, 3),
            [{"name": "c1", "kind": "conv1d", "filters": 2, "kernel": 3}],
            ("sequence", (20, 3)),
        ),
        (
            (9, 7),
            [{"name": "c1", "kind": "conv1d", "filters": 2, "kernel": 3}],
            ("image", (9, 7, 1)),
        ),
        ((12, 4), [{"name": "r1", "kind": "rnn", "units": 3}], ("sequence", (12, 4))),
    ],
)
def test_a_sample_looks_like_what_it_is(tmp_path, shape, kinds, look):
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    np.savez(tmp_path / "d.npz", x=rng.random((40, *shape)).astype(np.float32), y=y)
    layers = [*kinds, {"name": "out", "units": 2}]
    content = {
        "name": "net",
        "model": {"layers": layers},
        "data": {"file": str(tmp_path / "d.npz")},
    }
    spec = spec_from_dict(content, source=str(tmp_path / "net.toml"))
    assert stage._look(prepare(spec)) == look
