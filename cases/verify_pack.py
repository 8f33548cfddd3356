"""Check an evidence pack from Countersign: `python verify_pack.py PACK.zip --keys KEYS`.

Needs Python 3.9 or newer, `verify_selection.py` beside it, and nothing else: no database, no Django, no package. KEYS
is the list of public keys (`<key id> <base64>` a line), from a source that you trust and not from the pack. It ends
with 0 (every byte is the signed one), 1 (something is not) or 2 (cannot be read).

How the proof works: the manifest names each file with its length and SHA-256; the manifest is signed with Ed25519 by
the key that signs the seals; and the archive around them is laid out in one way only, so that it can be made again and
compared byte for byte.
"""

import argparse
import hashlib
import io
import json
import shutil
import sys
import tempfile
import zipfile

try:
    from verify_selection import Unreadable, is_signed, read_keys
except ImportError:  # Within the product.
    from cases.verify_selection import Unreadable, is_signed, read_keys

SIGNED = b"countersign evidence pack\n"
FORMAT = "countersign-evidence-1"
MANIFEST, SIGNATURE = "manifest.json", "signature.json"
BLOCK = 1 << 20
LARGEST = 20_000_000  # bytes of a manifest


def signature_text(key, signature):
    """The file that carries the signature: ``key`` is the key's id."""
    return json.dumps({"format": FORMAT, "key": key, "signature": signature.hex()}, indent=2) + "\n"


def lay_out(target, entries):
    """Write the archive of ``(name, length, opener)`` to ``target``: stored, sorted, with nothing of any clock."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as made:
        for name, length, opener in sorted(entries, key=lambda entry: entry[0]):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr, info.file_size = 3, 0o600 << 16, length
            with made.open(info, "w") as into, opener() as source:
                shutil.copyfileobj(source, into, BLOCK)


def check(path, keys):
    """The pack's manifest, if every byte of the file is what was signed; raises ``Unreadable`` with what is not."""
    with zipfile.ZipFile(path) as pack:
        names = pack.namelist()
        if len(set(names)) != len(names):
            raise Unreadable("A file is in the pack twice.")
        manifest = _small(pack, MANIFEST)
        _check_signature(manifest, _small(pack, SIGNATURE), keys)
        document = json.loads(manifest)
        if document["format"] != FORMAT:
            raise Unreadable("The pack is of an unknown format.")
        _check_files(pack, document["files"])
        _check_frame(path, pack)
    return document


def _small(pack, name):
    if name not in pack.namelist():
        raise Unreadable(f"{name} is missing.")
    if pack.getinfo(name).file_size > LARGEST:
        raise Unreadable(f"{name} is too large.")
    try:
        return pack.read(name)
    except zipfile.BadZipFile:
        raise Unreadable(f"{name} is damaged.") from None


def _check_signature(manifest, text, keys):
    said = json.loads(text)
    public, signature = keys.get(said["key"]), bytes.fromhex(said["signature"])
    if public is None:
        raise Unreadable(f"The pack is signed by a key that is not on your list: {said['key']}.")
    if text.decode() != signature_text(said["key"], signature) or not is_signed(public, SIGNED + manifest, signature):
        raise Unreadable("The manifest is not the one that was signed.")


def _check_files(pack, files):
    named = {file["name"] for file in files}
    if extra := set(pack.namelist()) - named - {MANIFEST, SIGNATURE}:
        raise Unreadable(f"{min(extra)} is not in the manifest.")
    for file in files:
        if file["name"] not in pack.namelist():
            raise Unreadable(f"{file['name']} is missing.")
        digest, length = hashlib.sha256(), 0
        try:
            with pack.open(file["name"]) as source:
                for block in iter(lambda: source.read(BLOCK), b""):
                    digest.update(block)
                    length += len(block)
        except zipfile.BadZipFile:
            raise Unreadable(f"{file['name']} was changed.") from None
        if (digest.hexdigest(), length) != (file["sha256"], file["bytes"]):
            raise Unreadable(f"{file['name']} was changed.")


def _check_frame(path, pack):
    """The names, dates and notes of the archive itself: made again, it has to be the same file."""
    with tempfile.TemporaryFile() as again:
        lay_out(again, [(one.filename, one.file_size, lambda one=one: pack.open(one)) for one in pack.infolist()])
        again.seek(0)
        with open(path, "rb") as given:
            while True:
                ours, theirs = again.read(BLOCK), given.read(BLOCK)
                if ours != theirs:
                    raise Unreadable("Something was changed in the archive around the files.")
                if not ours:
                    return


def opener_of(data):
    """An opener of bytes, for ``lay_out``."""
    return lambda: io.BytesIO(data)


def main(argv=None):
    parser = argparse.ArgumentParser(description="Check an evidence pack without the database.")
    parser.add_argument("pack", help="the zip")
    parser.add_argument("--keys", required=True, help="the list of public keys, from a source that you trust")
    options = parser.parse_args(argv)
    try:
        with open(options.keys) as file:
            keys = read_keys(file.read())
        document = check(options.pack, keys)
    except Unreadable as error:
        print(f"NOT PROVEN: {error}")
        return 1
    except (OSError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError, zipfile.BadZipFile) as error:
        print(f"Cannot be read: {error}", file=sys.stderr)
        return 2
    print(f"Every byte is the signed one: {len(document['files'])} files of {document['tenant']},")
    print(f"from {document['from']} to {document['to']}, as of {document['as_of']}.")
    print("It proves who signed and that nothing was changed since; not that what was recorded is true.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
