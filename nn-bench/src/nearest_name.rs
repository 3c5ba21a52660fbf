//! The known name that a mistyped one most likely meant.

/// The one of `known` that is nearest to `typed`, or `None` if none is near enough to be meant.
///
/// Near enough: no more than a third of the letters differ, or one begins with the other.
pub fn nearest_name<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let distance = |name: &str| {
        let begins = typed.len() >= 3 && (name.starts_with(typed) || typed.starts_with(name));
        if begins { 0.0 } else { 1.0 - strsim::normalized_damerau_levenshtein(typed, name) }
    };
    known
        .map(|name| (distance(name), name))
        .filter(|(distance, _)| *distance <= 1.0 / 3.0)
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_beginnings_but_not_strangers() {
        let known = ["mnist-rbm", "mnist-dbn", "natural-images"];
        let nearest = |typed| nearest_name(typed, known.into_iter());
        assert_eq!(nearest("mnist-rmb").as_deref(), Some("mnist-rbm"));
        assert_eq!(nearest("natural").as_deref(), Some("natural-images"));
        assert_eq!(nearest("xyz"), None);
        assert_eq!(nearest(""), None);
    }
}
