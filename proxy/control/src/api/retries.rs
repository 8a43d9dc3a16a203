//! Calls that come again (CP-013): a client that did not get the answer to a call which makes something asks again, with the
//! same invocation id, and is to get the first answer and not a complaint that the thing is there.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

use super::front::Answer;

/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// Answers at most; the oldest go first.
const MOST: usize = 1_000;

/// Answers by caller, operation and invocation id.
#[derive(Debug, Default)]
pub(super) struct Retries(Mutex<HashMap<String, (SystemTime, Answer)>>);

impl Retries {
    /// The answer that a call got before.
    pub(super) fn answered(&self, call: &str, now: SystemTime) -> Option<Answer> {
        let mut kept = self.0.lock();
        kept.retain(|_, (at, _)| is_young(*at, now));
        kept.get(call).map(|(_, answer)| answer.clone())
    }

    /// Keeps the answer to a call that made something.
    pub(super) fn keep(&self, call: String, now: SystemTime, answer: &Answer) {
        let mut kept = self.0.lock();
        if kept.len() >= MOST {
            let oldest = kept.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(oldest) = oldest.map(|(call, _)| call.clone()) {
                kept.remove(&oldest);
            }
        }
        kept.insert(call, (now, answer.clone()));
    }
}

fn is_young(at: SystemTime, now: SystemTime) -> bool {
    // A clock that was set back makes nothing older.
    now.duration_since(at).is_ok_and(|age| age < KEPT_FOR)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    #[test]
    fn an_answer_is_given_again_for_a_minute() {
        // CP-013
        let answer = Answer {
            status: StatusCode::CREATED,
            headers: HeaderMap::new(),
            body: "made".into(),
        };
        let retries = Retries::default();
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        retries.keep("k CreateFunction 1".to_owned(), then, &answer);
        let after =
            |seconds| retries.answered("k CreateFunction 1", then + Duration::from_secs(seconds));
        assert_eq!(after(59), Some(answer.clone()));
        assert_eq!(retries.answered("k CreateFunction 2", then), None);
        assert_eq!(after(60), None);
        for n in 0..2 * MOST {
            retries.keep(n.to_string(), then, &answer);
        }
        assert_eq!(retries.0.lock().len(), MOST);
    }
}
