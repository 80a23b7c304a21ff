#!/usr/bin/env python3
"""Reads a tokcask store, written from FORMAT.md alone.

    python3 read_store.py DIR           rows, oldest first, one JSON object a line
    python3 read_store.py DIR DIR ...   one JSON object a DIR: {"dir", "rows", "note"} or {"dir", "error"}

Exit status: 0 if DIR was read (of a torn tail a note on stderr), 3 if it cannot be (the reason on stderr), 2 for
wrong use. With several DIRs it is 0, and each line holds its own verdict. Takes no lock and changes nothing; knows
nothing about encrypted stores. Names and section numbers are those of FORMAT.md. Python 3.9, standard library only.
"""

import json
import os
import re
import sys
import zlib

COPY_LEN, FRAMES_AT = 4_096, 8_192
FRAME_HEADER_LEN, OPERATION_HEADER_LEN = 64, 16
RECORD_LEN_MAX, KEY_LEN_MAX, FRAME_LEN_MAX = 1_048_576, 65_536, 67_108_864

LOG_MAGIC = bytes.fromhex("89 54 4F 4B 0D 0A 1A 0A")
FRAME_MAGIC = bytes.fromhex("74 6B 66 97")
REDO_MAGIC = bytes.fromhex("89 54 4B 52 0D 0A 1A 0A")
COMMIT, BASE, SEAL, RECOVERED_FRAME = 1, 2, 3, 4
PUT, DELETE, CLEAR, SEALED, RECOVERED = 1, 2, 3, 4, 5

COLUMNS = ("id", "user_name", "client_id", "client_secret", "refresh_token", "access_token", "grant_token",
           "expiry_time", "redirect_url", "api_domain")
KEY_COLUMNS = ("id", "user_name", "refresh_token", "access_token", "grant_token")
NUMBER = re.compile(r"[1-9][0-9]{0,17}")


class Unreadable(Exception):
    """The verdict on a directory whose rows must not be believed: corrupt, put back, unsupported, or no store."""


class Broken(Exception):
    """A structure breaks a rule of the format; what that means for the store, section 7 decides."""


def check(holds, what):
    if not holds:
        raise Broken(what)


def u(data, at, size):
    """The unsigned little-endian number in `size` bytes at `at`."""
    check(at + size <= len(data), "cut short")
    return int.from_bytes(data[at:at + size], "little")


def read_store(directory):
    """The rows of a store, oldest first, and a note if it has a torn tail (section 7)."""
    # The slots before the log: a slot read after the log could know a commit that the log did not have yet.
    lock = read_file(directory, "store.lock") or b""
    redo = read_file(directory, "store.redo")
    log = read_file(directory, "store.log")
    if log is None:
        lost = any(lock[4_096:12_288])
        raise Unreadable("store.log is lost" if lost else "not a store: there is no store.log")
    header = FileHeader.of_file(log)
    if redo is not None:
        log = with_redo(log, redo, header)

    replay = Replay(header)
    end, reason = FRAMES_AT, "end of the file"  # `end` is X
    while end < len(log):
        try:
            end = replay.frame(log, end)
        except Broken as broken:
            reason = str(broken)
            break

    for slot in slots(lock):
        if slot["uuid"] != header.uuid or slot["generation"] > header.generation or (
                slot["generation"] == header.generation and slot["watermark"] > len(log)):
            raise Unreadable(f"an older or another log was put back: store.lock knows one beyond offset {len(log)}")
        if slot["generation"] == header.generation and slot["watermark"] > end:
            raise Unreadable(f"corrupt at offset {end}: {reason}; a slot says durable to {slot['watermark']}")
    for at, watermark in headers_after(log, end, header):
        if watermark > end:
            raise Unreadable(f"corrupt at offset {end}: {reason}; the frame at {at} says durable to {watermark}")
    if not replay.sealed:
        raise Unreadable(f"corrupt at offset {end}: {reason}; no seal before it")
    torn = log[end:].rstrip(b"\0")
    note = f"torn tail at offset {end}: {reason}; {len(torn)} bytes do not count" if torn else None
    return list(replay.rows.values()), note


