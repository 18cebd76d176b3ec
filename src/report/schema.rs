//! JSON Schemas of what is written, in `docs/schemas`: generated from the types, so that they say
//! what the types say.

use super::{manifest, model, zoo};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use std::fs;
use std::path::Path;

/// The schema of a type as it is written; as it is read where `read`.
fn schema_of<T: JsonSchema>(read: bool) -> Schema {
    let settings = SchemaSettings::draft2020_12();
    let settings = if read { settings.for_deserialize() } else { settings.for_serialize() };
    settings.into_generator().into_root_schema_for::<T>()
}

/// Holds a schema to the file that users read. Python's tests hold what is written to the files.
pub(crate) fn check<T: JsonSchema>(name: &str, read: bool) {
    let schema = serde_json::to_value(schema_of::<T>(read)).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
    let file = folder.join(format!("{name}.schema.json"));
    let text = format!("{schema:#}\n");
    if std::env::var_os("ONNX2PLAN_BLESS").is_some_and(|value| value == "1") {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, &text).unwrap();
    }
    let recorded = fs::read_to_string(&file).unwrap_or_default();
    assert!(recorded == text, "{name}: ONNX2PLAN_BLESS=1 records the schema of the types");
}

#[test]
fn schemas_of_reports_are_those_of_the_types() {
    check::<zoo::Report>("zoo", false);
    check::<model::Report>("model", false);
    check::<manifest::Manifest>("manifest", false);
}
