"""The debug output of Python's HTTP clients: `python_http.py CREDENTIALS PORT`."""

import http.client
import logging
import pathlib
import sys
import urllib.parse

# http.client prints, urllib3 and httpx log: one stream keeps the order in which it happened.
sys.stderr = sys.stdout
logging.basicConfig(stream=sys.stdout, level=logging.DEBUG)

import httpx
import requests

have = {f.name: f.read_text() for f in pathlib.Path(sys.argv[1]).iterdir()}
base = f"http://127.0.0.1:{sys.argv[2]}"


def requests_calls() -> None:
    http.client.HTTPConnection.debuglevel = 1
    session = requests.Session()
    session.headers["User-Agent"] = "orders/1.4"
    session.get(f"{base}/orders", headers={"Authorization": f"Bearer {have['rs256']}"})
    session.get(f"{base}/orders", headers={b"authorization": f"bearer {have['hs256']}".encode()})
    session.get(f"{base}/orders", headers={"Authorization": f"Bearer {have['jwe_dir']}"})
    session.get(f"{base}/orders", headers={"Authorization": f"Token {have['hex40']}"})
    session.get(f"{base}/orders", headers={"X-Api-Key": have["b64std"], "DPoP": have["dpop"]})
    session.get(f"{base}/orders", params={"access_token": have["es256"], "page": 2})
    session.get(f"{base}/orders", params={"access_token": have["b64url"]})
    session.get(f"{base}/orders", auth=("svc-orders", have["password"]))
    session.get(f"{base}/orders", cookies={"session": have["eddsa"], "theme": "dark"})
    session.post(f"{base}/form", data={"grant_type": "refresh_token", "refresh_token": have["uuid"]})
    session.post(f"{base}/form", json={"id_token": have["sdjwt"], "token_type": "Bearer"})
    session.get(f"{base}/moved", params={"access_token": have["ghp"]})
    session.get(f"{base}/login/python-http")
    session.get(f"{base}/orders", headers={"X-Access-Token": have["xoxb"]})
    http.client.HTTPConnection.debuglevel = 0


def httpx_calls() -> None:
    # httpcore writes the headers as a list of pairs of bytes, and hides only `authorization`.
    with httpx.Client(headers={"user-agent": "orders/1.4"}) as client:
        client.get(f"{base}/orders", headers={"X-Auth-Token": have["hex32"]})
        client.get(f"{base}/orders", params={"access_token": have["jwe_rsa"]})
        client.get(f"{base}/login/python-http")
        client.get(f"{base}/orders", params={"access_token": have["numeric"]})


requests_calls()
httpx_calls()
