"""Logs as services write them, the same in every run: `make` gives a text and what must be left of it.

| corpus | credentials |
|---|---|
| `clean` | none; one line in ten holds something that resembles one |
| `sparse` | in one line of 1000 |
| `dense` | in one line of 10 |
| `worst` | in every line |
| `json` | none, JSON records only |

A credential is a JWT or an opaque bearer token of 200 to 900 bytes, and none comes twice.
"""

import base64
import json
import random

PERIODS = {"clean": 0, "sparse": 1000, "dense": 10, "worst": 1, "json": 0}
# What stands for a credential in the text that must be left.
MARKER = b"[REDACTED]"
HOSTS = ["api-7d9f8b6c5-x2kqp", "web-5b8c9d7f4-q8wzt", "db-0", "edge-12"]
PATHS = ["orders", "users", "invoices", "health", "static/app.js", "search", "cart/items", "v2/events"]
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "curl/8.5.0",
    "kube-probe/1.30",
    "python-requests/2.32.3",
]
WORDS = (
    "request handled cache miss user order created payment accepted retry timeout upstream connection reset worker "
    "started stopped queue length batch flushed index rebuilt session expired record updated invalid schema version "
    "shard leader elected replica behind lag snapshot taken compaction finished heartbeat received from node"
).split()
CLASSES = ["OrderService", "PaymentClient", "UserRepository", "JsonMapper", "HttpClient", "Scheduler"]


class Lines:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def number(self, end):
        return self.random.randrange(end)

    def hex(self, length):
        return f"{self.random.getrandbits(4 * length):0{length}x}"

    def uuid(self):
        digits = self.hex(32)
        return "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])

    def words(self, least=3, most=12):
        return " ".join(self.random.choices(WORDS, k=self.random.randint(least, most)))

    def time(self):
        n = self.number(86_400_000)
        return f"2026-03-12T{n // 3_600_000:02}:{n // 60_000 % 60:02}:{n // 1000 % 60:02}.{n % 1000:03}"

    def address(self):
        return f"10.{self.number(4)}.{self.number(256)}.{self.number(256)}"

    def access(self):
        path, size = self.random.choice(PATHS), self.number(90_000)
        status = self.random.choice([200, 200, 200, 201, 204, 304, 404, 502])
        return (
            f'{self.address()} - - [12/Mar/2026:10:{self.number(60):02}:{self.number(60):02} +0000] "GET /api/{path}/'
            f'{self.number(100_000)}?page={self.number(50)}&sort=name HTTP/1.1" {status} {size} '
            f'"https://shop.example/{path}" "{self.random.choice(AGENTS)}"'
        )

    def record(self, message=None):
        return json.dumps(
            {
                "timestamp": self.time() + "Z",
                "level": self.random.choice(["info", "info", "debug", "warn"]),
                "service": self.random.choice(["orders", "billing", "gateway"]),
                "trace_id": self.hex(32),
                "span_id": self.hex(16),
                "message": message or self.words(),
                "duration_ms": self.number(5000) / 10,
                "http": {"method": "GET", "path": "/" + self.random.choice(PATHS), "status": 200},
            },
            separators=(",", ":"),
        )

    def java(self):
        if self.number(4) == 0:
            name = self.random.choice(CLASSES)
            return f"\tat com.example.shop.{name.lower()}.{name}.handle({name}.java:{self.number(900)})"
        return (
            f"{self.time()}  INFO 1 --- [nio-8080-exec-{self.number(64)}] "
            f"c.e.shop.{self.random.choice(CLASSES)} : {self.words()} id={self.uuid()}"
        )

    def syslog(self):
        return (
            f"Mar 12 10:{self.number(60):02}:{self.number(60):02} {self.random.choice(HOSTS)} "
            f"app[{self.number(30_000)}]: {self.words()} took={self.number(900)}ms peer={self.address()}:{self.number(60_000)}"
        )

    def near_miss(self):
        return self.random.choice(
            [
                lambda: '< www-authenticate: Bearer realm="orders", error="invalid_token", error_description="expired"',
                lambda: f'ts={self.time()}Z level=info msg="token issued" token_type=Bearer expires_in=3600',
                lambda: f"GET /api/orders?cursor={self.cursor()} HTTP/2.0 200 {self.number(9999)}",
                lambda: f"pulled image sha256:{self.hex(64)} tokens=512 max_tokens=4096",
                lambda: f"{self.time()} DEBUG o.s.s.oauth2.BearerTokenAuthenticationFilter : Did not find bearer token",
                lambda: f"authorization failed for user {self.number(999)}: no session, next_token=null",
                lambda: self.record(f"commit {self.hex(40)} authored, password_changed=true"),
                lambda: f"etag: W/\"{self.hex(27)}\" set-cookie: theme=dark; Path=/; x-request-id: {self.uuid()}",
            ]
        )()

    def cursor(self):
        return base64.urlsafe_b64encode(json.dumps({"page": self.number(99)}).encode()).decode().rstrip("=")

    def clean(self):
        if self.number(10) == 0:
            return self.near_miss()
        return self.random.choice([self.access, self.record, self.java, self.syslog])()

    def credential(self):
        length = self.random.randint(200, 900)
        if self.number(3) == 0:
            return self.base64url(length)
        header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
        return f"{header}.{self.base64url(length - len(header) - 45)}.{self.base64url(43)}"

    def base64url(self, length):
        return base64.urlsafe_b64encode(self.random.randbytes(length)).decode()[:length]

    def with_credential(self, credential):
        return self.random.choice(
            [
                lambda: f"> Authorization: Bearer {credential}",
                lambda: self.record(f"sent Bearer {credential} to upstream"),
                lambda: f'{self.time()} DEBUG headers={{accept=[*/*], authorization=[Bearer {credential}], host=[a]}}',
                lambda: f'level=debug msg="request" authorization="Bearer {credential}" took={self.number(99)}ms',
            ]
        )()


def make(name, length):
    """The text, `length` bytes or a line more, and what must be left of it, with MARKER for each credential."""
    lines, period = Lines(name), PERIODS[name]
    text, left, size, number = [], [], 0, 0
    while size < length:
        number += 1
        if period and number % period == 0:
            credential = lines.credential()
            line = lines.with_credential(credential)
            left.append(line.replace(credential, MARKER.decode()))
        else:
            line = lines.record() if name == "json" else lines.clean()
            left.append(line)
        text.append(line)
        size += len(line) + 1
    return ("\n".join(text) + "\n").encode(), ("\n".join(left) + "\n").encode()
