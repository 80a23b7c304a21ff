//! The bytes of a record, by a second encoder: those of `bincode` 2, which other programs may read them with.
//!
//! Method: tokens of many shapes are encoded by us and by `wincode` from a structure declared here after FORMAT.md;
//! the bytes must be the same, and each must read the other's.

use tokcask::format::record;
use tokcask::{ListStore, Token, TokenStore};
use wincode::config::Configuration;
use wincode::{SchemaRead, SchemaWrite};

#[derive(SchemaWrite, SchemaRead, Debug, PartialEq)]
struct Record<'a> {
    revision: u64,
    created_ms: u64,
    updated_ms: u64,
    column_lens: [u32; 10],
    extra_lens: Vec<(u32, u32)>,
    text: &'a str,
}

fn tokens() -> Vec<Token> {
    let long = |len: usize| "x".repeat(len);
    let ana = || Token::builder().user_name("ana");
    vec![
        ana().access_token("fake").build(),
        ana().access_token(long(250)).refresh_token(long(251)).grant_token(long(65_536)).build(),
        ana().access_token("fake").extra("scope", long(70_000)).extra("a", "é").build(),
        ana().id("é").client_id("c").client_secret("s").refresh_token("r").expiry_time("1700000000000").build(),
        ana().access_token("fake").redirect_url("https://app.example/").api_domain("https://api.example").build(),
    ]
}

#[test]
fn another_encoder_writes_and_reads_the_same_bytes() {
    let config = Configuration::default().with_varint_encoding();
    for token in tokens() {
        let stored = ListStore::new().save_token(&token).unwrap();
        let mut ours = Vec::new();
        record::encode(&stored.view(), &mut ours);
        assert_eq!(ours.len() as u64, record::encoded_len(&stored.view()));

        let theirs: Record<'_> = wincode::config::deserialize(&ours, config).unwrap();
        assert_eq!(Some(theirs.revision), stored.revision());
        assert!(theirs.text.contains("ana"));
        assert_eq!(wincode::config::serialize(&theirs, config).unwrap(), ours);
        assert_eq!(record::decode(&ours).unwrap().to_token(), stored);
    }
}

#[test]
fn a_record_that_is_not_the_shortest_or_not_whole_is_refused() {
    let stored = ListStore::new().save_token(&Token::builder().access_token("fake").extra("k", "v").build()).unwrap();
    let mut bytes = Vec::new();
    record::encode(&stored.view(), &mut bytes);
    assert_eq!(bytes[0], 1, "revision 1");
    let longer: Vec<u8> = [0xFB, 1, 0].into_iter().chain(bytes[1..].iter().copied()).collect();
    assert!(record::decode(&longer).is_err(), "a longer varint than need be");
    assert!(record::decode(&[bytes.as_slice(), &[0]].concat()).is_err(), "a byte left over");
    for len in 0..bytes.len() {
        assert!(record::decode(&bytes[..len]).is_err(), "{len} bytes");
    }
}
