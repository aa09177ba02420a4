"""Headless Chromium for tests.

Speaks the WebDriver protocol (https://www.w3.org/TR/webdriver2/) to chromedriver with the standard
library alone.
"""

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
# Generous: machines that test are busy.
PATIENCE_S = 120


def chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser")


def is_installed():
    """Says so where it is not."""
    if shutil.which("chromedriver") and chromium():
        return True
    print("SKIPPED: chromium or chromedriver is not installed "
          "(Debian: apt-get install chromium chromium-driver)")
    return False


def screenshot_directory():
    return os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR") or tempfile.mkdtemp()


def program(path):
    """The command of the program under test: where it is another CPU's, STRATA_RUNNER names what runs it
    (tools/qemu/run.sh).
    """
    return os.environ.get("STRATA_RUNNER", "").split() + [os.path.abspath(path)]


def start(command, pattern):
    """A program, and the number that its first fitting line has."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        match = re.search(pattern, line)
        if match:
            return process, int(match.group(1))
    raise AssertionError("%s said nothing of the kind" % command[0])


class Browser:
    """A session of chromedriver."""

    def __init__(self, port, profile, size):
        self.base = "http://127.0.0.1:%d" % port
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--hide-scrollbars",
            "--no-first-run",
            "--window-size=%d,%d" % size,
            "--user-data-dir=" + profile,
        ]
        self.session = ""
        value = self.call("POST", "/session", {
            "capabilities": {
                "alwaysMatch": {
                    "browserName": "chrome",
                    "goog:chromeOptions": {"args": arguments, "binary": chromium()},
                    "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
                    "timeouts": {"script": PATIENCE_S * 1000},
                }
            }
        })
        self.session = "/session/" + value["sessionId"]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + self.session + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError("%s %s: %s" % (method, path, error.read().decode()[:500])) from error

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def reload(self):
        self.call("POST", "/refresh", {})

    def run(self, script, *arguments):
        """What the script returns; of a promise, what becomes of it."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector):
        value = self.call("POST", "/element", {"using": "css selector", "value": selector})
        return "/element/" + value[ELEMENT]

    def type(self, selector, text):
        self.call("POST", self.find(selector) + "/value", {"text": text})

    def click(self, selector):
        self.call("POST", self.find(selector) + "/click", {})

    def new_tab(self):
        handle = self.call("POST", "/window/new", {"type": "tab"})["handle"]
        self.switch(handle)
        return handle

    def switch(self, handle):
        self.call("POST", "/window", {"handle": handle})

    def window(self):
        return self.call("GET", "/window")

    def close_tab(self):
        self.call("DELETE", "/window")

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("GET", "/screenshot")))

    def complaints(self):
        entries = self.call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("WARNING", "SEVERE")]

    def network_events(self):
        """Since the last call: (name, parameters) of DevTools' Network domain."""
        entries = self.call("POST", "/se/log", {"type": "performance"})
        events = [json.loads(entry["message"])["message"] for entry in entries]
        return [(event["method"][len("Network."):], event["params"]) for event in events
                if event["method"].startswith("Network.")]

    def quit(self):
        self.call("DELETE", "")

    def wait(self, what, script, *arguments):
        end = time.monotonic() + PATIENCE_S
        while not self.run("return " + script, *arguments):
            if time.monotonic() > end:
                raise AssertionError("waited in vain for %s; the page says: %s" %
                                     (what, self.run("return document.body.innerText")))
            time.sleep(0.05)


@contextlib.contextmanager
def browsing(size):
    """A Browser with a window of that size."""
    profile = tempfile.mkdtemp()
    driver, port = start(["chromedriver", "--port=0"], r"success.*on port (\d+)")
    try:
        browser = Browser(port, profile, size)
        try:
            yield browser
        finally:
            browser.quit()
    finally:
        driver.terminate()
        driver.wait(PATIENCE_S)
        shutil.rmtree(profile, ignore_errors=True)
