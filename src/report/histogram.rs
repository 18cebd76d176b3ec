//! How many elements have an error of which size.

use serde::Serialize;
use std::collections::BTreeMap;

/// The most bins that a histogram has.
const MOST_BINS: i32 = 40;

/// Elements by absolute error: a bin for each power of ten.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Histogram {
    /// log10 of the absolute error, rising by 1: bin i holds errors from 10^`edges[i]` up to
    /// 10^`edges[i + 1]`.
    pub edges: Vec<i32>,
    /// Elements in each bin; the first and the last also hold what is beyond them.
    pub counts: Vec<usize>,
    /// Of these, elements out of tolerance.
    pub mismatches: Vec<usize>,
    /// Elements without error.
    pub equal: usize,
    /// Elements that are NaN or infinite on either side and differ.
    pub not_finite: usize,
}

/// Errors by power of ten, before it is known which bins are shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Errors {
    /// Elements, and those out of tolerance, by the whole part of log10 of their error.
    pub decades: BTreeMap<i32, (usize, usize)>,
    /// Elements without error.
    pub equal: usize,
    /// Elements that are NaN or infinite on either side and differ.
    pub not_finite: usize,
}

impl Errors {
    /// Counts an element whose error is finite.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the logarithm of a finite number is within ±324"
    )]
    pub fn add(&mut self, error: f64, mismatch: bool) {
        if error == 0.0 {
            self.equal += 1;
            return;
        }
        let (all, wrong) = self.decades.entry(error.log10().floor() as i32).or_default();
        *all += 1;
        *wrong += usize::from(mismatch);
    }
}

/// A histogram for each of several runs of one output, all with the same edges.
pub fn of_runs(runs: &[&Errors]) -> Vec<Histogram> {
    let decades = || runs.iter().flat_map(|errors| errors.decades.keys().copied());
    let last = decades().max().unwrap_or(-7);
    let first = decades().min().unwrap_or(last).max(last - MOST_BINS + 1);
    let count = usize::try_from(last - first + 1).unwrap_or(1);
    let histogram = |errors: &&Errors| {
        let mut histogram = Histogram {
            edges: (first..=last + 1).collect(),
            counts: vec![0; count],
            mismatches: vec![0; count],
            equal: errors.equal,
            not_finite: errors.not_finite,
        };
        for (&decade, &(all, wrong)) in &errors.decades {
            let bin = usize::try_from(decade.max(first) - first).unwrap_or(0);
            if let (Some(counted), Some(mismatched)) =
                (histogram.counts.get_mut(bin), histogram.mismatches.get_mut(bin))
            {
                *counted += all;
                *mismatched += wrong;
            }
        }
        histogram
    };
    runs.iter().map(histogram).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_share_edges() {
        let (mut a, mut b) = (Errors::default(), Errors::default());
        a.add(0.0, false);
        a.add(0.02, true);
        b.add(3.0, true);
        b.add(1e-300, false);
        b.not_finite = 2;
        let [a, b] = of_runs(&[&a, &b]).try_into().unwrap();
        assert_eq!((a.edges.len(), a.edges.first(), a.edges.last()), (41, Some(&-39), Some(&1)));
        assert_eq!(a.edges, b.edges);
        assert_eq!(
            (a.equal, a.counts.iter().sum::<usize>(), a.counts[37], a.mismatches[37]),
            (1, 1, 1, 1)
        );
        assert_eq!((b.counts[0], b.counts[39], b.mismatches[39], b.not_finite), (1, 1, 1, 2));
    }

    #[test]
    fn without_errors_there_is_one_empty_bin() {
        let histograms = of_runs(&[&Errors { equal: 3, ..Errors::default() }]);
        assert_eq!((&histograms[0].counts, histograms[0].equal), (&vec![0], 3));
    }
}
