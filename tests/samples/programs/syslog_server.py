"""A syslog receiver on loopback that writes each datagram as a line: `syslog_server.py PORT_FILE`.

It binds port 0, writes the port to PORT_FILE, and ends after the datagram `END`.
"""

import pathlib
import socket
import sys

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("127.0.0.1", 0))
    server.settimeout(60)
    pathlib.Path(sys.argv[1]).write_text(str(server.getsockname()[1]))
    while (datagram := server.recv(65536)) != b"END":
        sys.stdout.buffer.write(datagram + b"\n")
