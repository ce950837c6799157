"""Crash and restart: numbers 1 to 7."""

import re
import signal
import subprocess
import threading
import time
import zlib
from pathlib import Path

from bench import FILE_TO_FILE, Result, Writer, check, expect, has_all, started, wait_for

ROOT = Path(__file__).parents[2]


def finish(bench, place, result, end, duplicates=True):
    """Lets an agent deliver what is left, stops it in order, and checks all that was written."""
    output = place / "out" / "clean.log"
    agent = started(bench, place, FILE_TO_FILE, name="last")
    wait_for(has_all(bench, output, end), "the last line")
    result.ended(agent, agent.stop())
    expect(agent.child.returncode == 0, f"the last agent ended with {agent.child.returncode}")
    check(bench, place, result, bench.tally(output, end), duplicates)


def killed_at_random(bench, full):
    """kill -9 at random while following a growing file into a file"""
    result, place = Result(), bench.place()
    writer = Writer(bench, place / "raw" / "app.log")
    writer.start()
    for _ in range(500 if full else 40):
        agent = bench.agent(place, FILE_TO_FILE)
        time.sleep(bench.random.uniform(0.02, 0.6))
        agent.kill()
        result.ended(agent, agent.child.returncode)
        result.tries += 1
    finish(bench, place, result, writer.stop())
    expect(result.duplicates + result.torn > 0, "no kill came between writing and the checkpoint: the test does not bite")
    return result


# What the process was through with when it was killed, and the system call (or a pattern of them) that would have come
# next. What is to be redacted is noted by `pwrite`; `openat` makes the temporary file of a checkpoint, `fsync` makes that
# durable, and then its directory.
POINTS = {
    "read": "/^pwrite",
    "redacted": "write",
    "written": "fdatasync",
    "synced, checkpoint begun": "openat",
    "checkpoint synced, or its directory": "fsync",
    "checkpoint renamed": "/^rename",
}


def killed_at_calls(bench, place, result, call, when):
    wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={when}"]
    agent = bench.agent(place, FILE_TO_FILE, wrapper)
    end = time.monotonic() + 3
    while agent.alive() and time.monotonic() < end:
        time.sleep(0.01)
    died = not agent.alive()
    if not died:  # It does not call that so often.
        agent.kill()
    result.tries += 1
    result.codes.add(agent.child.returncode)
    return died


def killed_at_points(bench, full):
    """killed at each named point: after read, redact, write, sync, and around the checkpoint"""
    result, place = Result(), bench.place()
    writer = Writer(bench, place / "raw" / "app.log", pause=0.02)
    writer.start()
    for name, call in POINTS.items():
        died = 0
        for when in range(3, 15 if full else 6):
            died += killed_at_calls(bench, place, result, call, when)
        expect(died > 0, f"no kill at the point: {name}")
    finish(bench, place, result, writer.stop())
    return result


def killed_at_every_call(bench, full):
    """strace injects SIGKILL at the Nth write, fsync, fdatasync, rename, openat"""
    result = Result()
    for call in ["/^p?write", "fsync", "fdatasync", "/^rename", "openat"]:
        for when in range(1, 60 if full else 12, 1 if full else 4):
            place = bench.place()
            end = 600
            (place / "raw" / "app.log").write_bytes(bench.raw(0, end))
            died = killed_at_calls(bench, place, result, call, when)
            finish(bench, place, result, end)
            if not died:
                break
    return result


def damaged_checkpoint(bench, full):
    """checkpoint flipped at each bit, cut at each length, empty, newer"""
    result, place = Result(), bench.place()
    log, output, state = place / "raw" / "app.log", place / "out" / "clean.log", place / "state"
    log.write_bytes(bench.raw(0, 30))
    for end in (30, 60):
        log.write_bytes(bench.raw(0, end))
        agent = bench.agent(place, FILE_TO_FILE)
        wait_for(has_all(bench, output, end), "the first lines")
        result.ended(agent, agent.stop())
    newest, older = state / "logs.checkpoint", state / "logs.checkpoint.1"
    good = [newest.read_bytes(), older.read_bytes()]
    expect(zlib.crc32(good[0][:-4]) == int.from_bytes(good[0][-4:], "little"), "the checkpoint ends with its CRC-32")
    newer = good[0][:8] + b"\xff\0\0\0" + good[0][12:-4]
    newer += zlib.crc32(newer).to_bytes(4, "little")
    variants = [bytes(good[0][:at]) + bytes([good[0][at] ^ (1 << bit)]) + good[0][at + 1 :]
                for at in range(len(good[0])) for bit in range(8)]  # fmt: skip
    variants += [good[0][:length] for length in range(len(good[0]))] + [newer]
    if not full:
        variants = bench.random.sample(variants[:-1], 24) + variants[-1:]
    # Each damaged state, beside a good older one and beside one with the same damage.
    for number, variant in enumerate(variants):
        output.unlink()
        newest.write_bytes(variant)
        older.write_bytes(good[1] if number % 2 else variant)
        agent = bench.agent(place, FILE_TO_FILE)
        # Never skips: what comes after what was delivered is there, and the process neither fails nor starts over.
        more = 60 + number + 1
        with log.open("ab") as file:
            file.write(bench.line(more - 1))
        wait_for(has_all(bench, output, more), f"the fresh line after damage {number}")
        result.ended(agent, agent.stop())
        result.tries += 1
        tally = bench.tally(output, more, start=60 + number)
        check(bench, place, result, tally, duplicates=True)
    return result


