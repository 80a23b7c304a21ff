"""What a store derives from its key, for the test `canaries`, which must not hold it: another program's memory is not searched.

Arguments: a log. Standard input: the outer key, masked, in hex. Prints each derived key, masked, in hex, with its name.
"""

import sys

import sealing

MASK = 0x5A


def masked(key):
    return bytes(byte ^ MASK for byte in key)


with open(sys.argv[1], "rb") as log:
    copy = log.read(4096)
outer = masked(bytes.fromhex(sys.stdin.read()))
uuid, generation, salt, wrapped = copy[40:56], copy[56:64], copy[64:72], copy[96:168]
wrapping = sealing.kdf(uuid, outer, b"tokcask wrapping" + generation + salt)
data = sealing.open_sealed(wrapping, wrapped[:24], copy[:96], wrapped[24:56], wrapped[56:])
contents = sealing.kdf(uuid, data, b"tokcask contents" + generation)
tags = sealing.kdf(uuid, data, b"tokcask tags" + generation)
for name, key in (("wrapping", wrapping), ("data", data), ("contents", contents), ("tags", tags)):
    print(name, masked(key).hex())
