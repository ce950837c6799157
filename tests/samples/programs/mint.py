"""Mint one set of credentials for each sample: `mint.py DIR SAMPLE...`.

A set is a folder DIR/SAMPLE with one file a credential, without a last newline, so that programs
in any language can read it. Every set is random: no two samples share a credential, and none of
them opens anything anywhere.
"""

import base64
import hashlib
import json
import pathlib
import random
import secrets
import string
import sys
import uuid

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwcrypto import jwe, jwk

# 2024-01-01: fixed, so that the claims look the same in each set that is minted.
ISSUED = 1704067200
GIVEN_NAMES = ["ada", "blaise", "carl", "donald", "edsger", "grace", "hedy", "ivan"]


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token_text(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


class Keys:
    """The signers' keys; made once, since an RSA key is slow to find."""

    def __init__(self) -> None:
        self.rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.ed = ed25519.Ed25519PrivateKey.generate()
        self.hmac = secrets.token_bytes(32)
        self.rsa_id = token_text(10)

    def jwks(self) -> dict:
        """The public halves, as an issuer publishes them."""
        keys = []
        for key, key_id, algorithm in (
            (self.rsa, self.rsa_id, "RS256"),
            (self.ec, "ec-1", "ES256"),
            (self.ed, "ed-1", "EdDSA"),
        ):
            pem = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            public = json.loads(jwk.JWK.from_pem(pem).export_public())
            keys.append(public | {"kid": key_id, "alg": algorithm, "use": "sig"})
        return {"keys": keys}


def claims() -> dict:
    return {
        "iss": "https://issuer.example",
        "sub": random.choice(GIVEN_NAMES) + "@example.com",
        "aud": "orders",
        "iat": ISSUED,
        "exp": ISSUED + 3600,
        "jti": token_text(12),
    }


def encrypted(header: dict, key: jwk.JWK, text: str) -> str:
    token = jwe.JWE(text.encode(), json.dumps(header))
    token.add_recipient(key)
    return token.serialize(compact=True)


def dpop_proof(keys: Keys) -> str:
    """A proof of RFC 9449: its header holds a whole public key, so it is long."""
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(keys.ec.public_key()))
    return jwt.encode(
        {"htm": "GET", "htu": "https://api.example/orders", "iat": ISSUED, "jti": token_text(12)},
        keys.ec,
        algorithm="ES256",
        headers={"typ": "dpop+jwt", "jwk": public},
    )


def selective(keys: Keys) -> str:
    """An SD-JWT (RFC 9901): a signed token, then one disclosure a claim, all ended by tildes."""
    disclosures = [
        b64url(json.dumps([token_text(16), name, value]).encode())
        for name, value in (("given_name", "Ada"), ("birthdate", "1815-12-10"))
    ]
    hashes = [b64url(hashlib.sha256(d.encode()).digest()) for d in disclosures]
    body = jwt.encode(
        {"iss": "https://issuer.example", "_sd": hashes, "_sd_alg": "sha-256"},
        keys.ec,
        algorithm="ES256",
        headers={"typ": "dc+sd-jwt"},
    )
    return "~".join([body, *disclosures, ""])


def credentials(keys: Keys) -> dict[str, str]:
    return {
        "hs256": jwt.encode(claims(), keys.hmac, algorithm="HS256"),
        "rs256": jwt.encode(claims(), keys.rsa, algorithm="RS256", headers={"kid": keys.rsa_id}),
        "es256": jwt.encode(claims(), keys.ec, algorithm="ES256", headers={"kid": "ec-1"}),
        "eddsa": jwt.encode(claims(), keys.ed, algorithm="EdDSA", headers={"kid": "ed-1"}),
        "dpop": dpop_proof(keys),
        "sdjwt": selective(keys),
        "jwe_dir": encrypted(
            {"alg": "dir", "enc": "A256GCM"},
            jwk.JWK(kty="oct", k=b64url(keys.hmac)),
            json.dumps(claims()),
        ),
        "jwe_rsa": encrypted(
            {"alg": "RSA-OAEP", "enc": "A256GCM", "kid": keys.rsa_id},
            jwk.JWK.from_pem(
                keys.rsa.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            ),
            json.dumps(claims()),
        ),
        "hex32": secrets.token_hex(16),
        "hex40": secrets.token_hex(20),
        "uuid": str(uuid.uuid4()),
        # 32 bytes, so that one `=` of padding is there.
        "b64url": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        # Both extra characters and both paddings for sure, since these are what encoders escape.
        "b64std": base64.b64encode(b"\xfb\xef\xbe\xff\xff" + secrets.token_bytes(23)).decode(),
        "ghp": "ghp_" + token_text(36),
        # One digit and four letters short of the real thing, or hosts refuse the push.
        "xoxb": f"xoxb-{token_text(9, string.digits)}-{token_text(9, string.digits)}-{token_text(20)}",
        "numeric": token_text(24, "123456789"),
        "ya29": "ya29." + b64url(secrets.token_bytes(60)),
        "session": b64url(secrets.token_bytes(24)),
        "ticket": str(uuid.uuid4()),
        "password": token_text(20),
        "basic": "",
    }


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    keys = Keys()
    folder.mkdir(parents=True, exist_ok=True)
    for sample in sys.argv[2:]:
        minted = credentials(keys)
        minted["basic"] = base64.b64encode(f"svc-orders:{minted['password']}".encode()).decode()
        (folder / sample).mkdir()
        for name, value in minted.items():
            (folder / sample / name).write_text(value)
    (folder / "jwks.json").write_text(json.dumps(keys.jwks(), indent=2) + "\n")


main()
