"""The keys that sign seals: Ed25519, in files or the environment, never in the database.

``AUDIT_SIGNING_KEY`` is the path of a private key (PKCS 8, PEM) or the PEM itself; only who seals needs it.
``AUDIT_TRUSTED_KEYS`` is the path of a list of public keys, those of the past included: ``<key id> <base64>`` a line.
Without it the list beside the private key counts, which ``make`` writes.
"""

import base64
import binascii
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from .errors import CountersignError
from .seals import SIGNED

LIST_SUFFIX = ".trusted"


class KeyUnusable(CountersignError):
    code = "audit_key_unusable"
    status = 500
    title = "The key for seals cannot be used"


def is_set() -> bool:
    return bool(settings.AUDIT_SIGNING_KEY)


def signing_key() -> Ed25519PrivateKey:
    """The private key. Raises ``KeyUnusable`` for one that is missing, unreadable or of another kind."""
    value = settings.AUDIT_SIGNING_KEY
    if not value:
        raise KeyUnusable("AUDIT_SIGNING_KEY is not set, so nothing is sealed: make a key with `manage.py audit_key`.")
    try:
        pem = value.encode() if value.startswith("-----BEGIN") else Path(value).read_bytes()
        key = serialization.load_pem_private_key(pem, password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable("The private key that AUDIT_SIGNING_KEY names cannot be read.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable("The private key that AUDIT_SIGNING_KEY names is no Ed25519 key.")
    return key


def raw(public: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def key_id(public: Ed25519PublicKey) -> str:
    """16 hex digits that name a public key in headers and lists."""
    return hashlib.sha256(raw(public)).hexdigest()[:16]


def sign(key: Ed25519PrivateKey, header: bytes, *, begin: bytes = SIGNED) -> bytes:
    """The signature over ``header``; ``begin`` tells what kind of thing is signed."""
    return key.sign(begin + header)


def is_signed(public: Ed25519PublicKey, header: bytes, signature: bytes, *, begin: bytes = SIGNED) -> bool:
    try:
        public.verify(bytes(signature), begin + bytes(header))
    except InvalidSignature:
        return False
    return True


def trusted_keys() -> dict[str, Ed25519PublicKey]:
    """Key id → public key: the list, and the key that signs now. Raises ``KeyUnusable`` for a list with a bad line."""
    found: dict[str, Ed25519PublicKey] = {}
    value = settings.AUDIT_SIGNING_KEY
    path = settings.AUDIT_TRUSTED_KEYS or (f"{value}{LIST_SUFFIX}" if value and not value.startswith("-----") else "")
    if path and (settings.AUDIT_TRUSTED_KEYS or Path(path).exists()):
        try:
            found = read_list(Path(path).read_text())
        except OSError as error:
            raise KeyUnusable("The list that AUDIT_TRUSTED_KEYS names cannot be read.") from error
    if not settings.AUDIT_TRUSTED_KEYS and value:
        public = signing_key().public_key()
        found[key_id(public)] = public
    return found


def read_list(text: str) -> dict[str, Ed25519PublicKey]:
    """A list of public keys; empty lines and what follows a ``#`` are passed over."""
    found = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(words[-1], validate=True))
        except (ValueError, binascii.Error) as error:
            raise KeyUnusable("A line of the list of public keys holds no key: write `<key id> <base64>`.") from error
        if len(words) != 2 or words[0] != key_id(public):
            raise KeyUnusable("A line of the list of public keys names another key than it holds.")
        found[words[0]] = public
    return found


def line_of(public: Ed25519PublicKey) -> str:
    return f"{key_id(public)} {base64.b64encode(raw(public)).decode()}"


def make(path: Path, *, replace: bool = False) -> Ed25519PublicKey:
    """Write a new private key to ``path``, for its owner's eyes alone, and add its public key to the list beside it.

    A key that is there already stays, unless ``replace``: then it is kept as ``<path>.<key id>.retired``. Its public
    key stays on the list, for what it signed. Raises ``KeyUnusable``.
    """
    if path.exists():
        if not replace:
            raise KeyUnusable(
                "There is a key already: it was left as it is. To begin a new one, ask for a replacement."
            )
        old = serialization.load_pem_private_key(path.read_bytes(), password=None)
        path.rename(path.with_name(f"{path.name}.{key_id(old.public_key())}.retired"))
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    with path.with_name(path.name + LIST_SUFFIX).open("a") as file:
        file.write(line_of(key.public_key()) + "\n")
    return key.public_key()
