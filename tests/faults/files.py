"""Files that are rotated, truncated, replaced, refused and many: numbers 8 to 13."""

import gzip
import os
import resource
import shutil
import socket
import time

from bench import FILE_TO_FILE, Result, Writer, check, expect, has_all, started, wait_for


def stop(agent, result):
    code = agent.stop()
    result.ended(agent, code)
    expect(code == 0, f"the agent ended with {code}")


def renamed(bench, full):
    """rename rotation every 10 ms; double rotation; while stopped; rename + gzip + delete"""
    result, place = Result(), bench.place()
    log, output = place / "raw" / "app.log", place / "out" / "clean.log"
    agent, end = started(bench, place, FILE_TO_FILE), 0
    for turn in range(500 if full else 100):
        log.write_bytes(bench.raw(end, end + 5))
        end += 5
        time.sleep(0.01)
        # A file that comes and goes between two looks at the folder is seen by nobody; the globs are looked at ten times
        # a second, so the renamed file stays in reach of them.
        os.rename(log, log.with_name(f"app-{turn}.log"))
        result.tries += 1
    wait_for(has_all(bench, output, end), "the last rotation")

    log.write_bytes(bench.raw(end, end + 100))
    wait_for(has_all(bench, output, end + 100), "the file before the double rotation")
    os.rename(log, log.with_name("app.log.1"))
    with log.with_name("app.log.1").open("ab") as late:
        late.write(bench.raw(end + 100, end + 120))
    os.rename(log.with_name("app.log.1"), log.with_name("app.log.2"))
    log.write_bytes(bench.raw(end + 120, end + 140))
    end += 140
    wait_for(has_all(bench, output, end), "the double rotation")
    stop(agent, result)

    # Written, rotated, compressed and deleted while nobody looks: what was compressed before it was read is gone for a
    # follower of plain files, so this rotation leaves the last one plain, as logrotate's delaycompress does.
    with log.open("ab") as file:
        file.write(bench.raw(end, end + 50))
    os.rename(log, log.with_name("app.log.1"))
    log.write_bytes(bench.raw(end + 50, end + 60))
    end += 60
    agent = started(bench, place, FILE_TO_FILE)
    wait_for(has_all(bench, output, end), "the rotation while stopped")
    rotated = log.with_name("app.log.1")
    wait_for(lambda: f"n={end - 11} ".encode() in output.read_bytes(), "the rotated file")
    with gzip.open(log.with_name("app.log.1.gz"), "wb") as packed:
        packed.write(rotated.read_bytes())
    rotated.unlink()
    with log.open("ab") as file:
        file.write(bench.raw(end, end + 10))
    end += 10
    wait_for(has_all(bench, output, end), "the lines after the compression")
    time.sleep(0.5)
    stop(agent, result)
    check(bench, place, result, bench.tally(output, end))
    return result


def copied_and_truncated(bench, full):
    """copytruncate: counted, holes skipped; truncated and regrown while stopped"""
    result, place = Result(), bench.place()
    log, output = place / "raw" / "app.log", place / "out" / "clean.log"
    agent, end, turns = started(bench, place, FILE_TO_FILE), 0, 100 if full else 15
    for turn in range(turns):
        # A writer without O_APPEND goes on at its old offset and leaves a hole of NUL bytes before it.
        with open(log, "ab" if turn % 2 else "r+b" if log.exists() else "wb") as file:
            offset = 4096 if turn % 2 == 0 and turn else 0
            file.seek(offset)
            file.write(bench.raw(end, end + 7))
        end += 7
        wait_for(has_all(bench, output, end), f"the lines before truncation {turn}")
        shutil.copy(log, place / "raw" / "copy")
        os.truncate(log, 0)
        # What grows past the old end between two looks and ends alike can't be told from growth: give it a look.
        wait_for(lambda: agent.log.read_bytes().count(b"truncated") > turn, f"truncation {turn} is noticed", 20)
        result.tries += 1
    log.write_bytes(bench.raw(end, end + 100))
    wait_for(has_all(bench, output, end + 100), "the lines before the stop")
    stop(agent, result)
    os.truncate(log, 0)
    # Longer than before, and all of it new.
    with log.open("ab") as file:
        file.write(bench.raw(end + 100, end + 400))
    end += 400
    agent = started(bench, place, FILE_TO_FILE)
    wait_for(has_all(bench, output, end), "the regrown file")
    stop(agent, result)
    check(bench, place, result, bench.tally(output, end))
    return result


