#!/usr/bin/env python3
"""Two pages of samples/chat in headless Chromium talk to each other.

usage: samples/testing/browser_test.sh samples/chat/browser_test.py CHAT_PROGRAM [SCREENSHOT_DIRECTORY]

Where Chromium is missing it says so and passes.
"""

import os
import re
import sys

from browser import PATIENCE_S, browsing, is_installed, program, screenshot_directory, start


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
    if not is_installed():
        return
    command = program(sys.argv[1])
    screenshots = sys.argv[2] if len(sys.argv) > 2 else screenshot_directory()
    server, port = start(command + ["--port", "0"], r"http://127\.0\.0\.1:(\d+)/")
    try:
        with browsing((900, 760)) as browser:
            converse(browser, "http://127.0.0.1:%d/" % port, screenshots)
            assert not browser.complaints(), browser.complaints()
            reconnect(browser, server, command)
        print("passed; screenshots in " + screenshots)
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


if __name__ == "__main__":
    main()
