"""XChaCha20-Poly1305, HMAC and HKDF as FORMAT.md, section 10, names them, for the reader `read_store.py`.

Slow, and not safe against whoever measures times: for comparing bytes, not for keeping secrets.
"""

import hashlib
import hmac
import struct


class Forged(Exception):
    """It is not what was sealed with this key."""


def _rounds(state):
    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            mixed = state[z] ^ state[x]
            state[z] = (mixed << turn | mixed >> 32 - turn) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for diagonal in range(4):
            quarter(diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)


def _state(key, rest):
    return [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), *struct.unpack("<4I", rest)]


def _block(key, counter, nonce):
    first = _state(key, counter.to_bytes(4, "little") + nonce)
    state = first[:]
    _rounds(state)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(first, state)))


def _hchacha20(key, nonce):
    state = _state(key, nonce)
    _rounds(state)
    return struct.pack("<8I", *state[:4], *state[12:])


def _chacha20(key, counter, nonce, text):
    out = bytearray()
    for at in range(0, len(text), 64):
        stream = _block(key, counter + at // 64, nonce)
        out += bytes(a ^ b for a, b in zip(text[at:at + 64], stream))
    return bytes(out)


def _poly1305(key, text):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(text), 16):
        total = (total + int.from_bytes(text[at:at + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return ((total + int.from_bytes(key[16:], "little")) & (1 << 128) - 1).to_bytes(16, "little")


def open_sealed(key, nonce, associated, sealed, tag):
    """The text of XC, if the tag is right."""
    key, nonce = _hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]
    padded = (part + bytes(-len(part) % 16) for part in (associated, sealed))
    covered = b"".join(padded) + struct.pack("<QQ", len(associated), len(sealed))
    if not hmac.compare_digest(_poly1305(_block(key, 0, nonce)[:32], covered), tag):
        raise Forged
    return _chacha20(key, 1, nonce, sealed)


def mac(key, data):
    return hmac.digest(key, data, "sha256")[:16]


def kdf(salt, key, info):
    extracted = hmac.digest(salt or bytes(hashlib.sha256().digest_size), key, "sha256")
    return hmac.digest(extracted, info + b"\1", "sha256")


def _check():
    """The example of draft-irtf-cfrg-xchacha, appendix A.3.1."""
    sealed = bytes.fromhex(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216"
        "cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
    )
    associated, tag = bytes.fromhex("50515253c0c1c2c3c4c5c6c7"), bytes.fromhex("c0875924c1c7987947deafd8780acf49")
    text = open_sealed(bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58)), associated, sealed, tag)
    assert text.startswith(b"Ladies and Gentlemen of the class of '99"), text


_check()
