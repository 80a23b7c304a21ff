//! FORMAT.md, "Records".

use tokcask::format::{DecodeError, KEY_LEN_MAX, RECORD_LEN_MAX, record};

use super::{Fields, invalid, varint};

/// Places of the key columns, and the names that errors give them.
const KEYS: [(usize, &str); 5] =
    [(0, "id"), (1, "user_name"), (4, "refresh_token"), (5, "access_token"), (6, "grant_token")];
const CLIENT_SECRET: usize = 3;

fn refusal(fields: &Fields) -> DecodeError {
    record::decode(&fields.bytes()).map(drop).expect_err("it breaks a rule")
}

/// Id `7`, then `text` as extra pairs of these lengths.
fn with_extra(extra: &[(u64, u64)], text: &str) -> Fields {
    let plain = Fields::of("7", 1);
    Fields { extra: extra.to_vec(), text: [&plain.text, text.as_bytes()].concat(), ..plain }
}

fn with_column(place: usize, len: usize) -> Fields {
    let mut fields = Fields::of("7", 1);
    if place == 0 {
        fields.text.clear();
    }
    fields.columns[place] = len as u64;
    fields.text.resize(fields.text.len() + len, b'x');
    fields
}

#[test]
fn a_record_needs_an_id_and_a_revision() {
    assert_eq!(refusal(&Fields::of("", 1)), invalid("record without an id"));
    assert_eq!(refusal(&Fields::of("7", 0)), invalid("record without a revision"));
    let bytes = Fields::of("7", 1).bytes();
    let row = record::decode(&bytes).unwrap();
    assert_eq!((row.id(), row.revision()), (Some("7"), Some(1)));
}

#[test]
fn extra_keys_ascend_and_no_part_of_a_pair_is_empty() {
    let ascending = with_extra(&[(1, 1), (1, 2)], "avbvv").bytes();
    let row = record::decode(&ascending).unwrap();
    assert_eq!(row.extra().collect::<Vec<_>>(), [("a", "v"), ("b", "vv")]);
    let order = invalid("extra keys not in ascending order");
    assert_eq!(refusal(&with_extra(&[(1, 1), (1, 1)], "bvav")), order);
    assert_eq!(refusal(&with_extra(&[(1, 1), (1, 1)], "avaw")), order, "repeated");
    for lengths in [(0, 1), (1, 0), (0, 0)] {
        assert_eq!(refusal(&with_extra(&[lengths], "v")), invalid("empty extra key or value"), "{lengths:?}");
    }
}

#[test]
fn fields_end_between_characters_and_together_are_the_text() {
    let outside = invalid("field ends outside its text");
    let with = |columns: &[(usize, u64)], text: &[u8]| {
        let mut fields = Fields { text: text.to_vec(), ..Fields::of("", 1) };
        for (place, len) in columns {
            fields.columns[*place] = *len;
        }
        fields
    };
    assert_eq!(refusal(&with(&[(0, 1), (1, 2)], "éa".as_bytes())), outside, "inside a character");
    assert_eq!(refusal(&with(&[(0, 3)], b"id")), outside);
    assert_eq!(refusal(&with(&[(0, u32::MAX.into()), (1, 3)], b"id")), outside, "the sum runs over");
    assert_eq!(refusal(&with_extra(&[(1, 2)], "kv")), outside, "an extra value");
    assert_eq!(refusal(&with_extra(&[(3, 1)], "kv")), outside, "an extra key");
    assert_eq!(refusal(&with(&[(0, 1)], b"id")), invalid("text longer than its fields"));
    assert_eq!(refusal(&with(&[(0, 1)], b"\xFF")), invalid("record does not decode"), "no UTF-8");
    assert_eq!(refusal(&with(&[(0, 1 << 32)], b"i")), invalid("record does not decode"), "a length over 32 bits");
}

#[test]
fn numbers_are_as_short_as_they_can_be_and_keep_their_value() {
    for number in [1, 250, 251, 0xFFFF, 0x1_0000, 0xFFFF_FFFF, 0x1_0000_0000, u64::MAX] {
        let fields = Fields { created_ms: number, updated_ms: number, ..Fields::of("7", number) };
        let bytes = fields.bytes();
        let row = record::decode(&bytes).unwrap();
        assert_eq!(record::encoded_len(&row), bytes.len() as u64, "{number}");
        let mut again = vec![1, 2, 3];
        record::encode(&row, &mut again);
        assert_eq!(again, [&[1, 2, 3], bytes.as_slice()].concat(), "appended to what is there");
        assert_eq!(row.revision(), Some(number));
    }
    let bytes = Fields::of("7", 200).bytes();
    for longer in [vec![0xFB, 200, 0], vec![0xFC, 200, 0, 0, 0], vec![0xFD, 200, 0, 0, 0, 0, 0, 0, 0]] {
        let record = [longer.as_slice(), &bytes[varint(200).len()..]].concat();
        let reason = record::decode(&record).map(drop);
        assert_eq!(reason, Err(invalid("record with an integer longer than it need be")));
    }
    let left_over = [bytes.as_slice(), &[0]].concat();
    assert_eq!(record::decode(&left_over).map(drop), Err(invalid("bytes left after the record")));
}

#[test]
#[cfg_attr(miri, ignore = "megabytes are too much for an interpreter")]
fn a_key_may_be_as_long_as_the_limit_and_other_columns_longer() {
    let max = KEY_LEN_MAX as usize;
    for (place, name) in KEYS {
        assert!(record::decode(&with_column(place, max).bytes()).is_ok(), "{name}");
        let (len, limit) = (u64::from(KEY_LEN_MAX) + 1, KEY_LEN_MAX.into());
        assert_eq!(refusal(&with_column(place, max + 1)), DecodeError::TooLong { what: name, len, limit });
    }
    assert!(record::decode(&with_column(CLIENT_SECRET, max + 1).bytes()).is_ok());
}

#[test]
#[cfg_attr(miri, ignore = "megabytes are too much for an interpreter")]
fn a_record_may_be_as_long_as_the_limit() {
    let max = RECORD_LEN_MAX as usize;
    let around = with_column(CLIENT_SECRET, max / 2).bytes().len() - max / 2;
    let longest = with_column(CLIENT_SECRET, max - around).bytes();
    assert_eq!(longest.len(), max);
    let row = record::decode(&longest).unwrap();
    assert_eq!(record::checked_len(&row), Ok(RECORD_LEN_MAX.into()));

    let (len, limit) = (u64::from(RECORD_LEN_MAX) + 1, RECORD_LEN_MAX.into());
    let one_more = DecodeError::TooLong { what: "record", len, limit };
    assert_eq!(refusal(&with_column(CLIENT_SECRET, max - around + 1)), one_more);
    let secret = "x".repeat(max - around + 1);
    // Numbers of one byte each, as in the record above, and the same id.
    let token = tokcask::Token::builder().id("7").client_secret(secret).build();
    assert_eq!(record::checked_len(&token.view()), Err(one_more));
}
