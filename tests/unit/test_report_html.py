"""The HTML report: alone in one file, safe, and the same bytes for the same result."""

import os
import re
import stat
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.support.results import (
    MISMATCH,
    build_result,
    make_spec,
    regression_result,
    report_result,
    simulate_result,
)
from tpsgd_edge.errors import OutputError
from tpsgd_edge.reports.html import render_html, write_html

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Collects tags and links; fails on a tag that is closed out of turn."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.links, self.open, self.text = set(), [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [
            v for k, v in attrs if k in ("href", "src", "srcset", "xlink:href", "action")
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def words_of(html):
    return re.sub(r"\s+", " ", " ".join(Page(html).text))


def test_the_page_needs_nothing_but_itself():
    html = render_html(report_result())
    page = Page(html)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "base", "form"}
    assert all(link.startswith("#") for link in page.links)
    # Names of XML vocabularies are no addresses, though they look like it.
    assert not re.search(r"https?://(?!www\.w3\.org/)", html)
    assert "@import" not in html
    assert all(inside.startswith("#") for inside in re.findall(r"url\(([^)]*)\)", html))


def test_the_page_says_what_matters():
    words = words_of(render_html(report_result()))
    for text in (
        "bit for bit equal, 500 steps",
        "31.0 % → 92.0 %",
        "5,636 B of 20 KiB",
        "416 B",
        "50,222",
        "64 → 48 → 3",
        "one for two (2 times)",
        "tpsgd-edge report digits.toml --platform cortex-m4f --steps 500 --epochs 2",
        "hidden layers at random 78.0 %",
        make_spec().digest,
    ):
        assert text in words.replace("\N{NO-BREAK SPACE}", " ")


def test_the_page_has_the_learning_rate_of_each_layer():
    result = report_result()
    first, last = result.build.spec.model.layers
    layers = (first.model_copy(update={"learning_rate": 0.00185}), last)
    model = result.build.spec.model.model_copy(update={"layers": layers})
    spec = result.build.spec.model_copy(update={"model": model})
    words = words_of(render_html(replace(result, build=replace(result.build, spec=spec))))
    assert "0.00185 / 0.003, linear to 30 %" in words


def test_the_memory_map_is_to_scale():
    html = render_html(report_result())
    whole = re.search(r'style="left: 0.0000%; width: (\S+)%" title="fc1 weights: 4,700 B"', html)
    assert float(whole[1]) == pytest.approx(100 * 4700 / (20 * 1024), abs=1e-3)
    bars = re.findall(r'<div class="bar[^"]*">(.*?)</div>\s*</div>', html, re.DOTALL)
    assert len(bars) >= 4
    for bar in bars[:4]:
        widths = [float(width) for width in re.findall(r"width: ([\d.]+)%", bar)]
        assert sum(widths) == pytest.approx(100, abs=0.01)


def test_a_mismatch_is_in_plain_sight():
    html = render_html(report_result(MISMATCH))
    assert "reference -42, device -41" in words_of(html)
    assert 'class="badge mismatch"' in html
    assert 'class="badge equal"' not in html


def test_regression_has_no_confusion_matrix():
    words = words_of(render_html(replace(report_result(), simulate=regression_result())))
    assert "Confusion" not in words
    assert "– → 0.920" in words


def test_what_is_not_compiled_has_no_memory_map():
    build = replace(build_result(), sizes=None, compiler=None, arena=())
    assert "Memory map" not in words_of(render_html(replace(report_result(), build=build)))


def test_the_users_text_is_text():
    simulate = replace(
        simulate_result(),
        class_names=("<script>alert(1)</script>", "a&b", '"><img src=x>'),
        baselines={"<b>&": 0.5, "$\\x_1$": 0.4},
    )
    build = replace(build_result(), spec=make_spec(source="<i>.toml"), compiler="<u>cc</u>")
    html = render_html(replace(report_result(), build=build, simulate=simulate))
    assert not Page(html).tags & {"script", "img", "u"}
    assert "<i>.toml" not in html
    assert "'<i>.toml'" in words_of(html)


@pytest.mark.series(1)
@pytest.mark.parametrize("classes", [1, 21, 41])
def test_any_number_of_classes(classes):
    simulate = replace(
        simulate_result(),
        confusion=np.eye(classes, dtype=np.int64),
        class_names=tuple(str(i) for i in range(classes)),
    )
    html = render_html(replace(report_result(), simulate=simulate))
    Page(html)
    assert html.count('class="right"') == (classes if classes <= 40 else 0)


@pytest.mark.slow
def test_the_same_result_gives_the_same_bytes_everywhere(tmp_path):
    code = (
        "import sys; from tests.support.results import report_result;"
        "from tpsgd_edge.reports.html import render_html;"
        "sys.stdout.buffer.write(render_html(report_result()).encode())"
    )
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nlines.linewidth: 9\n")
    pages = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": ".", **environment},
        ).stdout
        for environment in (
            {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"},
            {"PYTHONHASHSEED": "2", "TZ": "America/Lima", "MATPLOTLIBRC": str(tmp_path)},
        )
    }
    assert len(pages) == 1
    assert pages == {render_html(report_result()).encode()}


def test_the_clock_is_not_in_it():
    slow = replace(report_result().verify, seconds=99.0)
    fast = replace(simulate_result(), samples_per_second=7.0)
    assert render_html(report_result()) == render_html(
        replace(report_result(), verify=slow, simulate=fast)
    )


def test_an_older_report_is_replaced(tmp_path):
    path = tmp_path / "new" / "report.html"
    write_html(report_result(MISMATCH), path)
    assert write_html(report_result(), path) == path
    assert path.read_text(encoding="utf-8") == render_html(report_result())
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o400


def test_a_file_of_the_users_is_not_replaced(tmp_path):
    path = tmp_path / "notes.html"
    path.write_text("<p>mine</p>")
    with pytest.raises(OutputError, match="not of its kind"):
        write_html(report_result(), path)
    assert path.read_text() == "<p>mine</p>"


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    def fail(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        write_html(report_result(), tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_said(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_html(report_result(), tmp_path)
