//! A recipe as words of the command line: for showing how to make a plan again.

use super::Recipe;
use serde_json::{Map, Value};

/// The options that say what a recipe says; nothing for one that says nothing.
pub fn words(recipe: &Recipe) -> Vec<String> {
    let fields = |recipe: &Recipe| match serde_json::to_value(recipe) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (said, plain) = (fields(recipe), fields(&Recipe::default()));
    let mut words = Vec::new();
    for (key, value) in said.iter().filter(|(key, value)| plain.get(*key) != Some(value)) {
        match (key.as_str(), value) {
            // Profiles come last: what stands behind `--profile` belongs to it.
            ("profile", _) => {}
            ("tf32", _) => words.push("--no-tf32".to_owned()),
            _ => add(key, value, &mut words),
        }
    }
    for profile in said.get("profile").and_then(Value::as_array).into_iter().flatten() {
        words.push("--profile".to_owned());
        for (key, value) in profile.as_object().into_iter().flatten() {
            add(key, value, &mut words);
        }
    }
    words
}

/// An option with its value, in one word where the value looks like an option itself.
pub fn option(name: &str, value: &str) -> Vec<String> {
    if value.starts_with('-') {
        return vec![format!("--{name}={value}")];
    }
    vec![format!("--{name}"), value.to_owned()]
}

fn add(key: &str, value: &Value, words: &mut Vec<String>) {
    let name = match key {
        "without_passes" => "without-pass".to_owned(),
        "targets" => "target".to_owned(),
        other => other.replace('_', "-"),
    };
    match value {
        Value::Bool(true) => words.push(format!("--{name}")),
        Value::Array(items) => items.iter().for_each(|item| add(key, item, words)),
        Value::String(text) => words.extend(option(&name, text)),
        Value::Number(number) => words.extend(option(&name, &number.to_string())),
        Value::Bool(false) | Value::Null | Value::Object(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        recipe: Recipe,
    }

    fn parsed(words: &[String]) -> Recipe {
        Line::try_parse_from(std::iter::once(&"onnx2plan".to_owned()).chain(words)).unwrap().recipe
    }

    #[test]
    fn words_make_the_same_recipe_again() {
        for line in [
            "",
            "--from a,b --to c=d --nms-fixed 5 --max-trip 7 --rnn loop --without-pass scale",
            "--target sm89,sm120 --no-tf32 --optimization-level 2 --workspace 64 --precision f16",
            "--keep Softmax=f32 --io-precision bf16 --within 0.25 --budget 9 --strict-profiles",
            "--dim n=1:2:3 --dim m=4 --min x:1x2 --opt x:2x2 --max x:3x2,y:5 --shape z:1x1",
            "--min s=1,1 --freeze axes=[0,2] --freeze k --outputs p=q --dim a=1:2:3",
            "--to=-y '--freeze=-k=[1]' --keep 'a b=f32'",
            "--dim n=1:2:3 --profile --dim m=4:5:6 --profile --dim m=7:8:9 --min x:1x2",
        ] {
            let words = shlex::split(line).unwrap();
            let recipe = parsed(&words);
            assert_eq!(parsed(&super::words(&recipe)), recipe, "{line}");
            assert_eq!(super::words(&recipe).is_empty(), line.is_empty());
        }
    }
}
