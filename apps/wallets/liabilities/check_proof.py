#!/usr/bin/env python3
"""Checks that a balance is counted in what the venue says it owes. Needs Python and nothing else.

    python check_proof.py proof.json ROOT TOTAL

ROOT and TOTAL are what the venue has published for the asset and the day; take them from where
everybody sees them, not from the file. The file is the proof that you downloaded.

Each leaf of the tree is one account: a hash of its number for this tree, a secret salt and its
balance. Each node above holds the sum of the two below it, and a hash of both hashes and sums, so
that nobody's balance can be left out of the total or be counted as less. No sum may be negative:
with a negative one the venue could hide what it owes.
"""

import hashlib
import json
import sys

AMOUNT_BYTES = 16


class Wrong(Exception):
    """The proof does not hold."""


def amount_bytes(amount_minor):
    """Return an amount as the hashes hold it; one that is negative or too large has no form."""
    if type(amount_minor) is not int or not 0 <= amount_minor < 1 << (8 * AMOUNT_BYTES - 1):
        raise Wrong(f"{amount_minor!r} is not an amount that anybody can be owed.")
    return amount_minor.to_bytes(AMOUNT_BYTES, "big")


def leaf_hash(name, salt, amount_minor):
    """Return the hash of an account's leaf."""
    text = name.encode() + b"\x00" + bytes.fromhex(salt)
    return hashlib.sha256(b"leaf\x00" + amount_bytes(amount_minor) + text).digest()


def node_hash(left_hash, left_minor, right_hash, right_minor):
    """Return the hash of the node above two others."""
    sums = amount_bytes(left_minor) + amount_bytes(right_minor)
    return hashlib.sha256(b"node\x00" + sums + left_hash + right_hash).digest()


def climb(proof):
    """Return hash and sum at the top, as the proof leads there."""
    amount_minor = proof["amount_minor"]
    digest = leaf_hash(proof["name"], proof["salt"], amount_minor)
    for step in proof["path"]:
        other, other_minor = bytes.fromhex(step["hash"]), step["sum_minor"]
        amount_bytes(other_minor)
        if len(other) != 32 or step["side"] not in ("left", "right"):
            raise Wrong("A step of the path has the wrong form.")
        if step["side"] == "left":
            digest = node_hash(other, other_minor, digest, amount_minor)
        else:
            digest = node_hash(digest, amount_minor, other, other_minor)
        amount_minor += other_minor
    return digest.hex(), amount_minor


def check(proof, root, total_minor):
    """Raise Wrong unless the proof leads to the published root and total."""
    try:
        digest, found_minor = climb(proof)
    except (KeyError, TypeError, ValueError) as failure:
        raise Wrong(f"The proof has the wrong form: {failure}") from failure
    if found_minor != total_minor:
        raise Wrong(f"The proof leads to a total of {found_minor}, published is {total_minor}.")
    if digest != root:
        raise Wrong("The proof does not lead to the published root.")


def main(arguments):
    """Check one file and say what came of it; 0 means that the proof holds."""
    if len(arguments) != 3:
        sys.stderr.write(__doc__)
        return 2
    path, root, total = arguments
    with open(path, encoding="utf-8") as file:
        proof = json.load(file)
    try:
        check(proof, root.lower(), int(total))
    except Wrong as failure:
        sys.stderr.write(f"WRONG: {failure}\n")
        return 1
    said = f"{proof['amount_minor']} minor units of {proof.get('asset', '?')} are counted.\n"
    sys.stdout.write(f"Right: {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
