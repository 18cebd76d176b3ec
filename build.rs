//! Compiles `proto/` and `cpp/`.
fn main() {}
