"""Results in a notebook, specs with verbs, and the notebook among the examples."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import tpsgd_edge
from tests.support.results import (
    MISMATCH,
    build_result,
    regression_result,
    report_result,
    simulate_result,
    verify_result,
)
from tests.unit.test_report_html import Page, words_of
from tpsgd_edge import fluent, pipeline, spec
from tpsgd_edge.stages.doubts import Doubt

NOTEBOOK = Path(__file__).parents[2] / "examples" / "digits.ipynb"
GOLDEN = Path(__file__).parents[1] / "golden"
VERBS = ("build", "verify", "simulate", "report", "quantization", "export", "adapt")


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (
            build_result(),
            ["digits for cortex-m4f", "5,636 B of 20 KiB", "Memory map", "fc1 weights"],
        ),
        (verify_result(), ["bit for bit equal", "500 training steps on cortex-m4f", "50,222"]),
        (
            simulate_result(),
            ["31.0 % → 92.0 %", "Learning curve", "Confusion matrix", "one for two"],
        ),
        (regression_result(), ["– → 0.920", "R² on the test set"]),
        (
            report_result(),
            ["bit for bit equal", "31.0 % → 92.0 %", "Memory map", "out/digits.html"],
        ),
    ],
    ids=["build", "verify", "simulate", "regression", "report"],
)
def test_a_result_shows_what_matters(result, words):
    html = result._repr_html_()
    page = Page(html)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "base", "form"}
    assert all(link.startswith("#") for link in page.links)
    assert [
        word for word in words if word not in words_of(html).replace("\N{NO-BREAK SPACE}", " ")
    ] == []
    assert html == result._repr_html_()


def test_no_style_reaches_the_notebook():
    (style,) = re.findall(r"<style>(.*?)</style>", report_result()._repr_html_(), re.DOTALL)
    assert style.count("{") == style.count("}")
    assert style.strip().startswith(".tpsgd {")
    depth, outside = 0, []
    for letter in style.strip().removeprefix(".tpsgd"):
        depth += (letter == "{") - (letter == "}")
        outside += [letter] if depth == 0 and letter not in "} \n" else []
    assert outside == [], "every rule is inside of the one"
    assert ":root" not in style


def test_a_mismatch_and_a_doubt_are_in_plain_sight():
    html = verify_result(MISMATCH)._repr_html_()
    assert "reference -42, device -41" in words_of(html)
    assert 'class="badge mismatch"' in html
    assert "bit for bit equal" not in html
    doubtful = replace(simulate_result(), warnings=(Doubt("chance", "at chance", "train more"),))
    assert "at chance train more" in words_of(doubtful._repr_html_())


def test_what_was_not_compiled_has_no_map():
    words = words_of(replace(build_result(), sizes=None)._repr_html_())
    assert "digits for cortex-m4f" in words
    assert "Memory map" not in words


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_of_a_spec_is_the_function(verb, monkeypatch):
    found = tpsgd_edge.load_spec(GOLDEN / "classes.toml")
    monkeypatch.setattr(pipeline, verb, lambda given, **options: (given, options))
    assert getattr(found, verb)(some=1) == (found, {"some": 1})


def test_every_verb_that_takes_a_spec_alone_is_a_method():
    own = {name for name in vars(fluent.FluentSpec) if name in tpsgd_edge.__all__}
    assert own == set(VERBS)


def test_a_spec_with_verbs_is_the_spec():
    overrides = ["seed=9", "model.layers.fc1.units=4"]
    plain = spec.load_spec(GOLDEN / "classes.toml", overrides)
    found = tpsgd_edge.load_spec(GOLDEN / "classes.toml", overrides)
    assert found.model_dump() == plain.model_dump()
    assert found.model_fields_set == plain.model_fields_set
    for name in ("digest", "folder", "source", "overrides", "notes"):
        assert getattr(found, name) == getattr(plain, name), name
    content = plain.model_dump(exclude_unset=True)
    made = tpsgd_edge.spec_from_dict(content, GOLDEN, "classes.toml")
    assert (made.digest, made.folder) == (plain.digest, plain.folder)
    assert isinstance(found.model_copy(update={"seed": 3}), fluent.FluentSpec)


def test_the_notebook_comes_without_outputs():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert [cell for cell in cells if cell.get("outputs")] == []
    assert {cell["cell_type"] for cell in cells} == {"markdown", "code"}


@pytest.mark.slow
def test_the_notebook_runs(monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    pytest.importorskip("unicorn")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300).execute(cwd=str(NOTEBOOK.parent))
    shown = [
        output.data["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "text/html" in output.get("data", {})
    ]
    assert [
        words in html
        for words, html in zip(
            ("Learning curve", "Memory map", "bit for bit equal"), shown, strict=True
        )
    ] == [True] * 3
    printed = [output.text for output in notebook.cells[-2].outputs]
    assert re.search(r"s16: 9\d\.\d % .*\ns8: 9\d\.\d % ", "".join(printed))
