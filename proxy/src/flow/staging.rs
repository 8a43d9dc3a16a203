//! Step 3 of CF-010: whether a request of a primary distribution is served by its staging distribution (CF-451..454).
//!
//! It is drawn once, at admission, and everything after that belongs to the one or the other: behaviours, functions, keys of
//! the cache (CF-455), logs. A distribution that nothing is staged of pays for none of this but the look whether there is.
//!
//! CloudFront says that a cookie keeps a viewer's requests with one distribution, primary or staging, and neither what it is
//! called nor what is in it. Here it is [`COOKIE`], signed, so that nobody chooses for themselves. It is set on answers to
//! viewers alone, after the cache: it is in no key, in no stored object and in no request to an origin (CF-195), and no
//! function sees it.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use fourfront_model::{Sessions, Share, StagingRule, Traffic};
use hmac::{Hmac, Mac as _};
use http::{HeaderMap, HeaderValue, header};
use prometheus::IntCounter;
use rand::Rng as _;
use sha2::Sha256;

use super::ViewerFacts;
use crate::node::Snapshot;

/// The cookie that keeps the requests of one viewer together.
pub const COOKIE: &str = "FFCDSession";

/// What sessions are signed with.
pub struct SessionKey([u8; 32]);

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

impl SessionKey {
    /// A new one.
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The one that lies in a directory, where it is put if there is none: sessions go on when the node is started anew.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join("sessions.key");
        let read = || -> io::Result<Self> {
            let bytes = fs::read(&path)?;
            let bytes = bytes
                .try_into()
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not 32 bytes"))?;
            Ok(Self(bytes))
        };
        match read() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            read => return read,
        }
        fs::create_dir_all(directory)?;
        let key = Self::random();
        let mut new = OpenOptions::new();
        match new.write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                file.write_all(&key.0)?;
                file.sync_all()?;
                Ok(key)
            }
            // Another process was faster.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => read(),
            Err(e) => Err(e),
        }
    }
}

/// Why a request went where it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// It carries the header, or does not (CF-452).
    Header,
    /// It was drawn (CF-453).
    Weight,
    /// Its viewer's session was there already (CF-454).
    Session,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Header, Self::Weight, Self::Session];

    /// The label in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Weight => "weight",
            Self::Session => "session",
        }
    }
}

/// The counters of one primary distribution: by whether a request is staged, and by [`By`].
#[derive(Clone, Debug)]
pub struct StagingCounters(pub [[IntCounter; By::ALL.len()]; 2]);

/// What is kept of the choice until the answer.
#[derive(Debug)]
pub struct Staged {
    counter: IntCounter,
    /// Whether the viewer's cookie is not to be seen any further.
    sticky: bool,
    /// The cookie's new value.
    cookie: Option<HeaderValue>,
}

impl Staged {
    /// Counts a request that has been answered.
    pub(crate) fn count(&self) {
        self.counter.inc();
    }

    /// What the answer sets (CF-454).
    pub(crate) const fn cookie(&self) -> Option<&HeaderValue> {
        self.cookie.as_ref()
    }

    /// Whether these fields hold a cookie that goes no further (CF-195).
    pub(crate) fn hides_cookie(&self, headers: &HeaderMap) -> bool {
        self.sticky && cookies(headers).any(|pair| value_of(pair).is_some())
    }
}

/// A draw below [`Share::WHOLE`].
pub fn draw() -> u32 {
    rand::random_range(0..Share::WHOLE)
}

/// The index of the distribution that serves a request which came to `primary`, and what is kept of the choice where there
/// was one.
pub(super) fn choose(
    snapshot: &Snapshot,
    primary: usize,
    facts: &ViewerFacts<'_>,
) -> (usize, Option<Arc<Staged>>) {
    let here = (primary, None);
    let Some((staging, rule)) = snapshot.site().staging_of(primary) else {
        return here;
    };
    let distribution = &snapshot.site().distributions()[primary];
    let Some(counters) = snapshot.staging(primary).filter(|_| distribution.enabled) else {
        return here;
    };
    let asked = Asked {
        rule,
        primary: &distribution.id,
        headers: facts.headers,
        is_https: facts.is_https,
        now: facts.now,
    };
    let Decision {
        staged,
        by,
        sticky,
        cookie,
    } = asked.decide(snapshot.session_key(), facts.draw);
    let counter = counters.0[usize::from(staged)][by as usize].clone();
    let kept = Staged {
        counter,
        sticky,
        cookie,
    };
    (if staged { staging } else { primary }, Some(Arc::new(kept)))
}

/// What a choice is made from.
struct Asked<'a> {
    rule: &'a StagingRule,
    /// The primary's id.
    primary: &'a str,
    headers: &'a HeaderMap,
    is_https: bool,
    now: SystemTime,
}

#[derive(Debug, PartialEq)]
struct Decision {
    staged: bool,
    by: By,
    sticky: bool,
    cookie: Option<HeaderValue>,
}

