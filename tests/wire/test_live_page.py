"""The live page and the terminal view: what they show is what a device said."""

import asyncio
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
import uvicorn
from rich.console import Console
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.golden.projects import prepared
from tests.wire.projects import LIMITS, built, wired
from tools.line_devices import Process
from tpsgd_edge.cli.watch import _line, render_seen
from tpsgd_edge.errors import LinkError
from tpsgd_edge.link import Entry, LinkedDevice, Log, Statistics, View, Watch
from tpsgd_edge.link.live import Live, Seen
from tpsgd_edge.link.page import _PAGE, _events, page
from tpsgd_edge.link.watching import Drift

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class SaidDevice:
    """A device that answers what a test says."""

    def __init__(self):
        labels = SimpleNamespace(kind="class", count=3, names=("long", "notched", "<b>round</b>"))
        self.model = SimpleNamespace(labels=labels)
        sizes = {"model_bytes": 4920, "work_bytes": 156, "wire_bytes": 592}
        self.hello = SimpleNamespace(name="petals", **sizes)
        self.step, self.entries = 0, []

    def statistics(self):
        return Statistics(self.step, len(self.entries), 50, 40, 2, 1, 0, 0)

    def log(self, first):
        kept = max(first, len(self.entries) - 16)
        kept = kept if first <= len(self.entries) else max(0, len(self.entries) - 16)
        return Log(kept, len(self.entries), tuple(self.entries[kept:]))

    def learn(self, label, answer, confidence=0.5):
        self.entries.append(Entry(label, answer, confidence, True))
        self.step += 1


# ------------------------------------------------------------------ what is put together


def test_looks_count_the_latest_labelled_samples():
    device, seconds = SaidDevice(), iter(range(100))
    watch = Watch(device, latest=4, clock=lambda: float(next(seconds)))
    view = watch.look()
    assert (view.accuracy, view.confidence, view.labelled, view.rate) == (None, None, 0, 0.0)
    for label, answer in ((0, 0), (1, 2), (2, 2)):
        device.learn(label, answer)
    view = watch.look()
    assert view.accuracy == pytest.approx(2 / 3)
    assert view.rate == 3.0
    assert view.confusion.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert view.curve == ((3, pytest.approx(2 / 3)),)
    for _ in range(3):
        device.learn(1, 1, 1.0)
    view = watch.look()
    # One of the four is still from before.
    assert (view.accuracy, view.labelled) == (1.0, 4)
    assert view.confidence == pytest.approx((0.5 + 3) / 4)
    # What nobody knows the label of is no accuracy.
    device.entries += [Entry(None, 1, 0.1, False)] * 2
    assert watch.look().labelled == 2
    assert (view.missed, view.resets) == (0, 0)


def test_entries_that_a_device_forgot_are_counted_and_resets_too():
    device = SaidDevice()
    watch = Watch(device, latest=100)
    watch.look()
    for _ in range(20):
        device.learn(0, 0)
    assert watch.look().missed == 4
    device.entries, device.step = [], 0
    device.learn(1, 0)
    view = watch.look()
    assert (view.resets, view.missed) == (1, 4)
    assert view.labelled == 17
    assert view.rate == 0.0


def test_a_long_curve_is_thinned_out_and_keeps_its_ends():
    device = SaidDevice()
    watch = Watch(device)
    for _ in range(700):
        device.learn(0, 0)
        view = watch.look()
    assert len(view.curve) <= 240
    assert (view.curve[0][0], view.curve[-1][0]) == (1, 700)
    steps = [step for step, _ in view.curve]
    assert steps == sorted(steps)


def a_view():
    view = View(
        name="petals",
        classes=("long", "notched", "<b>round</b>"),
        statistics=Statistics(1234, 40, 50, 40, 2, 1, 0, 0),
        labelled=3,
        accuracy=2 / 3,
        confidence=0.75,
        confusion=np.array([[1, 0, 0], [0, 0, 1], [0, 0, 1]]),
        curve=((1, 0.5), (1234, 2 / 3)),
        rate=12.3,
        model_bytes=4920,
        work_bytes=156,
        wire_bytes=592,
        missed=7,
        resets=1,
        drift=Drift(2, 900),
    )
    return Seen(5, view)


def shown(seen):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render_seen(seen))
    return console.export_text()


def test_a_terminal_shows_numbers_curve_and_confusion():
    text = shown(a_view())
    assert "step 1,234, 12.3 a second, accuracy 66.7% of the latest 3, confidence 75.0%" in text
    assert "accuracy, step 1 to 1,234" in text
    assert "notched" in text
    assert "2 requests answered again, 1 damaged frames, 7 samples not seen, 1 resets" in text
    gone = Seen(1, None, problem="the line to the device is gone\n  where: /dev/x")
    assert "the line to the device is gone" in shown(gone)
    assert "no device yet" in shown(gone)
    assert _line(gone) == "the line to the device is gone;  where: /dev/x"


# ------------------------------------------------------------------ a device that is watched


@pytest.fixture(scope="module")
def petals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    built("classes", folder, has_store=True)
    with Process(folder / "device", folder) as process:
        yield process


def opener(process):
    model = wired("classes").model
    return lambda: LinkedDevice.open(process.port, model, limits=LIMITS)


def wait_for(what, seconds=30):
    for _ in range(seconds * 50):
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(what)