def reused(bench, full):
    """inode reused at once; same inode and first KiB; two files with one head"""
    result, place = Result(), bench.place()
    log, output = place / "raw" / "app.log", place / "out" / "clean.log"
    agent, end, reuses = started(bench, place, FILE_TO_FILE), 0, 0
    for _ in range(200 if full else 30):
        log.write_bytes(bench.raw(end, end + 3))
        end += 3
        wait_for(has_all(bench, output, end), "the lines of a new file")
        inode = log.stat().st_ino
        log.unlink()
        log.touch()
        reuses += log.stat().st_ino == inode
        result.tries += 1
    stop(agent, result)
    # While the agent holds a file open its inode can't be had again; while it is away it can.
    for _ in range(20 if full else 5):
        inode = log.stat().st_ino
        log.unlink()
        log.write_bytes(bench.raw(end, end + 30))
        end += 30
        reuses += log.stat().st_ino == inode
        agent = started(bench, place, FILE_TO_FILE)
        wait_for(has_all(bench, output, end), "the lines of a new file with an old inode")
        stop(agent, result)
        result.tries += 1
    check(bench, place, result, bench.tally(output, end))
    result.note = f"{reuses} inodes reused"

    place = bench.place()
    output, head = place / "out" / "clean.log", b"# the same banner in each file\n" * 40
    for name, start in (("one", 0), ("two", 50)):
        (place / "raw" / f"{name}.log").write_bytes(head + bench.raw(start, start + 50))
    for _ in range(2):
        agent = started(bench, place, FILE_TO_FILE)
        wait_for(lambda: all(f"n={number} ".encode() in output.read_bytes() for number in (49, 99)), "both files")
        stop(agent, result)
    text = output.read_bytes()
    expect(text.count(b"banner") == 80, "the heads of both files, once each")
    # Same inode, same first KiB, other rest, while the agent is away.
    one = place / "raw" / "one.log"
    with one.open("r+b") as file:
        file.write(head + bench.raw(100, 160))
        file.truncate()
    agent = started(bench, place, FILE_TO_FILE)
    wait_for(has_all(bench, output, 160), "the replaced rest")
    stop(agent, result)
    bare = output.read_bytes().replace(b"# the same banner in each file\n", b"")
    check(bench, place, result, bench.tally(bare, 160))
    return result


def byte_by_byte(bench, full):
    """growth byte by byte with restarts between; half a token across a restart; no last newline"""
    result, place = Result(), bench.place()
    log, output = place / "raw" / "app.log", place / "out" / "clean.log"
    text = bench.raw(0, 13).removesuffix(b"\n")
    agent, cuts = None, set(bench.random.sample(range(len(text)), 120 if full else 20))
    for at in range(len(text)):
        if agent is None:
            agent = started(bench, place, FILE_TO_FILE)
        with log.open("ab") as file:
            file.write(text[at : at + 1])
        if at in cuts:
            stop(agent, result)
            agent = None
            result.tries += 1
        else:
            time.sleep(0.001)
    agent = agent or started(bench, place, FILE_TO_FILE)
    # A line without its end waits for it while the file is there, and leaves when the file has gone.
    os.rename(log, place / "raw" / "rotated")
    wait_for(lambda: b"n=12 " in output.read_bytes(), "the last line without its newline")
    stop(agent, result)
    check(bench, place, result, bench.tally(output, 13))
    return result