impl Asked<'_> {
    fn decide(&self, key: Option<&SessionKey>, draw: fn() -> u32) -> Decision {
        let decision = |staged, by| Decision {
            staged,
            by,
            sticky: false,
            cookie: None,
        };
        match &self.rule.traffic {
            Traffic::Header { name, value } => {
                let mut lines = self.headers.get_all(name).iter();
                // Two lines are one value with a comma in it (RFC 9110 section 5.3), which is another one.
                let is_it =
                    lines.next().is_some_and(|line| line == value) && lines.next().is_none();
                decision(is_it, By::Header)
            }
            Traffic::Weight { share, sessions } => match (sessions, key) {
                (Some(sessions), Some(key)) => self.by_session(*share, *sessions, key, draw),
                _ => decision(share.has(draw()), By::Weight),
            },
        }
    }

    fn by_session(
        &self,
        share: Share,
        sessions: Sessions,
        key: &SessionKey,
        draw: fn() -> u32,
    ) -> Decision {
        let now = self
            .now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        let (session, by) = match self.session(sessions, key, now) {
            Some(session) => (session, By::Session),
            None => {
                let staged = share.has(draw());
                let began = Session {
                    staged,
                    began: now,
                    seen: 0,
                };
                (began, By::Weight)
            }
        };
        // Many requests come in one second; the first of them has said it.
        let is_told = session.seen == now;
        let cookie = (!is_told).then(|| {
            self.cookie(
                Session {
                    seen: now,
                    ..session
                },
                sessions,
                key,
            )
        });
        Decision {
            staged: session.staged,
            by,
            sticky: true,
            cookie: cookie.flatten(),
        }
    }

    /// The session that the viewer is in.
    fn session(&self, sessions: Sessions, key: &SessionKey, now: u64) -> Option<Session> {
        let mut values = cookies(self.headers).filter_map(value_of);
        let session = values.find_map(|value| {
            let (session, mac) = Session::parse(value)?;
            self.mac(session, sessions, key)
                .verify_truncated_left(&mac)
                .ok()?;
            Some(session)
        })?;
        let goes_on = now.saturating_sub(session.seen) < u64::from(sessions.idle)
            && now.saturating_sub(session.began) < u64::from(sessions.maximum);
        goes_on.then_some(session)
    }

    fn cookie(
        &self,
        session: Session,
        sessions: Sessions,
        key: &SessionKey,
    ) -> Option<HeaderValue> {
        let mac = self.mac(session, sessions, key).finalize().into_bytes();
        let mac = URL_SAFE_NO_PAD.encode(&mac[..MAC_BYTES]);
        let gone = session.seen.saturating_sub(session.began);
        let rest = u64::from(sessions.maximum)
            .saturating_sub(gone)
            .min(sessions.idle.into());
        // What a page of another site embeds belongs to the session, too.
        let secure = match self.is_https {
            true => "; Secure; SameSite=None",
            false => "",
        };
        let value = format!(
            "{COOKIE}={}.{mac}; Path=/; Max-Age={rest}; HttpOnly{secure}",
            session.text()
        );
        HeaderValue::from_maybe_shared(Bytes::from(value)).ok()
    }

    /// Over the session and all that it is one of: when the policy begins its sessions anew, or has others, none of the old
    /// ones holds (CF-454). The weight is not part of it.
    fn mac(&self, session: Session, sessions: Sessions, key: &SessionKey) -> Hmac<Sha256> {
        let rule = self.rule;
        let mut mac = keyed(key);
        for part in [self.primary, &rule.policy, &rule.staging] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(&rule.sessions_since.to_be_bytes());
        mac.update(&sessions.idle.to_be_bytes());
        mac.update(&sessions.maximum.to_be_bytes());
        mac.update(session.text().as_bytes());
        mac
    }
}

fn keyed(key: &SessionKey) -> Hmac<Sha256> {
    // A key as long as a block cannot be refused; one that is shorter counts as filled up with zeros (RFC 2104 section 2).
    let mut block = [0; 64];
    block[..key.0.len()].copy_from_slice(&key.0);
    Hmac::new(&block.into())
}

const MAC_BYTES: usize = 16;

/// A viewer's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Session {
    staged: bool,
    /// When it began, in seconds since 1970.
    began: u64,
    /// When its last request came, likewise.
    seen: u64,
}

impl Session {
    fn text(self) -> String {
        let side = if self.staged { 's' } else { 'p' };
        format!("{side}.{:x}.{:x}", self.began, self.seen)
    }

    /// A session and what it is signed with, which is yet to be looked at.
    fn parse(value: &[u8]) -> Option<(Self, Vec<u8>)> {
        let mut parts = std::str::from_utf8(value).ok()?.split('.');
        let staged = match parts.next()? {
            "s" => true,
            "p" => false,
            _ => return None,
        };
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let session = Self {
            staged,
            began: number()?,
            seen: number()?,
        };
        let mac = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        (mac.len() == MAC_BYTES && parts.next().is_none()).then_some((session, mac))
    }
}

/// The pairs of all cookie fields.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::COOKIE).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|b| *b == b';'))
        .map(<[u8]>::trim_ascii)
}

/// The value of a pair that is a session's.
fn value_of(pair: &[u8]) -> Option<&[u8]> {
    pair.strip_prefix(COOKIE.as_bytes())?.strip_prefix(b"=")
}

/// The cookie fields without the session's (CF-195). `None` where nothing is to be taken out.
pub(crate) fn without_session(headers: &HeaderMap) -> Option<Vec<HeaderValue>> {
    if !cookies(headers).any(|pair| value_of(pair).is_some()) {
        return None;
    }
    let mut kept = Vec::new();
    for line in headers.get_all(header::COOKIE) {
        let pairs = line.as_bytes().split(|b| *b == b';');
        let others: Vec<&[u8]> = pairs
            .map(<[u8]>::trim_ascii)
            .filter(|pair| !pair.is_empty() && value_of(pair).is_none())
            .collect();
        if !others.is_empty() {
            kept.extend(HeaderValue::from_bytes(&others.join(&b"; "[..])).ok());
        }
    }
    Some(kept)
}

#[cfg(test)]
mod tests;
