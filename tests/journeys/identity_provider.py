"""A small real identity provider (OpenID Connect) over HTTP on loopback: it confirms whoever the test says is there."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "countersign", "the client's secret"


class Provider:
    """``claims`` replace those of the next ID token, ``profile`` what is told of the person besides."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.signs_with = self.key
        self.claims: dict[str, Any] = {}
        self.profile: dict[str, Any] = {}
        self.asked: list[dict[str, str]] = []  # the queries of the authorization endpoint
        self.codes: dict[str, dict[str, str]] = {}
        self.issuer = ""

    def environment(self) -> dict[str, str]:
        """What docs/single-sign-on.md asks an installation to set."""
        names = ("AUTHORIZATION", "TOKEN", "JWKS", "USERINFO")
        return {f"OIDC_{name}_ENDPOINT": f"{self.issuer}/{name.lower()}" for name in names} | {
            "OIDC_ISSUER": self.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        }

    def authorization(self, query: dict[str, str]) -> str:
        """The address that the browser is sent back to."""
        self.asked.append(query)
        code = secrets.token_urlsafe()
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str]) -> dict[str, Any] | None:
        query = self.codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        if query is None or form.get("client_secret") != CLIENT_SECRET or query["code_challenge"] != challenge:
            return None
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": query["nonce"]}
        claims = {name: value for name, value in (claims | self.claims).items() if value is not None}
        return {
            "access_token": "access",
            "token_type": "Bearer",
            "id_token": jwt.encode(claims, self.signs_with, algorithm="RS256", headers={"kid": "k1"}),
        }

    def jwks(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [public | {"kid": "k1", "alg": "RS256"}]}


@contextmanager
def identity_provider() -> Iterator[Provider]:
    """A provider that listens until the end of the block."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorization":
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorization(query))
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif parts.path == "/jwks":
                self._say(200, provider.jwks())
            else:
                self._say(200, {"sub": provider.claims.get("sub")} | provider.profile)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = provider.token({name: values[0] for name, values in parse_qs(body).items()})
            self._say(200 if answer else 400, answer or {"error": "invalid_grant"})

        def _say(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
