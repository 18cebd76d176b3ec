//! Where the pages of models lie in the folder of a zoo's report.

/// The most characters of a model's name in the name of its folder.
const MOST_CHARACTERS: usize = 80;

/// The path of a model's page below the report's folder.
pub fn path(name: &str) -> String {
    let plain =
        |each: char| if each.is_ascii_alphanumeric() || "._-".contains(each) { each } else { '-' };
    let mut folder: String = name.chars().take(MOST_CHARACTERS).map(plain).collect();
    if folder != name || folder.starts_with('.') || folder.is_empty() {
        // Two names may look alike once characters are replaced.
        folder = format!("{}-{}", folder.trim_start_matches('.'), crate::hash::short(name));
    }
    format!("models/{folder}/report.html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_plain_and_different_names() {
        assert_eq!(path("digits"), "models/digits/report.html");
        assert!(
            path("light/resnet50").starts_with("models/light-resnet50-"),
            "{}",
            path("light/resnet50")
        );
        assert_ne!(path("a/b"), path("a?b"));
        assert!(path("..").starts_with("models/-"), "{}", path(".."));
        assert!(path(&"x".repeat(300)).len() < 120);
    }
}
