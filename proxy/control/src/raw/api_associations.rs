//! `lambda_function_associations` and `function_associations`: functions by their ARNs, as CloudFront's API and
//! CloudFormation have them (CF-072, LE-373, LE-374).

use fourfront_model::EventType;

use super::distribution::{NamedBy, RawAssociation};
use crate::{
    cursor::{Block, Cursor},
    keys::{self, Table},
    report::Spanned,
};

/// The associations of a behaviour in this form. Each event has one of either kind (CF-072); whether `on` has one as
/// well is for the caller to see.
pub(crate) fn read(behavior: &Block<'_>) -> Vec<RawAssociation> {
    let mut all = Vec::new();
    if let Some(cursor) = behavior.get("lambda_function_associations") {
        all.extend(list(
            cursor,
            &keys::LAMBDA_ASSOCIATION,
            "lambda_function_arn",
            NamedBy::LambdaArn,
        ));
    }
    if let Some(cursor) = behavior.get("function_associations") {
        all.extend(list(
            cursor,
            &keys::FUNCTION_ASSOCIATION,
            "function_arn",
            NamedBy::FunctionArn,
        ));
    }
    all
}

fn list(cursor: &Cursor<'_>, table: &'static Table, arn: &str, by: NamedBy) -> Vec<RawAssociation> {
    // Switched off, as some exports write it.
    if matches!(cursor.scalar(), Some("" | "false" | "none")) {
        return Vec::new();
    }
    let items =
        cursor.counted("a list of associations, each with `event_type` and the function's ARN");
    let items = items.unwrap_or_default();
    items
        .iter()
        .filter_map(|item| one(item, table, arn, by))
        .collect()
}

fn one(item: &Cursor<'_>, table: &'static Table, arn: &str, by: NamedBy) -> Option<RawAssociation> {
    let block = Block::open_spelled(item, table)?;
    let required = |key: &str| {
        let found = block.get(key);
        if found.is_none() {
            item.error(format!("{}: `{key}` is missing", by.code()));
        }
        found
    };
    let (event, function) = (required("event_type"), required(arn));
    let words = EventType::ALL.map(|e| (e.as_str(), Ok(e)));
    let event = event.and_then(|c| c.choice(&words));
    let function: Option<Spanned<String>> = function.and_then(Cursor::text);
    let include_body = (by == NamedBy::LambdaArn)
        .then(|| block.get("include_body").and_then(Cursor::boolean))
        .flatten();
    let event = event?;
    Some(RawAssociation {
        event: event.value,
        at: event.at,
        function: function?,
        named_by: by,
        include_body,
        on_error: None,
    })
}
