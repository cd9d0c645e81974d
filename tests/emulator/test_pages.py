"""The live model of a report, in a headless Chromium, from a file:// address: the host's bits."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.chromium import Page, needed
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.pipeline import report
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import Prepared, on_host, prepare
from tpsgd_edge.stages.export import read_state
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.trace import digest

pytestmark = [pytest.mark.slow, pytest.mark.emulator]

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
# One compilation for the report and its page.
WASM = ("platform.name=wasm32",)
THREE = (
    *((0.30, 0.25), (0.45, 0.15), (0.60, 0.20), (0.65, 0.30), (0.55, 0.42), (0.45, 0.48)),
    *((0.58, 0.50), (0.68, 0.62), (0.64, 0.78), (0.50, 0.86), (0.32, 0.80)),
)
ONE = ((0.5, 0.1), (0.5, 0.3), (0.5, 0.5), (0.5, 0.7), (0.5, 0.9))


@dataclass(frozen=True)
class Shown:
    """A report in a browser, and what it was made from."""

    page: Page
    prepared: Prepared
    state: bytes

    def role(self, name: str) -> str:
        """The text of a part of the widget."""
        return self.page.run(f"document.querySelector('[data-role=\"{name}\"]').textContent")

    def click(self, name: str) -> None:
        self.page.click(f'[data-role="{name}"]')

    def train(self, epoch: int) -> None:
        """Click for an epoch, the first is 1, and wait for its end."""
        self.click("train")
        self.page.until(
            f"document.querySelector('[data-role=said]').textContent.startsWith('Epoch {epoch}:')"
        )

    def weights(self) -> bytes:
        """What the button downloads."""
        file = self.page.downloads / f"{self.prepared.model.name}-weights.bin"
        file.unlink(missing_ok=True)
        self.click("download")
        self.page.until_file(file)
        return file.read_bytes()


def opened(name: str, folder: Path, overrides: tuple[str, ...] = (), **options) -> Shown:
    spec = load_spec(EXAMPLES / f"{name}.toml", overrides)
    result = report(spec, out=folder / "report.html", steps=20, **options)
    page = Page(folder)
    page.open(result.html)
    page.until("document.querySelector('#widget .badge').className !== 'badge wait'")
    return Shown(page, prepare(spec), result.simulate.state)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    needed()
    shown = opened("digits", tmp_path_factory.mktemp("digits"))
    with shown.page:
        yield shown
        assert shown.page.errors == []


@pytest.fixture(scope="module")
def diabetes(tmp_path_factory):
    needed()
    shown = opened("diabetes", tmp_path_factory.mktemp("diabetes"), WASM, epochs=2)
    with shown.page:
        yield shown
        assert shown.page.errors == []


def digest_of(device: Device) -> str:
    tensors = device.interface.layout.read(device.state())
    return f"0x{digest(tensors[name] for name in device.interface.tensors):08X}"


def test_it_tests_itself_and_loads_nothing(digits):
    assert digits.role("badge") == "self-test passed in this browser"
    assert digits.page.run("performance.getEntriesByType('resource').length") == 0
    assert digits.page.run("location.protocol") == "file:"


def test_a_whole_training_has_the_bits_of_the_host(digits, tmp_path):
    assert "14,380 steps" in digits.role("state")
    trained = digits.role("digest")
    digits.click("fresh")
    assert digits.role("digest") != trained
    for epoch in range(1, 11):
        digits.train(epoch)
    assert "14,380 steps" in digits.role("state")
    assert digits.role("digest") == trained
    assert "as in this report" in digits.role("same")
    weights = digits.weights()
    assert weights == digits.state
    dump = tmp_path / "weights.bin"
    dump.write_bytes(weights)
    state, _ = read_state(digits.prepared, dump, crc=int(trained, 16))
    assert int(state["step"]) == 14_380


@pytest.mark.parametrize(("strokes", "answer"), [(THREE, "3"), (ONE, "1")])
def test_what_is_drawn_is_answered(digits, strokes, answer):
    digits.click("trained")
    digits.click("clear")
    left, top, width, height = digits.page.place_of('[data-role="pad"]')
    digits.page.drag([(left + width * x, top + height * y) for x, y in strokes])
    assert digits.role("answer") == answer
    assert float(digits.role("confidence").split()[0]) > 50


def test_a_lesson_is_the_hosts_lesson(digits):
    model, dataset = digits.prepared.model, digits.prepared.dataset
    digits.click("trained")
    digits.page.click("#widget .samples button:nth-child(1)")
    digits.page.click('#widget .bars [data-class="8"]')
    assert digits.role("said").startswith("One step towards 8: ")
    with on_host(digits.prepared) as device:
        device.load_state(digits.state)
        device.restart_schedule()
        x = quantize_inputs(model, dataset.x_test[:1])
        device.train(x, quantize_labels(model, [8]))
        assert digits.role("digest") == digest_of(device)
        assert digits.weights() == device.state()
        digits.page.click("#widget .samples button:nth-child(2)")
        outputs = device.outputs(quantize_inputs(model, dataset.x_test[1:2]))
        assert digits.role("answer") == str(outputs[0].argmax())


def test_real_values_are_learned_as_on_the_host(diabetes):
    model, dataset = diabetes.prepared.model, diabetes.prepared.dataset
    diabetes.click("fresh")
    diabetes.train(1)
    diabetes.page.click("#widget .samples button:nth-child(3)")
    diabetes.page.run("document.querySelector('#widget .values input').value = '120.5'")
    diabetes.click("teach")
    x, y = quantize_inputs(model, dataset.x_train), quantize_labels(model, dataset.y_train)
    with on_host(diabetes.prepared) as device:
        device.train(x, y, order=epoch_order(model.seed, 0, len(x)))
        x = quantize_inputs(model, dataset.x_test[2:3])
        device.train(x, quantize_labels(model, [[120.5]]))
        assert diabetes.role("digest") == digest_of(device)
        said = device.values(device.outputs(x))[0, 0]
        assert float(diabetes.role("answer")) == pytest.approx(float(said), rel=1e-3)


def test_a_slider_changes_the_sample(diabetes):
    model, dataset = diabetes.prepared.model, diabetes.prepared.dataset
    diabetes.click("trained")
    diabetes.page.click("#widget .samples button:nth-child(1)")
    diabetes.page.run(
        """(() => {
          const slider = document.querySelectorAll("#widget .sliders input")[2];
          slider.value = slider.max;
          slider.dispatchEvent(new Event("input"));
        })()"""
    )
    raw = dataset.x_test[:1].copy()
    raw[0, 2] = dataset.x_train[:, 2].max()
    with on_host(diabetes.prepared) as device:
        device.load_state(diabetes.state)
        said = device.values(device.outputs(quantize_inputs(model, raw)))[0, 0]
    assert float(diabetes.role("answer")) == pytest.approx(float(said), rel=1e-3)
