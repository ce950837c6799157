"""Streams that are cut, endless, binary or many: numbers 20 to 24."""

import os
import re
import resource
import socket
import subprocess
import threading
import time
from collections import Counter

from bench import Failed, Result, check, expect, started, wait_for

SIZES = [1, 4095, 4096, 4097, 65535, 65536, 65537]


def through(bench, pieces, result, pause=0.0, arguments=()):
    """The filter's output for input that comes in these pieces."""
    place = bench.place()
    process = bench.filter(place, arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write():
        for piece in pieces:
            process.stdin.write(piece)
            process.stdin.flush()
            if pause:
                time.sleep(pause)
        process.look()
        process.stdin.close()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    output = process.stdout.read()
    writer.join(10)
    code = process.end()
    result.ended(process, code)
    result.tries += 1
    expect(code == 0, f"the filter ended with {code}")
    result.leaked += bench.leaks(place)
    return output


def every_split(bench, full):
    """every split point; one-byte writes; writes of 4095 to 65537 bytes"""
    result = Result()
    text, expected = bench.raw(0, 13), bench.clean(0, 13)
    cuts = range(1, len(text)) if full else bench.random.sample(range(1, len(text)), 60)
    for at in cuts:
        output = through(bench, [text[:at], text[at:]], result, pause=0.003)
        expect(output == expected, f"cut at {at}: {output!r}")
    for size in SIZES:
        lines = 60 if size == 1 else 6_000
        text, expected = bench.raw(0, lines), bench.clean(0, lines)
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        output = through(bench, pieces, result)
        expect(output == expected, f"pieces of {size} bytes: other output")
        result.records += lines
    return result


def endless(bench, full):
    """1 GB (short: 64 MB) without a newline; base64 without end behind `eyJ`; `Bearer aaaa…`"""
    result = Result()
    quarter = (256 if full else 16) << 20
    kinds = {
        "plain": (b"", b"all is well and nothing ends "),
        "base64": (b"GET /?t=eyJhbGciOiJIUzI1NiJ9.eyJ", b"c3ViIjoidXNlci0xMjM0NTY3ODkwIn"),
        "bearer": (b"Authorization: Bearer ", b"a"),
    }
    for kind, (head, unit) in kinds.items():
        chunk = unit * ((1 << 20) // len(unit))
        seconds = []
        for times in (1, 4):
            place = bench.place()
            process = bench.filter(place, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            count = times * quarter // len(chunk)

            def write():
                process.stdin.write(head)
                for _ in range(count):
                    process.stdin.write(chunk)
                process.look()
                process.stdin.close()

            started_at = time.monotonic()
            threading.Thread(target=write, daemon=True).start()
            size, last = 0, b""
            while piece := os.read(process.stdout.fileno(), 1 << 20):
                size += len(piece)
                last = (last + piece)[-200:]
            code = process.end()
            seconds.append(time.monotonic() - started_at)
            result.ended(process, code)
            result.tries += 1
            expect(code == 0, f"{kind}: ended with {code}")
            if kind == "plain":
                expect(size == len(head) + count * len(chunk), f"{kind}: {size} bytes")
            else:
                expect(size < 1000 and b"redacted-" in last, f"{kind}: {size} bytes, {last!r}")
            expect(process.peak_kib < 16 << 10, f"{kind}: {process.peak_kib} KiB of memory")
        # Four times as much may take four times as long; the rest is for a noisy machine.
        expect(seconds[1] < 8 * seconds[0] + 1, f"{kind}: {seconds} s for one and four parts")
    return result


def binary(bench, full):
    """NUL, invalid UTF-8, UTF-16, lone \\r, BOM, terminal escapes: nothing else is touched"""
    result = Result()
    token, marker = bench.tokens[0], bench.markers[0]
    around = {
        "NUL": (b"\0\0a=1\0", b"\0b\0\n\0"),
        "invalid UTF-8": (b"\xff\xfe\x80 \xc3", b"\xe2\x82 \xf0\x9f\n\xc3\x28"),
        "lone carriage returns": (b"one\rtwo\r", b"\rthree\r\n\r"),
        "BOM": (b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"),
        "escapes": (b"\x1b[31mred\x1b[0m \x1b]0;title\x07", b"\x1b[2K\n\x1b[?25h"),
        "no newline at the end": (b"x", b"y"),
    }
    for name, (before, after) in around.items():
        for form in (b" Authorization: Bearer %s ", b"?access_token=%s&", b' {"token":"%s"} '):
            text, expected = (before + form % value + after for value in (token, marker))
            output = through(bench, [text], result)
            expect(output == expected, f"{name}: {output!r} for {text!r}")
    text = "plain words, nothing else\r\nΣ 🐻\n".encode("utf-16")
    expect(through(bench, [text], result) == text, "UTF-16 without a credential")
    for order in ("utf-16-le", "utf-16-be"):
        output = through(bench, [("Authorization: Bearer " + token.decode() + "\n").encode(order)], result)
        expect(token not in output.replace(b"\0", b""), f"{order}: the token is there")
    noise = os.urandom((64 if full else 4) << 20)
    expect(through(bench, [noise], result) == noise, "random bytes")
    return result


TCP_TO_FILE = """
data_dir = "{place}/state"
shutdown_grace_secs = 5
[redact]
key_file = "{key}"
[sources.net]
type = "tcp"
address = "127.0.0.1:0"
max_connections = MAX
max_connections_per_peer = MAX
[sinks.clean]
type = "file"
inputs = ["net"]
path = "{place}/out/clean.log"
sync_interval_secs = 0.05
"""


def port_of(agent):
    """The one that the system chose, from the log."""
    found = re.search(rb"address=127\.0\.0\.1:(\d+)", agent.log.read_bytes()[agent.log_start :])
    if not found:
        raise Failed("the log does not say where it listens")
    return int(found[1])


def rate(bench, port, lines, seconds):
    """Sends the same lines over and over, and gives how often, and lines a second."""
    raw, times, begun = bench.raw(0, lines), 0, time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as sender:
        while time.monotonic() - begun < seconds:
            sender.sendall(raw)
            times += 1
    return times, times * lines / (time.monotonic() - begun)


def crowd(bench, full):
    """5,000 idle connections, a byte now and then, no descriptors left: a sender keeps 80 % of its rate"""
    result, place = Result(), bench.place()
    count, seconds = (5_000 if full else 500), (10 if full else 2)
    limit = count + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    agent = started(bench, place, TCP_TO_FILE.replace("MAX", str(limit)))
    port, lines = port_of(agent), 3_000
    warm_up, _ = rate(bench, port, lines, 1)
    times_alone, alone = rate(bench, port, lines, seconds)
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    ended = threading.Event()

    def drip():
        while not ended.wait(10 if full else 0.5):
            for peer in idle:
                peer.sendall(b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    times_among, among = rate(bench, port, lines, seconds)
    ended.set()
    dripping.join()
    for peer in idle:
        peer.close()
    agent.look()
    code = agent.stop()
    result.ended(agent, code)
    result.tries += 1
    kept = among / alone
    result.note = f"{kept:.0%} of the rate with {count} idle connections"
    # The sender and the agent share the cores with whatever else runs: a short run only finds a standstill.
    expect(kept > (0.8 if full else 0.4), f"{among:.0f} lines a second of {alone:.0f}")
    # The bytes of the idle ones are lines of their own.
    output = Counter((place / "out" / "clean.log").read_bytes().splitlines(keepends=True))
    times = warm_up + times_alone + times_among
    for line in bench.clean(0, lines).splitlines(keepends=True):
        expect(output[line] == times, f"{output[line]} of {times} times: {line!r}")
    expect(all(not line.strip(b"x\n") for line in output if not line.startswith(b"n=")), "only bytes of the idle ones")
    result.records += lines * times
    result.leaked += bench.leaks(place)

    place = bench.place()

    def few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

    agent = started(bench, place, TCP_TO_FILE.replace("MAX", "1000"), preexec=few_descriptors)
    port = port_of(agent)
    before = socket.create_connection(("127.0.0.1", port))
    before.sendall(bench.raw(0, 100))
    wait_for(lambda: b"n=99 " in (place / "out" / "clean.log").read_bytes(), "the first lines")
    waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
    time.sleep(1)
    spent = cpu_seconds(agent)
    before.sendall(bench.raw(100, 5_000))
    wait_for(lambda: b"n=4999 " in (place / "out" / "clean.log").read_bytes(), "lines without free descriptors")
    time.sleep(2)
    expect(cpu_seconds(agent) - spent < 1.5, "it waits for descriptors instead of spinning")
    for peer in waiting:
        peer.close()
    with socket.create_connection(("127.0.0.1", port)) as fresh:
        fresh.sendall(bench.raw(5_000, 5_100))
        wait_for(lambda: b"n=5099 " in (place / "out" / "clean.log").read_bytes(), "a fresh connection afterwards")
    before.close()
    code = agent.stop()
    result.ended(agent, code)
    result.tries += 1
    check(bench, place, result, bench.tally(place / "out" / "clean.log", 5_100))
    return result


def cpu_seconds(agent):
    fields = open(f"/proc/{agent.pid()}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


FAULTS = {
    20: every_split,
    21: endless,
    22: binary,
    23: crowd,
}
