"""The debug log of a client without credentials: `python_clean.py PORT`."""

import base64
import http.client
import json
import logging
import sys
import traceback

sys.stderr = sys.stdout
logging.basicConfig(stream=sys.stdout, level=logging.DEBUG, format="%(levelname)s %(name)s %(message)s")

import requests

base = f"http://127.0.0.1:{sys.argv[1]}"
log = logging.getLogger("orders.auth.bearer")
http.client.HTTPConnection.debuglevel = 1
session = requests.Session()
session.headers.update({"User-Agent": "orders/1.4", "X-Request-Id": "6f1ed002-ab59-4ddb-8c4b-3f1d9e0c7c11"})
session.get(f"{base}/private")
cursor = base64.urlsafe_b64encode(json.dumps({"id": 4711, "dir": "next"}).encode()).decode().rstrip("=")
session.get(f"{base}/orders", params={"cursor": cursor, "token_type": "bearer"})
session.get(f"{base}/orders", headers={"If-None-Match": 'W/"5f2b-18c3a9e1d40"', "Accept-Language": "en"})
session.post(f"{base}/form", data={"grant_type": "client_credentials", "scope": "openid profile"})
http.client.HTTPConnection.debuglevel = 0

log.info("authorization failed: the bearer token is expired")
log.info("Authorization header missing, access_token missing, falling back to anonymous")
log.info("token_type=Bearer expires_in=3600 scope=%r", "openid profile")
log.info("headers %r", {"Authorization": None, "Accept": "*/*"})
log.info("config %s", json.dumps({"authorization": None, "access_token": "", "auth": True, "token": "${API_TOKEN}"}))
log.info("usage: curl -H 'Authorization: Bearer $TOKEN' %s", base)
log.info("template Authorization: Bearer {{ token }}, Bearer <token>, Bearer {token}, Bearer [REDACTED], Bearer ****")
log.info("class %s", type("BearerTokenAuth", (requests.auth.AuthBase,), {}))
log.info("metrics oauth_token_requests_total=1204 bearer_token_cache_hits=17 token_id= total=1")
log.info("traceparent 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
log.info('<script integrity="sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC">')
try:
    raise PermissionError("token required, bearer only")
except PermissionError:
    traceback.print_exc(file=sys.stdout)
