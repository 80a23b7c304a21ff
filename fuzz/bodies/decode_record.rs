//! One record: what decodes is what FORMAT.md calls a record, and nothing else is.
//!
//! Input: a byte of switches; the record. It is read a second time here, by FORMAT.md alone; both must agree whether it is
//! one, and on every value. What decodes encodes to the same bytes, and could have been saved.

use tokcask::format::{KEY_LEN_MAX, RECORD_LEN_MAX, record};
use tokcask::{Secret, TokenView};

/// The length of the text, and the text's own, follow from the lengths before: without that, few inputs get past them.
pub(crate) const LENGTHS: u8 = 1;

const COLUMNS: usize = 10;
/// Which of the columns are keys: id, user name, refresh, access and grant token.
const KEYS: [usize; 5] = [0, 1, 4, 5, 6];
/// No text is mended to a longer one.
const MENDED_LEN_MAX: u64 = 2 << 20;

pub(crate) fn run(data: &[u8]) {
    let Some((switches, bytes)) = data.split_first() else { return };
    if switches & LENGTHS == 0 {
        check(bytes);
    } else if let Some(mended) = mend(bytes) {
        check(&mended);
    }
}

fn check(bytes: &[u8]) {
    let (decoded, plain) = (record::decode(bytes), Plain::read(bytes));
    let (view, plain) = match (decoded, plain) {
        (Ok(view), Some(plain)) => (view, plain),
        (Err(error), None) => {
            assert!(!error.to_string().is_empty());
            return;
        }
        (Ok(_), None) => panic!("no record, and it decodes"),
        (Err(error), Some(_)) => panic!("a record that does not decode: {error}"),
    };
    assert_eq!(view.revision(), Some(plain.revision));
    let empty_is_null = plain.columns.map(|column| (!column.is_empty()).then_some(column));
    assert!(columns(&view) == empty_is_null, "another value");
    assert!(view.extra().eq(plain.extra.iter().copied()), "other extra values");
    // The last as well: a look-up walks.
    let some = plain.extra.iter().take(4).chain(plain.extra.last());
    assert!(some.copied().all(|(key, value)| view.extra().get(key) == Some(value)), "an extra value is found");

    assert_eq!(record::checked_len(&view).expect("it could have been saved"), bytes.len() as u64);
    let mut again = Vec::new();
    record::encode(&view, &mut again);
    assert!(again == bytes, "what decodes encodes to the same bytes");
    let token = view.to_token();
    assert_eq!((token.created_at(), token.updated_at()), (view.created_at(), view.updated_at()));
    again.clear();
    record::encode(&token.view(), &mut again);
    assert!(again == bytes, "a copy is the same record");
}

fn columns<'a>(view: &TokenView<'a>) -> [Option<&'a str>; COLUMNS] {
    [
        view.id(),
        view.user_name(),
        view.client_id(),
        view.client_secret().map(Secret::expose_secret),
        view.refresh_token().map(Secret::expose_secret),
        view.access_token().map(Secret::expose_secret),
        view.grant_token().map(Secret::expose_secret),
        view.expiry_time(),
        view.redirect_url(),
        view.api_domain(),
    ]
}

/// A record as FORMAT.md, "Records", has it.
struct Plain<'a> {
    revision: u64,
    columns: [&'a str; COLUMNS],
    extra: Vec<(&'a str, &'a str)>,
}

impl<'a> Plain<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut lengths = Lengths::read(&mut rest)?;
        let text_len = varint(&mut rest)?;
        let is_whole = text_len == rest.len() as u64 && lengths.sum() == Some(text_len);
        let mut texts = lengths.all.drain(..).map(|len| {
            let (text, after) = rest.split_at_checked(usize::try_from(len).ok()?)?;
            rest = after;
            std::str::from_utf8(text).ok()
        });
        let mut columns = [""; COLUMNS];
        for column in &mut columns {
            *column = texts.next()??;
        }
        let mut extra = Vec::new();
        while let Some(key) = texts.next() {
            extra.push((key?, texts.next()??));
        }
        let is_ascending = extra.windows(2).all(|pairs| pairs[0].0.as_bytes() < pairs[1].0.as_bytes());
        let no_empty = extra.iter().all(|(key, value)| !key.is_empty() && !value.is_empty());
        let keys_fit = KEYS.iter().all(|key| columns[*key].len() as u64 <= KEY_LEN_MAX.into());
        let fits = bytes.len() as u64 <= RECORD_LEN_MAX.into() && keys_fit;
        let is_named = lengths.revision != 0 && !columns[0].is_empty();
        let good = is_whole && is_ascending && no_empty && fits && is_named;
        good.then_some(Self { revision: lengths.revision, columns, extra })
    }
}

/// What stands before the length of the text.
struct Lengths {
    revision: u64,
    /// Of the columns, then of keys and values in turn.
    all: Vec<u64>,
}

impl Lengths {
    fn read(rest: &mut &[u8]) -> Option<Self> {
        let revision = varint(rest)?;
        varint(rest)?;
        varint(rest)?;
        let mut all = Vec::new();
        for _ in 0..COLUMNS {
            all.push(varint(rest)?);
        }
        for _ in 0..varint(rest)? {
            all.extend([varint(rest)?, varint(rest)?]);
        }
        Some(Self { revision, all })
    }

    fn sum(&self) -> Option<u64> {
        self.all.iter().try_fold(0_u64, |sum, len| sum.checked_add(*len))
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let (first, after) = rest.split_first()?;
    let (len, shortest) = match first {
        0..=0xFA => (0, 0),
        0xFB => (2, 0xFB),
        0xFC => (4, 1 << 16),
        0xFD => (8, 1 << 32),
        _ => return None,
    };
    let (number, after) = after.split_at_checked(len)?;
    *rest = after;
    let value = number.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    match first {
        0..=0xFA => Some(u64::from(*first)),
        _ => (value >= shortest).then_some(value),
    }
}

/// The record with a text as long as its lengths say, cut or filled up. `None` if there are no lengths, or too large ones.
fn mend(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = bytes;
    let sum = Lengths::read(&mut text)?.sum().filter(|sum| *sum <= MENDED_LEN_MAX)?;
    let mut mended = bytes[..bytes.len() - text.len()].to_vec();
    let number = sum.to_le_bytes();
    match sum {
        0..=0xFA => mended.push(number[0]),
        0xFB..=0xFFFF => mended.extend([&[0xFB], &number[..2]].concat()),
        _ => mended.extend([&[0xFC], &number[..4]].concat()),
    }
    let text_len = usize::try_from(sum).ok()?;
    mended.extend(&text[..text_len.min(text.len())]);
    mended.resize(mended.len() + text_len.saturating_sub(text.len()), b'x');
    Some(mended)
}
