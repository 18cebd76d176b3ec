//! Numbers, bytes and texts, the same for the same seed.

/// Draws (`splitmix64`).
pub(crate) struct Draw(u64);

/// Numbers near which things break.
const ODD: [i64; 18] = [
    0,
    1,
    -1,
    2,
    -2,
    7,
    8,
    9,
    127,
    128,
    255,
    65_535,
    1 << 20,
    i32::MAX as i64,
    i32::MIN as i64,
    u32::MAX as i64,
    i64::MAX,
    i64::MIN,
];
/// Pieces of texts that something might obey, or stumble over.
const PIECES: [&str; 14] = [
    "a",
    "N",
    "/",
    "..",
    "\u{1b}[2J",
    "\n::error::x",
    "##[error]",
    "\u{202e}",
    "\u{fffe}",
    "\u{9b}",
    "\0",
    "`",
    "%0A",
    "ä\u{301}",
];

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 where there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.bits() % (end.max(1) as u64)).unwrap()
    }

    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// One of them, or one a little beside it.
    pub(crate) fn odd(&mut self) -> i64 {
        let number = *self.of(&ODD);
        if self.once_in(3) {
            number.wrapping_add(self.below(5).cast_signed() as i64 - 2)
        } else {
            number
        }
    }

    pub(crate) fn text(&mut self) -> String {
        let count = if self.once_in(100) { 20_000 } else { self.below(6) };
        (0..count).map(|_| *self.of(&PIECES)).collect()
    }

    /// Bytes with a few changes: some are other, some are gone, some come again.
    pub(crate) fn changed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let most = 1 << self.below(8);
            let length = self.below(most).min(bytes.len() - at);
            match self.below(6) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 if !bytes.is_empty() => bytes[at] = self.bits().to_le_bytes()[0],
                2 => drop(bytes.drain(at..at + length)),
                3 => {
                    let copy = bytes[at..at + length].to_vec();
                    let to = self.below(bytes.len() + 1);
                    drop(bytes.splice(to..to, copy));
                }
                4 if self.once_in(4) => bytes.truncate(at),
                _ => {
                    let odd = self.odd().to_le_bytes();
                    let count = 1 + self.below(odd.len());
                    drop(bytes.splice(at..at + length.min(count), odd[..count].iter().copied()));
                }
            }
        }
        bytes
    }
}
