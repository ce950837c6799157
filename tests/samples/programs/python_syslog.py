"""Log over syslog as Python services do: `python_syslog.py CREDENTIALS PORT`."""

import logging
import logging.handlers
import pathlib
import socket
import sys

have = {f.name: f.read_text() for f in pathlib.Path(sys.argv[1]).iterdir()}
where = ("127.0.0.1", int(sys.argv[2]))
handler = logging.handlers.SysLogHandler(where, facility="daemon")
handler.setFormatter(logging.Formatter("orders[411]: %(levelname)s %(message)s"))
# The receiver writes lines: the default NUL at the end would only be noise there.
handler.append_nul = False
log = logging.getLogger("orders")
log.addHandler(handler)
log.setLevel(logging.INFO)

log.info("Authorization: Bearer %s", have["rs256"])
log.info("headers=%r", {"authorization": f"Bearer {have['hs256']}"})
log.warning("token=%s user=ada status=401", have["uuid"])
log.error("introspection of %s failed: token expired", have["es256"])
log.info("cookie session=%s; theme=dark", have["jwe_dir"])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
    end.sendto(b"END", where)
