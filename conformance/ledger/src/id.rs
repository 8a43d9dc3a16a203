//! Rule ids, and finding them in any text.

use std::fmt;

/// The series of ids, in the order in which the ledger lists them. `LE-A` stands before
/// `LE-` here so that the longer prefix is tried first.
const SERIES: [&str; 6] = ["LE-A", "LE-", "CF-", "AMB-", "CP-", "NC-"];

/// One rule id as written, such as `LE-212`, `LE-A01`, `CF-010.5` or `AMB-02`.
///
/// Ids are compared as written, leading zeros and all. They are ordered by series and
/// number, which is the order of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RuleId {
    text: String,
}

impl RuleId {
    /// Reads a whole string as an id; `None` when it is not exactly one.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, len) = Self::prefix_of(text)?;
        (len == text.len()).then_some(id)
    }

    /// The id as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The series, such as `LE-` or `LE-A`.
    pub fn series(&self) -> &'static str {
        SERIES
            .into_iter()
            .find(|series| self.text.starts_with(series))
            .unwrap_or("")
    }

    /// The number within the series, and the step (`CF-010.5` is 10 and 5).
    pub fn number(&self) -> (u32, u32) {
        let rest = self.text.get(self.series().len()..).unwrap_or("");
        let (number, step) = rest.split_once('.').unwrap_or((rest, ""));
        let number = number.trim_end_matches(|c: char| c.is_ascii_lowercase());
        (number.parse().unwrap_or(0), step.parse().unwrap_or(0))
    }

    /// Where the id stands in the ledger.
    pub fn sort_key(&self) -> (usize, (u32, u32), &str) {
        let series = SERIES.iter().position(|s| *s == self.series());
        // LE-A entries are the decisions about LE rules: they are listed after them.
        let series = match series {
            Some(0) => 1,
            Some(1) => 0,
            Some(other) => other,
            None => SERIES.len(),
        };
        (series, self.number(), &self.text)
    }

    /// The id that `text` begins with, and its length in bytes.
    fn prefix_of(text: &str) -> Option<(Self, usize)> {
        let series = SERIES.into_iter().find(|series| {
            text.strip_prefix(series)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })?;
        let bytes = text.as_bytes();
        let mut end = series.len() + digits(&bytes[series.len()..]);
        // `CF-010.5` is step 5 of CF-010; `CF-080..089` is a range, and a full stop ends a sentence.
        if bytes.get(end) == Some(&b'.') {
            let step = digits(bytes.get(end + 1..).unwrap_or_default());
            if step > 0 {
                end += 1 + step;
            }
        }
        // A letter glued to the number is kept, so that a mistyped id is reported and not read as another.
        if bytes.get(end).is_some_and(u8::is_ascii_lowercase)
            && !bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric)
        {
            end += 1;
        }
        if bytes.get(end).is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let id = Self {
            text: text.get(..end)?.to_owned(),
        };
        Some((id, end))
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One mention of a rule, or of a run of rules, in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    /// The id, or the first of the run.
    pub first: RuleId,
    /// The last of a run written `LE-305..320` or `LE-020..LE-048`; both ends belong to it.
    pub last: Option<RuleId>,
    /// Where the mention begins, in bytes from the start of the text.
    pub offset: usize,
}

/// Every mention of a rule in `text`, in order.
pub fn citations(text: &str) -> Vec<Citation> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let starts_word = at == 0
            || !(bytes[at - 1].is_ascii_alphanumeric() || matches!(bytes[at - 1], b'-' | b'_'));
        let prefix = if starts_word {
            text.get(at..).and_then(RuleId::prefix_of)
        } else {
            None
        };
        let Some((first, len)) = prefix else {
            at += 1;
            continue;
        };
        let offset = at;
        at += len;
        let last = text.get(at..).and_then(|rest| range_end(&first, rest));
        let last = last.map(|(last, len)| {
            at += len;
            last
        });
        found.push(Citation {
            first,
            last,
            offset,
        });
    }
    found
}

/// The end of a run that began with `first`, and the bytes that were read.
fn range_end(first: &RuleId, rest: &str) -> Option<(RuleId, usize)> {
    let after = rest.strip_prefix("..")?;
    if let Some((last, len)) = RuleId::prefix_of(after) {
        return (last.series() == first.series()).then_some((last, 2 + len));
    }
    let len = digits(after.as_bytes());
    let number = after.get(..len).filter(|number| !number.is_empty())?;
    let last = RuleId::parse(&format!("{}{number}", first.series()))?;
    Some((last, 2 + len))
}

/// How many ASCII digits `bytes` begins with.
fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Ids are put together at run time here: this file is scanned for citations too.
    fn id(series: &str, number: &str) -> String {
        format!("{series}-{number}")
    }

    fn texts(text: &str) -> Vec<(String, Option<String>)> {
        citations(text)
            .into_iter()
            .map(|c| (c.first.text, c.last.map(|l| l.text)))
            .collect()
    }

    #[test]
    fn ids_are_found_between_punctuation_and_not_inside_words() {
        let text = format!(
            "({}), {}. {}; FI{} x-{} {}x9",
            id("LE", "212"),
            id("CF", "235"),
            id("LE", "A01"),
            id("LE", "1"),
            id("CF", "2"),
            id("CP", "3"),
        );
        let found: Vec<_> = texts(&text).into_iter().map(|(first, _)| first).collect();
        assert_eq!(found, [id("LE", "212"), id("CF", "235"), id("LE", "A01")]);
    }

    #[test]
    fn ranges_have_two_ends_and_steps_are_part_of_the_id() {
        let text = format!(
            "{}..320, {}..{}, {}.5, {}..",
            id("LE", "305"),
            id("LE", "020"),
            id("LE", "048"),
            id("CF", "010"),
            id("CF", "080"),
        );
        assert_eq!(
            texts(&text),
            [
                (id("LE", "305"), Some(id("LE", "320"))),
                (id("LE", "020"), Some(id("LE", "048"))),
                (id("CF", "010.5"), None),
                (id("CF", "080"), None),
            ]
        );
    }

    #[test]
    fn a_glued_letter_stays_so_that_the_id_is_reported() {
        let text = format!("see {}a.", id("CF", "450"));
        assert_eq!(texts(&text), [(id("CF", "450a"), None)]);
    }

    #[test]
    fn ledger_order_is_by_series_then_number() {
        let mut ids: Vec<RuleId> = [("NC", "2"), ("LE", "A01"), ("NC", "10"), ("LE", "500")]
            .iter()
            .filter_map(|(series, number)| RuleId::parse(&id(series, number)))
            .collect();
        ids.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        let ids: Vec<_> = ids.iter().map(RuleId::as_str).collect();
        assert_eq!(
            ids,
            [
                id("LE", "500"),
                id("LE", "A01"),
                id("NC", "2"),
                id("NC", "10")
            ]
        );
    }

    #[test]
    fn text_outside_ascii_does_not_split_characters() {
        let text = format!("… {} – é", id("AMB", "02"));
        assert_eq!(texts(&text), [(id("AMB", "02"), None)]);
    }
}
