#!/usr/bin/env python3
"""Reads a tokcask store, written from FORMAT.md alone. Names and section numbers are those of that document.

    python3 read_store.py DIR           rows, oldest first, one JSON object a line
    python3 read_store.py DIR DIR ...   one JSON object a DIR: {"dir", "rows", "note"} or {"dir", "error"}
    python3 read_store.py --key KEY DIR ...   the same of encrypted stores; KEY is a file of 32 bytes

Exit status: 0 if DIR was read (a torn tail is noted on stderr), 3 if its rows must not be believed (the reason on
stderr), 2 for wrong use. With several DIRs it is 0, and each line is a verdict. Takes no lock and changes nothing;
holds the whole log in memory. Python 3.9, standard library only.
"""

import json
import os
import re
import struct
import sys
import zlib
from collections import namedtuple

import sealing

TAG_LEN, TRAILER_LEN, SEALED_MORE = 16, 32, 40
COPY_LEN, FRAMES_AT, LOCK_LEN, SLOTS_AT = 4_096, 8_192, 16_384, (4_096, 8_192)
RECORD_LEN_MAX, KEY_LEN_MAX, FRAME_LEN_MAX = 1_048_576, 65_536, 67_108_864
LOG_MAGIC = bytes.fromhex("89 54 4F 4B 0D 0A 1A 0A")
REDO_MAGIC = bytes.fromhex("89 54 4B 52 0D 0A 1A 0A")
FRAME_MAGIC = bytes.fromhex("74 6B 66 97")

# The tables of sections 3, 5, 6, 8 and 9, field by field.
FILE_HEADER = struct.Struct("<8s H 6s Q Q Q 16s Q 8s H 6s 16s 72s 32s 3I 4s Q 3868s I")
FRAME_HEADER = struct.Struct("<4s B 3s I I Q Q Q Q Q I I")
OPERATION_HEADER = struct.Struct("<B 3s I I I")
SLOT = struct.Struct("<16s Q Q Q Q Q")
REDO = struct.Struct("<8s 16s Q Q Q")
Slot = namedtuple("Slot", "uuid generation watermark next_id next_revision checksum")

COMMIT, BASE, SEAL, RECOVERED_FRAME = 1, 2, 3, 4
PUT, DELETE, CLEAR, SEALED, RECOVERED = 1, 2, 3, 4, 5
MAY_HOLD = {COMMIT: {PUT, DELETE, CLEAR}, BASE: {PUT}, SEAL: {SEALED}, RECOVERED_FRAME: {RECOVERED}}
COLUMNS = ("id", "user_name", "client_id", "client_secret", "refresh_token", "access_token", "grant_token",
           "expiry_time", "redirect_url", "api_domain")
KEY_COLUMNS = {"id", "user_name", "refresh_token", "access_token", "grant_token"}
NUMBER = re.compile("[1-9][0-9]{0,17}")


class Unreadable(Exception):
    """The verdict on a store whose rows must not be believed: corrupt, put back, unsupported, or no store at all."""


class Broken(Exception):
    """A rule of the format does not hold; what that means for the store, section 7 decides."""


def check(holds, what):
    if not holds:
        raise Broken(what)


def read_store(directory, key=None):
    """The rows of a store, oldest first, and a note if its tail is torn. Section 7, step by step."""
    # In this order: a slot read after the log could know of a commit that was not yet there when the log was read.
    lock, redo, log = (read_file(directory, name) for name in ("store.lock", "store.redo", "store.log"))
    lock = (lock or b"").ljust(LOCK_LEN, b"\0")
    if log is None:
        lost = any(slots(lock))
        raise Unreadable("corrupt at offset 0: store.log is lost" if lost else "not a store: there is no store.log")
    header = file_header(log, key)
    ours = [slot for slot in slots(lock) if (slot.uuid, slot.generation) == (header.uuid, header.generation)]
    if any(slot.uuid != header.uuid or slot.generation > header.generation for slot in slots(lock)) or any(
            slot.watermark > len(log) for slot in ours):
        raise Unreadable(f"another or an older log was put back: store.lock knows more than its {len(log)} bytes")
    if redo is not None:
        log = with_redo(log, redo, header)

    replay = Replay(header)
    end, reason = FRAMES_AT, "the file ends"  # `end` is X
    try:
        while end < len(log):
            end = replay.frame(log, end)
    except Broken as broken:
        reason = str(broken)
    except sealing.Forged:
        raise Unreadable(f"corrupt at offset {end}: a frame that was not made with this key") from None

    known = max([0, *(slot.watermark for slot in ours), *watermarks_after(log, end, header)])  # W
    if known > end:
        raise Unreadable(f"corrupt at offset {end}: {reason}, and the log was durable to {known}")
    if not replay.sealed:
        raise Unreadable(f"corrupt at offset {end}: {reason}, and there is no seal before it")
    torn_len = len(log[end:].rstrip(b"\0"))
    note = f"torn tail at offset {end}: {reason}; {torn_len} bytes do not count" if torn_len else None
    return list(replay.rows.values()), note


