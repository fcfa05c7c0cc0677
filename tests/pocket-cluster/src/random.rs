//! Letters that nobody guesses: tokens, and the ends of generated names.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Those that Kubernetes uses, so that no words come of it.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The end of a generated name.
pub(crate) fn suffix() -> String {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    letters(&Sha256::digest(count.to_le_bytes()), 5)
}

/// A token; without a source of randomness there is none.
pub(crate) fn token() -> Result<String, std::io::Error> {
    let mut bytes = [0_u8; 32];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(letters(&bytes, bytes.len()))
}

/// The hash of a pod template, as names and labels of revisions carry it.
pub(crate) fn hash_of(text: &str) -> String {
    letters(&Sha256::digest(text), 10)
}

fn letters(bytes: &[u8], count: usize) -> String {
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len()).copied().unwrap_or(b'x');
    bytes.iter().take(count).map(|byte| char::from(letter(byte))).collect()
}
