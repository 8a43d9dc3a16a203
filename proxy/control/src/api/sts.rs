//! STS: who am I, which tools ask before anything else (CP-230).

use serde_json::{Value, json};

use super::{ApiError, tx::Tx};

/// Answers an operation of STS.
pub(super) fn call(tx: &Tx<'_>, operation: &str) -> Result<Value, ApiError> {
    match operation {
        "GetCallerIdentity" => {
            let (account, key) = (&tx.settings.account.id, &tx.caller.key_id);
            Ok(json!({
                "UserId": key,
                "Account": account,
                "Arn": format!("arn:aws:iam::{account}:user/{key}"),
            }))
        }
        _ => Err(ApiError::new(
            400,
            "InvalidAction",
            format!("{operation} is not available (CP-016)"),
        )),
    }
}
