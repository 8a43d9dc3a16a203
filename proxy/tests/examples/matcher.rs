//! Whether an output is the one that is shown.
//!
//! Lines are compared in their order and whole, without `\r` and spaces at their end, and without empty lines at the end
//! of it all. `...` in a line stands for any text; a line that is `...` stands for any number of lines.

/// Why an output is not the one that is shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// All lines before this one, counted from zero, were found, and this one was not.
    Missing(usize),
    /// All that is shown was found, and this line, counted from zero, came besides.
    Besides(usize),
}

/// Compares an output with what is shown.
pub(crate) fn compare(shown: &[String], output: &str) -> Result<(), Difference> {
    let shown = without_end(shown.iter().map(String::as_str));
    let output = without_end(output.lines());
    // The numbers of shown lines after which the output may stand.
    let mut reached = after_gaps(&shown, vec![0]);
    let mut furthest = reached.last().copied().unwrap_or_default();
    // How many lines of the output had come when all was found for the last time.
    let mut complete = 0;
    for (number, line) in output.iter().enumerate() {
        let mut next = Vec::new();
        for at in reached {
            // Before any gap that could follow, so that the numbers stay in their order.
            if at > 0 && shown[at - 1] == "..." {
                next.push(at);
            }
            if at < shown.len() && fits(shown[at], line) {
                next.push(at + 1);
            }
        }
        next.sort_unstable();
        next.dedup();
        reached = after_gaps(&shown, next);
        let Some(last) = reached.last() else {
            break;
        };
        furthest = furthest.max(*last);
        if *last == shown.len() {
            complete = number + 1;
        }
    }
    match reached.last() {
        Some(last) if *last == shown.len() => Ok(()),
        _ if furthest == shown.len() => Err(Difference::Besides(complete)),
        _ => Err(Difference::Missing(furthest)),
    }
}

/// The same with the lines that `...` may stand for none of.
fn after_gaps(shown: &[&str], reached: Vec<usize>) -> Vec<usize> {
    let mut all = Vec::with_capacity(reached.len());
    for mut at in reached {
        all.push(at);
        while shown.get(at) == Some(&"...") {
            at += 1;
            all.push(at);
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn without_end<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut lines: Vec<&str> = lines
        .map(|line| line.trim_end_matches([' ', '\r']))
        .collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

/// Whether a line is the one that is shown.
fn fits(shown: &str, line: &str) -> bool {
    let mut parts = shown.split("...");
    let Some(rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    let mut rest = rest;
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(shown: &str, output: &str) -> Result<(), Difference> {
        let shown: Vec<String> = shown.lines().map(str::to_owned).collect();
        compare(&shown, output)
    }

    #[test]
    fn lines_are_compared_whole_and_in_order() {
        assert_eq!(judge("a\nb", "a\nb\n"), Ok(()));
        assert_eq!(judge("a\nb", "b\na"), Err(Difference::Missing(0)));
        assert_eq!(judge("a\nb", "a\nbb"), Err(Difference::Missing(1)));
        assert_eq!(judge("a\nb", "a"), Err(Difference::Missing(1)));
        assert_eq!(judge("", ""), Ok(()));
        assert_eq!(judge("a", ""), Err(Difference::Missing(0)));
        assert_eq!(judge(" a", "a"), Err(Difference::Missing(0)));
    }

    #[test]
    fn lines_besides_those_shown_are_a_difference() {
        assert_eq!(judge("a", "a\nb"), Err(Difference::Besides(1)));
        assert_eq!(judge("", "b"), Err(Difference::Besides(0)));
        assert_eq!(judge("a\nc", "a\nb\nc"), Err(Difference::Missing(1)));
        assert_eq!(judge("...\nc", "c\nd"), Err(Difference::Besides(1)));
    }

    #[test]
    fn ends_of_lines_and_of_the_output_do_not_count() {
        assert_eq!(judge("a\nb  \n\n", "a\r\nb\r\n\r\n"), Ok(()));
        assert_eq!(judge("a\n\nb", "a\r\n\r\nb"), Ok(()));
        assert_eq!(judge("a\nb", "a\n\nb"), Err(Difference::Missing(1)));
    }

    #[test]
    fn dots_in_a_line_stand_for_any_text() {
        for (shown, line) in [
            ("via: ... (x)", "via: 1.1 y (x)"),
            ("a...", "a"),
            ("...c", "abc"),
            ("a...b...c", "a1b2b3c"),
            ("......", "x"),
        ] {
            assert_eq!(judge(shown, line), Ok(()), "{shown}");
        }
        for (shown, line) in [
            ("a...b", "ab c"),
            ("ab...bc", "abc"),
            ("a...b...b", "a b"),
            ("x...", "a"),
        ] {
            assert_eq!(judge(shown, line), Err(Difference::Missing(0)), "{shown}");
        }
    }

    #[test]
    fn a_line_of_dots_stands_for_any_number_of_lines() {
        for output in ["a\nz", "a\nb\nz", "a\nb\nz\nc\nz"] {
            assert_eq!(judge("a\n...\nz", output), Ok(()), "{output}");
        }
        assert_eq!(judge("...", ""), Ok(()));
        assert_eq!(judge("...\nb\n...", "a\nb"), Ok(()));
        assert_eq!(judge("a\n...\nz", "a\nb"), Err(Difference::Missing(2)));
        assert_eq!(judge("a\n...\nb\nz", "a\nb\nc\nb\nz"), Ok(()));
        assert_eq!(judge("a\n...", "b"), Err(Difference::Missing(0)));
    }
}
