#!/usr/bin/env python3
"""The real Apache RocketMQ for a test run: name server, broker and proxy, fetched by Maven, started and stopped here.

server.py available            exit 0, or 1 and the reason
server.py jars                 fetches the jars if need be and prints their folder
server.py run [--acl] -- COMMAND ...
                               runs COMMAND with TMINUS_TEST_APACHE=host:port of the name server and
                               TMINUS_TEST_APACHE_PROXY=host:port of the proxy's gRPC (with --acl also
                               TMINUS_TEST_APACHE_ACCESS_KEY and _SECRET_KEY) and ends with its exit code
Inside of COMMAND, in milliseconds:
server.py topic --name NAME ... [--type NORMAL|FIFO|DELAY|TRANSACTION|PRIORITY|MIXED] [--queues N]
server.py group --name NAME ... [--fifo] [--retries N]
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import admin
import grpc
import remoting

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
VERSION = "5.5.0"
CREDENTIALS = remoting.Credentials("admin", "12345678")
BROKER_NAME = b"broker-a"
START_LIMIT_S = 180
STOP_LIMIT_S = 3

# The store maps files with internals of the JDK that are closed since Java 17.
OPEN_MODULES = [
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-exports=java.base/sun.security.x509=ALL-UNNAMED",
]


class StartError(Exception):
    """The server is not up; the text says why."""


def missing() -> str | None:
    """Why the server cannot run on this machine, or None."""
    if not sys.platform.startswith("linux"):
        return f"the harness confines the server to loopback on Linux only, not on {sys.platform}"
    needed = {"javac": "a JDK (17 or newer)", "mvn": "Maven", "cc": "a C compiler"}
    absent = [what for tool, what in needed.items() if not shutil.which(tool)]
    return f"not found: {', '.join(absent)}" if absent else None


def cache() -> Path:
    """A folder for this list of jars: another list is fetched anew."""
    listed = hashlib.sha256((HERE / "pom.xml").read_bytes()).hexdigest()[:8]
    return Path(os.environ.get("TMINUS_CACHE") or REPOSITORY / ".cache") / f"apache-{VERSION}-{listed}"


def jars() -> Path:
    """The folder of the server's jars; the first call fetches them (about 100 MB)."""
    root = cache()
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lib, part = root / "lib", root / "lib.part"
        if not lib.is_dir():
            shutil.rmtree(part, ignore_errors=True)
            goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={part}"]
            fetched = subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", *goal], capture_output=True, text=True)
            if fetched.returncode != 0:
                raise StartError(f"Maven cannot fetch the jars:\n{fetched.stdout[-2000:]}{fetched.stderr[-2000:]}")
            part.rename(lib)
        return lib


def free_port(below: int = 0, above: int = 0) -> int:
    """A free port on loopback whose neighbours, so many below and above, are free too.

    It is none of those the system gives to connections by itself: before a JVM binds it, seconds pass.
    """
    for _ in range(100):
        port = random.randrange(20_000, 32_000)
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for neighbour in range(port - below, port + above + 1):
                held.enter_context(socket.socket()).bind(("127.0.0.1", neighbour))
            return port
    raise StartError("no free ports on 127.0.0.1")


