//! References that people read out on the telephone.

/// Crockford's alphabet: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Its five further symbols, used by the check symbol only.
const CHECK_ALPHABET: &[u8; 37] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";

/// A reference such as `RSV-7K3M9Q2C-T`: a digest of the parts in eight symbols and Crockford's check
/// symbol (modulo 37), which finds a wrong or swapped symbol. The same parts always make the same reference,
/// so that a task that runs twice answers the same.
pub fn reference(prefix: &str, parts: &[&str]) -> String {
    let digest = fnv1a(parts) & ((1 << 40) - 1);
    let symbols: String = (0..8)
        .rev()
        .map(|position| char::from(ALPHABET[(digest >> (5 * position)) as usize % ALPHABET.len()]))
        .collect();
    let check = char::from(CHECK_ALPHABET[(digest % 37) as usize]);
    format!("{prefix}-{symbols}-{check}")
}

/// FNV-1a, 64 bits, with a separator so that `ab`+`c` differs from `a`+`bc`.
fn fnv1a(parts: &[&str]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0x1f])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^ (hash >> 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_repeat_and_differ_with_their_parts() {
        let one = reference("RSV", &["SO-1", "KB-75"]);
        assert_eq!(one, reference("RSV", &["SO-1", "KB-75"]));
        assert_ne!(one, reference("RSV", &["SO-1K", "B-75"]));
        assert_eq!(one.len(), "RSV-12345678-9".len());
    }
}
