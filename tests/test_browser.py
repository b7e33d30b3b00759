"""Pages in a browser: they load from disk without errors and without network, show brains, and fit on a phone."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.extras

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 240
"""Seconds for one answer: without a graphics card WebGL is slow, and the machine may be busy."""

AS_3_AND_4 = """
import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""The browser reads commands from file 3 and writes answers to file 4; a shell can only move files below 10 there."""


class Browser:
    """A headless browser, driven through a pipe: the protocol of its developer tools, messages that end with a zero."""

    def __init__(self, program: str, profile: Path) -> None:
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        switches = [
            "--headless=new", "--no-sandbox", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run",
            "--disable-dev-shm-usage", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--hide-scrollbars",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-c", AS_3_AND_4, str(commands), str(answers), program, *switches],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._rest, self._number, self.events = b"", 0, list[dict[str, Any]]()

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        os.write(self._write, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._read, 1 << 20)
            assert read, "the browser ended"
            self._rest += read
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        os.close(self._write)
        os.close(self._read)


class Page:
    """A file in a tab of the browser."""

    def __init__(self, browser: Browser, path: Path, *, width: int) -> None:
        self.browser, self.url = browser, path.resolve().as_uri()
        browser.events.clear()
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(width)
        self.call("Page.navigate", url=self.url)
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def resize(self, width: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)

    def value(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait(self, expression: str) -> None:
        end = time.monotonic() + PATIENCE
        while not self.value(expression):
            assert time.monotonic() < end, f"{expression} did not come true; {self.complaints()}"
            time.sleep(0.2)

    def picture_of(self, selector: str) -> np.ndarray:
        box = json.loads(self.value(f"JSON.stringify(document.querySelector({selector!r}).getBoundingClientRect())"))
        clip = {"x": box["x"] + self.value("scrollX"), "y": box["y"] + self.value("scrollY")}
        clip |= {"width": box["width"], "height": box["height"], "scale": 1}
        taken = self.call("Page.captureScreenshot", clip=clip)["data"]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(taken))).convert("L"))

    def complaints(self) -> list[str]:
        """Return what the browser complained of: errors of scripts, of the policy, and what went to the console."""
        said = []
        for event in self.browser.events:
            parameters = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                said.append(str(parameters["exceptionDetails"].get("exception", {}).get("description")))
            elif event["method"] == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                said.append(parameters["entry"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
                said.append(str([one.get("value") for one in parameters["args"]]))
        # A browser without a graphics card says that it is slow.
        return [text for text in said if "GPU stall" not in text and "software" not in text.lower()]

    def requests(self) -> set[str]:
        sent = [event["params"]["request"]["url"] for event in self.browser.events
                if event["method"] == "Network.requestWillBeSent"]  # fmt: skip
        return {url for url in sent if not url.startswith(("data:", "blob:")) and url.partition("#")[0] != self.url}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None or os.name == "nt":
        pytest.skip(f"no browser to look at pages with: none of {', '.join(BROWSERS)} is installed")
    started = Browser(program, tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture
def open_page(browser: Browser) -> Callable[..., Page]:
    return lambda path, width=1280: Page(browser, path, width=width)


def patient(run: Path) -> Path:
    return min((run / "patients").glob("*.html"))


@pytest.mark.parametrize("find", [lambda run: run / "report.html", patient], ids=["report", "patient"])
def test_a_page_shows_its_brain_from_disk_without_errors_and_without_network(tiny_run, open_page, find):
    page = open_page(find(tiny_run))
    page.value("document.querySelector('figure[data-brain]').scrollIntoView({behavior: 'instant'})")
    page.wait("document.querySelector('figure[data-brain]').dataset.ready === 'yes'")
    page.value("document.querySelector('figure[data-brain]').scrollIntoView({behavior: 'instant'})")
    end = time.monotonic() + PATIENCE
    while (pixels := page.picture_of(".live canvas")).std() < 10 and time.monotonic() < end:
        time.sleep(0.5)  # the first frame is drawn a little later
    assert pixels.std() > 10 and pixels.max() > 100, "the viewer is empty"
    assert not page.complaints()
    beside = (page.url.rpartition("/")[0] + "/niivue.js",)
    assert page.requests() <= ({*beside} if find is patient else set())


@pytest.mark.parametrize("find", [lambda run: run / "report.html", patient], ids=["report", "patient"])
def test_a_page_is_not_wider_than_a_phone(tiny_run, open_page, find):
    page = open_page(find(tiny_run), 400)
    assert page.value("document.documentElement.scrollWidth") == 400
    hidden = """[...document.querySelectorAll('caption')].filter((one) => {
        const text = document.createRange(); text.selectNodeContents(one);
        const words = text.getBoundingClientRect(), tools = one.closest('.scroll').previousElementSibling;
        const over = tools?.querySelector('button')?.getBoundingClientRect();
        return over && words.right > over.left && words.top < over.bottom && words.bottom > over.top;
    }).map((one) => one.textContent)"""
    assert page.value(hidden) == [], "headings of tables lie under their buttons"