def read_file(directory, name):
    try:
        with open(os.path.join(directory, name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


class FileHeader:
    """Section 3, and the seeded checksum of section 4."""

    @classmethod
    def of_file(cls, log):
        copies, reasons = [], []
        for at in (0, COPY_LEN):
            copy = log[at:at + COPY_LEN]
            try:
                check(copy[:8] == LOG_MAGIC, "no magic")
                check(u(copy, 4_092, 4) == zlib.crc32(copy[:4_092]), "checksum")
                copies.append(copy)
            except Broken as broken:
                reasons.append(f"copy at offset {at}: {broken}")
        if not copies:
            magic = LOG_MAGIC in (log[:8], log[COPY_LEN:COPY_LEN + 8])
            raise Unreadable(("corrupt file header: " if magic else "not a store: ") + "; ".join(reasons))
        if copies[0] != copies[-1]:
            raise Unreadable(f"corrupt at offset {COPY_LEN}: the copies of the file header differ")
        return cls(copies[0])

    def __init__(self, copy):
        limits = (u(copy, 200, 4), u(copy, 204, 4), u(copy, 208, 4))
        for at, known, what in (
                (8, u(copy, 8, 2) == 1, "version"),
                (16, u(copy, 16, 8) == 0, "incompatible features"),
                (72, u(copy, 72, 2) == 0, "cipher suite"),
                (200, limits == (RECORD_LEN_MAX, KEY_LEN_MAX, FRAME_LEN_MAX), "limits")):
            if not known:
                raise Unreadable(f"unsupported at offset {at}: {what}")
        for start, stop in ((10, 16), (74, 80), (80, 200), (212, 216), (224, 4_092)):
            if any(copy[start:stop]):
                raise Unreadable(f"corrupt at offset {start}: bytes of the file header that must be zero")
        self.uuid, self.generation = copy[40:56], u(copy, 56, 8)
        if self.generation == 0:
            raise Unreadable("corrupt at offset 56: generation 0")
        self.checksum = u(copy, 4_092, 4)
        self.seed = zlib.crc32(copy[64:72] + copy[56:64])  # salt, generation

    def seeded_crc(self, offset, *data):
        crc = zlib.crc32(offset.to_bytes(8, "little"), self.seed)
        for part in data:
            crc = zlib.crc32(part, crc)
        return crc


def with_redo(log, redo, header):
    """The log as it reads once the redo file (section 9) is written into it."""
    try:
        offset, n = u(redo, 32, 8), u(redo, 40, 8)
        check(redo[:8] == REDO_MAGIC and redo[8:24] == header.uuid and u(redo, 24, 8) == header.generation, "foreign")
        check(len(redo) == 48 + n + 4 and FRAMES_AT <= offset <= len(log), "lengths")
        check(u(redo, 48 + n, 4) == header.seeded_crc(offset, redo[:48 + n]), "checksum")
    except (Broken, OverflowError):
        return log
    return log[:offset] + redo[48:48 + n] + log[offset + n:]


def slots(lock):
    """The valid slots of store.lock (section 8)."""
    for at in (4_096, 8_192):
        slot = lock[at:at + 56]
        if len(slot) == 56 and u(slot, 48, 8) == zlib.crc32(slot[:48]):
            yield {"uuid": slot[:16], "generation": u(slot, 16, 8), "watermark": u(slot, 24, 8)}


class FrameHeader:
    """Section 5, as far as one header can be judged by itself."""

    def __init__(self, log, at, header):
        h = log[at:at + FRAME_HEADER_LEN]
        check(len(h) == FRAME_HEADER_LEN, "frame header cut short")
        check(h[:4] == FRAME_MAGIC, "no frame")
        self.checksum = u(h, 60, 4)
        check(self.checksum == header.seeded_crc(at, h[:60]), "frame header's checksum")
        self.kind, self.body_len, self.chain, self.seq = h[4], u(h, 8, 4), u(h, 12, 4), u(h, 16, 8)
        self.watermark, self.next_id, self.next_revision = u(h, 24, 8), u(h, 40, 8), u(h, 48, 8)
        self.body_checksum = u(h, 56, 4)
        check(self.kind in (COMMIT, BASE, SEAL, RECOVERED_FRAME), "frame kind")
        check(not any(h[5:8]), "frame header's zeros")
        check(self.body_len % 8 == 0 and FRAME_HEADER_LEN + self.body_len <= FRAME_LEN_MAX, "body length")
        check(self.watermark % 8 == 0 and self.watermark <= at, "watermark")


def headers_after(log, start, header):
    """Offset and watermark of every valid frame header at a multiple of 8, from `start` to the end of the file."""
    at = log.find(FRAME_MAGIC, start)
    while at >= 0:
        if at % 8 == 0:
            try:
                yield at, FrameHeader(log, at, header).watermark
            except Broken:
                pass
        at = log.find(FRAME_MAGIC, at + 1)


class Replay:
    """The rows after the good frames so far, and what the next frame has to follow."""

    def __init__(self, header):
        self.header = header
        self.chain, self.seq, self.watermark = header.checksum, 0, 0
        self.next_id, self.next_revision, self.sealed = 1, 1, False
        self.rows = {}  # by id; a dict keeps the place of a key that is assigned again

    def frame(self, log, at):
        """Applies the frame at `at` and returns where it ends; if it is not good, changes nothing."""
        frame = FrameHeader(log, at, self.header)
        check(frame.chain == self.chain, "chain")
        check(frame.seq == self.seq + 1, "sequence number")
        check(frame.watermark >= self.watermark, "watermark falls")
        check(frame.next_id >= self.next_id and frame.next_revision >= self.next_revision, "counter falls")
        check((frame.kind == BASE) != self.sealed or frame.kind == SEAL, "kind of frame at this place")
        body = at + FRAME_HEADER_LEN
        check(body + frame.body_len <= len(log), "frame cut short")
        operations = self.operations(log, at, body + frame.body_len, frame.body_checksum)
        effects = self.interpret(frame, operations)
        if frame.kind == SEAL and effects[0][1] != len(self.rows):
            raise Unreadable(f"corrupt at offset {at}: the seal counts {effects[0][1]} rows, not {len(self.rows)}")
        for kind, value in effects:
            if kind == PUT:
                self.rows[value["id"]] = value
            elif kind == DELETE:
                self.rows.pop(value, None)
            elif kind == CLEAR:
                self.rows.clear()
        self.chain, self.seq, self.watermark = frame.checksum, frame.seq, frame.watermark
        self.next_id, self.next_revision = frame.next_id, frame.next_revision
        self.sealed = self.sealed or frame.kind == SEAL
        return body + frame.body_len

    def operations(self, log, frame_at, stop, body_checksum):
        """Kind and content of each operation of a body, all checksums verified (section 6)."""
        found, covered, at = [], [], frame_at + FRAME_HEADER_LEN
        while at < stop:
            check(at + OPERATION_HEADER_LEN <= stop, "operation header cut short")
            h = log[at:at + OPERATION_HEADER_LEN]
            content_at, content_len = at + OPERATION_HEADER_LEN, u(h, 4, 4)
            content_end = content_at + content_len
            end = content_end + -content_end % 8
            check(content_len <= RECORD_LEN_MAX and end <= stop, "content length")
            content, padding = log[content_at:content_end], log[content_end:end]
            check(u(h, 12, 4) == self.header.seeded_crc(at, h[:12], content), f"checksum of the operation at {at}")
            check(not any(h[1:4]) and not any(padding), "an operation's zeros")
            check(u(h, 8, 4) == at - frame_at, "distance")
            found.append((h[0], content))
            covered += [h[12:16], padding]
            at = end
        check(body_checksum == self.header.seeded_crc(frame_at, *covered), "body checksum")
        return found

    def interpret(self, frame, operations):
        """The effects of a frame's operations, if they obey the rules of its kind."""
        kinds = [kind for kind, _ in operations]
        if frame.kind in (SEAL, RECOVERED_FRAME):
            check(kinds == [SEALED if frame.kind == SEAL else RECOVERED], "operations of this frame")
        elif frame.kind == BASE:
            check(set(kinds) <= {PUT}, "operations of a base frame")
        else:
            check(set(kinds) <= {PUT, DELETE, CLEAR}, "operations of a commit")
            check(frame.next_revision == self.next_revision + len(kinds), "next revision")
        effects = []
        for i, (kind, content) in enumerate(operations):
            value = None
            if kind == PUT:
                value = record(content)
                if frame.kind == COMMIT:
                    check(value["revision"] == self.next_revision + i, "revision of a put")
                check(value["revision"] < frame.next_revision, "revision of a put")
                check(not NUMBER.fullmatch(value["id"]) or int(value["id"]) < frame.next_id, "id above next id")
            elif kind == DELETE:
                check(0 < len(content) <= KEY_LEN_MAX, "id of a delete")
                value = utf8(content)
            elif kind == CLEAR:
                check(content == b"", "content of a clear")
            else:
                check(len(content) == 8, "content of sealed or recovered")
                value = u(content, 0, 8)
            effects.append((kind, value))
        return effects


def record(content):
    """The row that a put's content spells (section 6, Records)."""
    at = 0

    def varint():
        nonlocal at
        first = u(content, at, 1)
        size, least = {0xFB: (2, 251), 0xFC: (4, 1 << 16), 0xFD: (8, 1 << 32)}.get(first, (0, 0))
        check(size or first <= 250, "varint")
        value = u(content, at + 1, size) if size else first
        check(value >= least, "varint that is too long")
        at += 1 + size
        return value

    revision, created, updated = varint(), varint(), varint()
    check(revision != 0, "revision 0")
    lengths = [varint() for _ in COLUMNS]
    pairs = varint()
    for _ in range(2 * pairs):
        lengths.append(varint())
        check(lengths[-1] != 0, "empty extra key or value")
    check(varint() == sum(lengths) == len(content) - at, "length of the text")
    texts = []
    for length in lengths:
        texts.append(content[at:at + length])
        at += length
    keys = texts[len(COLUMNS)::2]
    check(all(a < b for a, b in zip(keys, keys[1:])), "order of extra keys")
    row = {name: utf8(text) if text else None for name, text in zip(COLUMNS, texts)}
    check(row["id"] is not None, "no id")
    check(all(length <= KEY_LEN_MAX for name, length in zip(COLUMNS, lengths) if name in KEY_COLUMNS), "key length")
    row["extra"] = {utf8(key): utf8(value) for key, value in zip(keys, texts[len(COLUMNS) + 1::2])}
    return {**row, "created_at": created, "updated_at": updated, "revision": revision}


def utf8(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Broken("text that is not UTF-8") from None


def main(directories):
    if not directories:
        print("usage: read_store.py DIR ...", file=sys.stderr)
        return 2
    for directory in directories:
        try:
            rows, note = read_store(directory)
            verdict = {"dir": directory, "rows": rows, "note": note}
        except (Unreadable, OSError) as error:
            verdict = {"dir": directory, "error": f"{directory}: {error}"}
        if len(directories) > 1:
            print(json.dumps(verdict))
    if len(directories) > 1:
        return 0
    if "error" in verdict:
        print(verdict["error"], file=sys.stderr)
        return 3
    for row in verdict["rows"]:
        print(json.dumps(row))
    if verdict["note"]:
        print(f"{directory}: {verdict['note']}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
