//! Which known word a mistyped one was meant to be.

/// The word that is nearest to what was typed, if it is near enough to have been meant: a third of
/// the letters may be wrong, missing, too many or swapped.
pub(crate) fn nearest<'w>(
    typed: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Option<&'w str> {
    let most = (typed.chars().count() / 3).max(1);
    let far = words.into_iter().map(|word| (strsim::damerau_levenshtein(typed, word), word));
    far.filter(|(far, _)| *far <= most).min_by_key(|(far, _)| *far).map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_was_meant() {
        let words = ["zoo", "verify", "time", "timeout"];
        assert_eq!(nearest("zooo", words), Some("zoo"));
        assert_eq!(nearest("timoeut", words), Some("timeout"));
        assert_eq!(nearest("itme", words), Some("time"));
        assert_eq!(nearest("resnet", words), None);
        assert_eq!(nearest("", words), None);
    }
}
