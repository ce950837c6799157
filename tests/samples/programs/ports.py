"""Print COUNT free loopback ports: `ports.py COUNT`. For servers that cannot bind port 0 and say which."""

import socket
import sys

# All are held until all are chosen, so that no two are the same.
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in held))
