"""What every experiment needs: minted tokens and their lines, beartrap as a process, and the checks.

A line carries its number, and one line in three a credential. What must come out is known byte by byte, since the
markers of the few credentials are asked for at the start. So one comparison tells lost lines (C), leaks (L) and bytes
that were touched (I) from each other.
"""

import base64
import hashlib
import hmac
import json
import os
import random
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 120
NUMBER = re.compile(rb"^n=(\d+) ")
PIECE = 12  # So many bytes of a signature or an opaque token, anywhere, are a leak.


class Failed(Exception):
    """An invariant did not hold."""


@dataclass
class Result:
    """What one experiment saw; the row of the table."""

    tries: int = 0
    records: int = 0
    lost: int = 0
    duplicates: int = 0
    torn: int = 0
    altered: int = 0
    leaked: int = 0
    peak_kib: int = 0
    codes: set = field(default_factory=set)
    note: str = ""

    def add(self, tally):
        for name in ("records", "lost", "duplicates", "torn", "altered"):
            setattr(self, name, getattr(self, name) + getattr(tally, name))

    def ended(self, agent, code):
        self.codes.add(code)
        self.peak_kib = max(self.peak_kib, agent.peak_kib)


def expect(condition, message):
    if not condition:
        raise Failed(message)


def wait_for(condition, what, patience=PATIENCE, pause=0.02):
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"waited {patience} s in vain for: {what}")
        time.sleep(pause)


def jwt(claims):
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    head = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
    return head + b"." + part(hmac.digest(secrets.token_bytes(32), head, hashlib.sha256))


def opaque():
    # Letters and digits of both cases, as random tokens have them.
    return base64.b64encode(secrets.token_bytes(33)).replace(b"+", b"x").replace(b"/", b"Y")


FORMS = [
    b"GET /v1/items?page=2&access_token=%s&sort=asc HTTP/1.1 200",
    b"> Authorization: Bearer %s",
    b'{"level":"debug","headers":{"authorization":"Bearer %s"},"ok":true}',
]
FILLERS = [
    b"INFO  worker.Pool the request took 12.5 ms and all is well",
    b'10.0.0.7 - - [28/Nov/2026:07:25:54 +0000] "GET /healthz HTTP/1.1" 200 17 "-" "kube-probe/1.30"',
    b'{"level":"info","msg":"token bucket refilled","tokens":17,"bearer":null}',
]


