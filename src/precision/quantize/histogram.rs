//! How often numbers of which size come up.

use crate::tensor::Tensor;

/// How many bins there are. The range doubles where numbers come up that lie beyond it, so that at
/// least half of them are in use.
const BINS: usize = 4096;

/// The sizes of numbers, without their signs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    bins: Vec<u64>,
    /// Where the last bin ends; 0 as long as there was no number but 0.
    end: f64,
    /// The largest.
    pub largest: f64,
    /// Whether there was an infinity or a NaN.
    pub unbounded: bool,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { bins: vec![0; BINS], end: 0.0, largest: 0.0, unbounded: false }
    }
}

impl Histogram {
    /// Counts the numbers of a tensor. 0 is not counted: every scale holds it.
    pub(super) fn add(&mut self, tensor: &Tensor) {
        let values = tensor.to_f32s().unwrap_or_default();
        let mut largest = 0f32;
        for &value in values.iter() {
            self.unbounded |= !value.is_finite();
            if value.is_finite() {
                largest = largest.max(value.abs());
            }
        }
        self.widen(f64::from(largest));
        if self.end == 0.0 {
            return;
        }
        #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
        let per_number = BINS as f64 / self.end;
        for &value in values.iter().filter(|value| value.is_finite() && **value != 0.0) {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::as_conversions,
                reason = "the range holds all, so that this is at most the number of bins"
            )]
            let at = (f64::from(value.abs()) * per_number) as usize;
            self.bins[at.min(BINS - 1)] += 1;
        }
    }

    /// Makes the range hold a number.
    fn widen(&mut self, largest: f64) {
        self.largest = self.largest.max(largest);
        if self.end == 0.0 {
            self.end = largest;
        }
        while self.end < largest {
            for at in 0..BINS / 2 {
                self.bins[at] = self.bins[2 * at] + self.bins[2 * at + 1];
            }
            self.bins[BINS / 2..].fill(0);
            self.end *= 2.0;
        }
    }

    /// How many numbers lie in each bin.
    pub(super) fn counts(&self) -> &[u64] {
        &self.bins
    }

    /// How wide a bin is.
    pub(super) fn width(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
        let bins = BINS as f64;
        self.end / bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_by_size() {
        let mut sizes = Histogram::default();
        sizes.add(&Tensor::vector(&[0f32, 0.0]));
        assert_eq!((sizes.counts().iter().sum::<u64>(), sizes.width()), (0, 0.0));
        sizes.add(&Tensor::vector(&[1f32, -1.0, 0.5, 0.0]));
        assert_eq!(sizes.counts()[BINS - 1], 2);
        assert_eq!(sizes.counts()[BINS / 2], 1);
        // Three times as much: the range is four times as wide.
        sizes.add(&Tensor::vector(&[-3f32, f32::NEG_INFINITY]));
        assert_eq!((sizes.largest, sizes.unbounded), (3.0, true));
        assert_eq!(sizes.counts()[BINS / 4 - 1], 2);
        assert_eq!(sizes.counts()[BINS / 8], 1);
        assert_eq!(sizes.counts()[BINS / 4 * 3], 1);
        assert_eq!(sizes.counts().iter().sum::<u64>(), 4);
    }
}
