"""A headless Chromium, spoken to over its debugging pipe: no driver, no library."""

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-pipe",
)


def needed() -> str:
    """The browser's path, or the test skips."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    return pytest.skip("chromium is not installed")


class Page:
    """One page, a context manager. `errors` are the exceptions that nobody caught in it."""

    def __init__(self, folder: Path, *, width: int = 1180, height: int = 900) -> None:
        to_browser, from_us = os.pipe()
        to_us, from_browser = os.pipe()
        words = [needed(), *OPTIONS, f"--user-data-dir={folder / 'profile'}"]

        def connect() -> None:
            # The browser reads at 3 and writes at 4.
            reading, writing = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        self._child = subprocess.Popen(
            [*words, f"--window-size={width},{height}", "about:blank"],
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=connect,
            **quiet,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._write, self._read = os.fdopen(from_us, "wb"), os.fdopen(to_us, "rb")
        self._number, self._left, self._session = 0, b"", None
        self.errors: list[str] = []
        target = next(
            found
            for found in self.send("Target.getTargets")["targetInfos"]
            if found["type"] == "page"
        )
        attached = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        self.send("Runtime.enable")
        self.send("Page.enable")
        self.downloads = folder / "downloads"
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait()
        self._write.close()
        self._read.close()

    def send(self, method: str, **given: object) -> dict[str, Any]:
        """Ask for something by its name in the debugging protocol; its result."""
        self._number += 1
        words = {"id": self._number, "method": method, "params": given}
        if self._session is not None:
            words["sessionId"] = self._session
        self._write.write(json.dumps(words).encode() + b"\0")
        self._write.flush()
        while True:
            said = self._next()
            if said.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(said["params"])[:2000])
            if said.get("id") == self._number:
                assert "error" not in said, said
                return said["result"]

    def open(self, path: Path) -> None:
        """Open a file, as somebody who clicks on it does."""
        self.send("Page.navigate", url=path.resolve().as_uri())
        self.run(
            """new Promise((done) =>
              document.readyState === "complete" ? done() : addEventListener("load", done))"""
        )

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        said = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def until(self, condition: str, seconds: float = 60) -> None:
        """Wait until an expression holds."""
        milliseconds = int(1000 * seconds)
        held = self.run(
            f"""new Promise((done) => {{
              const end = Date.now() + {milliseconds};
              const isLate = () => Date.now() > end && (done(false), true);
              const look = () => ({condition}) ? done(true) : isLate() || setTimeout(look, 20);
              look();
            }})"""
        )
        assert held, f"{condition}: not within {seconds} s"

    @staticmethod
    def until_file(path: Path, seconds: float = 20) -> None:
        """Wait for a download; the browser writes it under another name at first."""
        end = time.monotonic() + seconds
        while not path.is_file() or path.stat().st_size == 0:
            if time.monotonic() > end:
                pytest.fail(f"{path.name} did not come within {seconds} s")
            time.sleep(0.02)

    def place_of(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element, which is scrolled into sight."""
        return tuple(
            self.run(
                f"""(() => {{
                  const found = document.querySelector({json.dumps(selector)});
                  found.scrollIntoView({{ block: "center" }});
                  const r = found.getBoundingClientRect();
                  return [r.left, r.top, r.width, r.height];
                }})()"""
            )
        )

    def drag(self, points: list[tuple[float, float]]) -> None:
        """Press the button at the first point, move over the others, let go at the last."""
        kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1), "mouseReleased"]
        for kind, (x, y) in zip(kinds, [*points, points[-1]], strict=True):
            pressed = 0 if kind == "mouseReleased" else 1
            self.send(
                "Input.dispatchMouseEvent",
                **{"type": kind, "x": x, "y": y, "button": "left", "buttons": pressed},
                clickCount=1,
            )

    def click(self, selector: str) -> None:
        """Click into the middle of an element."""
        left, top, width, height = self.place_of(selector)
        self.drag([(left + width / 2, top + height / 2)])

    def picture(self, path: Path, selector: str | None = None) -> None:
        """Write a picture of the page, or of an element, as PNG."""
        given: dict[str, object] = {"format": "png", "captureBeyondViewport": True}
        if selector:
            self.place_of(selector)
            rect = self.run(
                f"""(() => {{
                  const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();
                  return [r.left + scrollX, r.top + scrollY, r.width, r.height];
                }})()"""
            )
            given["clip"] = dict(zip(("x", "y", "width", "height"), rect, strict=True), scale=1)
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", **given)["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            more = os.read(self._read.fileno(), 1 << 20)
            assert more, "the browser has ended"
            self._left += more
        message, _, self._left = self._left.partition(b"\0")
        return json.loads(message)