class Server:
    """Name server, broker and proxy in a folder of their own."""

    def __init__(self, home: Path, acl: bool) -> None:
        self.home = home
        self.credentials = CREDENTIALS if acl else None
        self.namesrv_port = free_port()
        self.broker_port = free_port(below=2, above=1)
        self.proxy_port = free_port(above=1)
        self._jvms: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Returns when routes are answered, over gRPC too, and the timer is at work."""
        self._confine = self.home / "confine.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self._confine, HERE / "confine.c", "-ldl"], check=True)
        classes = f"{jars()}/*"
        self._jvm("namesrv", "128m", classes, "org.apache.rocketmq.namesrv.NamesrvStartup")
        self._jvm("broker", "512m", classes, "org.apache.rocketmq.broker.BrokerStartup")
        deadline = time.monotonic() + START_LIMIT_S
        self._wait(self._registered, deadline)
        # Earlier it would end at once: it makes a topic of its own, on the brokers the name server knows.
        self._jvm("proxy", "256m", classes, "org.apache.rocketmq.proxy.ProxyStartup")
        self._wait(self._routed, deadline)
        self._wait(self._timer_caught_up, deadline)

    def _wait(self, ready: Callable[[], bool], deadline: float) -> None:
        while not ready():
            for jvm in self._jvms:
                if jvm.poll() is not None:
                    raise StartError(f"a server ended with status {jvm.returncode}\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"the servers were not ready within {START_LIMIT_S} s\n{self.log_tail()}")
            time.sleep(0.05)

    def _jvm(self, name: str, heap: str, classes: str, main: str) -> None:
        conf = self._conf(name)
        # It carries no messages, so what the best compiler costs never comes back.
        options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"] if name == "namesrv" else []
        options += [f"-Xms{heap}", f"-Xmx{heap}", "-XX:MaxDirectMemorySize=512m"]
        options += ["-Djava.net.preferIPv4Stack=true", f"-Duser.home={self.home}", *OPEN_MODULES]
        environment = {**os.environ, "ROCKETMQ_HOME": str(self.home), "LD_PRELOAD": str(self._confine)}
        with (self.home / f"{name}.out").open("wb") as output:
            jvm = subprocess.Popen(
                ["java", *options, "-cp", classes, main, "-pc" if name == "proxy" else "-c", conf],
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the harness, which stops the servers in order
            )
        self._jvms.append(jvm)

    def _conf(self, name: str) -> Path:
        """Writes the server's configuration: what conf/ says, with what differs from run to run filled in."""
        suffix = ".json" if name == "proxy" else ".conf"
        parts = [HERE / "conf" / f"{name}{suffix}"]
        if self.credentials and name != "namesrv":
            parts.append(HERE / "conf" / f"{name}-acl{suffix}")
        texts = [part.read_text() for part in parts]
        text = "".join(texts) if suffix == ".conf" else _joined(texts)
        values = {
            "HOME": self.home,
            "NAMESRV_PORT": self.namesrv_port,
            "BROKER_PORT": self.broker_port,
            "PROXY_PORT": self.proxy_port,
            "PROXY_REMOTING_PORT": self.proxy_port + 1,
            "ACCESS_KEY": CREDENTIALS.access_key,
            "SECRET_KEY": CREDENTIALS.secret_key,
        }
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        conf = self.home / f"{name}{suffix}"
        conf.write_text(text)
        return conf

    def _registered(self) -> bool:
        """Asks the name server. A broker that looks for it too early tries again only 10 s later, unless its
        configuration is touched: setting the permission it already has makes it register at once."""
        try:
            if BROKER_NAME in remoting.call(self.namesrv_port, remoting.GET_BROKER_CLUSTER_INFO).body:
                return True
            permission = b"brokerPermission=6\n"
            remoting.call(self.broker_port, remoting.UPDATE_BROKER_CONFIG, permission, self.credentials)
        except OSError:
            pass
        return False

    def _routed(self) -> bool:
        """Asks the proxy for a topic that nobody made: it finds out from the name server."""
        try:
            return grpc.query_route(self.proxy_port, "no-such-topic", self.credentials) == grpc.TOPIC_NOT_FOUND
        except OSError:
            return False

    def _timer_caught_up(self) -> bool:
        """A new timer goes through a week of empty slots first; a message due meanwhile would be late."""
        try:
            state = remoting.call(self.broker_port, remoting.GET_BROKER_RUNTIME_INFO, credentials=self.credentials)
        except OSError:
            return False
        behind = re.search(rb'"timerReadBehind":"(-?\d+)"', state.body)
        return behind is not None and int(behind[1]) <= 1

    def stop(self) -> None:
        for jvm in self._jvms:
            jvm.terminate()
        deadline = time.monotonic() + STOP_LIMIT_S
        for jvm in self._jvms:
            try:
                jvm.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(jvm.pid, signal.SIGKILL)
                jvm.wait()

    def log_tail(self, lines: int = 20) -> str:
        """What the servers complain of: the end of what they printed, and the warnings of their logs."""
        tails = []
        for log in [*self.home.glob("*.out"), *sorted(self.home.glob("logs/rocketmqlogs/*.log"))]:
            text = [line for line in log.read_text(errors="replace").splitlines() if " |-" not in line]
            if log.suffix == ".log":
                text = [line for line in text if " WARN " in line or " ERROR " in line]
            if text:
                tails.append(f"--- {log.name}\n" + "\n".join(text[-lines:]))
        return "\n".join(tails)


