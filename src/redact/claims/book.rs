//! Which tokens were seen lately, and what they say of themselves until somebody asks.

use super::Claims;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;
use std::sync::{Mutex, PoisonError};

/// So many digests fill a page: seven eighths of a table of a power of two.
const PAGE_LEN_MAX: usize = 28_672;
/// So much of claims that nobody has taken fills a page: more than one block of a log can hold.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// What an entry of the table takes, with the table's own byte.
const ENTRY_BYTES: usize = size_of::<(u128, Option<Box<Claims>>)>() + 1;

/// What is kept of claims takes so much memory at most.
pub const CLAIMS_BYTES_MAX: usize = 2 * (PAGE_BYTES_MAX + PAGE_LEN_MAX / 7 * 8 * ENTRY_BYTES) + (16 << 10);

/// Two pages: when the young one is full it becomes the old one, and what was in that is forgotten. A digest that is seen
/// again moves to the young one.
#[derive(Default)]
pub(in crate::redact) struct Book(Mutex<Pages>);

#[derive(Default)]
struct Pages {
    young: Page,
    old: Page,
}

#[derive(Default)]
struct Page {
    /// `None` is what was taken.
    entries: HashMap<u128, Option<Box<Claims>>, BuildHasherDefault<DigestHasher>>,
    /// What the claims in it take.
    bytes: usize,
}

impl Book {
    /// Whether a digest was seen lately.
    pub fn knows(&self, digest: [u8; 16]) -> bool {
        let digest = u128::from_ne_bytes(digest);
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.young.entries.contains_key(&digest) {
            return true;
        }
        match pages.old.remove(digest) {
            Some(claims) => {
                pages.put(digest, claims);
                true
            }
            None => false,
        }
    }

    /// Keeps the claims of a token until they are taken.
    pub fn put(&self, digest: [u8; 16], claims: Box<Claims>) {
        let digest = u128::from_ne_bytes(digest);
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have read the same token.
        if !pages.young.entries.contains_key(&digest) {
            pages.old.remove(digest);
            pages.put(digest, Some(claims));
        }
    }

    /// Gives the claims of a token, once.
    pub fn take(&self, digest: [u8; 16]) -> Option<Box<Claims>> {
        let digest = u128::from_ne_bytes(digest);
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Pages { young, old } = &mut *pages;
        young.take(digest).or_else(|| old.take(digest))
    }
}

impl Pages {
    fn put(&mut self, digest: u128, claims: Option<Box<Claims>>) {
        let bytes = bytes(&claims);
        if self.young.entries.len() >= PAGE_LEN_MAX || self.young.bytes + bytes > PAGE_BYTES_MAX {
            mem::swap(&mut self.young, &mut self.old);
            // Its table stays.
            self.young.entries.clear();
            self.young.bytes = 0;
        }
        self.young.bytes += bytes;
        self.young.entries.insert(digest, claims);
    }
}

impl Page {
    fn take(&mut self, digest: u128) -> Option<Box<Claims>> {
        let claims = self.entries.get_mut(&digest)?.take();
        self.bytes -= bytes(&claims);
        claims
    }

    fn remove(&mut self, digest: u128) -> Option<Option<Box<Claims>>> {
        let claims = self.entries.remove(&digest)?;
        self.bytes -= bytes(&claims);
        Some(claims)
    }
}

fn bytes(claims: &Option<Box<Claims>>) -> usize {
    claims.as_ref().map_or(0, |claims| claims.bytes())
}

/// A digest is keyed: nobody without the key can choose it, so it is its own hash.
#[derive(Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, _: &[u8]) {
        debug_assert!(false, "only digests are hashed");
    }

    fn write_u128(&mut self, digest: u128) {
        self.0 = digest as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Book")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> [u8; 16] {
        // As even as real ones.
        (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_ne_bytes()
    }

    fn claims(bytes: usize) -> Box<Claims> {
        Box::new(Claims { iss: Some("i".repeat(bytes)), ..Claims::default() })
    }

    #[test]
    fn claims_are_given_once() {
        let book = Book::default();
        assert!(!book.knows(digest(1)) && book.take(digest(1)).is_none());
        book.put(digest(1), claims(3));
        assert!(book.knows(digest(1)));
        assert_eq!(book.take(digest(1)), Some(claims(3)));
        assert!(book.take(digest(1)).is_none() && book.knows(digest(1)));
        assert!(!book.knows(digest(2)));
    }

    #[test]
    fn as_many_as_fill_a_page_are_known_and_what_is_older_than_two_is_forgotten() {
        let book = Book::default();
        for number in 0..3 * PAGE_LEN_MAX {
            book.put(digest(number), claims(1));
            assert!(book.take(digest(number)).is_some());
            if number > 0 {
                assert!(book.knows(digest(0)), "what is seen again and again stays");
            }
        }
        assert!((2 * PAGE_LEN_MAX + 10..3 * PAGE_LEN_MAX).all(|number| book.knows(digest(number))));
        assert!(!book.knows(digest(1)));
    }

    #[test]
    fn what_nobody_takes_is_bounded() {
        let book = Book::default();
        let each = claims(1000).bytes();
        for number in 0..10 * PAGE_BYTES_MAX / each {
            book.put(digest(number), claims(1000));
            let pages = book.0.lock().unwrap();
            assert!(pages.young.bytes <= PAGE_BYTES_MAX && pages.old.bytes <= PAGE_BYTES_MAX);
            assert_eq!(pages.young.bytes, pages.young.entries.len() * each);
        }
        let last = 10 * PAGE_BYTES_MAX / each - 1;
        assert!((last + 1 - PAGE_BYTES_MAX / each..=last).all(|number| book.take(digest(number)).is_some()));
        let pages = book.0.lock().unwrap();
        assert_eq!((pages.young.bytes, pages.young.entries.len() < PAGE_LEN_MAX), (0, true));
    }
}
