//! The checksum of Google's values: CRC-32C (Castagnoli).

/// The polynomial, with its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Returns the checksum of the bytes. A value has 64 KiB at most, so a table would not pay.
pub(super) fn of(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (POLYNOMIAL & (sum & 1).wrapping_neg()))
    });
    !sum
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksums_of_the_rfc_are_right() {
        // RFC 3720, B.4, and the usual check value.
        assert_eq!(super::of(b"123456789"), 0xe306_9283);
        assert_eq!(super::of(&[0; 32]), 0x8a91_36aa);
        assert_eq!(super::of(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(super::of(b""), 0);
    }
}