def two_agents(bench, full):
    """two agents, one state directory"""
    result, place = Result(), bench.place()
    (place / "raw" / "app.log").write_bytes(bench.raw(0, 100))
    first = bench.agent(place, FILE_TO_FILE, name="first")
    wait_for(has_all(bench, place / "out" / "clean.log", 100), "the first agent's lines")
    for number in range(20 if full else 3):
        second = bench.agent(place, FILE_TO_FILE, name=f"second-{number}")
        started = time.monotonic()
        code = second.end(10)
        expect(code not in (0, 1, 101) and time.monotonic() - started < 5, f"the second agent ended with {code}")
        result.ended(second, code)
        result.tries += 1
    expect(first.stop() == 0, "the first agent is not disturbed")
    result.ended(first, 0)
    check(bench, place, result, bench.tally(place / "out" / "clean.log", 100))
    return result


def engine_fails(bench, full):
    """the engine panics, or leaves a credential: nothing unredacted is written, 70, all there after restarts"""
    result = Result()
    # An engine that fails on demand is compiled into tests only, so this is a part of `cargo test`.
    for name in ("file_source::tests::poison", "agent::tests"):
        tests = subprocess.run(
            ["cargo", "test", "--quiet", "--locked", "--lib", name], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        passed = re.search(rb"ok\. (\d+) passed; 0 failed", tests.stdout)
        expect(tests.returncode == 0 and passed and int(passed[1]) > 0, tests.stdout[-2000:].decode())
        result.tries += int(passed[1])
    return result


STDIN_TO_STDOUT = """
shutdown_grace_secs = 2
[redact]
key_file = "{key}"
[sources.in]
type = "stdin"
[sinks.out]
type = "stdout"
inputs = ["in"]
"""


def stopped_with_full_pipes(bench, full):
    """SIGTERM and SIGINT with full pipes; with a blocked sink"""
    result = Result()
    for number in (signal.SIGTERM, signal.SIGINT):
        for way in ("agent", "filter"):
            for _ in range(10 if full else 2):
                stopped_once(bench, result, number, way)
    for way in ("agent", "filter"):
        place = bench.place()
        process = start(bench, place, way)
        process.stdin.write(b"a line\n")
        process.stdin.flush()
        # Nobody reads, and the pipe is full.
        feeder, written = feed(bench, process, 200_000)
        wait_for(lambda: stalled(written), "a stall")
        process.send(signal.SIGTERM)
        code = process.end(30)
        result.ended(process, code)
        result.tries += 1
        expect(code == 75, f"the {way} with a blocked sink ended with {code}")
        process.stdout.close()
        feeder.join(10)
        result.leaked += bench.leaks(place)
    return result


def start(bench, place, way):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    if way == "agent":
        return bench.agent(place, STDIN_TO_STDOUT, **pipes)
    return bench.filter(place, name="filter", **pipes)


def feed(bench, process, count):
    written = {"lines": 0, "at": time.monotonic()}

    def work():
        try:
            for number in range(0, count, 50):
                process.stdin.write(bench.raw(number, number + 50))
                process.stdin.flush()
                written["lines"], written["at"] = number + 50, time.monotonic()
            process.stdin.close()
        except (BrokenPipeError, ValueError):
            pass

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, written


def stalled(written):
    return time.monotonic() - written["at"] > 0.5


def stopped_once(bench, result, number, way):
    """A service that logs on after the signal, as Ctrl-C reaches the whole pipeline, and ends then."""
    place = bench.place()
    process = start(bench, place, way)
    count = 20_000
    feeder, written = feed(bench, process, count)
    wait_for(lambda: stalled(written), "full pipes")
    process.send(number)
    output = process.stdout.read()
    code = process.end()
    feeder.join(10)
    result.ended(process, code)
    result.tries += 1
    expect(code == 0, f"the {way} ended with {code}")
    check(bench, place, result, bench.tally(output, count))


FAULTS = {
    1: killed_at_random,
    2: killed_at_points,
    3: killed_at_every_call,
    4: damaged_checkpoint,
    5: two_agents,
    6: engine_fails,
    7: stopped_with_full_pipes,
}
