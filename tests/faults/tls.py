"""TLS that must be refused: number 18."""

import socket
import ssl
import subprocess
import threading
import time
import warnings

from bench import Result, check, expect, has_all, started, wait_for
from output import FILE_TO_TCP
from streams import TCP_TO_FILE, port_of

CA = "ca"


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def certificate(place, name, issuer=None, host="localhost", dates=("20200101000000Z", "20991231000000Z")):
    """Makes `name.crt` and `name.key`; an authority, or self-signed, without an issuer."""
    folder = place / "raw"
    key, request, crt = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
            "-subj", f"/CN={name}")  # fmt: skip
    key.chmod(0o600)
    extensions = folder / f"{name}.ext"
    kind = "CA:TRUE" if name == CA else "CA:FALSE"
    extensions.write_text(f"basicConstraints=critical,{kind}\nsubjectAltName=DNS:{host},IP:127.0.0.1\n"
                          if host == "localhost" else f"basicConstraints=critical,{kind}\nsubjectAltName=DNS:{host}\n")  # fmt: skip
    if issuer is None:
        signed = ["-selfsign", "-keyfile", key]
    else:
        signed = ["-cert", folder / f"{issuer}.crt", "-keyfile", folder / f"{issuer}.key"]
    database = folder / f"{name}.db"
    database.mkdir()
    (database / "index").touch()
    (database / "config").write_text(
        f"[ca]\ndefault_ca=d\n[d]\ndatabase={database}/index\nnew_certs_dir={database}\nrand_serial=yes\n"
        "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
    )
    openssl("ca", "-batch", "-notext", "-config", database / "config", "-in", request, "-out", crt, "-extfile", extensions,
            "-startdate", dates[0], "-enddate", dates[1], *signed)  # fmt: skip
    return crt, key


class Peer:
    """A TLS server that a sink connects to; it remembers every byte under TLS, and whether any came in plaintext."""

    def __init__(self, crt, key, version=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(crt, key)
        if version:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.context.minimum_version = self.context.maximum_version = version
            self.context.set_ciphers("DEFAULT:@SECLEVEL=0")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.read, self.attempts = bytearray(), 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.listener.accept()
            self.attempts += 1
            try:
                with self.context.wrap_socket(peer, server_side=True) as secure:
                    while chunk := secure.recv(1 << 16):
                        self.read += chunk
            except OSError:
                pass


class Plain:
    """A peer that knows no TLS: it reads what comes, and says something that is no handshake."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.read, self.attempts = bytearray(), 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.listener.accept()
            self.attempts += 1
            with peer:
                peer.settimeout(1)
                try:
                    self.read += peer.recv(1 << 16)
                    peer.sendall(b"220 welcome\r\n")
                except OSError:
                    pass


def sink_config(place, port, ca):
    tls = f'tls.enabled = true\ntls.ca_file = "{place}/raw/{ca}.crt"\ntls.server_name = "localhost"\n'
    return FILE_TO_TCP.replace("PORT", str(port)) + tls


def refused_by_sink(bench, result, name, peer, place, ca=CA):
    """Lines are there to be sent, and not one byte of them goes to this peer."""
    log = place / "raw" / "app.log"
    log.write_bytes(bench.raw(0, 50))
    agent = started(bench, place, sink_config(place, peer.port, ca), name=name.replace(" ", "-"))
    wait_for(lambda: peer.attempts >= 3, f"three attempts: {name}")
    expect(agent.logged("can't connect"), f"the log says that it can't connect: {name}")
    expect(b"n=" not in peer.read, f"{name}: lines were sent")
    agent.kill()
    result.ended(agent, agent.child.returncode)
    result.tries += 1


def no_tls_without_trust(bench, full):
    """TLS: expired, not yet valid, wrong name, self-signed, unknown authority, old version, plaintext on the TLS port"""
    result, place = Result(), bench.place()
    certificate(place, CA)
    certificate(place, "other-ca")
    good = certificate(place, "good", CA)
    peers = {
        "expired": Peer(*certificate(place, "expired", CA, dates=("20200101000000Z", "20210101000000Z"))),
        "not yet valid": Peer(*certificate(place, "early", CA, dates=("20980101000000Z", "20991231000000Z"))),
        "wrong name": Peer(*certificate(place, "wrong", CA, host="elsewhere.example")),
        "self-signed": Peer(*certificate(place, "lone")),
        "old version": Peer(*good, version=ssl.TLSVersion.TLSv1_1),
        "plaintext": Plain(),
    }
    for name, peer in peers.items():
        refused_by_sink(bench, result, name, peer, place)
    refused_by_sink(bench, result, "unknown authority", Peer(*good), place, ca="other-ca")
    # The same lines, once the peer can be trusted.
    peer = Peer(*good)
    agent = started(bench, place, sink_config(place, peer.port, CA), name="trusted")
    wait_for(lambda: b"n=49 " in peer.read, "the last line under TLS")
    code = agent.stop()
    result.ended(agent, code)
    expect(code == 0, f"the agent ended with {code}")
    check(bench, place, result, bench.tally(bytes(peer.read), 50), duplicates=True)
    source(bench, result)
    return result


def source(bench, result):
    """The source: plaintext on its port, an old version, no client certificate, thousands of half-open handshakes."""
    place = bench.place()
    certificate(place, CA)
    crt, key = certificate(place, "server", CA)
    client = certificate(place, "client", CA)
    tls = f'tls.enabled = true\ntls.crt_file = "{crt}"\ntls.key_file = "{key}"\ntls.ca_file = "{place}/raw/ca.crt"\n'
    config = TCP_TO_FILE.replace("MAX", "1000").replace('address = "127.0.0.1:0"\n', f'address = "127.0.0.1:0"\n{tls}')
    output = place / "out" / "clean.log"
    agent = started(bench, place, config)
    port = port_of(agent)

    def connect(version=None, certificate=client):
        context = ssl.create_default_context(cafile=place / "raw" / "ca.crt")
        if certificate:
            context.load_cert_chain(*certificate)
        if version:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                context.minimum_version = context.maximum_version = version
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=20), server_hostname="localhost")

    def fails(what, work):
        try:
            work()
        except OSError:
            result.tries += 1
        else:
            expect(False, f"the source took {what}")

    def send(*options):
        with connect(*options) as secure:
            secure.sendall(bench.raw(100, 110))
            # The refusal of a certificate comes after the client's side of the handshake.
            if secure.recv(1) == b"":
                raise ConnectionResetError

    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.sendall(bench.raw(100, 110))
        fails("plaintext", lambda: (_ for _ in ()).throw(OSError) if plain.recv(100)[:1] in (b"", b"\x15") else None)
    fails("TLS 1.1", lambda: send(ssl.TLSVersion.TLSv1_1))
    fails("a client without a certificate", lambda: send(None, None))
    half_open = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    for peer in half_open:
        peer.sendall(b"\x16\x03\x01\x02\x00\x01")
    started_at = time.monotonic()
    with connect() as secure:
        secure.sendall(bench.raw(0, 50))
    wait_for(has_all(bench, output, 50), "the lines of a client that may")
    expect(time.monotonic() - started_at < 5, "half-open handshakes hold nobody up")
    for peer in half_open:
        peer.close()
    code = agent.stop()
    result.ended(agent, code)
    check(bench, place, result, bench.tally(output, 50))


FAULTS = {18: no_tls_without_trust}
