"""The servers that bench/http_compare can start: builds of strata's samples, nginx, and h2o."""

import os
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
BODY = "Hello, World!"
PEERS = ("@nginx", "@h2o", "@h2o_server")


class ServerError(Exception):
    """A server that did not start; the text says why."""


def raise_descriptor_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_port():
    """One that was free a moment ago: nginx and h2o do not tell which one the system gave them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A contestant, running on its core. Ends with the with statement.

    `root`: a directory whose files are served, for programs that serve files; None: /hello alone.
    """

    def __init__(self, name, path, core, root=None):
        self.name = name
        self._path = path
        self._core = core
        self._root = root
        self._process = None

    def __enter__(self):
        try:
            self._start()
        except ServerError:
            self.__exit__()
            raise
        self.pid = self._process.pid
        return self

    def __exit__(self, *_):
        if self._process:
            self._process.kill()
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()

    def _spawn(self, command, **more):
        def pin_and_raise_limits():
            os.sched_setaffinity(0, {self._core})
            raise_descriptor_limit()

        self._process = subprocess.Popen(command, preexec_fn=pin_and_raise_limits, **more)

    def _read_port(self):
        line = self._process.stdout.readline().decode()
        match = re.match(r"listening on http://127\.0\.0\.1:(\d+)/", line)
        if not match:
            raise ServerError(f"{self._path} said {line!r}")
        self.port = int(match.group(1))

    def _start(self):
        *settings, program = self._path.split()
        environment = dict(os.environ, **dict(word.split("=", 1) for word in settings))
        options = ["--root", self._root, "--quiet"] if self._root else []
        self._spawn([program, "--port", "0"] + options, stdout=subprocess.PIPE, env=environment)
        self._read_port()

    def url(self, path="hello"):
        return f"http://127.0.0.1:{self.port}/{path}"

    def cpu_seconds(self):
        """User and system time so far."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def resident_bytes(self):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(r"VmRSS:\s*(\d+) kB", status.read()).group(1)) * 1024


class InstalledServer(Server):
    """A program of the distribution's, with a configuration in a directory of its own."""

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="http_compare.")
        # A directory made for one user alone would hide its files from servers that drop rights.
        os.chmod(self._directory.name, 0o755)
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__()
        self._directory.cleanup()

    def _write(self, name, text):
        path = os.path.join(self._directory.name, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def _start(self):
        program = shutil.which(self.PROGRAM) or shutil.which(self.PROGRAM, path="/usr/sbin")
        if not program:
            raise ServerError(f"{self.PROGRAM} is not installed (tools/setup --all)")
        self.port = free_port()
        log = open(os.path.join(self._directory.name, "log"), "w+")
        self._spawn([program] + self._arguments(), stdout=log, stderr=log)
        for _ in range(500):
            if self._process.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                        log.close()
                        return
            time.sleep(0.01)
        log.seek(0)
        raise ServerError(f"{self.PROGRAM} did not start: {log.read()}")


class Nginx(InstalledServer):
    """One process, without master; the reply comes from its configuration."""

    PROGRAM = "nginx"
    CONFIGURATION = """
daemon off;
master_process off;
user root;
pid {directory}/pid;
error_log {directory}/errors;
events {{ worker_connections 20000; }}
http {{
  access_log off;
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location = /hello {{ default_type text/plain; return 200 "{body}"; }}
    location / {{ root {root}; }}
  }}
}}
"""

    def _arguments(self):
        directory = self._directory.name
        text = self.CONFIGURATION.format(directory=directory, port=self.port, body=BODY,
                                         root=self._root or directory)
        if os.geteuid() != 0:
            text = text.replace("user root;\n", "")
        return ["-p", directory, "-e", os.path.join(directory, "errors"), "-c",
                self._write("nginx.conf", text)]


class H2oServer(InstalledServer):
    """h2o's own server, one thread; the reply is a file."""

    PROGRAM = "h2o"
    CONFIGURATION = """
num-threads: 1
max-connections: 20000
user: {user}
http1-request-timeout: 3600
pid-file: {directory}/pid
error-log: {directory}/errors
hosts:
  default:
    listen: {{ host: 127.0.0.1, port: {port} }}
    paths:
      /: {{ file.dir: "{root}" }}
"""

    def _arguments(self):
        directory = self._directory.name
        self._write("hello", BODY)
        text = self.CONFIGURATION.format(directory=directory, port=self.port,
                                         root=self._root or directory,
                                         user="root" if os.geteuid() == 0 else os.getlogin())
        return ["-m", "worker", "-c", self._write("h2o.conf", text)]


class H2oLibrary(Server):
    """bench/hello_h2o.c, compiled here."""

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="http_compare.")
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__()
        self._directory.cleanup()

    def _start(self):
        program = os.path.join(self._directory.name, "hello_h2o")
        compiler = subprocess.run(
            ["cc", "-O2", os.path.join(HERE, "hello_h2o.c"), "-o", program, "-lh2o-evloop", "-lssl",
             "-lcrypto"], capture_output=True, text=True)
        if compiler.returncode:
            raise ServerError("hello_h2o.c needs libh2o-evloop-dev and libssl-dev (tools/setup "
                              f"--all): {compiler.stderr[:500]}")
        self._spawn([program], stdout=subprocess.PIPE)
        self._read_port()


def make(name, path, core, root=None):
    """The server for a contestant's path: a program with its settings, or one of PEERS."""
    kinds = {"@nginx": Nginx, "@h2o": H2oLibrary, "@h2o_server": H2oServer}
    return kinds.get(path, Server)(name, path, core, root)