def refused(bench, full):
    """symlink, hard link, FIFO, directory, socket, unreadable file in the glob; directory moved away and back"""
    result, place = Result(), bench.place()
    raw, output = place / "raw", place / "out" / "clean.log"
    secret = place / "raw" / "elsewhere"
    secret.write_bytes(bench.raw(500, 510))
    (raw / "link.log").symlink_to(secret)
    os.mkfifo(raw / "pipe.log")
    (raw / "folder.log").mkdir()
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(raw / "socket.log"))
    (raw / "one.log").write_bytes(bench.raw(0, 10))
    os.link(raw / "one.log", raw / "hard.log")
    shut = raw / "shut.log"
    shut.write_bytes(bench.raw(10, 20))
    shut.chmod(0)
    # As root nothing is unreadable; the agent runs as somebody else.
    user = 65534
    for path in (place, place / "out", bench.key, bench.root):
        os.chown(path, user, user)

    def drop():
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)

    agent = started(bench, place, FILE_TO_FILE, preexec=drop)
    wait_for(lambda: output.exists() and b"n=9 " in output.read_bytes(), "the readable file")
    time.sleep(0.5)
    expect(b"n=1" not in output.read_bytes().replace(b"n=1 ", b""), "the unreadable file stays unread")
    os.chown(shut, user, user)
    shut.chmod(0o600)
    wait_for(lambda: b"n=19 " in output.read_bytes(), "the file that became readable")
    os.rename(raw, place / "raw-away")
    time.sleep(0.5)
    os.rename(place / "raw-away", raw)
    (raw / "two.log").write_bytes(bench.raw(20, 30))
    wait_for(has_all(bench, output, 30), "a fresh line afterwards")
    stop(agent, result)
    os.chown(bench.key, 0, 0)
    result.tries = 8
    check(bench, place, result, bench.tally(output, 30))
    return result


def many(bench, full):
    """10,000 files with 256 descriptors; EIO, EINTR and short reads"""
    result, place = Result(), bench.place()
    output, count = place / "out" / "clean.log", 10_000 if full else 2_000
    for number in range(count):
        (place / "raw" / f"{number}.log").write_bytes(bench.line(number))

    def few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    agent = started(bench, place, FILE_TO_FILE, preexec=few_descriptors)
    wait_for(lambda: output.read_bytes().count(b"\n") >= count, "the first line of each file")
    for number in range(count):
        with (place / "raw" / f"{number}.log").open("ab") as file:
            file.write(bench.line(count + number))
    # Fair: one that grows all the time takes nothing from the others.
    writer = Writer(bench, place / "raw" / "busy.log")
    writer.next = 2 * count
    writer.start()
    wait_for(lambda: quick_count(output) >= 2 * count, "the second line of each file")
    end = writer.stop()
    wait_for(has_all(bench, output, end), "the busy file")
    stop(agent, result)
    result.tries = count
    check(bench, place, result, bench.tally(output, end))

    for fault in ("pread64:error=EIO:when=5+7", "pread64:error=EINTR:when=5+3"):
        place = bench.place()
        output, end = place / "out" / "clean.log", 2_000
        (place / "raw" / "app.log").write_bytes(bench.raw(0, end))
        wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={fault.split(':')[0]}", "-e", f"inject={fault}"]
        agent = started(bench, place, FILE_TO_FILE, wrapper=wrapper)
        wait_for(has_all(bench, output, end), f"the last line with {fault}")
        stop(agent, result)
        result.tries += 1
        check(bench, place, result, bench.tally(output, end))
    return result


def quick_count(path):
    return path.read_bytes().count(b"\n")


FAULTS = {
    8: renamed,
    9: copied_and_truncated,
    10: reused,
    11: byte_by_byte,
    12: refused,
    13: many,
}
