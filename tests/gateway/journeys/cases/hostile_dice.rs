//! Chance that comes out the same every time.

/// A generator of numbers (xorshift64*), good enough to shuffle tests.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The same seed gives the same numbers.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// A number below the given one.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end.max(1) as u64).unwrap_or(0)
    }

    /// True once in so many times.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// Bytes of any kind, but no line end.
    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let byte = |value: u64| u8::try_from(value & 0xff).unwrap_or(0);
        let no_end = |byte: u8| if byte == b'\n' { b'\r' } else { byte };
        (0..length).map(|_| no_end(byte(self.roll()))).collect()
    }
}
