//! Which tokens were seen lately, and what they say of themselves until somebody takes it.

use super::UnreadClaims;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;
use std::sync::{Mutex, PoisonError};

/// So many digests fill a page: seven eighths of a table of a power of two. Both tables fit into a core's own cache.
const PAGE_LEN_MAX: usize = 14_336;
/// So much that nobody has taken fills a page: more than comes of one block of a log.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// What an entry of the table takes, with the table's own byte.
const ENTRY_BYTES: usize = size_of::<(u64, Option<Box<UnreadClaims>>)>() + 1;

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
    entries: HashMap<u64, Option<Box<UnreadClaims>>, BuildHasherDefault<DigestHasher>>,
    /// What the claims in it take.
    bytes: usize,
}

impl Book {
    /// Keeps what a token says of itself until it is taken, unless it was seen lately.
    pub fn put(&self, digest: [u8; 16], claims: impl FnOnce() -> UnreadClaims) {
        let digest = half(digest);
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !pages.knows(digest) {
            pages.put(digest, Some(Box::new(claims())));
        }
    }

    /// Gives what a token says of itself, once.
    pub fn take(&self, digest: [u8; 16]) -> Option<Box<UnreadClaims>> {
        let digest = half(digest);
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Pages { young, old } = &mut *pages;
        young.take(digest).or_else(|| old.take(digest))
    }
}

impl Pages {
    fn knows(&mut self, digest: u64) -> bool {
        if self.young.entries.contains_key(&digest) {
            return true;
        }
        match self.old.remove(digest) {
            Some(claims) => {
                self.put(digest, claims);
                true
            }
            None => false,
        }
    }

    fn put(&mut self, digest: u64, claims: Option<Box<UnreadClaims>>) {
        let bytes = bytes(&claims);
        if self.young.entries.len() >= PAGE_LEN_MAX || self.young.bytes + bytes > PAGE_BYTES_MAX {
            mem::swap(&mut self.young, &mut self.old);
            // Its table stays.
            self.young.entries.clear();
            self.young.bytes = 0;
        }
        if self.young.entries.capacity() == 0 {
            // Its memory is not touched before it is used.
            self.young.entries.reserve(PAGE_LEN_MAX);
        }
        self.young.bytes += bytes;
        self.young.entries.insert(digest, claims);
    }
}

impl Page {
    fn take(&mut self, digest: u64) -> Option<Box<UnreadClaims>> {
        let claims = self.entries.get_mut(&digest)?.take();
        self.bytes -= bytes(&claims);
        claims
    }

    fn remove(&mut self, digest: u64) -> Option<Option<Box<UnreadClaims>>> {
        let claims = self.entries.remove(&digest)?;
        self.bytes -= bytes(&claims);
        Some(claims)
    }
}

fn bytes(claims: &Option<Box<UnreadClaims>>) -> usize {
    claims.as_ref().map_or(0, |claims| claims.bytes())
}

/// Half a digest tells tokens apart as well: among so few no two are alike by chance, nor by intent, since they are keyed.
fn half(digest: [u8; 16]) -> u64 {
    let [half @ .., _, _, _, _, _, _, _, _] = digest;
    u64::from_ne_bytes(half)
}

/// Nobody without the key can choose a digest, so it is its own hash.
#[derive(Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, _: &[u8]) {
        debug_assert!(false, "only digests are hashed");
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
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
    use super::super::Parts;
    use super::*;

    fn digest(number: usize) -> [u8; 16] {
        // As even as real ones.
        (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_ne_bytes()
    }

    fn claims() -> UnreadClaims {
        let mut parts = Parts::new();
        parts.push(0, &[b'a'; 1000]);
        UnreadClaims::new(&parts, [0; 4])
    }

    fn knows(book: &Book, number: usize) -> bool {
        book.0.lock().unwrap().knows(half(digest(number)))
    }

    #[test]
    fn claims_are_given_once() {
        let book = Book::default();
        assert!(!knows(&book, 1) && book.take(digest(1)).is_none());
        book.put(digest(1), claims);
        assert!(book.take(digest(1)).is_some());
        assert!(book.take(digest(1)).is_none() && knows(&book, 1));
        book.put(digest(1), claims);
        assert!(book.take(digest(1)).is_none());
        assert!(!knows(&book, 2));
    }

    #[test]
    fn as_many_as_fill_a_page_are_known_and_what_is_older_than_two_is_forgotten() {
        let book = Book::default();
        for number in 0..3 * PAGE_LEN_MAX {
            book.put(digest(number), claims);
            assert!(book.take(digest(number)).is_some());
            book.put(digest(0), claims);
            assert!(book.take(digest(0)).is_none(), "what is seen again and again stays");
        }
        assert!((2 * PAGE_LEN_MAX + 10..3 * PAGE_LEN_MAX).all(|number| knows(&book, number)));
        assert!(!knows(&book, 1));
    }

    #[test]
    fn what_nobody_takes_is_bounded() {
        let book = Book::default();
        let each = claims().bytes();
        let per_page = PAGE_BYTES_MAX / each;
        for number in 0..5 * per_page {
            book.put(digest(number), claims);
            let pages = book.0.lock().unwrap();
            assert!(pages.young.bytes <= PAGE_BYTES_MAX && pages.old.bytes <= PAGE_BYTES_MAX);
            assert_eq!(pages.young.bytes, pages.young.entries.len() * each);
        }
        assert!((4 * per_page..5 * per_page).all(|number| book.take(digest(number)).is_some()));
        let pages = book.0.lock().unwrap();
        assert_eq!((pages.young.bytes, pages.young.entries.len() < PAGE_LEN_MAX), (0, true));
    }
}