class Bench:
    """A place to run experiments in, with one key and a few credentials."""

    def __init__(self, binary, seed, trace=False):
        self.binary = Path(binary).resolve()
        self.random = random.Random(seed)
        self.trace = trace
        self.root = Path(tempfile.mkdtemp(prefix="beartrap-faults-"))
        self.key = self.root / "key"
        self.key.write_text(secrets.token_hex(32) + "\n")
        self.key.chmod(0o600)
        self.tokens = [jwt({"sub": f"user-{n}", "exp": 1893456000 + n}) for n in range(8)] + [opaque() for _ in range(8)]
        self.secrets = [token.rsplit(b".", 1)[-1] for token in self.tokens]
        self.pieces = self.root / "pieces"
        pieces = {secret[at : at + PIECE] for secret in self.secrets for at in range(len(secret) - PIECE + 1)}
        self.pieces.write_bytes(b"\n".join(sorted(pieces)) + b"\n")
        shown = subprocess.run(
            [self.binary, "fingerprint", "--key-file", self.key], input=b"\n".join(self.tokens) + b"\n",
            stdout=subprocess.PIPE, check=True,
        ).stdout.splitlines()  # fmt: skip
        self.markers = []
        for line in shown:
            key_id, kind, digest = line.split()[-3:]
            self.markers.append(b"redacted-%s-%s-%s" % (kind, key_id, digest))
        expect(len(self.markers) == len(self.tokens), "one fingerprint for each token")
        self.number = 0

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)

    # Lines

    def line(self, number, values=None):
        """Line `number`, with tokens or what `values` puts in their place."""
        if number % 3:
            return b"n=%d %s\n" % (number, FILLERS[number % len(FILLERS)])
        value = (values or self.tokens)[number // 3 % len(self.tokens)]
        return b"n=%d %s\n" % (number, FORMS[number // 3 % len(FORMS)] % value)

    def raw(self, start, end):
        return b"".join(self.line(number) for number in range(start, end))

    def clean(self, start, end):
        return b"".join(self.line(number, self.markers) for number in range(start, end))

    # Places

    def place(self):
        """A fresh folder for one try: `raw` holds what leaks by nature, all else is searched."""
        self.number += 1
        place = self.root / f"try-{self.number}"
        for name in ("raw", "out"):
            (place / name).mkdir(parents=True)
        return place

    def leaks(self, place):
        """How many files that the process wrote hold a piece of a credential."""
        found = subprocess.run(
            ["grep", "-rlaF", "-f", self.pieces, "--exclude-dir=raw", place],
            stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        expect(found.returncode in (0, 1), "the search for leaks ran")
        return len(found.stdout.splitlines())

    def tally(self, output, end, start=0):
        """Compares output, bytes or files, with the lines `start` to `end`, in any order."""
        tally = Tally(records=end - start)
        seen = bytearray(end)
        if isinstance(output, Path):
            output = [output]
        chunks = [output] if isinstance(output, bytes) else (path.read_bytes() for path in output)
        for chunk in chunks:
            for line in chunk.splitlines(keepends=True):
                matched = NUMBER.match(line)
                number = int(matched[1]) if matched else None
                if number is not None and number < end and line == self.line(number, self.markers):
                    if seen[number]:
                        tally.duplicates += 1
                    seen[number] = 1
                elif self.is_torn(line, end):
                    tally.torn += 1
                else:
                    tally.altered += 1
                    tally.first_altered = tally.first_altered or line[:200]
        lost = [number for number in range(start, end) if not seen[number]]
        tally.lost, tally.first_lost = len(lost), lost[:5]
        return tally

    def is_torn(self, line, end):
        """Whether it is what a killed writer leaves: the beginning of a clean line."""
        text = line.rstrip(b"\n")
        matched = NUMBER.match(line)
        if not matched:
            return b"n=".startswith(text[:2]) and text[2:].isdigit() or text in (b"", b"n", b"n=")
        number = int(matched[1])
        return number < end and self.line(number, self.markers).startswith(text)

    # Processes

    def agent(self, place, config, wrapper=(), preexec=None, name="agent", **options):
        """Starts `beartrap run`; `{place}` and `{key}` are filled in."""
        path = place / f"{name}.toml"
        path.write_text(config.replace("{place}", str(place)).replace("{key}", str(self.key)))
        return Process(self, place, [*wrapper, self.binary, "run", "--config", path], name, preexec, **options)

    def filter(self, place, arguments=(), name="filter", **options):
        return Process(self, place, [self.binary, "--key-file", self.key, *arguments], name, None, **options)


@dataclass
class Tally:
    records: int
    lost: int = 0
    duplicates: int = 0
    torn: int = 0
    altered: int = 0
    first_altered: bytes = b""
    first_lost: list = field(default_factory=list)


class Process:
    """A beartrap that runs, with its log in a file and its peak memory remembered."""

    def __init__(self, bench, place, command, name, preexec, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
        environment = dict(os.environ, RUST_BACKTRACE="full")
        command = [str(word) for word in command]
        if bench.trace:
            own = command.index(str(bench.binary))
            command[own + 1 : own + 1] = ["--log-level", "trace"]
        self.log = place / f"{name}.log"
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        self.wrapped = command[0] != str(bench.binary)
        self.peak_kib = 0
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                command, stdin=stdin, stdout=stdout, stderr=log, env=environment, preexec_fn=preexec
            )

    @property
    def stdin(self):
        return self.child.stdin

    @property
    def stdout(self):
        return self.child.stdout

    def pid(self):
        """That of beartrap, also where another program started it."""
        if not self.wrapped:
            return self.child.pid
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()
        expect(children, "the wrapper has a child")
        return int(children[0])

    def look(self):
        """Notes how much memory it took at most up to now."""
        try:
            status = Path(f"/proc/{self.pid()}/status").read_text()
        except (OSError, Failed):
            return
        found = re.search(r"VmHWM:\s*(\d+)", status)
        if found:
            self.peak_kib = max(self.peak_kib, int(found[1]))

    def send(self, number):
        self.look()
        os.kill(self.pid(), number)

    def kill(self):
        self.send(signal.SIGKILL)
        return self.child.wait(PATIENCE)

    def stop(self, number=signal.SIGTERM):
        self.send(number)
        return self.end()

    def end(self, patience=PATIENCE):
        """Waits for its end."""
        deadline = time.monotonic() + patience
        while self.child.poll() is None:
            self.look()
            if time.monotonic() > deadline:
                self.child.kill()
                self.child.wait()
                raise Failed(f"still running after {patience} s")
            time.sleep(0.01)
        return self.child.returncode

    def logged(self, text):
        return text.encode() in self.log.read_bytes()[self.log_start :]

    def alive(self):
        return self.child.poll() is None


class Writer(threading.Thread):
    """Appends lines to a file, at a pace, until it is told to stop."""

    def __init__(self, bench, path, lines_a_step=20, pause=0.005):
        super().__init__(daemon=True)
        self.bench, self.path, self.step, self.pause = bench, path, lines_a_step, pause
        self.next = 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            with self.path.open("ab", buffering=0) as file:
                file.write(self.bench.raw(self.next, self.next + self.step))
            self.next += self.step
            time.sleep(self.pause)

    def stop(self):
        self.ended.set()
        self.join()
        return self.next


def started(bench, place, config, **options):
    """Starts an agent and waits until its signal handlers and sources are there."""
    agent = bench.agent(place, config, **options)

    def look():
        expect(agent.alive(), f"the agent did not start: {agent.log.read_text()[-500:]}")
        return agent.logged("source started")

    wait_for(look, "the start")
    return agent


FILE_TO_FILE = """
data_dir = "{place}/state"
[redact]
key_file = "{key}"
[sources.logs]
type = "file"
include = ["{place}/raw/*.log"]
poll_interval_secs = 0.02
glob_interval_secs = 0.1
checkpoint_interval_secs = 0.1
rotate_wait_secs = 2
[sinks.clean]
type = "file"
inputs = ["logs"]
path = "{place}/out/clean.log"
sync_interval_secs = 0.02
"""


def has_all(bench, path, end):
    """Whether the last lines are in the output: a cheap look before the exact one."""

    def look():
        if not path.exists():
            return False
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - (1 << 20)))
            return f"n={end - 1} ".encode() in file.read()

    return look


def check(bench, place, result, tally, duplicates=False):
    """Adds a tally to the result and holds the invariants C, L and I against it."""
    result.add(tally)
    result.leaked += bench.leaks(place)
    expect(tally.altered == 0, f"{tally.altered} lines were altered, the first: {tally.first_altered!r}")
    expect(tally.lost == 0, f"{tally.lost} of {tally.records} lines are lost, the first: {tally.first_lost}")
    expect(result.leaked == 0, "a piece of a credential leaked")
    if not duplicates:
        expect(tally.duplicates == 0 and tally.torn == 0, f"{tally.duplicates} duplicates, {tally.torn} torn lines")
