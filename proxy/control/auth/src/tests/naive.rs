//! A second verifier, written as plainly as can be and knowing nothing of the first: strings, one pass, no caches, HMAC by
//! hand. It says yes or no. The tests and the fuzz target hold the two against each other.

use p256::ecdsa::{Signature, SigningKey, VerifyingKey, signature::Signer, signature::Verifier};
use sha2::{Digest, Sha256};

/// A request as text. Header names are lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) over_tls: bool,
}

impl Request {
    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(one, _)| one == name);
        let value = found.next().map(|(_, value)| value.as_str());
        value.filter(|_| found.next().is_none())
    }

    /// Whether a header is there at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(one, _)| one == name)
    }

    /// Replaces a header, or adds it.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(one, _)| one != name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}

/// Who signs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) token: Option<&'a str>,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() % 2 == 1
        || text
            .bytes()
            .any(|byte| !b"0123456789abcdef".contains(&byte))
    {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

pub(crate) fn sha(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// RFC 2104, by hand.
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&sha(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = sha(&[&block.map(|byte| byte ^ 0x36)[..], message].concat());
    sha(&[&block.map(|byte| byte ^ 0x5c)[..], &inner].concat())
}

fn encode(text: &str, also: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let letter = char::from(byte);
        if letter.is_ascii_alphanumeric() || "-._~".contains(letter) || also.contains(letter) {
            out.push(letter);
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

fn decode(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut out = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let digits = piece.get(..2)?;
        if digits.bytes().any(|byte| !byte.is_ascii_hexdigit()) {
            return None;
        }
        out.push(u8::from_str_radix(digits, 16).ok()?);
        out.extend(piece[2..].bytes());
    }
    String::from_utf8(out).ok()
}

/// Seconds since 1970 of `20261124T120000Z`, by counting days.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    if shape != "99999999T999999Z" {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let months = [
        31,
        if leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let long = *months.get(usize::try_from(month - 1).ok()?)?;
    if day < 1 || day > long || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let year_days = |year: i64| if leap(year) { 366 } else { 365 };
    let years: i64 = if year >= 1970 {
        (1970..year).map(year_days).sum()
    } else {
        -(year..1970).map(year_days).sum::<i64>()
    };
    let days = years
        + months[..usize::try_from(month - 1).ok()?]
            .iter()
            .sum::<i64>()
        + day
        - 1;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

fn canonical(request: &Request, signed: &str, hash: &str) -> Option<String> {
    let mut path = String::new();
    for segment in request.path.split('/') {
        match segment {
            "" | "." => {}
            ".." => path.truncate(path.rfind('/').unwrap_or(0)),
            segment => path += &format!("/{segment}"),
        }
    }
    if path.is_empty() || request.path.ends_with('/') {
        path.push('/');
    }
    let mut pairs: Vec<(String, String)> = request.query.split('&').map(pair).collect();
    pairs.retain(|(name, _)| name != "X-Amz-Signature");
    pairs.sort();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let query = if request.query.is_empty() {
        String::new()
    } else {
        pairs.join("&")
    };
    let mut headers = String::new();
    for name in signed.split(';') {
        let values: Vec<String> = request
            .headers
            .iter()
            .filter(|(one, _)| one == name)
            .map(|(_, value)| {
                let words: Vec<&str> = value
                    .split([' ', '\t'])
                    .filter(|word| !word.is_empty())
                    .collect();
                words.join(" ")
            })
            .collect();
        if values.is_empty() {
            return None;
        }
        headers += &format!("{name}:{}\n", values.join(","));
    }
    let path = encode(&path, "/");
    Some(format!(
        "{}\n{path}\n{query}\n{headers}\n{signed}\n{hash}",
        request.method
    ))
}

fn ecdsa(key: Key<'_>) -> SigningKey {
    let order = unhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let mut limit = order;
    *limit.last_mut().unwrap() -= 2;
    for counter in 1..=254_u8 {
        let message = [
            &[0, 0, 0, 1][..],
            b"AWS4-ECDSA-P256-SHA256",
            &[0],
            key.id.as_bytes(),
            &[counter],
            &[0, 0, 1, 0],
        ]
        .concat();
        let mut candidate = hmac(format!("AWS4A{}", key.secret).as_bytes(), &message);
        if candidate[..] > limit[..] {
            continue;
        }
        for byte in candidate.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        return SigningKey::from_bytes(&candidate.into()).unwrap();
    }
    panic!("no scalar in 254 tries");
}

/// What is signed, in all the parts that a signature has.
struct Parts {
    asymmetric: bool,
    scope: String,
    date: String,
    signed: String,
    hash: String,
}

fn string_to_sign(request: &Request, parts: &Parts) -> Option<String> {
    let canonical = canonical(request, &parts.signed, &parts.hash)?;
    let name = if parts.asymmetric {
        "AWS4-ECDSA-P256-SHA256"
    } else {
        "AWS4-HMAC-SHA256"
    };
    Some(format!(
        "{name}\n{}\n{}\n{}",
        parts.date,
        parts.scope,
        hex(&sha(canonical.as_bytes()))
    ))
}

fn chain(secret: &str, scope: &str) -> [u8; 32] {
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in scope.split('/') {
        key = hmac(&key, part.as_bytes()).to_vec();
    }
    key.try_into().unwrap()
}

/// How to sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style<'a> {
    pub(crate) asymmetric: bool,
    pub(crate) in_query: bool,
    /// Whether to declare the hash of the body.
    pub(crate) declare: bool,
    /// Headers to sign beside `host` and `x-amz-*`.
    pub(crate) also: &'a [&'a str],
    pub(crate) service: &'a str,
    pub(crate) date: &'a str,
}

/// Signs a request as a client does.
pub(crate) fn sign(request: &mut Request, key: Key<'_>, style: Style<'_>) {
    let body: &[u8] = if style.in_query { b"" } else { &request.body };
    let hash = hex(&sha(body));
    sign_with(request, key, style, &hash);
}

/// The same with another text in place of the body's hash.
pub(crate) fn sign_with(request: &mut Request, key: Key<'_>, style: Style<'_>, hash: &str) {
    let region = if style.asymmetric { "" } else { "us-east-1/" };
    let scope = format!(
        "{}/{region}{}/aws4_request",
        &style.date[..8],
        style.service
    );
    let name = if style.asymmetric {
        "AWS4-ECDSA-P256-SHA256"
    } else {
        "AWS4-HMAC-SHA256"
    };
    if !style.in_query {
        request.set("x-amz-date", style.date);
        if let Some(token) = key.token {
            request.set("x-amz-security-token", token);
        }
        if style.asymmetric {
            request.set("x-amz-region-set", "*");
        }
        if style.declare {
            let hash = hex(&sha(&request.body));
            request.set("x-amz-content-sha256", &hash);
        }
    }
    let mut signed: Vec<&str> = request
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| *name == "host" || name.starts_with("x-amz-") || style.also.contains(name))
        .collect();
    signed.sort_unstable();
    signed.dedup();
    let signed = signed.join(";");
    let credential = format!("{}/{scope}", key.id);
    let parts = Parts {
        asymmetric: style.asymmetric,
        scope,
        date: style.date.to_owned(),
        signed: signed.clone(),
        hash: hash.to_owned(),
    };
    if style.in_query {
        let mut add = |name: &str, value: &str| {
            if !request.query.is_empty() {
                request.query.push('&');
            }
            request.query += &format!("{name}={}", encode(value, ""));
        };
        add("X-Amz-Algorithm", name);
        add("X-Amz-Credential", &credential);
        add("X-Amz-Date", style.date);
        add("X-Amz-Expires", "600");
        add("X-Amz-SignedHeaders", &signed);
        if let Some(token) = key.token {
            add("X-Amz-Security-Token", token);
        }
        if style.asymmetric {
            add("X-Amz-Region-Set", "*");
        }
    }
    let text = string_to_sign(request, &parts).unwrap();
    let signature = if style.asymmetric {
        let signature: Signature = ecdsa(key).sign(text.as_bytes());
        hex(signature.to_der().as_bytes())
    } else {
        hex(&hmac(&chain(key.secret, &parts.scope), text.as_bytes()))
    };
    if style.in_query {
        request.query += &format!("&X-Amz-Signature={signature}");
    } else {
        let value = format!(
            "{name} Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        );
        request.set("authorization", &value);
    }
}

/// Whether the request is signed with one of the keys, for that service, and now.
pub(crate) fn accepts(request: &Request, keys: &[Key<'_>], service: &str, now: i64) -> bool {
    judge(request, keys, service, now).is_some()
}

fn judge(request: &Request, keys: &[Key<'_>], service: &str, now: i64) -> Option<()> {
    let pairs: Vec<(String, String)> = request.query.split('&').map(pair).collect();
    let parameter = |name: &str| {
        let found: Vec<_> = pairs.iter().filter(|(one, _)| one == name).collect();
        match found.as_slice() {
            [] => Some(None),
            [(_, value)] => decode(value).map(Some),
            _ => None,
        }
    };
    let in_query = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"]
        .iter()
        .any(|name| pairs.iter().any(|(one, _)| one == name));
    let once = |name: &str| match (request.has(name), request.header(name)) {
        (false, _) => Some(None),
        (true, Some(value))
            if value
                .bytes()
                .all(|b| b == b'\t' || (b' '..0x7f).contains(&b)) =>
        {
            Some(Some(value.trim().to_owned()))
        }
        _ => None,
    };
    let (name, credential, signed, signature, date, token, regions);
    let mut ends = None;
    if in_query {
        if request.has("authorization") || !request.body.is_empty() {
            return None;
        }
        name = parameter("X-Amz-Algorithm")??;
        credential = parameter("X-Amz-Credential")??;
        signed = parameter("X-Amz-SignedHeaders")??;
        signature = parameter("X-Amz-Signature")??;
        date = parameter("X-Amz-Date")??;
        token = parameter("X-Amz-Security-Token")?;
        regions = parameter("X-Amz-Region-Set")?;
        let expires = parameter("X-Amz-Expires")??;
        if expires.is_empty() || expires.bytes().any(|byte| !byte.is_ascii_digit()) {
            return None;
        }
        let expires: i64 = expires.parse().ok()?;
        if !(1..=604_800).contains(&expires) {
            return None;
        }
        ends = Some(expires);
    } else {
        let value = once("authorization")??;
        let (scheme, fields) = value.split_once([' ', '\t'])?;
        let fields: Vec<&str> = fields.split(',').map(str::trim).collect();
        let field = |name: &str| {
            fields
                .iter()
                .find_map(|field| field.strip_prefix(name))
                .map(str::to_owned)
        };
        if fields.len() != 3 {
            return None;
        }
        name = scheme.to_owned();
        credential = field("Credential=")?;
        signed = field("SignedHeaders=")?;
        signature = field("Signature=")?;
        date = match once("x-amz-date")? {
            Some(date) => date,
            None => once("date")??,
        };
        token = once("x-amz-security-token")?;
        regions = once("x-amz-region-set")?;
    }
    let asymmetric = match name.as_str() {
        "AWS4-HMAC-SHA256" => false,
        "AWS4-ECDSA-P256-SHA256" => true,
        _ => return None,
    };
    let at = seconds(&date)?;
    let (id, scope) = credential.split_once('/')?;
    let scope_parts: Vec<&str> = scope.split('/').collect();
    let region = |text: &str| {
        let parts: Vec<&str> = text.split('-').collect();
        let letters =
            |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
        parts.len() > 2
            && parts[0].len() == 2
            && parts[..parts.len() - 1].iter().all(letters)
            && parts[parts.len() - 1].len() == 1
            && parts[parts.len() - 1].bytes().all(|b| b.is_ascii_digit())
    };
    let good = match scope_parts.as_slice() {
        [day, place, of, "aws4_request"] if !asymmetric => {
            *day == &date[..8] && region(place) && *of == service
        }
        [day, of, "aws4_request"] if asymmetric => {
            *day == &date[..8]
                && *of == service
                && regions?
                    .split(',')
                    .all(|one| one.trim() == "*" || region(one.trim()))
        }
        _ => false,
    };
    if !good || signature.is_empty() {
        return None;
    }
    if at > now + 900 || ends.map_or(at < now - 900, |seconds| at + seconds < now) {
        return None;
    }
    let lower = signed.to_ascii_lowercase();
    let names: Vec<&str> = lower.split(';').collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if names != sorted || !names.contains(&"host") || request.header("host").is_none() {
        return None;
    }
    if request
        .headers
        .iter()
        .any(|(name, _)| name.starts_with("x-amz-") && !names.contains(&name.as_str()))
    {
        return None;
    }
    let actual = hex(&sha(&request.body));
    let hash = match once("x-amz-content-sha256")? {
        Some(hash) if hash == actual => hash,
        Some(hash) if hash == "UNSIGNED-PAYLOAD" && request.over_tls && !in_query => hash,
        Some(_) => return None,
        None => actual,
    };
    let key = keys.iter().find(|key| key.id == id)?;
    let parts = Parts {
        asymmetric,
        scope: scope.to_owned(),
        date,
        signed: lower.clone(),
        hash,
    };
    let text = string_to_sign(request, &parts)?;
    if asymmetric {
        let public: VerifyingKey = *ecdsa(*key).verifying_key();
        let signature = Signature::from_der(&unhex(&signature)?).ok()?;
        public.verify(text.as_bytes(), &signature).ok()?;
    } else if signature != hex(&hmac(&chain(key.secret, scope), text.as_bytes())) {
        return None;
    }
    (key.token.is_none() || token.as_deref() == key.token).then_some(())
}
