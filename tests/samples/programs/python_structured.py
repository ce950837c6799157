"""Structured logs of Python services: `python_structured.py CREDENTIALS json|console|logfmt`."""

import logging
import pathlib
import sys

import structlog
from pythonjsonlogger.json import JsonFormatter

have = {f.name: f.read_text() for f in pathlib.Path(sys.argv[1]).iterdir()}


def fixed_time(_logger, _method, event):
    # The only made-up part: a clock that stands still keeps two runs alike.
    event["timestamp"] = "2024-01-01T00:00:00Z"
    return event


def json_logger() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter("%(levelname)s %(name)s %(message)s"))
    log = logging.getLogger("orders")
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.info("request", extra={"headers": {"Authorization": f"Bearer {have['rs256']}"}})
    log.info("request", extra={"authorization": f"Bearer {have['hex40']}", "status": 200})
    log.info("issued", extra={"access_token": have["b64std"], "refresh_token": have["uuid"]})
    log.info("issued", extra={"response": '{"access_token":"%s","token_type":"Bearer"}' % have["es256"]})
    log.info("GET /orders?access_token=%s&page=2 HTTP/1.1", have["jwe_dir"])
    log.info({"message": "headers", "raw": [["DPoP", have["dpop"]], ["X-Api-Key", have["hex32"]]]})
    log.info("multi\nline\tAuthorization: Bearer %s\r\nAccept: */*", have["eddsa"])
    log.info("numbers", extra={"access_token": int(have["numeric"]), "total": 12})
    log.info("ключ %s принят", have["hs256"])
    try:
        raise RuntimeError(f"upstream refused 'Bearer {have['ghp']}'")
    except RuntimeError:
        log.exception("failed", extra={"cookie": f"theme=dark; session={have['b64url']}"})


def structured(renderer) -> None:
    structlog.configure(processors=[structlog.processors.add_log_level, fixed_time, renderer])
    log = structlog.get_logger()
    log.info("request", authorization=f"Bearer {have['rs256']}", status=200)
    log.info("request", headers={"Authorization": f"Bearer {have['hs256']}"}, status=200)
    log.info("issued", access_token=have["b64url"], id_token=have["es256"], expires_in=3600)
    log.info("issued", token=have["xoxb"], user="ada")
    log.warning(f"refused Bearer {have['uuid']}", reason="expired token")
    log.info("url", url=f"/orders?access_token={have['jwe_rsa']}&page=2")
    log.info("key", x_api_key=have["hex32"], api_key=have["hex40"])
    log.info("body", body='{"refresh_token": "%s"}' % have["ghp"])


if sys.argv[2] == "json":
    json_logger()
elif sys.argv[2] == "console":
    structured(structlog.dev.ConsoleRenderer(colors=True, force_colors=True))
else:
    structured(structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]))
