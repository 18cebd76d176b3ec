//! What becomes of each operator where sizes of its inputs are known only at run time: the second
//! table of `onnx2plan ops`.
//!
//! `unknown.txt` beside this file is written by the test `operators_take_unknown_sizes_as_listed`,
//! which converts the golden cases with sizes left open.

/// What becomes of an operator.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Unknown {
    /// The operator, with its domain where it is not ONNX's own.
    #[serde(skip)]
    pub operator: &'static str,
    /// Where the first size of each input is unknown.
    pub batch: &'static str,
    /// Where the last one is.
    pub inner: &'static str,
    /// Where all are.
    pub all: &'static str,
}

impl Unknown {
    /// Whether it is converted in each case.
    pub fn converts(&self) -> bool {
        [self.batch, self.inner, self.all] == [CONVERTS; 3]
    }
}

/// What is said of an operator that is converted.
pub const CONVERTS: &str = "converts";

/// The operators, sorted by name.
pub fn unknown() -> impl Iterator<Item = Unknown> {
    include_str!("unknown.txt").lines().filter_map(|line| {
        let mut cells = line.split('\t');
        let mut next = || cells.next();
        Some(Unknown { operator: next()?, batch: next()?, inner: next()?, all: next()? })
    })
}
