//! Which known word was meant (CP-643).

/// The known word nearest to `word`, if one is near enough to be what was meant. CloudFront's own
/// spelling (`DefaultCacheBehavior`) finds its name here.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    nearest_by(word, known, 0.6)
}

/// Likewise, but only a slip of the finger or another spelling counts.
pub(crate) fn slip<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    nearest_by(word, known, 0.75)
}

fn nearest_by<'k>(
    word: &str,
    known: impl IntoIterator<Item = &'k str>,
    least: f64,
) -> Option<&'k str> {
    let wanted = snake(word);
    let score = |k: &str| {
        let k = snake(k);
        let shorter = wanted.len().min(k.len());
        let contained = shorter >= 4 && (k.contains(&wanted) || wanted.contains(&k));
        // One word inside another is a guess, a word a letter or two off is nearly sure.
        let guess = if contained { 0.7 } else { 0.0 };
        strsim::normalized_damerau_levenshtein(&k, &wanted).max(guess)
    };
    known
        .into_iter()
        .map(|k| (score(k), k))
        .filter(|(s, _)| *s >= least)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, k)| k)
}

/// `DefaultTTL`, `defaultTtl` and `default-ttl` as `default_ttl`.
fn snake(word: &str) -> String {
    let mut out = String::with_capacity(word.len() + 4);
    let mut was_lower = false;
    for c in word.chars() {
        if c.is_uppercase() && was_lower {
            out.push('_');
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
        match c {
            '-' | ' ' => out.push('_'),
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;

    #[test]
    fn nearest_finds_slips_and_other_spellings_and_nothing_far() {
        // CP-643
        let keys = || keys::DISTRIBUTION.keys().map(|k| k.name);
        for (word, expected) in [
            ("orgins", Some("origins")),
            ("Origin", Some("origins")),
            ("DefaultCacheBehavior", Some("default_cache_behavior")),
            ("defaultRootObject", Some("default_root_object")),
            ("default-root-object", Some("default_root_object")),
            ("behaviors", Some("cache_behaviors")),
            ("IsIPV6Enabled", Some("is_ipv6_enabled")),
            ("alias", Some("aliases")),
            ("qqq", None),
        ] {
            assert_eq!(nearest(word, keys()), expected, "{word}");
        }
    }
}
