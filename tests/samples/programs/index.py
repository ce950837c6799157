"""Write `NAME.secrets` and `index.toml`: `index.py CREDENTIALS OUT SAMPLE...`.

Looks each minted credential up in its log, in each form that the programs gave it, and counts.
"""

import base64
import pathlib
import re
import subprocess
import sys
import urllib.parse

# A run of this many characters of a credential is no coincidence.
PIECE = 16


def version(*command: str) -> str:
    output = subprocess.run(command, capture_output=True, text=True).stdout
    return re.search(r"\d+(\.\d+)+", output)[0]


def programs() -> dict[str, str]:
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip().split("/")[-1]
    curl = version("curl", "--version")
    python = version("python3", "--version")
    node = version("node", "--version")
    java = version("java", "--version")
    return {
        "nginx": f"nginx {nginx}",
        "curl": f"curl {curl}",
        "curl-strace": f"strace {version('strace', '--version')}, curl {curl}",
        "shell": f"bash {version('bash', '--version')}",
        "git": f"git {version('git', '--version')}",
        "wget": f"wget {version('wget', '--version')}",
        "python": f"Python {python}",
        "syslog": f"logger (util-linux {version('logger', '--version')}), Python {python}",
        "node": f"Node.js {node}",
        "java": f"OpenJDK {java}",
        "rust": "Rust, tracing-subscriber 0.3",
        "perl": f"Perl {version('perl', '--version')}",
        "jq": f"jq {version('jq', '--version')}",
        "npm": f"npm {version('npm', '--version')}",
        "cargo": f"cargo and rustc {version('cargo', '--version')}",
        "dpkg": f"dpkg {version('dpkg', '--version')}",
        "openssl": f"OpenSSL {version('openssl', 'version')}",
        "oidc": f"curl {curl}, nginx {nginx}",
        "bytes": f"Node.js {node}, Python {python}, OpenJDK {java}, hexdump, xxd, openssl",
    }


def program_of(name: str, known: dict[str, str]) -> str:
    return known.get(name) or known.get(name.split("-")[0], "several")


def encodings(secret: str) -> dict[str, set[bytes]]:
    """The ways in which a program writes a credential whole, other than as it is."""
    once = urllib.parse.quote(secret, safe="")
    # Clients that form-encode, and those that leave `~` or `/` alone, differ in a few characters only.
    percent = {once, once.lower(), urllib.parse.quote(secret), urllib.parse.quote_plus(secret)}
    percent |= {urllib.parse.quote(p, safe="") for p in set(percent)}
    raw = secret.encode()
    base = {base64.b64encode(b"x" * pad + raw)[4 if pad else 0 : -4] for pad in range(3)}
    base |= {b.replace(b"+", b"-").replace(b"/", b"_") for b in base}
    return {
        "percent": {p.encode() for p in percent},
        "escaped": {secret.replace("/", "\\/").encode(), secret.replace("=", "\\u003d").encode()},
        "base64": base,
        "hex": {raw.hex().encode(), raw.hex(" ").encode(), raw.hex().upper().encode()},
        "decimal": {b", ".join(b"%d" % c for c in raw), b" ".join(b"%d" % c for c in raw), b",".join(b"%d" % c for c in raw)},
    }


def spans(log: bytes, needle: bytes) -> list[tuple[int, int]]:
    return [(m.start(), m.end()) for m in re.finditer(re.escape(needle), log)]


def secret_part(secret: str) -> bytes:
    """What follows the JOSE header, which tells nothing; all of any other credential."""
    return (secret.split(".", 1)[1] if secret.startswith("eyJ") else secret).encode()


def windows(secret: str) -> list[bytes]:
    part = secret_part(secret)
    return [part[at : at + PIECE] for at in range(len(part) - PIECE + 1)]


def count(log: bytes, secrets: list[str], beyond: set[str]) -> tuple[dict[str, int], set[str]]:
    counts: dict[str, int] = {}
    found: set[str] = set()
    taken = bytearray(len(log))

    def take(form: str, secret: str, needle: bytes) -> None:
        for start, end in spans(log, needle):
            # The same place is counted once, by the first form that explains it.
            if not all(taken[start:end]):
                counts[form] = counts.get(form, 0) + 1
                found.add(secret)
                taken[start:end] = b"\1" * (end - start)

    for secret in sorted(secrets, key=len, reverse=True):
        take("plain", secret, secret.encode())
    for secret in secrets:
        for form, needles in encodings(secret).items():
            for needle in sorted(needles - {secret.encode()}, key=len, reverse=True):
                take(form, secret, needle)
    # All payloads begin alike: what could as well be a credential that is not promised proves nothing.
    shared = {piece for secret in beyond for piece in windows(secret)}
    pieces = {piece: secret for secret in secrets for piece in windows(secret) if piece not in shared}
    inside = False
    for at in range(len(log) - PIECE + 1):
        owner = pieces.get(log[at : at + PIECE]) if not any(taken[at : at + PIECE]) else None
        if owner:
            found.add(owner)
            counts["cut"] = counts.get("cut", 0) + (not inside)
        inside = owner is not None
    return counts, found


def main() -> None:
    credentials, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    known = programs()
    lines = ["# Made by `make` beside this file: see README.md for what the members mean.\n"]
    for name in sys.argv[3:]:
        log = (out / f"{name}.log").read_bytes()
        minted = [f.read_text() for f in sorted((credentials / name).iterdir())]
        extra = out / f"{name}.secrets"
        if extra.exists():
            # What a part found only in its log: signatures that a program made.
            minted += extra.read_text().split()
        not_promised = out / f"{name}.beyond"
        beyond = set(not_promised.read_text().split()) if not_promised.exists() else set()
        counts, found = count(log, [s for s in minted if s not in beyond], beyond)
        if not found:
            sys.exit(f"index: {name}: no credential in the log")
        extra.write_text("".join(f"{s}\n" for s in minted if s in found))
        lines.append("[[sample]]")
        lines.append(f'name = "{name}"')
        lines.append(f'program = "{program_of(name, known)}"')
        lines.append(f'log = "{name}.log"')
        lines.append(f'secrets = "{name}.secrets"')
        lines.append("clean = false")
        if beyond:
            lines.append(f'beyond = "{name}.beyond"')
        for form in ("plain", "percent", "escaped", "base64", "hex", "decimal", "cut"):
            lines.append(f"{form} = {counts.get(form, 0)}")
        lines.append("")
    minted = (f.read_text() for name in sys.argv[3:] for f in (credentials / name).iterdir())
    pieces = {piece for secret in minted for piece in windows(secret)}
    for log in sorted((out / "clean").glob("*.log")):
        text = log.read_bytes()
        if not pieces.isdisjoint(text[at : at + PIECE] for at in range(len(text) - PIECE + 1)):
            sys.exit(f"index: clean/{log.name}: holds a credential")
        lines.append("[[sample]]")
        lines.append(f'name = "clean/{log.stem}"')
        lines.append(f'program = "{program_of(log.stem, known)}"')
        lines.append(f'log = "clean/{log.name}"')
        lines.append("clean = true")
        lines.append("")
    (out / "index.toml").write_text("\n".join(lines).rstrip() + "\n")


main()