def test_a_device_is_watched_while_it_learns_and_saves(petals):
    data = prepared("classes").dataset
    samples = iter(list(zip(data.x_train, data.y_train, strict=True)) * 5)
    with Live(opener(petals), interval=0.02, samples=samples) as live:
        assert live.is_training
        wait_for(lambda: not live.is_training)
        count = 5 * len(data.x_train)
        seen = wait_for(lambda: live.seen if live.seen.view.statistics.trained >= count else None)
        view = seen.view
        assert view.missed == 0
        assert view.labelled == min(200, view.statistics.logged)
        assert view.confusion.sum() == view.labelled
        assert view.accuracy == pytest.approx(np.trace(view.confusion) / view.labelled)
        assert live.save() == f"saved at step {view.statistics.step:,}"
        assert live.seen.message == live.save()
        json.dumps(live.seen.to_json(), allow_nan=False)


def test_a_line_that_has_gone_is_opened_again(petals):
    opened = []

    def reopen():
        opened.append(1)
        if len(opened) == 2:
            raise LinkError("the port cannot be opened")
        return opener(petals)()

    with Live(reopen, interval=0.02) as live:
        wait_for(lambda: live.seen.view)
        live._device.close()
        wait_for(lambda: live.seen.problem)
        assert live.save() in ("no device", f"not saved: {live.seen.problem}")
        wait_for(lambda: live.seen.problem == "")
        assert len(opened) == 3


# ------------------------------------------------------------------ the page


class StillLive:
    """What was seen last does not change; a save is noted."""

    def __init__(self, seen):
        self.seen, self.saved = seen, 0

    def save(self):
        self.saved += 1
        words = f"saved at step {1234:,}"
        self.seen = Seen(self.seen.number + 1, self.seen.view, message=words)
        return words


@pytest.fixture
def still():
    return StillLive(a_view())


def test_events_tell_each_look_once(still):
    async def three():
        events = _events(still)
        first = await anext(events)
        still.seen = Seen(6, None, problem="gone")
        return first, await anext(events), await anext(events)

    first, second, third = asyncio.run(three())
    assert json.loads(first.removeprefix("data: "))["view"]["statistics"]["step"] == 1234
    assert json.loads(second.removeprefix("data: ")) == Seen(6, None, "gone").to_json()
    # Nothing new: a comment, by which both ends notice that the other has gone.
    assert third == ": still here\n\n"


@contextmanager
def served(app):
    """The address of an application, served by a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://localhost:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=20)


def fetched(address, method="GET", **headers):
    """Status and text of an answer."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(address, method=method, headers=names)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_only_the_page_itself_may_save(still):
    with served(page(still)) as address:
        assert "Save a checkpoint" in fetched(address)[1]
        assert fetched(f"{address}/save", "POST")[0] == 403
        assert fetched(f"{address}/save")[0] == 405
        assert fetched(address, Host="evil.example")[0] == 400
        assert still.saved == 0
        status, text = fetched(f"{address}/save", "POST", X_Asked_By="page")
    assert (status, json.loads(text), still.saved) == (200, {"message": "saved at step 1,234"}, 1)


class Texts(HTMLParser):
    """The text below each element with an id."""

    def __init__(self, html):
        super().__init__()
        self.found, self._open = {}, []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag not in ("link", "meta", "br"):
            self._open.append(dict(attributes).get("id"))

    def handle_endtag(self, tag):
        if self._open and tag not in ("link", "meta", "br"):
            self._open.pop()

    def handle_data(self, data):
        for name in filter(None, self._open):
            self.found[name] = self.found.get(name, "") + data


# The page tells the test how it stands, again and again.
TELL = """<script>
setInterval(() => fetch("/dom", {method: "POST", body: document.documentElement.outerHTML}), 300);
</script>"""
PRESS = """<script>
const wait = setInterval(() => {
  if (!at("save").disabled) { clearInterval(wait); at("save").click(); }
}, 100);
</script>"""


def in_a_browser(still, folder, is_there, more=""):
    """The page in headless Chromium as soon as it stands as expected: text by id."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    told, app = [], page(still)
    told_page = HTMLResponse(_PAGE.read_text(encoding="utf-8") + more + TELL)

    async def dom(request):
        told.append((await request.body()).decode())
        return HTMLResponse("")

    app.router.routes += [Route("/told", lambda _: told_page), Route("/dom", dom, methods=["POST"])]
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"]
    with served(app) as address:
        browser = subprocess.Popen(
            [*command, "--remote-debugging-port=0", f"{address}/told"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for(lambda: told and is_there(Texts(told[-1]).found), seconds=60)
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
    return Texts(told[-1]).found


@pytest.mark.slow
def test_a_browser_shows_what_was_seen(still, tmp_path):
    found = in_a_browser(still, tmp_path, lambda found: found["name"] == "petals")
    assert found["accuracy"] == "66.7 %"
    assert found["labelled"] == "of the latest 3 labelled samples"
    assert found["confidence"] == "75.0 %"
    assert (found["step"], found["rate"]) == ("1,234", "12")
    # A name is text, whatever is in it.
    assert found["confusion"] == "longnotched<b>round</b>long1notched1<b>round</b>1"
    assert "model 4.8 KB" in found["ram"]
    assert "Samples not seen here7Resets1Drift2, latest at step 900" in found["counters"]
    assert found.get("problem", "") == ""


@pytest.mark.slow
def test_a_browser_saves_when_the_button_is_pressed(still, tmp_path):
    found = in_a_browser(still, tmp_path, lambda found: "message" in found, PRESS)
    assert still.saved == 1
    assert found["message"] == "saved at step 1,234"


@pytest.mark.slow
def test_a_browser_says_so_when_the_device_has_gone(still, tmp_path):
    still.seen = Seen(9, still.seen.view, problem="the line to the device is gone")
    found = in_a_browser(still, tmp_path, lambda found: found["name"] == "petals")
    assert found["problem"] == "the line to the device is gone"
