"""Outputs that are full, slow, broken, gone or moved away: numbers 14 to 17 and 19."""

import hashlib
import os
import signal
import socket
import struct
import subprocess
import threading
import time

from bench import FILE_TO_FILE, Result, check, expect, has_all, started, wait_for

SO_LINGER_RESET = struct.pack("ii", 1, 0)


class Tmpfs:
    """A small file system."""

    def __init__(self, path, size):
        self.path, self.size = path, size

    def __enter__(self):
        self.path.mkdir(exist_ok=True, mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.size},mode=0700", "tmpfs", self.path], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)

    def fill(self):
        with (self.path / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(1 << 16))
            except OSError:
                pass

    def make_space(self):
        (self.path / "filler").unlink()


def disk_full(bench, full):
    """disk full for the output, then for the checkpoints; then space"""
    result = Result()
    for full_one in ("out", "state"):
        for _ in range(5 if full else 1):
            place = bench.place()
            log, output, end = place / "raw" / "app.log", place / "out" / "clean.log", 4_000
            with Tmpfs(place / full_one, "2m") as disk:
                agent = started(bench, place, FILE_TO_FILE)
                log.write_bytes(bench.raw(0, 100))
                wait_for(has_all(bench, output, 100), "the lines before")
                disk.fill()
                with log.open("ab") as file:
                    file.write(bench.raw(100, end))
                said = "waiting for space" if full_one == "out" else "checkpoint can't be written"
                wait_for(lambda: agent.logged(said), f"the log says: {said}")
                time.sleep(1)
                expect(agent.alive(), "a full disk ends nothing")
                disk.make_space()
                wait_for(has_all(bench, output, end), "the lines after there is space")
                code = agent.stop()
                result.ended(agent, code)
                expect(code == 0, f"the agent ended with {code}")
                check(bench, place, result, bench.tally(output, end))
            result.tries += 1
    return result


def sync_fails(bench, full):
    """fdatasync fails once: no second try, the checkpoint stays, all is there after a restart"""
    result = Result()
    for when in range(1, 12 if full else 3):
        place = bench.place()
        log, output, end = place / "raw" / "app.log", place / "out" / "clean.log", 200
        wrapper = ["strace", "-f", "-qq", "-o", place / "calls", "-e", "trace=fdatasync",
                   "-e", f"inject=fdatasync:error=EIO:when={when}"]  # fmt: skip
        agent = bench.agent(place, FILE_TO_FILE, wrapper)
        while agent.alive() and end < 20_000:
            with log.open("ab") as file:
                file.write(bench.raw(end - 200, end))
            end += 200
            time.sleep(0.05)
        end -= 200
        code = agent.end()
        result.ended(agent, code)
        expect(code == 74, f"the agent ended with {code}")
        calls = [line for line in (place / "calls").read_text().splitlines() if "fdatasync(" in line]
        failed = [number for number, line in enumerate(calls) if "INJECTED" in line]
        expect(failed == [len(calls) - 1], f"nothing is synced after the failure: {calls}")
        agent = started(bench, place, FILE_TO_FILE)
        wait_for(has_all(bench, output, end), "the last line")
        code = agent.stop()
        result.ended(agent, code)
        check(bench, place, result, bench.tally(output, end), duplicates=True)
        result.tries += 1
    return result


