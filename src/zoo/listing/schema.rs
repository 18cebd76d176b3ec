//! The JSON Schema of a listing, which editors complete and check `zoo.toml` with.

use super::entry::Words;
use crate::recipe::Recipe;
use crate::report::schema::check;

/// `zoo.toml`.
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is wanted")]
struct Listing {
    /// What holds where a model says nothing.
    #[schemars(default)]
    defaults: Option<Keys>,
    /// The models.
    model: Vec<Keys>,
}

/// What is said of a model, or of all.
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is wanted")]
struct Keys {
    #[serde(flatten)]
    words: Words,
    #[serde(flatten)]
    recipe: Recipe,
}

#[test]
fn the_schema_of_listings_is_that_of_the_types() {
    check::<Listing>("listing", true);
}
