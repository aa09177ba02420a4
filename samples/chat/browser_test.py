#!/usr/bin/env python3
"""Two pages of samples/chat in headless Chromium talk to each other.

usage: browser_test.py CHAT_PROGRAM [SCREENSHOT_DIRECTORY]

Speaks the WebDriver protocol (https://www.w3.org/TR/webdriver2/) to chromedriver with the standard
library alone. Where Chromium is missing it says so and passes.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
# Generous: machines that test are busy.
PATIENCE_S = 120


class Browser:
    """A session of chromedriver."""

    def __init__(self, port, profile, size):
        self.base = "http://127.0.0.1:%d" % port
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
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
                    "goog:chromeOptions": {"args": arguments, "binary": chromium},
                    "goog:loggingPrefs": {"browser": "ALL"},
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

    def run(self, script, *arguments):
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

    def quit(self):
        self.call("DELETE", "")

    def wait(self, what, script, *arguments):
        end = time.monotonic() + PATIENCE_S
        while not self.run("return " + script, *arguments):
            if time.monotonic() > end:
                raise AssertionError("waited in vain for %s; the page says: %s" %
                                     (what, self.run("return document.body.innerText")))
            time.sleep(0.05)


def start(command, pattern):
    """A program, and the number that its first fitting line has."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        match = re.search(pattern, line)
        if match:
            return process, int(match.group(1))
    raise AssertionError("%s said nothing of the kind" % command[0])


def join(browser, url, name):
    browser.open(url)
    browser.wait("the dialog", "document.getElementById('who').open")
    browser.type("#name", name)
    browser.click("#enter")
    browser.wait("the welcome", "!document.getElementById('send').disabled")


def say(browser, text):
    browser.type("#text", text)
    browser.click("#send")


def wait_for_text(browser, text):
    browser.wait(text, "document.getElementById('log').innerText.includes(arguments[0])", text)


def converse(browser, url, screenshots):
    first = browser.window()
    join(browser, url, "Ada")
    say(browser, "Is anybody there?")
    wait_for_text(browser, "Is anybody there?")
    second = browser.new_tab()
    browser.open(url)
    browser.wait("the dialog", "document.getElementById('who').open")
    browser.screenshot(os.path.join(screenshots, "chat_join.png"))
    browser.type("#name", "Ada")
    browser.click("#enter")
    browser.wait("the refusal", "document.getElementById('join-trouble').textContent.length > 0")
    browser.run("document.getElementById('name').value = ''")
    browser.type("#name", "Grace")
    browser.click("#enter")
    browser.wait("the welcome", "!document.getElementById('send').disabled")
    wait_for_text(browser, "Is anybody there?")  # said before
    # Nothing of it is taken for markup.
    markup = "<b id=broken>\"bold\"</b> & 'so' \\ \u00fc\u20ac"
    say(browser, markup)
    wait_for_text(browser, markup)
    assert browser.run("return document.getElementById('broken') === null")
    browser.switch(first)
    wait_for_text(browser, "Grace joined")
    wait_for_text(browser, markup)
    say(browser, "Hello Grace! Long time no see.")
    say(browser, "Your message arrived as you wrote it, angle brackets and all.")
    browser.switch(second)
    wait_for_text(browser, "angle brackets and all")
    say(browser, "So it did. A line that is so long that it has to be broken somewhere, because "
                 "no bubble is as wide as the sentence in it.")
    wait_for_text(browser, "no bubble is as wide")
    browser.screenshot(os.path.join(screenshots, "chat.png"))
    browser.close_tab()
    browser.switch(first)
    wait_for_text(browser, "Grace left")
    browser.screenshot(os.path.join(screenshots, "chat_alone.png"))


def reconnect(browser, server, command):
    """The page comes back by itself when the server does."""
    port = re.search(r":(\d+)/", browser.run("return location.href")).group(1)
    server.terminate()
    assert server.wait(PATIENCE_S) == 0
    browser.wait("the end", "document.getElementById('state').innerText.includes('disconnected')")
    browser.wait("disabled input", "document.getElementById('send').disabled")
    again, _ = start(command + ["--port", port], r"http://127\.0\.0\.1:(\d+)/")
    try:
        browser.wait("the return", "!document.getElementById('send').disabled")
        say(browser, "Back again.")
        wait_for_text(browser, "Back again.")
    finally:
        again.terminate()
        again.wait(PATIENCE_S)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if not shutil.which("chromedriver") or not (shutil.which("chromium") or
                                                shutil.which("chromium-browser")):
        print("SKIPPED: chromium or chromedriver is not installed "
              "(Debian: apt-get install chromium chromium-driver)")
        return
    command = [os.path.abspath(sys.argv[1])]
    screenshots = sys.argv[2] if len(sys.argv) > 2 else os.environ.get(
        "TEST_UNDECLARED_OUTPUTS_DIR", tempfile.mkdtemp())
    profile = tempfile.mkdtemp()
    server, port = start(command + ["--port", "0"], r"http://127\.0\.0\.1:(\d+)/")
    driver, driver_port = start(["chromedriver", "--port=0"], r"success.*on port (\d+)")
    browser = None
    try:
        browser = Browser(driver_port, profile, (900, 760))
        converse(browser, "http://127.0.0.1:%d/" % port, screenshots)
        assert not browser.complaints(), browser.complaints()
        reconnect(browser, server, command)
        print("passed; screenshots in " + screenshots)
    finally:
        if browser:
            browser.quit()
        for process in (driver, server):
            process.terminate()
            process.wait(PATIENCE_S)
        shutil.rmtree(profile, ignore_errors=True)


if __name__ == "__main__":
    main()