def read_file(directory, name):
    try:
        with open(os.path.join(directory, name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


class Header:
    """What the rest of the reading needs of a file header."""

    def __init__(self, uuid, generation, salt, checksum):
        self.uuid, self.generation, self.checksum = uuid, generation, checksum
        self.seed = zlib.crc32(salt + generation.to_bytes(8, "little"))
        self.contents_key = self.tags_key = None

    def unwrap(self, copy, key):
        """Section 10: the keys of this generation, and the tag that the first frame follows."""
        generation, salt = copy[56:64], copy[64:72]
        key_id, wrapped_key, commitment = copy[80:96], copy[96:168], copy[168:200]
        if sealing.kdf(b"", key, b"tokcask key id")[:16] != key_id:
            raise Unreadable("encrypted with another key")
        if sealing.kdf(self.uuid, key, b"tokcask commitment" + generation + salt) != commitment:
            raise Unreadable("corrupt at offset 168: the commitment is not this key's")
        wrapping = sealing.kdf(self.uuid, key, b"tokcask wrapping" + generation + salt)
        try:
            data_key = sealing.open_sealed(wrapping, wrapped_key[:24], copy[:96], wrapped_key[24:56], wrapped_key[56:])
        except sealing.Forged:
            raise Unreadable("corrupt at offset 96: the wrapped key was not made with this key") from None
        self.contents_key = sealing.kdf(self.uuid, data_key, b"tokcask contents" + generation)
        self.tags_key = sealing.kdf(self.uuid, data_key, b"tokcask tags" + generation)
        self.first_tag = sealing.mac(self.tags_key, b"header" + copy[:-4])

    def seeded_crc(self, offset, *data):
        crc = zlib.crc32(offset.to_bytes(8, "little"), self.seed)
        for part in data:
            crc = zlib.crc32(part, crc)
        return crc


def file_header(log, key):
    """Section 3: of the two copies one must be valid; of its fields each must be known."""
    copies = [log[at:at + COPY_LEN] for at in (0, COPY_LEN)]
    valid = [copy for copy in copies if copy[:8] == LOG_MAGIC and len(copy) == COPY_LEN
             and int.from_bytes(copy[-4:], "little") == zlib.crc32(copy[:-4])]
    if not valid:
        found = any(copy[:8] == LOG_MAGIC for copy in copies)
        raise Unreadable("corrupt at offset 0: no valid file header" if found else "not a store: no file header")
    if valid[0] != valid[-1]:
        raise Unreadable(f"corrupt at offset {COPY_LEN}: the copies of the file header differ")
    (_, version, zero_10, incompatible, _, _, uuid, generation, salt, suite, zero_74, key_id, wrapped_key, commitment,
     record_limit, key_limit, frame_limit, zero_212, _, zero_224, checksum) = FILE_HEADER.unpack(valid[0])
    if version != 1:
        raise Unreadable(f"unsupported at offset 8: version {version}")
    if any(zero_10 + zero_74 + zero_212 + zero_224) or generation == 0:
        raise Unreadable("corrupt at offset 0: a field of the file header that must or must not be zero")
    limits = (record_limit, key_limit, frame_limit)
    if incompatible or suite > 1 or limits != (RECORD_LEN_MAX, KEY_LEN_MAX, FRAME_LEN_MAX):
        raise Unreadable("unsupported at offset 16, 72 or 200: incompatible features, cipher suite or limits")
    header = Header(uuid, generation, salt, checksum)
    if (suite == 1) != (key is not None):
        raise Unreadable("encrypted, and there is no key" if suite else "not encrypted, and there is a key")
    if key is not None:
        header.unwrap(valid[0], key)
    elif any(key_id + wrapped_key + commitment):
        raise Unreadable("corrupt at offset 80: keys in a plain store")
    return header


def with_redo(log, redo, header):
    """The log as it reads once the redo file (section 9) is written into it."""
    try:
        check(len(redo) >= REDO.size + 4, "length")
        magic, uuid, generation, offset, n = REDO.unpack_from(redo)
        check(magic == REDO_MAGIC and (uuid, generation) == (header.uuid, header.generation), "of another log")
        check(len(redo) == REDO.size + n + 4 and FRAMES_AT <= offset <= len(log) - n, "length or offset")
        check(int.from_bytes(redo[-4:], "little") == header.seeded_crc(offset, redo[:-4]), "checksum")
    except Broken:
        return log
    return log[:offset] + redo[REDO.size:-4] + log[offset + n:]


def slots(lock):
    """The valid slots (section 8)."""
    for at in SLOTS_AT:
        slot = Slot(*SLOT.unpack_from(lock, at))
        if slot.checksum == zlib.crc32(lock[at:at + SLOT.size - 8]) and slot.watermark % 8 == 0:
            yield slot


class FrameHeader:
    """Section 5: a frame header as far as it can be judged by itself."""

    def __init__(self, log, at, header):
        check(at + FRAME_HEADER.size <= len(log), "the file ends in a frame header")
        (magic, self.kind, zero, self.body_len, self.chain, self.sequence, self.watermark, _, self.next_id,
         self.next_revision, self.body_checksum, self.checksum) = FRAME_HEADER.unpack_from(log, at)
        check(magic == FRAME_MAGIC, "no frame")
        check(self.checksum == header.seeded_crc(at, log[at:at + 60]), "checksum of a frame header")
        check(self.kind in MAY_HOLD and not any(zero), "kind of a frame")
        check(self.body_len % 8 == 0 and FRAME_HEADER.size + self.body_len <= FRAME_LEN_MAX, "length of a frame")
        check(self.watermark % 8 == 0 and self.watermark <= at, "watermark of a frame")


def watermarks_after(log, start, header):
    """The watermark of every valid frame header from `start` on, tried at every multiple of 8."""
    at = log.find(FRAME_MAGIC, start)
    while at >= 0:
        try:
            if at % 8 == 0:
                yield FrameHeader(log, at, header).watermark
        except Broken:
            pass
        at = log.find(FRAME_MAGIC, at + 1)


class Replay:
    """The rows after the good frames so far, and what the next frame has to follow."""

    def __init__(self, header):
        self.header = header
        self.chain, self.sequence, self.watermark = header.checksum, 0, 0
        self.next_id, self.next_revision, self.sealed = 1, 1, False
        self.tag = header.first_tag if header.tags_key else b""
        self.rows = {}  # by id; a dict keeps the place of a key that is assigned again

    def frame(self, log, at):
        """Applies the frame at `at` and returns where it ends. One that is not good changes nothing."""
        frame = FrameHeader(log, at, self.header)
        end = at + FRAME_HEADER.size + frame.body_len
        check(end <= len(log), "the file ends in a frame")
        operations = list(self.operations(log, at, end, frame))
        if self.header.tags_key:
            operations, tag = self.opened(log, at, end, operations)
        else:
            operations, tag = [(kind, content) for kind, content, _ in operations], b""
        check(frame.chain == self.chain and frame.sequence == self.sequence + 1, "chain or sequence number")
        check(frame.watermark >= self.watermark, "watermark that falls")
        check(frame.next_id >= self.next_id and frame.next_revision >= self.next_revision, "counter that falls")
        check(frame.kind == SEAL or (frame.kind == BASE) != self.sealed, "frame on the wrong side of the seal")
        check(operations, "frame without operations")
        if frame.kind == COMMIT:
            check(frame.next_revision == self.next_revision + len(operations), "next revision")
        else:
            check(frame.kind == BASE or len(operations) == 1, "number of operations")
        values = [self.value(frame, kind, content, i) for i, (kind, content) in enumerate(operations)]
        for (kind, _), value in zip(operations, values):
            if kind == PUT:
                self.rows[value["id"]] = value
            elif kind == DELETE:
                self.rows.pop(value, None)
            elif kind == CLEAR:
                self.rows.clear()
            elif kind == SEALED and value != len(self.rows):
                raise Unreadable(f"corrupt at offset {at}: sealed with {value} rows, but there are {len(self.rows)}")
        self.chain, self.sequence, self.watermark = frame.checksum, frame.sequence, frame.watermark
        self.next_id, self.next_revision, self.tag = frame.next_id, frame.next_revision, tag
        self.sealed = self.sealed or frame.kind == SEAL
        return end

    def opened(self, log, at, end, operations):
        """Section 10: kind and content of each operation, opened, and the frame's tag, which is right."""
        follows, tag, header = log[end - TRAILER_LEN:end - TAG_LEN], log[end - TAG_LEN:end], self.header
        check(all(len(content) >= SEALED_MORE for _, content, _ in operations), "length of a sealed content")
        tags = b"".join(content[-TAG_LEN:] for _, content, _ in operations)
        covered = b"frame" + at.to_bytes(8, "little") + log[at:at + 56] + follows + tags
        if sealing.mac(header.tags_key, covered) != tag or follows != self.tag:
            raise sealing.Forged
        opened = []
        for kind, content, place in operations:
            associated = header.uuid + header.generation.to_bytes(8, "little") + place.to_bytes(8, "little")
            associated += log[place:place + 12]
            nonce, sealed = content[:24], content[24:-TAG_LEN]
            text = sealing.open_sealed(header.contents_key, nonce, associated, sealed, content[-TAG_LEN:])
            opened.append((kind, text))
        return opened, tag

    def operations(self, log, frame_at, end, frame):
        """Kind, content and place of each operation of a frame, with all checksums verified at the end (section 6)."""
        covered, at, more, trailer = [], frame_at + FRAME_HEADER.size, 0, b""
        if self.header.tags_key:
            check(end - at >= TRAILER_LEN, "frame without tags")
            more, end, trailer = SEALED_MORE, end - TRAILER_LEN, log[end - TRAILER_LEN:end]
        while at < end:
            content_at = at + OPERATION_HEADER.size
            check(content_at <= end, "operation past its frame")
            kind, zero, content_len, distance, checksum = OPERATION_HEADER.unpack_from(log, at)
            content_end = content_at + content_len
            next_at = content_end + -content_end % 8
            check(content_len <= RECORD_LEN_MAX + more and next_at <= end, "length of an operation")
            content, padding = log[content_at:content_end], log[content_end:next_at]
            check(checksum == self.header.seeded_crc(at, log[at:at + 12], content), "checksum of an operation")
            check(not any(zero) and not any(padding) and distance == at - frame_at, "zeros or distance of an operation")
            check(kind in MAY_HOLD[frame.kind], "kind of an operation")
            covered += [log[at + 12:content_at], padding]
            yield kind, content, at
            at = next_at
        check(frame.body_checksum == self.header.seeded_crc(frame_at, *covered, trailer), "checksum of a frame's body")

    def value(self, frame, kind, content, i):
        """What operation number `i` says: a row, an id, a count."""
        if kind == PUT:
            row = record(content)
            check(frame.kind == BASE or row["revision"] == self.next_revision + i, "revision of a put")
            check(row["revision"] < frame.next_revision, "revision of a put")
            check(not NUMBER.fullmatch(row["id"]) or int(row["id"]) < frame.next_id, "id from next id on")
            return row
        if kind == DELETE:
            check(content, "delete of an empty id")
            return utf8(content)
        check(len(content) == (0 if kind == CLEAR else 8), "content of an operation")
        return int.from_bytes(content, "little")


def record(content):
    """The row that a put's content spells (section 6, Records)."""
    at = 0

    def varint():
        nonlocal at
        check(at < len(content), "record cut short")
        first = content[at]
        size, least = {0xFB: (2, 251), 0xFC: (4, 1 << 16), 0xFD: (8, 1 << 32)}.get(first, (0, 0))
        end = at + 1 + size
        check((size or first <= 250) and end <= len(content), "varint")
        value = int.from_bytes(content[at + 1:end], "little") if size else first
        check(value >= least, "varint that is not the shortest")
        at = end
        return value

    revision, created, updated = varint(), varint(), varint()
    lengths = [varint() for _ in COLUMNS]
    for _ in range(2 * varint()):
        lengths.append(varint())
        check(lengths[-1], "empty extra key or value")
    check(varint() == sum(lengths) == len(content) - at, "length of a record's text")
    texts = []
    for length in lengths:
        texts.append(content[at:at + length])
        at += length
    keys, values = texts[len(COLUMNS)::2], texts[len(COLUMNS) + 1::2]
    check(revision and texts[0], "record without revision or id")
    check(all(a < b for a, b in zip(keys, keys[1:])), "order of extra keys")
    check(all(len(text) <= KEY_LEN_MAX for name, text in zip(COLUMNS, texts) if name in KEY_COLUMNS), "length of a key")
    row = {name: utf8(text) if text else None for name, text in zip(COLUMNS, texts)}
    row["extra"] = {utf8(key): utf8(value) for key, value in zip(keys, values)}
    return {**row, "created_at": created, "updated_at": updated, "revision": revision}


def utf8(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Broken("text that is not UTF-8") from None


def main(directories):
    key = None
    if directories[:1] == ["--key"] and len(directories) > 1:
        with open(directories[1], "rb") as file:
            key = file.read()
        directories = directories[2:]
    if not directories or key is not None and len(key) != 32:
        print("usage: read_store.py [--key KEY] DIR ...", file=sys.stderr)
        return 2
    several = len(directories) > 1
    for directory in directories:
        try:
            rows, note = read_store(directory, key)
        except (Unreadable, OSError) as error:
            if not several:
                print(f"{directory}: {error}", file=sys.stderr)
                return 3
            print(json.dumps({"dir": directory, "error": str(error)}))
            continue
        if several:
            print(json.dumps({"dir": directory, "rows": rows, "note": note}))
            continue
        for row in rows:
            print(json.dumps(row))
        if note:
            print(f"{directory}: {note}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
