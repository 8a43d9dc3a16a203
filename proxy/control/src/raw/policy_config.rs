//! The parts of policies as CloudFront's API has them: a word for the behaviour and a list of names (CF-020, CF-116,
//! CF-117, CF-125, CF-126).

use super::{RawHeaders, RawSelection};
use crate::{
    cursor::{Block, Cursor},
    keys::{self, Table},
    report::Spanned,
};

/// What of headers a policy takes.
#[derive(Clone, Copy)]
enum Choice {
    None,
    Whitelist,
    AllExcept,
    All,
    AllViewer,
    AllViewerAnd,
}

/// `headers_config` of a cache policy.
pub(crate) fn key_headers(cursor: &Cursor<'_>) -> Option<RawHeaders> {
    headers(
        cursor,
        &[
            ("none", Ok(Choice::None)),
            ("whitelist", Ok(Choice::Whitelist)),
        ],
    )
}

/// `headers_config` of an origin request policy.
pub(crate) fn origin_headers(cursor: &Cursor<'_>) -> Option<RawHeaders> {
    headers(
        cursor,
        &[
            ("none", Ok(Choice::None)),
            ("whitelist", Ok(Choice::Whitelist)),
            ("allViewer", Ok(Choice::AllViewer)),
            ("allViewerAndWhitelistCloudFront", Ok(Choice::AllViewerAnd)),
            ("allExcept", Ok(Choice::AllExcept)),
        ],
    )
}

fn headers(cursor: &Cursor<'_>, words: &[(&str, Result<Choice, &str>)]) -> Option<RawHeaders> {
    let (choice, names) = part(
        cursor,
        &keys::HEADERS_CONFIG,
        ("header_behavior", "headers"),
        words,
    )?;
    Some(match choice {
        Choice::None => RawHeaders::None,
        Choice::Whitelist => RawHeaders::Whitelist(names),
        Choice::AllViewerAnd => RawHeaders::AllViewerAnd(names),
        Choice::AllExcept => RawHeaders::AllExcept(names),
        Choice::All | Choice::AllViewer => RawHeaders::AllViewer,
    })
}

/// `cookies_config`.
pub(crate) fn cookies(cursor: &Cursor<'_>) -> Option<RawSelection> {
    selection(
        cursor,
        &keys::COOKIES_CONFIG,
        ("cookie_behavior", "cookies"),
    )
}

/// `query_strings_config`.
pub(crate) fn query_strings(cursor: &Cursor<'_>) -> Option<RawSelection> {
    selection(
        cursor,
        &keys::QUERY_STRINGS_CONFIG,
        ("query_string_behavior", "query_strings"),
    )
}

fn selection(
    cursor: &Cursor<'_>,
    table: &'static Table,
    members: (&str, &str),
) -> Option<RawSelection> {
    let words = [
        ("none", Ok(Choice::None)),
        ("whitelist", Ok(Choice::Whitelist)),
        ("allExcept", Ok(Choice::AllExcept)),
        ("all", Ok(Choice::All)),
    ];
    let (choice, names) = part(cursor, table, members, &words)?;
    Some(match choice {
        Choice::None => RawSelection::None,
        Choice::Whitelist => RawSelection::Whitelist(names),
        Choice::AllExcept => RawSelection::AllExcept(names),
        Choice::All | Choice::AllViewer | Choice::AllViewerAnd => RawSelection::All,
    })
}

/// The word and the names, which have to agree.
fn part(
    cursor: &Cursor<'_>,
    table: &'static Table,
    (behavior, list): (&str, &str),
    words: &[(&str, Result<Choice, &str>)],
) -> Option<(Choice, Vec<Spanned<String>>)> {
    let block = Block::open_spelled(cursor, table)?;
    let Some(word) = block.get(behavior) else {
        cursor.error(format!("InvalidArgument: `{behavior}` is missing"));
        return None;
    };
    let choice = word.choice(words);
    let names = block.get(list).map(|c| c.counted_texts("a list of names"));
    let names = names.unwrap_or_else(|| Some(Vec::new()));
    let (choice, names) = (choice?.value, names?);
    let takes_names = matches!(
        choice,
        Choice::Whitelist | Choice::AllExcept | Choice::AllViewerAnd
    );
    if takes_names == names.is_empty() {
        let fault = if takes_names {
            "needs a list of names"
        } else {
            "has no use for a list of names"
        };
        cursor.error(format!(
            "InvalidArgument: `{}` {fault}",
            word.scalar().unwrap_or_default()
        ));
        return None;
    }
    Some((choice, names))
}