def _joined(texts: list[str]) -> str:
    """One JSON object of several, in which lines may be comments."""
    joined: dict[str, object] = {}
    for text in texts:
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("//")]
        joined.update(json.loads("\n".join(lines)))
    return json.dumps(joined, indent=2)


@contextlib.contextmanager
def running(acl: bool) -> Iterator[Server]:
    """A server that is up; however the block is left, it is stopped and its store deleted."""
    server = Server(Path(tempfile.mkdtemp(prefix="tminus-apache-")), acl)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)


def run(command: list[str], acl: bool) -> int:
    jars()
    begun = time.monotonic()
    with running(acl) as server:
        address = f"127.0.0.1:{server.namesrv_port}"
        proxy = f"127.0.0.1:{server.proxy_port}"
        up_after = f"up after {time.monotonic() - begun:.1f} s"
        print(f"Apache RocketMQ {VERSION}: {address}, gRPC {proxy}, {up_after}", flush=True)
        environment = {**os.environ, "TMINUS_TEST_APACHE": address, "TMINUS_TEST_APACHE_PROXY": proxy}
        if server.credentials:
            environment["TMINUS_TEST_APACHE_ACCESS_KEY"] = server.credentials.access_key
            environment["TMINUS_TEST_APACHE_SECRET_KEY"] = server.credentials.secret_key
        with subprocess.Popen(command, env=environment) as child:
            try:
                code = child.wait()
            except BaseException:
                child.terminate()
                raise
        if code != 0:
            print(server.log_tail(lines=3), file=sys.stderr)
        return code if code >= 0 else 128 - code


def _interrupted(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def main() -> int:
    parser = argparse.ArgumentParser(description="The real Apache RocketMQ for a test run.")
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("available", help="exit 0, or 1 and the reason")
    modes.add_parser("jars", help="fetch the jars if need be and print their folder")
    runner = modes.add_parser("run", help="run a command beside the server")
    runner.add_argument("--acl", action="store_true", help="every request must be signed")
    runner.add_argument("command", nargs="+", metavar="COMMAND")
    topics = modes.add_parser("topic", help="make topics")
    topics.add_argument("--name", nargs="+", required=True)
    topics.add_argument("--type", choices=admin.TYPES, default="NORMAL")
    topics.add_argument("--queues", type=int, default=4)
    groups = modes.add_parser("group", help="make consumer groups")
    groups.add_argument("--name", nargs="+", required=True)
    groups.add_argument("--fifo", action="store_true", help="keeps the order of each message group")
    groups.add_argument("--retries", type=int, default=16, help="deliveries again before a message is a dead letter")
    arguments = parser.parse_args()

    try:
        if arguments.mode == "topic":
            for name in arguments.name:
                admin.create_topic(name, arguments.type, arguments.queues)
            return 0
        if arguments.mode == "group":
            for name in arguments.name:
                admin.create_group(name, arguments.fifo, arguments.retries)
            return 0
    except (admin.AdminError, OSError) as error:
        print(f"Apache RocketMQ {VERSION}: {error}", file=sys.stderr)
        return 1
    if reason := missing():
        print(reason)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    try:
        if arguments.mode == "jars":
            print(jars())
        elif arguments.mode == "run":
            return run(arguments.command, arguments.acl)
    except StartError as error:
        print(f"Apache RocketMQ {VERSION}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
