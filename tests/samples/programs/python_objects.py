"""What Python programs print of their objects: `python_objects.py CREDENTIALS PORT CLOSED_PORT`.

Each line comes from a way of printing that is common in services: repr, pprint, json, logging of
exceptions, data classes, `f"{x=}"`.
"""

import collections
import csv
import dataclasses
import email.message
import io
import json
import logging
import pathlib
import pprint
import sys
import traceback
import xml.etree.ElementTree as xml

import requests
import yaml

have = {f.name: f.read_text() for f in pathlib.Path(sys.argv[1]).iterdir()}
base = f"http://127.0.0.1:{sys.argv[2]}"
closed = f"http://127.0.0.1:{sys.argv[3]}"
logging.basicConfig(
    stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s [%(name)s] %(message)s"
)
log = logging.getLogger("orders.client")


@dataclasses.dataclass
class Session:
    user: str
    access_token: str
    refresh_token: bytes


def reprs() -> None:
    headers = {"Authorization": f"Bearer {have['rs256']}", "Accept": "*/*"}
    log.info("headers: %s", headers)
    log.info("headers: %r", list(headers.items()))
    log.info("headers: %r", requests.structures.CaseInsensitiveDict(headers))
    log.info("scope: %r", [(b"host", b"api"), (b"authorization", f"Bearer {have['hs256']}".encode())])
    log.info("session %r", Session("ada", have["es256"], have["uuid"].encode()))
    log.info("ordered %r", collections.OrderedDict(access_token=have["hex40"], expires_in=3600))
    access_token = have["ghp"]
    log.info(f"{access_token=}")
    log.info("environ %r", {"HTTP_AUTHORIZATION": f"Token {have['hex32']}", "HTTP_ACCEPT": "*/*"})
    message = email.message.Message()
    message["Authorization"] = f"Bearer {have['jwe_dir']}"
    message["Set-Cookie"] = f"sid={have['b64url']}; Path=/; HttpOnly"
    log.info("message:\n%s", message.as_string())


def requested() -> None:
    response = requests.get(
        f"{base}/private",
        headers={"Authorization": f"Bearer {have['eddsa']}", "User-Agent": "orders/1.4"},
        params={"id_token": have["jwe_rsa"]},
    )
    print(pprint.pformat(dict(response.request.headers)))
    pprint.pp(vars(response.request), width=100)
    print(response.request.headers)
    # An opaque token is split from its scheme too, if it is nested deep enough.
    pprint.pp({"event": "call", "request": {"options": {"headers": {"Authorization": f"Bearer {have['ya29']}"}}}})
    try:
        response.raise_for_status()
    except requests.HTTPError:
        log.exception("order list failed")
    try:
        requests.get(f"{closed}/orders?access_token={have['xoxb']}&page=2")
    except requests.ConnectionError as error:
        log.error("cannot connect: %s", error)
        traceback.print_exception(error, limit=2, chain=False, file=sys.stdout)
    try:
        requests.get(f"http://svc-orders:{have['password']}@127.0.0.1:{sys.argv[2]}:bad/")
    except requests.exceptions.InvalidURL as error:
        log.error("bad url: %s", error)


def documents() -> None:
    answer = {
        "access_token": have["numeric"],
        "token_type": "Bearer",
        "expires_in": 3600,
        "id_token": have["hs256"],
        "scope": "openid profile",
    }
    print(json.dumps(answer))
    print(json.dumps(answer, indent=2))
    nested = {"event": "token.issued", "body": json.dumps(answer)}
    print(json.dumps({"level": "info", "msg": json.dumps(nested)}))
    print(json.dumps({"level": "debug", "headers": [["Authorization", f"Bearer {have['b64std']}"]]}))
    print(json.dumps({"é": "naïve", "authorization": f"Bearer {have['hex40']}"}))
    # numeric tokens exist as JSON numbers too
    print(json.dumps({"access_token": int(have["numeric"]), "expires_in": 3600}))
    print(yaml.safe_dump({"request": {"headers": {"Authorization": f"Bearer {have['es256']}"}}}), end="")
    print(yaml.safe_dump({"data": {"token": have["ticket"].encode()}}), end="")
    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerow(["time", "user", "authorization", "status"])
    writer.writerow(["2024-01-01T00:00:00Z", "ada", f"Bearer {have['dpop']}", 200])
    writer.writerow(["2024-01-01T00:00:01Z", 'says "hi"', f"Bearer {have['ghp']}", 401])
    print(rows.getvalue(), end="")
    root = xml.Element("request")
    xml.SubElement(root, "header", name="Authorization").text = f"Bearer {have['rs256']}"
    xml.SubElement(root, "param", name="access_token", value=have["b64std"])
    xml.SubElement(root, "AccessToken").text = have["b64url"]
    print(xml.tostring(root, encoding="unicode"))


def raised() -> None:
    try:
        raise PermissionError(f"token {have['hs256']} is expired")
    except PermissionError:
        traceback.print_exc(file=sys.stdout)
    try:
        {"page": 1}[f"Bearer {have['uuid']}"]
    except KeyError as error:
        log.error("lookup failed: %r", error)


reprs()
requested()
documents()
raised()