def slow_reader(bench, full):
    """reader at 1 KB/s against 1 GB (short: 64 MB); reader gone (`| head -1`)"""
    result, place = Result(), bench.place()
    lines = 3_000
    raw, clean = bench.raw(0, lines), bench.clean(0, lines)
    times = ((1 << 30) if full else (64 << 20)) // len(raw)
    process = bench.filter(place, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write():
        for _ in range(times):
            process.stdin.write(raw)
        process.stdin.close()

    threading.Thread(target=write, daemon=True).start()
    got, expected = hashlib.sha256(), hashlib.sha256(clean * 1)
    for _ in range(times - 1):
        expected.update(clean)
    size = 0
    for _ in range(60 if full else 5):
        chunk = os.read(process.stdout.fileno(), 1024)
        got.update(chunk)
        size += len(chunk)
        process.look()
        time.sleep(1)
    while chunk := os.read(process.stdout.fileno(), 1 << 20):
        got.update(chunk)
        size += len(chunk)
    code = process.end()
    result.ended(process, code)
    result.tries, result.records = 1, times * lines
    expect(code == 0 and size == times * len(clean), f"{size} bytes of {times * len(clean)}, code {code}")
    expect(got.digest() == expected.digest(), "the output is the clean input")
    expect(process.peak_kib < 16 << 10, f"{process.peak_kib} KiB of memory")

    for _ in range(50 if full else 5):
        place = bench.place()
        process = bench.filter(place, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            for _ in range(20):
                process.stdin.write(raw)
                if not process.stdout.closed:
                    expect(process.stdout.readline() == bench.clean(0, 1), "the first line")
                    process.stdout.close()
        except BrokenPipeError:
            pass
        code = process.end()
        result.ended(process, code)
        expect(code == 0 and not process.log.read_bytes(), f"code {code}, {process.log.read_bytes()!r}")
        result.leaked += bench.leaks(place)
        result.tries += 1
    return result


class Collector:
    """A TCP peer that can be taken away, and remembers what it has read, connection by connection."""

    def __init__(self, port=0):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.read, self.sockets = [], []
        self.reading = threading.Event()
        self.reading.set()
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.sockets.append(peer)
                self.read.append(bytearray())
            threading.Thread(target=self.serve, args=(peer, self.read[-1]), daemon=True).start()

    def serve(self, peer, read):
        while True:
            self.reading.wait()
            try:
                chunk = peer.recv(1 << 16)
            except OSError:
                return
            if not chunk:
                peer.close()
                return
            read += chunk

    def has(self, end):
        last = f"n={end - 1} ".encode()
        return any(last in read[-(1 << 20) :] for read in self.read)

    def total(self):
        return sum(len(read) for read in self.read)

    def reset(self):
        """As a process that dies with unread bytes."""
        for peer in self.sockets:
            try:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, SO_LINGER_RESET)
                peer.close()
            except OSError:
                pass
        self.sockets = []

    def half_close(self):
        for peer in self.sockets:
            try:
                peer.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def die(self):
        # `accept` in the other thread holds the listener open until it returns.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.reset()


FILE_TO_TCP = """
data_dir = "{place}/state"
[redact]
key_file = "{key}"
[sources.logs]
type = "file"
include = ["{place}/raw/*.log"]
poll_interval_secs = 0.02
glob_interval_secs = 0.1
checkpoint_interval_secs = 0.1
[sinks.collector]
type = "tcp"
inputs = ["logs"]
address = "127.0.0.1:PORT"
reconnect_max_secs = 0.2
"""


def lines_of(reads):
    """What all connections brought; what the end of one cut is a torn line."""
    return b"".join(bytes(read) if read.endswith(b"\n") or not read else bytes(read) + b"\n" for read in reads)


def peer_fails(bench, full):
    """TCP peer resets, half-closes, dies and comes back, stops reading"""
    result, place = Result(), bench.place()
    log, end = place / "raw" / "app.log", 0
    collector = Collector()
    port, reads = collector.port, []
    config = FILE_TO_TCP.replace("PORT", str(port))
    agent = started(bench, place, config)
    for turn in range(200 if full else 24):
        with log.open("ab") as file:
            file.write(bench.raw(end, end + 400))
        end += 400
        time.sleep(bench.random.uniform(0, 0.05))
        match turn % 4:
            case 0:
                collector.reset()
            case 1:
                collector.half_close()
            case 2:
                collector.die()
                reads += collector.read
                time.sleep(bench.random.uniform(0, 0.3))
                collector = Collector(port)
            case 3:
                # Its kernel takes what fits, and then it dies without having read it.
                collector.reading.clear()
                time.sleep(0.05)
                collector.reset()
                collector.reading.set()
        result.tries += 1
    # It never reads: everything stands still, nothing is dropped, and then it reads again.
    collector.reading.clear()
    with log.open("ab") as file:
        for _ in range(20):
            file.write(bench.raw(end, end + 5_000))
            end += 5_000
    time.sleep(2)
    stands = collector.total()
    time.sleep(1)
    expect(collector.total() == stands and agent.alive(), "a peer that never reads gets no more")
    collector.reading.set()
    wait_for(lambda: collector.has(end), "the last line")
    code = agent.stop()
    result.ended(agent, code)
    expect(code == 0, f"the agent ended with {code}")
    text = lines_of(reads + collector.read)
    collector.die()
    check(bench, place, result, bench.tally(text, end), duplicates=True)
    if full:
        peer_goes_dark(bench, result)
    return result


# Writes what each connection brings into a file of its own.
PEER = """
import socket, sys, threading
def read(peer, path):
    with open(path, "ab", 0) as file:
        try:
            while chunk := peer.recv(65536):
                file.write(chunk)
        except ConnectionResetError:
            pass
with socket.create_server(("10.231.7.2", 5170)) as listener:
    number = 0
    while True:
        peer, _ = listener.accept()
        number += 1
        threading.Thread(target=read, args=(peer, f"{sys.argv[1]}/received-{number}")).start()
"""


def peer_goes_dark(bench, result):
    """The link to the peer's network goes down for longer than the user timeout, and comes up again."""
    space, near, far = f"bt{os.getpid()}", f"btn{os.getpid()}"[:15], f"btf{os.getpid()}"[:15]

    def ip(*words):
        subprocess.run(["ip", *words], check=True)

    place, end = bench.place(), 4_000
    received = place / "out" / "received-1"
    ip("netns", "add", space)
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", space)
        ip("addr", "add", "10.231.7.1/30", "dev", near)
        ip("link", "set", near, "up")
        for words in (("addr", "add", "10.231.7.2/30", "dev", far), ("link", "set", far, "up")):
            ip("-n", space, *words)
        peer = subprocess.Popen(["ip", "netns", "exec", space, "python3", "-c", PEER, place / "out"])
        try:
            config = FILE_TO_TCP.replace("127.0.0.1:PORT", "10.231.7.2:5170")
            log = place / "raw" / "app.log"
            log.write_bytes(bench.raw(0, 1_000))
            agent = started(bench, place, config)
            wait_for(has_all(bench, received, 1_000), "the lines before the dark")
            ip("-n", space, "link", "set", far, "down")
            with log.open("ab") as file:
                file.write(bench.raw(1_000, 2_000))
            wait_for(lambda: agent.logged("connection lost"), "the connection is given up", 180)
            ip("-n", space, "link", "set", far, "up")
            with log.open("ab") as file:
                file.write(bench.raw(2_000, end))
            files = (place / "out").iterdir
            wait_for(lambda: any(has_all(bench, path, end)() for path in files()), "the last line")
            code = agent.stop()
            result.ended(agent, code)
            result.tries += 1
            text = lines_of([path.read_bytes() for path in files()])
            check(bench, place, result, bench.tally(text, end), duplicates=True)
        finally:
            peer.kill()
    finally:
        ip("netns", "del", space)


def output_moved(bench, full):
    """output rotated by another program: SIGHUP, or unlinked, or only renamed"""
    result, place = Result(), bench.place()
    log, output, end = place / "raw" / "app.log", place / "out" / "clean.log", 0
    agent = started(bench, place, FILE_TO_FILE)
    for turn in range(30 if full else 6):
        with log.open("ab") as file:
            file.write(bench.raw(end, end + 50))
        end += 50
        wait_for(has_all(bench, output, end), "the lines before the rotation")
        kept = output.with_name(f"clean.{turn}")
        if turn % 3 == 1:
            os.link(output, kept)
            output.unlink()
        else:
            os.rename(output, kept)
        if turn % 3 == 0:
            agent.send(signal.SIGHUP)
        wait_for(output.exists, "the new file", 10)
        result.tries += 1
    code = agent.stop()
    result.ended(agent, code)
    expect(code == 0, f"the agent ended with {code}")
    check(bench, place, result, bench.tally(lines_of([path.read_bytes() for path in (place / "out").iterdir()]), end))
    return result


FAULTS = {
    14: disk_full,
    15: sync_fails,
    16: slow_reader,
    17: peer_fails,
    19: output_moved,
}
