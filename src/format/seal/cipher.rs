//! `XChaCha20-Poly1305`, `HMAC-SHA-256` and `HKDF-SHA-256`, on one library: ARCHITECTURE.md has why this one.
//!
//! `XChaCha20` is `ChaCha20` under a key that `HChaCha20` makes of the key and the nonce's first 16 bytes, with the other 8
//! as its nonce (draft-irtf-cfrg-xchacha).

use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce as ChaChaNonce, Tag as ChaChaTag, UnboundKey};
use ring::{hkdf, hmac};
use zeroize::Zeroize;

use super::{Nonce, TAG_LEN, Tag};
use crate::wipe::wipe_stack;

pub(super) const KEY_LEN: usize = 32;

/// Seals `content` in place.
#[expect(clippy::expect_used, reason = "better no tag than a wrong one")]
pub(super) fn seal(key: &[u8; KEY_LEN], nonce: &Nonce, associated: &[u8], content: &mut [u8]) -> Tag {
    wiped(|| {
        let (key, nonce) = chacha(key, nonce);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated), content);
        let tag = tag.expect("it refuses only what is longer than 256 GiB");
        *tag.as_ref().first_chunk::<TAG_LEN>().expect("tags of this cipher are this long")
    })
}

/// Opens `content` in place; returns whether it is what was sealed. If not, nothing of it is to be used.
pub(super) fn open(key: &[u8; KEY_LEN], nonce: &Nonce, associated: &[u8], content: &mut [u8], tag: &Tag) -> bool {
    wiped(|| {
        let (key, nonce) = chacha(key, nonce);
        let tag = ChaChaTag::from(*tag);
        key.open_in_place_separate_tag(nonce, Aad::from(associated), tag, content, 0..).is_ok()
    })
}

#[expect(clippy::expect_used, reason = "better no cipher than a wrong one")]
fn chacha(key: &[u8; KEY_LEN], nonce: &Nonce) -> (LessSafeKey, ChaChaNonce) {
    let (first, last) = nonce.split_first_chunk::<16>().expect("a nonce has 24 bytes");
    let mut derived: [u8; KEY_LEN] = hchacha::<R20>(key.into(), first.into()).into();
    let chacha = UnboundKey::new(&CHACHA20_POLY1305, &derived).expect("a key of that length");
    derived.zeroize();
    let mut short = [0; 12];
    for (to, from) in short.iter_mut().rev().zip(last.iter().rev()) {
        *to = *from;
    }
    (LessSafeKey::new(chacha), ChaChaNonce::assume_unique_for_key(short))
}

/// The first half of `HMAC-SHA-256`.
#[expect(clippy::expect_used, reason = "better no tag than a wrong one")]
pub(super) fn tag(key: &[u8; KEY_LEN], parts: &[&[u8]]) -> Tag {
    wiped(|| {
        let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        for part in parts {
            mac.update(part);
        }
        *mac.sign().as_ref().first_chunk().expect("a hash is longer")
    })
}

/// `HKDF-SHA-256`: fills `out` from a key, for one purpose.
#[expect(clippy::expect_used, reason = "better no key than a wrong one")]
pub(super) fn derive(salt: &[u8], key: &[u8; KEY_LEN], purpose: &[&[u8]], out: &mut [u8]) {
    struct Len(usize);

    impl hkdf::KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }

    wiped(|| {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key);
        let expanded = extracted.expand(purpose, Len(out.len())).and_then(|expanded| expanded.fill(out));
        expanded.expect("at most 32 bytes are asked for");
    });
}

/// Runs it in a stack frame of its own, which is wiped afterwards: the library leaves keys there.
fn wiped<R>(f: impl FnOnce() -> R) -> R {
    #[inline(never)]
    fn in_own_frame<R>(f: impl FnOnce() -> R) -> R {
        f()
    }

    let result = in_own_frame(f);
    wipe_stack();
    result
}
