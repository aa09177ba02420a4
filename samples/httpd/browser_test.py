#!/usr/bin/env python3
"""samples/httpd as headless Chromium sees it: it has nothing to complain about.

usage: samples/testing/browser_test.sh samples/httpd/browser_test.py HTTPD_PROGRAM [SCREENSHOT_DIRECTORY]

Where Chromium is missing it says so and passes.
"""

import hashlib
import os
import random
import shutil
import struct
import sys
import tempfile
import time
import zlib

from browser import PATIENCE_S, browsing, is_installed, program, screenshot_directory, start

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>A page</title>
<link rel="stylesheet" href="style.css"><script src="script.js" defer></script></head>
<body><h1>A page</h1><p id="said"></p><img id="picture" src="picture.png" alt=""></body></html>
"""
LARGE_LEN = 48 << 20
# What httpd compresses at once, and in pieces.
TEXTS = {"short.txt": 2000, "long.txt": 200000}


def png(width, height):
    """A picture, all red."""
    def chunk(name, data):
        return (struct.pack(">I", len(data)) + name + data +
                struct.pack(">I", zlib.crc32(name + data)))
    rows = (b"\0" + b"\xff\0\0" * width) * height
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def text_of(num_lines):
    return "".join("%d: \u00fc\u20ac & <b>\n" % i for i in range(num_lines))


class Site:
    """The files that httpd serves."""

    def __init__(self):
        self.path = tempfile.mkdtemp()
        self.write("index.html", PAGE)
        self.write("style.css", "h1 { color: rgb(1, 2, 3); }\n")
        self.write("script.js", "document.getElementById('said').textContent = 'The script ran.';\n")
        self.write("picture.png", png(40, 30))
        self.write("favicon.ico", png(16, 16))
        for name, num_lines in TEXTS.items():
            self.write(name, text_of(num_lines))
        os.makedirs(os.path.join(self.path, "things", "more & more"))
        self.write("things/50% of <it>.txt", "half")
        large = random.Random(1).randbytes(LARGE_LEN)
        self.large_hash = hashlib.sha256(large).hexdigest()
        self.write("large.bin", large)

    def write(self, name, content):
        with open(os.path.join(self.path, name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())

    def replace_unseen(self, name, old, new):
        """Changes a file so that neither its length nor the second of its change tells."""
        path = os.path.join(self.path, name)
        modified = os.stat(path).st_mtime_ns
        with open(path, "rb") as file:
            content = file.read()
        assert len(old) == len(new) and old in content
        self.write(name, content.replace(old, new))
        # One of these is another nanosecond of the same second.
        other = modified + 1 if (modified + 1) // 10**9 == modified // 10**9 else modified - 1
        os.utime(path, ns=(other, other))

    def remove(self):
        shutil.rmtree(self.path)


class Traffic:
    """What went over the wire, as DevTools tell: what a page is told may come from its cache."""

    def __init__(self, browser):
        self._browser = browser
        self._urls, self._sent, self._received = {}, {}, {}
        self._failures = []

    def _look(self):
        for name, params in self._browser.network_events():
            key = params.get("requestId")
            if name == "requestWillBeSent":
                self._urls[key] = params["request"]["url"]
            elif name == "requestWillBeSentExtraInfo":
                self._sent[key] = {k.lower(): v for k, v in params["headers"].items()}
            elif name == "responseReceivedExtraInfo":
                fields = {k.lower(): v for k, v in params["headers"].items()}
                self._received[key] = params["statusCode"], fields
            elif name == "loadingFailed" and key in self._urls:  # else it is Chromium's own errand
                self._failures.append((self._urls[key], params["errorText"]))

    def last(self, url):
        """(fields sent, status, fields received) of the last exchange for that URL."""
        end = time.monotonic() + PATIENCE_S
        while True:
            self._look()
            keys = [key for key, value in self._urls.items() if value == url]
            if keys and keys[-1] in self._sent and keys[-1] in self._received:
                key = keys[-1]
                return (self._sent[key],) + self._received[key]
            check(time.monotonic() < end, "nothing is told of", url)
            time.sleep(0.05)

    def forget(self):
        """What comes from here on is not mixed with what was."""
        self._look()
        self._urls, self._sent, self._received = {}, {}, {}

    def failures(self):
        self._look()
        return self._failures


def check(is_so, *what):
    if not is_so:
        raise AssertionError(" ".join(str(part) for part in what))


def show_page(browser, url, screenshots):
    browser.open(url)
    browser.wait("the script", "document.getElementById('said').textContent == 'The script ran.'")
    browser.wait("the picture", "document.getElementById('picture').complete")
    look = browser.run("""const picture = document.getElementById('picture');
        return [getComputedStyle(document.querySelector('h1')).color, picture.naturalWidth,
                picture.naturalHeight, document.contentType, document.characterSet]""")
    check(look == ["rgb(1, 2, 3)", 40, 30, "text/html", "UTF-8"], look)
    browser.screenshot(os.path.join(screenshots, "httpd_page.png"))


def reload_page(browser, traffic, url, site):
    """304 by the ETag; and by it alone, what has changed is noticed."""
    traffic.forget()
    browser.reload()
    sent, status, received = traffic.last(url)
    etag = received.get("etag")
    check(status == 304 and etag and sent.get("if-none-match") == etag, sent, status, received)
    check(browser.run("return document.title") == "A page")
    site.replace_unseen("index.html", b"<h1>A page", b"<h1>A cage")
    traffic.forget()
    browser.reload()
    sent, status, received = traffic.last(url)
    check(status == 200 and received["etag"] != etag, status, received)
    check(sent["if-modified-since"] == received["last-modified"], sent, received)
    check(browser.run("return document.querySelector('h1').textContent") == "A cage")


def walk_directory(browser, url, screenshots):
    browser.open(url + "things")
    browser.wait("the redirection", "location.pathname == '/things/'")
    links = browser.run("return [...document.links].map(link => link.textContent)")
    check(links == ["../", "50% of <it>.txt", "more & more/"], links)
    browser.screenshot(os.path.join(screenshots, "httpd_listing.png"))
    browser.click("li:nth-of-type(3) a")
    browser.wait("the directory", "decodeURIComponent(location.pathname) == '/things/more & more/'")
    browser.click("li:first-of-type a")
    browser.wait("the one above", "location.pathname == '/things/'")
    browser.click("li:nth-of-type(2) a")
    browser.wait("the file", "location.pathname.endsWith('.txt')")
    check(browser.run("return [document.body.innerText, document.contentType]") ==
          ["half", "text/plain"])


def fetch_compressed(browser, url):
    for name, num_lines in TEXTS.items():
        text, encoding, sizes = browser.run("""return fetch(arguments[0]).then(async reply => {
            const text = await reply.text();
            const timing = performance.getEntriesByName(reply.url).pop();
            return [text, reply.headers.get('content-encoding'),
                    [timing.encodedBodySize, timing.decodedBodySize]];
        })""", url + name)
        check(text == text_of(num_lines), name, "is another text")
        check(encoding == "gzip", name, "came with", encoding)
        check(0 < sizes[0] < sizes[1] / 2 and sizes[1] == len(text.encode()), name, sizes)


def fetch_part(browser, url):
    status, content_range, text, kind = browser.run("""
        return fetch(arguments[0], {headers: {Range: 'bytes=6-9'}, cache: 'no-store'}).then(
            async reply => [reply.status, reply.headers.get('content-range'), await reply.text(),
                            reply.headers.get('content-encoding')])""", url + "style.css")
    check([status, text, kind] == [206, "olor", None], status, text, kind)
    check(content_range.startswith("bytes 6-9/"), content_range)


def fetch_large(browser, url, site):
    got = browser.run("""return fetch(arguments[0], {cache: 'no-store'}).then(async reply => {
        const bytes = await reply.arrayBuffer();
        const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
        return [reply.status, reply.headers.get('content-length'), bytes.byteLength,
                [...hash].map(byte => byte.toString(16).padStart(2, '0')).join('')];
    })""", url + "large.bin")
    check(got == [200, str(LARGE_LEN), LARGE_LEN, site.large_hash], got)


def counters(browser):
    """The first table of the status page."""
    return dict(browser.run("""return [...document.querySelector('table').rows].map(
        row => [row.cells[0].textContent, Number(row.cells[1].textContent)])"""))


def watch_status(browser, url, screenshots):
    browser.open(url + "status")
    check(browser.run("return document.querySelector('h1').textContent") == "Status")
    before = counters(browser)
    check(before["Loops"] == 2 and before["Connections open"] >= 1, before)
    check(before["Bytes of bodies"] > LARGE_LEN, before)
    browser.run("""return Promise.all([1, 2, 3].map(
        () => fetch(arguments[0], {cache: 'no-store'}).then(reply => reply.text())))""",
                url + "picture.png")
    # A reply is counted after its last byte has left; the status page's own is one more.
    end = time.monotonic() + PATIENCE_S
    while True:
        browser.reload()
        after = counters(browser)
        latencies = browser.run("""return [...document.querySelectorAll('table')[1].rows].map(
            row => Number(row.cells[1].textContent))""")
        if after["Requests"] >= before["Requests"] + 4 and sum(latencies) == after["Requests"]:
            break
        check(time.monotonic() < end, before, after, latencies)
    check(after["Replies 2xx"] >= before["Replies 2xx"] + 4, before, after)
    check(after["Replies 3xx"] >= 2, after)  # the reload, the directory
    for name in ("Replies 1xx", "Replies 4xx", "Replies 5xx", "Replies cut short"):
        check(after[name] == 0, name, after)
    browser.screenshot(os.path.join(screenshots, "httpd_status.png"))


def visit(browser, url, site, screenshots):
    traffic = Traffic(browser)
    show_page(browser, url, screenshots)
    reload_page(browser, traffic, url, site)
    walk_directory(browser, url, screenshots)
    fetch_compressed(browser, url)
    fetch_part(browser, url)
    fetch_large(browser, url, site)
    watch_status(browser, url, screenshots)
    check(not traffic.failures(), traffic.failures())
    complaints = browser.complaints()
    check(not complaints, complaints)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if not is_installed():
        return
    screenshots = sys.argv[2] if len(sys.argv) > 2 else screenshot_directory()
    site = Site()
    options = ["--port", "0", "--quiet", "--threads", "2", "--status", "/status", "--root", site.path]
    server, port = start(program(sys.argv[1]) + options, r"http://127\.0\.0\.1:(\d+)/")
    try:
        with browsing((900, 760)) as browser:
            visit(browser, "http://127.0.0.1:%d/" % port, site, screenshots)
    finally:
        server.terminate()
        status = server.wait(PATIENCE_S)
        site.remove()
    check(status == 0, "httpd ended with", status)
    print("passed; screenshots in " + screenshots)


if __name__ == "__main__":
    main()
