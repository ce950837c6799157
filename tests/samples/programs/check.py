"""Refuse samples that grow too large or name the machine they were made on: `check.py OUT NAME...`.

Each NAME is a host or a folder that no log may hold.
"""

import pathlib
import re
import sys

FILE_BYTES_MAX = 40 * 1024
ALL_BYTES_MAX = 400 * 1024

out, names = pathlib.Path(sys.argv[1]), [n.encode() for n in sys.argv[2:]]
# Homes and other temporary folders; /home/ada is the one that the scrubbing puts in.
private = re.compile(rb"/root\b|/home/(?!ada\b)\w|/tmp/(?!beartrap-samples)\w")
total = 0
faults = []
for log in sorted(out.rglob("*.*")):
    text = log.read_bytes()
    total += len(text) if log.suffix == ".log" else 0
    if len(text) > FILE_BYTES_MAX:
        faults.append(f"{log.name}: {len(text)} bytes, more than {FILE_BYTES_MAX}")
    if log.suffix == ".log":
        for name in names:
            if re.search(rb"(?<!\w)" + re.escape(name) + rb"(?!\w)", text):
                faults.append(f"{log.name}: holds the name {name.decode()}")
        if match := private.search(text):
            faults.append(f"{log.name}: holds {match[0].decode()} at byte {match.start()}")
if total > ALL_BYTES_MAX:
    faults.append(f"all logs: {total} bytes, more than {ALL_BYTES_MAX}")
print(f"{total} bytes of logs", *faults, sep="\n", file=sys.stderr)
sys.exit(bool(faults))
