//! What stands behind a frame's header: operations, and in a sealed log the tags that show who wrote them.
//!
//! FORMAT.md, "Frames" and "Sealed stores".

use super::frame::{FRAME_HEADER_LEN, FrameHeader, HEAD_LEN, Kind};
use super::operation::{self, Located, LockedKind, Operation, Raw};
use super::seal::{LogKeys, TAG_LEN, TRAILER_LEN, Tag};
use super::{DecodeError, Seed};
use crate::wipe::Wiped;

/// Reads and checks the operations of a plain log's frame at `frame_at`.
///
/// # Errors
/// A checksum that does not match, or an operation that has no place in a frame of this kind.
pub fn decode_body<'a>(
    seed: Seed,
    frame_at: u64,
    header: &FrameHeader,
    body: &'a [u8],
) -> Result<Vec<Located<'a>>, DecodeError> {
    let mut operations = Vec::new();
    let read = |offset, rest| operation::decode(seed, offset, rest);
    walk_body(seed, frame_at, header, body, &[], read, |located: Located<'a>| {
        let (distance, crc, padding, len) = (located.distance, located.crc, located.padding, located.len);
        check_place(header.kind, &located.operation)?;
        operations.push(located);
        Ok(Passed { distance, crc, padding, len })
    })?;
    check_count(header.kind, operations.len())?;
    Ok(operations)
}

/// The same for a sealed log: `head` is the frame's header, `previous` the tag that this frame has to follow, if that is
/// known. Without it the frame is genuine, and may be one that other frames stood before. Contents are opened into
/// `plain`. Returns the frame's tag too.
///
/// # Errors
/// As [`decode_body`], and [`DecodeError::Forged`] for what is whole and was not written with these keys.
pub(crate) fn open_body<'a>(
    (seed, keys): (Seed, &LogKeys),
    frame_at: u64,
    (header, head): (&FrameHeader, &[u8]),
    previous: Option<&Tag>,
    body: &'a [u8],
    plain: &'a mut Wiped,
) -> Result<(Vec<Located<'a>>, Tag), DecodeError> {
    let (operations, [follows, tag]) = raw_body(seed, frame_at, header, body)?;
    let tags = operations.iter().map(Raw::tag).collect::<Result<Vec<_>, _>>()?;
    let head = head.get(..HEAD_LEN).unwrap_or_default();
    let is_genuine = LogKeys::is_same(&keys.frame_tag(frame_at, head, &follows, &tags), &tag);
    if !is_genuine || previous.is_some_and(|previous| !LogKeys::is_same(previous, &follows)) {
        return Err(DecodeError::Forged { what: "frame" });
    }
    plain.resize(operations.iter().map(Raw::open_len).fold(0, usize::saturating_add));
    let mut rest: &mut [u8] = plain;
    let mut opened = Vec::with_capacity(operations.len());
    for raw in &operations {
        let Some((content, behind)) = rest.split_at_mut_checked(raw.open_len()) else { break };
        let located = raw.open(keys, content)?;
        check_place(header.kind, &located.operation)?;
        opened.push(located);
        rest = behind;
    }
    Ok((opened, tag))
}

/// The same without the keys: frames can be told apart, and what is in them cannot.
///
/// # Errors
/// As [`decode_body`], as far as that can be seen.
pub(crate) fn check_locked_body<'a>(
    seed: Seed,
    frame_at: u64,
    header: &FrameHeader,
    body: &'a [u8],
) -> Result<Vec<Located<'a>>, DecodeError> {
    let (operations, _) = raw_body(seed, frame_at, header, body)?;
    operations
        .iter()
        .map(|raw| {
            let located = raw.locked()?;
            check_place(header.kind, &located.operation)?;
            Ok(located)
        })
        .collect()
}

/// The operations of a sealed frame, unopened, the tag that the frame says it follows, and its own.
fn raw_body<'a>(
    seed: Seed,
    frame_at: u64,
    header: &FrameHeader,
    body: &'a [u8],
) -> Result<(Vec<Raw<'a>>, [Tag; 2]), DecodeError> {
    let without = DecodeError::Invalid { rule: "frame without tags" };
    let (body, trailer) = body.split_last_chunk::<TRAILER_LEN>().ok_or(without)?;
    let mut operations = Vec::new();
    let read = |offset, rest| Raw::decode_sealed(seed, offset, rest);
    walk_body(seed, frame_at, header, body, trailer, read, |raw: Raw<'a>| {
        operations.push(raw);
        Ok(Passed { distance: raw.distance, crc: raw.crc, padding: raw.padding, len: raw.len })
    })?;
    check_count(header.kind, operations.len())?;
    let (follows, tag) = trailer.split_at(TAG_LEN);
    let tags = [follows, tag].map(|tag| tag.first_chunk().copied().unwrap_or_default());
    Ok((operations, tags))
}

/// What a walk over a body needs to know of an operation.
struct Passed<'a> {
    distance: u32,
    crc: u32,
    padding: &'a [u8],
    len: u64,
}

/// Goes from operation to operation, and checks what lies around their contents.
fn walk_body<'a, T>(
    seed: Seed,
    frame_at: u64,
    header: &FrameHeader,
    body: &'a [u8],
    trailer: &[u8],
    read: impl Fn(u64, &'a [u8]) -> Result<T, DecodeError>,
    mut take: impl FnMut(T) -> Result<Passed<'a>, DecodeError>,
) -> Result<(), DecodeError> {
    let mut hasher = seed.hasher(frame_at);
    let mut rest = body;
    let mut distance = FRAME_HEADER_LEN as u64;
    while !rest.is_empty() {
        let passed = take(read(frame_at.saturating_add(distance), rest)?)?;
        if u64::from(passed.distance) != distance {
            let (expected, found) = (distance, passed.distance.into());
            return Err(DecodeError::Mismatch { field: "distance to the frame", expected, found });
        }
        hasher.update(&passed.crc.to_le_bytes());
        hasher.update(passed.padding);
        distance = distance.saturating_add(passed.len);
        let len = usize::try_from(passed.len).unwrap_or(usize::MAX);
        rest = rest.get(len..).unwrap_or_default();
    }
    hasher.update(trailer);
    if hasher.finalize() == header.body_crc { Ok(()) } else { Err(DecodeError::Checksum { of: "frame body" }) }
}

fn check_count(kind: Kind, count: usize) -> Result<(), DecodeError> {
    if count == 0 || (count > 1 && matches!(kind, Kind::Seal | Kind::Recovered)) {
        return Err(DecodeError::Invalid { rule: "wrong number of operations for the frame kind" });
    }
    Ok(())
}

fn check_place(kind: Kind, operation: &Operation<'_>) -> Result<(), DecodeError> {
    use LockedKind as Locked;

    let right = match operation {
        Operation::Put(_) | Operation::Locked { kind: Locked::Put } => matches!(kind, Kind::Commit | Kind::Base),
        Operation::Delete(_) | Operation::Clear | Operation::Locked { kind: Locked::Delete | Locked::Clear } => {
            kind == Kind::Commit
        }
        Operation::Sealed { .. } | Operation::Locked { kind: Locked::Sealed } => kind == Kind::Seal,
        Operation::Recovered { .. } | Operation::Locked { kind: Locked::Recovered } => kind == Kind::Recovered,
    };
    if right { Ok(()) } else { Err(DecodeError::Invalid { rule: "operation in a frame of the wrong kind" }) }
}
