//! What a shield says of its answer.

use std::time::Duration;

use fourfront_model::EventType;
use http::HeaderValue;

use super::Refusal;
use crate::{OriginFault, failover::counted_as};

/// How an answer of a shield came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Out of its cache, where it has been for so long.
    Hit(Duration),
    /// From the origin.
    Miss,
    /// The origin has failed; the page is the shield's own.
    OriginFault(Lifted),
    /// A function on the origin's side has failed: at which trigger, and the token of its failure's class (LE-270..272).
    FunctionFault(EventType, String),
    /// The request was not heard.
    Refused(String),
    /// The request was not taken on, as there is too much to do (CF-773).
    Busy,
    /// The shield itself has failed.
    Failed,
}

/// An origin's failure, as a shield has seen it and an edge tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifted {
    /// The viewer's status (CF-772, CF-774).
    pub status: u16,
    /// The word of CF-705.
    pub detail: String,
    /// What it counts as for failover, beside its status (CF-447).
    pub counts_as: Option<u16>,
}

impl From<&OriginFault> for Lifted {
    fn from(fault: &OriginFault) -> Self {
        Self {
            status: fault.status(),
            detail: fault.detail().to_owned(),
            counts_as: counted_as(fault),
        }
    }
}

impl Answer {
    /// The answer to who was not heard.
    pub fn refused(why: Refusal) -> Self {
        Self::Refused(why.word().to_owned())
    }

    /// As the field has it.
    pub fn value(&self) -> HeaderValue {
        let text = match self {
            Self::Hit(kept) => format!("hit; kept={}", kept.as_secs()),
            Self::Miss => "miss".to_owned(),
            Self::OriginFault(fault) => {
                let counts = fault.counts_as.unwrap_or(fault.status);
                format!(
                    "origin-fault; status={}; detail={}; counts-as={counts}",
                    fault.status, fault.detail
                )
            }
            Self::FunctionFault(event, class) => {
                format!("function-fault; event={}; class={class}", event.as_str())
            }
            Self::Refused(why) => format!("refused; why={why}"),
            Self::Busy => "busy".to_owned(),
            Self::Failed => "failed".to_owned(),
        };
        // Words of this crate's own; anything else would tell nothing.
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("failed"))
    }

    /// Reads the field; `None` of what no shield says.
    pub fn parse(value: &HeaderValue) -> Option<Self> {
        let mut parts = value.to_str().ok()?.split(';').map(str::trim);
        let word = parts.next()?;
        let parameters: Vec<_> = parts.filter_map(|part| part.split_once('=')).collect();
        let given = |name: &str| {
            let mut all = parameters.iter();
            all.find(|(n, _)| *n == name).map(|(_, value)| *value)
        };
        let number = |name: &str| given(name)?.parse::<u16>().ok();
        Some(match word {
            "hit" => Self::Hit(Duration::from_secs(given("kept")?.parse().ok()?)),
            "miss" => Self::Miss,
            "origin-fault" => Self::OriginFault(Lifted {
                status: number("status").filter(|status| matches!(status, 502 | 504))?,
                detail: given("detail")?.to_owned(),
                counts_as: number("counts-as"),
            }),
            "function-fault" => {
                let event = given("event")?;
                let event = EventType::ALL.into_iter().find(|e| e.as_str() == event);
                Self::FunctionFault(
                    event.filter(|e| !e.is_viewer())?,
                    given("class")?.to_owned(),
                )
            }
            "refused" => Self::Refused(given("why").unwrap_or_default().to_owned()),
            "busy" => Self::Busy,
            "failed" => Self::Failed,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        // CF-415, CF-518
        for answer in [
            Answer::Hit(Duration::from_secs(12)),
            Answer::Miss,
            Answer::OriginFault(Lifted {
                status: 502,
                detail: "OriginDnsError".to_owned(),
                counts_as: Some(503),
            }),
            Answer::FunctionFault(EventType::OriginResponse, "LambdaExecutionError".to_owned()),
            Answer::refused(Refusal::Seal),
            Answer::Busy,
            Answer::Failed,
        ] {
            assert_eq!(Answer::parse(&answer.value()), Some(answer));
        }
    }

    #[test]
    fn nothing_else_is() {
        // CF-415
        for text in [
            "",
            "hit",
            "hit; kept=-1",
            "HIT; kept=1",
            "origin-fault; status=200; detail=x",
            "origin-fault; status=502",
            "function-fault; event=viewer-request; class=x",
            "function-fault; class=x",
            "cached",
        ] {
            let value = HeaderValue::from_str(text).unwrap();
            assert_eq!(Answer::parse(&value), None, "{text}");
        }
    }

    #[test]
    fn a_failure_is_told_as_it_is() {
        // CF-447, CF-705, CF-772, CF-774
        let fault = OriginFault::Dns {
            name: "a.test".to_owned(),
            cause: "none".to_owned(),
        };
        let lifted = Lifted::from(&fault);
        let told = OriginFault::from(lifted.clone());
        assert_eq!((told.status(), told.detail()), (502, "OriginDnsError"));
        assert_eq!(counted_as(&told), Some(503));
        // What another version calls it is not known here.
        let unknown = OriginFault::from(Lifted {
            detail: "Other".to_owned(),
            ..lifted
        });
        assert_eq!(unknown.detail(), "OriginError");
    }
}
