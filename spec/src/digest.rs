//! Whether two texts differ, in a few characters.

use sha2::{Digest as _, Sha256};

/// The first 64 bits of the SHA-256 of some bytes, as 16 hexadecimal digits.
#[must_use]
pub fn digest(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
