//! Which handler imports which operator of which opset: the rows of all families, joined.

pub use super::build::op::Op;

use super::build::op::ANY_DOMAIN;
use super::ops;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Newest opset of ONNX's own domain whose operators the registry knows: that of onnx 1.23.2.
pub const NEWEST_OPSET: i64 = 28;

static ROWS: LazyLock<HashMap<&'static str, Vec<&'static Op>>> = LazyLock::new(|| {
    let mut rows = HashMap::<_, Vec<_>>::new();
    for op in all() {
        rows.entry(op.name).or_default().push(op);
    }
    rows
});

/// Every row with the name of its family.
pub fn families() -> impl Iterator<Item = (&'static str, &'static Op)> {
    ops::FAMILIES.iter().flat_map(|(family, rows)| rows.iter().map(move |op| (*family, op)))
}

/// Every row.
pub fn all() -> impl Iterator<Item = &'static Op> {
    families().map(|(_, op)| op)
}

/// The row for an operator at an opset.
pub fn find(domain: &str, name: &str, opset: i64) -> Option<&'static Op> {
    rows(domain, name).find(|op| (op.since..=op.until).contains(&opset))
}

/// All rows of an operator.
pub fn rows(domain: &str, name: &str) -> impl Iterator<Item = &'static Op> {
    let rows = ROWS.get(name).into_iter().flatten().copied();
    rows.filter(move |op| op.domain == domain || op.domain == ANY_DOMAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_operator_neither_overlap_nor_leave_gaps() {
        for (name, rows) in ROWS.iter() {
            let mut rows = rows.clone();
            rows.sort_by_key(|op| (op.domain, op.since));
            for pair in rows.windows(2).filter(|pair| pair[0].domain == pair[1].domain) {
                assert_eq!(pair[0].until + 1, pair[1].since, "{name}");
            }
            assert!(rows.iter().all(|op| op.since <= op.until), "{name}");
        }
    }

    #[test]
    fn operators_of_any_domain_are_found_in_each() {
        for domain in ["", "trt", "com.example"] {
            assert_eq!(find(domain, "TRT_Shuffle", 1).map(|op| op.domain), Some(ANY_DOMAIN));
        }
        assert!(find("trt", "Relu", 13).is_none());
    }

    #[test]
    fn formal_inputs_give_arity_and_names() {
        let op = |inputs| Op { inputs, ..*find("", "Relu", 13).unwrap() };
        assert_eq!(op("X W B?").arity(), (2, 3));
        assert_eq!(op("inputs*").arity(), (0, usize::MAX));
        assert_eq!(op("X data*").arity(), (1, usize::MAX));
        assert_eq!(op("X roi? scales").arity(), (3, 3));
        assert_eq!(op("").arity(), (0, 0));
        assert_eq!(op("X W B?").input_name(2), "B");
        assert_eq!(op("X data*").input_name(5), "data");
    }
}
