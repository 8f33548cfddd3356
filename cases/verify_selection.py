"""Check an export of audit rows from Countersign: `python verify_selection.py EXPORT.zip --keys KEYS [--head HEAD]`.

Needs Python 3.9 or newer and nothing else: no database, no Django, no package. KEYS is the list of public keys
(`<key id> <base64>` a line) and HEAD a published head, both from a source that you trust and not from the export.
It says for each row whether it is proven, and ends with 0 (all proven), 1 (something is not) or 2 (cannot be read).

How the proof works: a row's bytes give a leaf; the leaf and what stands beside it lead to a root; the root stands in a
header that the installation has signed with Ed25519; each header names two earlier ones by SHA-256, so that the newest
header, which is published, pins all that came before it.
"""

import argparse
import base64
import hashlib
import json
import sys
import zipfile

SIGNED = b"countersign audit seal\n"
LARGEST = 200_000_000  # bytes of one file in the export, unpacked


class Unreadable(Exception):
    pass


# --- Ed25519, as RFC 8032 writes it (section 6): slow and short; nothing here is secret ------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _add(a, b):
    one, two = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    three, four = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = two - one, four - three, four + three, two + one
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = _add(result, point)
        point = _add(point, point)
        number >>= 1
    return result


def _point(data):
    """The point that 32 bytes name, or None."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(public, message, signature):
    """Whether ``signature`` over ``message`` is by the key whose 32 bytes are ``public``."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, nonce, scalar = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or nonce is None or scalar >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    left, right = _times(scalar, BASE), _add(nonce, _times(challenge, key))
    same_x = (left[0] * right[2] - right[0] * left[2]) % P == 0
    return same_x and (left[1] * right[2] - right[1] * left[2]) % P == 0


# --- the proof -------------------------------------------------------------------------------------------------------


def read_keys(text):
    """Key id → 32 bytes."""
    keys = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        public = base64.b64decode(words[-1], validate=True)
        if len(words) != 2 or words[0] != hashlib.sha256(public).hexdigest()[:16]:
            raise Unreadable("A line of the list of keys names another key than it holds.")
        keys[words[0]] = public
    return keys


def check_header(text, signature, keys):
    """The header's fields and its digest, if a known key has signed it; raises ``Unreadable``."""
    fields = json.loads(text)
    public = keys.get(fields["key"])
    if fields["format"] != "countersign-seal-1" or public is None:
        raise Unreadable(f"Seal {fields.get('number')} is of an unknown format or key.")
    if not is_signed(public, SIGNED + text.encode(), bytes.fromhex(signature)):
        raise Unreadable(f"Seal {fields['number']} is not signed by the key {fields['key']}.")
    return fields, hashlib.sha256(text.encode()).hexdigest()


def pinned(seals, keys, head):
    """Number → fields of the seals that the newest header leads to. With ``head``, that one has to be among them."""
    read = [check_header(one["header"], one["signature"], keys) for one in seals[:1]]
    named, found = {}, {}
    for position, one in enumerate(seals):
        if position == 0:
            fields, digest = read[0]
        else:
            fields, digest = json.loads(one["header"]), hashlib.sha256(one["header"].encode()).hexdigest()
            if named.get(int(fields["number"])) != digest:
                raise Unreadable(f"Seal {fields['number']} is not the one that the seals after it name.")
        number = int(fields["number"])
        named[number - 1], named[number & (number - 1)] = fields["previous"], fields["skip"]
        found[number] = fields
    if head is not None:
        published, digest = check_header(head["header"], head["signature"], keys)
        number = int(published["number"])
        if not seals or number > int(read[0][0]["number"]):
            raise Unreadable(
                f"The published head {number} is newer than the export: it cannot pin it. Take an older one."
            )
        ours = read[0][1] if number == int(read[0][0]["number"]) else named.get(number)
        if ours is None:
            raise Unreadable(f"The export does not lead over seal {number}: take the head that was published with it.")
        if ours != digest:
            raise Unreadable(f"Seal {number} of the export is another one than the published one.")
    return found


def check_row(line, seals):
    """What is wrong with one row, or nothing."""
    if not line["seal"]:
        return "not sealed yet: nothing proves it"
    fields = seals.get(line["seal"])
    if fields is None:
        return f"its seal {line['seal']} is not in the export"
    row = json.loads(line["row"])
    if row.get("table") != line["table"] or line["pk"] not in row.get("row", {}).values():
        return "its bytes are those of another row"
    digest = hashlib.sha256(b"\x00" + line["row"].encode()).digest()
    for step in line["path"]:
        beside = bytes.fromhex(step[1:])
        digest = hashlib.sha256(b"\x01" + (beside + digest if step[0] == "L" else digest + beside)).digest()
    return "" if digest.hex() == fields["root"] else f"it does not stand in seal {line['seal']}: it was changed"


def read_export(path):
    with zipfile.ZipFile(path) as file:
        texts = {}
        for name in ("selection.json", "rows.jsonl", "seals.jsonl"):
            if file.getinfo(name).file_size > LARGEST:
                raise Unreadable(f"{name} is too large.")
            texts[name] = file.read(name).decode()
    rows, seals = (
        [json.loads(line) for line in texts[name].split("\n") if line] for name in ("rows.jsonl", "seals.jsonl")
    )
    return json.loads(texts["selection.json"]), rows, seals


def main(argv=None):
    parser = argparse.ArgumentParser(description="Check an export of audit rows without the database.")
    parser.add_argument("export", help="the zip")
    parser.add_argument("--keys", required=True, help="the list of public keys, from a source that you trust")
    parser.add_argument("--head", help="a published head (JSON) that the export has to lead to")
    options = parser.parse_args(argv)
    try:
        with open(options.keys) as file:
            keys = read_keys(file.read())
        head = None
        if options.head:
            with open(options.head) as file:
                head = json.load(file)
        about, rows, seals = read_export(options.export)
        found = pinned(seals, keys, head)
        wrong = [(line, words) for line in rows if (words := check_row(line, found))]
        if about["rows"] != len(rows):
            raise Unreadable(f"{about['rows']} rows were exported and {len(rows)} are here.")
    except Unreadable as error:
        print(f"NOT PROVEN: {error}")
        return 1
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        print(f"Cannot be read: {error}", file=sys.stderr)
        return 2
    for line, words in wrong:
        print(f"NOT PROVEN: {line['table']} {line['pk']}: {words}.")
    print(f"{len(rows) - len(wrong)} of {len(rows)} rows of {about['tenant']} are proven by {len(found)} signed seals.")
    if head is not None:
        number = int(json.loads(head["header"])["number"])
        later = sum(line["seal"] > number for line in rows)
        print(f"{len(rows) - later} rows stand in seals up to the published head; {later} in later ones.")
    else:
        print("No published head was given: whoever holds the signing key could have made the seals anew.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
