"""Faults in random order, for as long as one likes: files to a disk and to a collector, round after round."""

import os
import signal
import time

from bench import Result, Writer, check, expect, has_all, started, wait_for
from output import Collector, Tmpfs, lines_of

ROUND_SECONDS = 50
CONFIG = """
data_dir = "{place}/state"
shutdown_grace_secs = 3
[redact]
key_file = "{key}"
[sources.logs]
type = "file"
include = ["{place}/raw/*.log"]
poll_interval_secs = 0.05
glob_interval_secs = 0.1
checkpoint_interval_secs = 0.1
rotate_wait_secs = 2
[sinks.disk]
type = "file"
inputs = ["logs"]
path = "{place}/out/clean.log"
sync_interval_secs = 0.02
[sinks.collector]
type = "tcp"
inputs = ["logs"]
address = "127.0.0.1:PORT"
reconnect_max_secs = 0.3
"""


class Round:
    """What one round consists of; each method that is no helper is a fault."""

    def __init__(self, bench, place, disk, result):
        self.bench, self.place, self.disk, self.result = bench, place, disk, result
        self.random = bench.random
        self.log = place / "raw" / "app.log"
        self.collector = Collector()
        self.port, self.reads = self.collector.port, []
        self.config = CONFIG.replace("PORT", str(self.port))
        self.agent = started(bench, place, self.config)
        self.rotations = 0

    def pause(self, most):
        time.sleep(self.random.uniform(0, most))

    def kill_agent(self):
        self.agent.kill()
        self.result.ended(self.agent, self.agent.child.returncode)
        self.pause(0.5)
        self.agent = started(self.bench, self.place, self.config)

    def stop_agent(self):
        code = self.agent.stop()
        self.result.ended(self.agent, code)
        # With a collector that is away just now the grace time may be over before all is delivered.
        expect(code in (0, 75), f"the agent ended with {code}")
        self.pause(0.5)
        self.agent = started(self.bench, self.place, self.config)

    def freeze_agent(self):
        self.agent.send(signal.SIGSTOP)
        self.pause(1)
        self.agent.send(signal.SIGCONT)

    def rotate_input(self):
        self.rotations += 1
        wait_for(self.log.exists, "the writer's next line")
        os.rename(self.log, self.log.with_name(f"app-{self.rotations}.log"))

    def rotate_output(self):
        output = self.place / "out" / "clean.log"
        if output.exists():
            os.rename(output, output.with_name(f"clean.{time.monotonic_ns()}"))
        if self.random.random() < 0.5:
            self.agent.send(signal.SIGHUP)

    def fill_disk(self):
        self.disk.fill()
        self.pause(2)
        self.disk.make_space()

    def reset_connections(self):
        self.collector.reset()

    def half_close(self):
        self.collector.half_close()

    def restart_collector(self):
        self.collector.die()
        self.reads += self.collector.read
        self.pause(1)
        self.collector = Collector(self.port)

    def freeze_collector(self):
        self.collector.reading.clear()
        self.pause(2)
        self.collector.reading.set()

    def damage_checkpoint(self):
        path = self.place / "state" / "logs.checkpoint"
        self.agent.kill()
        # Killed between two renames there is only the older generation.
        if path.exists():
            damaged = bytearray(path.read_bytes())
            damaged[self.random.randrange(len(damaged))] ^= 1 << self.random.randrange(8)
            path.write_bytes(damaged)
        self.agent = started(self.bench, self.place, self.config)


def soak(bench, seconds):
    """shuffled faults"""
    result, deadline = Result(), time.monotonic() + seconds
    faults = [name for name in vars(Round) if not name.startswith("_") and name != "pause"]
    counts = dict.fromkeys(faults, 0)
    while time.monotonic() < deadline:
        place = bench.place()
        with Tmpfs(place / "out", "64m") as disk:
            round_ = Round(bench, place, disk, result)
            writer = Writer(bench, round_.log, lines_a_step=5, pause=0.01)
            writer.start()
            end_of_round = min(deadline, time.monotonic() + ROUND_SECONDS)
            while time.monotonic() < end_of_round:
                name = bench.random.choice(faults)
                getattr(round_, name)()
                counts[name] += 1
                result.tries += 1
                round_.pause(0.8)
            end = writer.stop()
            wait_for(has_all(bench, place / "out" / "clean.log", end), "the last line on the disk")
            wait_for(lambda: round_.collector.has(end), "the last line at the collector")
            code = round_.agent.stop()
            result.ended(round_.agent, code)
            expect(code == 0, f"the agent ended with {code}")
            on_disk = lines_of([path.read_bytes() for path in (place / "out").iterdir()])
            check(bench, place, result, bench.tally(on_disk, end), duplicates=True)
            text = lines_of(round_.reads + round_.collector.read)
            round_.collector.die()
            check(bench, place, result, bench.tally(text, end), duplicates=True)
    result.note = ", ".join(f"{count} × {name.replace('_', ' ')}" for name, count in counts.items())
    return result
