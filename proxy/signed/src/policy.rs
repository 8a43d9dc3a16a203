//! Policies: what a signer lets pass (CF-566..573).

use std::{
    net::{IpAddr, Ipv4Addr},
    time::SystemTime,
};

use ipnet::Ipv4Net;

use crate::{
    json::{Reader, SyntaxError, integer},
    refusal::Denial,
    resource::Resource,
    url::Url,
};

/// Why a policy cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Neither a policy nor an expiry came along.
    #[error("is missing")]
    Missing,
    /// It is no base64 (CF-565).
    #[error("cannot be decoded")]
    Encoding,
    /// It is no JSON.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// A name that no policy has, or one that is there twice.
    #[error("has a member that it cannot have, or has it twice, in {0}")]
    Member(&'static str),
    /// `DateLessThan` is not there (CF-569).
    #[error("has no DateLessThan")]
    Endless,
    /// `SourceIp` is no IPv4 address and no IPv4 subnet (CF-570).
    #[error("has a SourceIp that is neither an IPv4 address nor a subnet of such")]
    SourceIp,
    /// `Resource` is none (CF-572).
    #[error("has a Resource that begins with none of http://, https:// and *")]
    Resource,
    /// `Expires` is no time (CF-566, CF-569).
    #[error("would have an Expires that is no whole number")]
    Expires,
}

/// A point in time as policies count it: whole seconds since 1970, and whether there is anything beyond them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    seconds: i64,
    and_more: bool,
}

impl From<SystemTime> for Moment {
    /// Before 1970 is 1970.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        let since = since.unwrap_or_default();
        Self {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            and_more: since.subsec_nanos() > 0,
        }
    }
}

impl Moment {
    /// Whether it is strictly before a whole second (CF-569).
    pub const fn is_before(self, second: i64) -> bool {
        self.seconds < second
    }

    /// Whether it is strictly after a whole second (CF-569).
    pub const fn is_after(self, second: i64) -> bool {
        self.seconds > second || (self.seconds == second && self.and_more)
    }
}

/// A custom policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `None` covers every URL (CF-571).
    resource: Option<Resource>,
    before: i64,
    after: Option<i64>,
    source: Option<Ipv4Net>,
}

/// The members of its one statement while they are read.
#[derive(Debug, Default)]
struct Statement {
    resource: Option<Resource>,
    condition: Option<Condition>,
}

#[derive(Debug, Default)]
struct Condition {
    before: Option<i64>,
    after: Option<i64>,
    source: Option<Ipv4Net>,
}

impl Policy {
    /// Reads a policy (CF-568): one statement, exactly the names that CloudFront has, each once, in any order.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn parse(text: &[u8]) -> Result<Self, PolicyError> {
        let mut reader = Reader::new(text)?;
        let mut statement = None;
        reader.object(|reader, name| match name {
            "Statement" if statement.is_none() => reader.list_of_one(|reader| {
                statement = Some(Statement::read(reader)?);
                Ok(())
            }),
            _ => Err(PolicyError::Member("the policy")),
        })?;
        reader.end()?;
        let Some(statement) = statement else {
            return Err(PolicyError::Endless);
        };
        let condition = statement.condition.unwrap_or_default();
        Ok(Self {
            resource: statement.resource,
            before: condition.before.ok_or(PolicyError::Endless)?,
            after: condition.after,
            source: condition.source,
        })
    }

    /// Whether it is valid at that time (CF-569).
    ///
    /// # Errors
    /// [`Denial::Expired`] and [`Denial::NotYet`].
    pub fn check_time(&self, now: Moment) -> Result<(), Denial> {
        if !now.is_before(self.before) {
            return Err(Denial::Expired);
        }
        match self.after {
            Some(after) if !now.is_after(after) => Err(Denial::NotYet),
            _ => Ok(()),
        }
    }

    /// Whether it is valid for a viewer at that address (CF-570): none of IPv6 ever is where an address is named. An IPv4
    /// address that a socket for both shows as one of IPv6 is one of IPv4.
    ///
    /// # Errors
    /// [`Denial::Address`].
    pub fn check_address(&self, viewer: IpAddr) -> Result<(), Denial> {
        match (&self.source, viewer.to_canonical()) {
            (None, _) => Ok(()),
            (Some(net), IpAddr::V4(address)) if net.contains(&address) => Ok(()),
            (Some(_), _) => Err(Denial::Address),
        }
    }

    /// Whether it covers that URL (CF-571, CF-572).
    ///
    /// # Errors
    /// [`Denial::Resource`].
    pub fn check_resource(&self, url: &Url<'_>) -> Result<(), Denial> {
        match &self.resource {
            Some(resource) if !resource.covers(url) => Err(Denial::Resource),
            _ => Ok(()),
        }
    }
}

impl Statement {
    fn read(reader: &mut Reader<'_>) -> Result<Self, PolicyError> {
        let mut statement = Self::default();
        reader.object(|reader, name| match name {
            "Resource" if statement.resource.is_none() => {
                statement.resource = Some(Resource::parse(&reader.string()?)?);
                Ok(())
            }
            "Condition" if statement.condition.is_none() => {
                statement.condition = Some(Condition::read(reader)?);
                Ok(())
            }
            _ => Err(PolicyError::Member("its statement")),
        })?;
        Ok(statement)
    }
}

impl Condition {
    fn read(reader: &mut Reader<'_>) -> Result<Self, PolicyError> {
        let mut condition = Self::default();
        reader.object(|reader, name| {
            match name {
                "DateLessThan" if condition.before.is_none() => {
                    condition.before = Some(only(reader, "AWS:EpochTime", |reader| {
                        Ok(reader.integer()?)
                    })?);
                }
                "DateGreaterThan" if condition.after.is_none() => {
                    condition.after = Some(only(reader, "AWS:EpochTime", |reader| {
                        Ok(reader.integer()?)
                    })?);
                }
                "IpAddress" if condition.source.is_none() => {
                    condition.source = Some(only(reader, "AWS:SourceIp", |reader| {
                        subnet(&reader.string()?).ok_or(PolicyError::SourceIp)
                    })?);
                }
                _ => return Err(PolicyError::Member("its condition")),
            }
            Ok(())
        })?;
        Ok(condition)
    }
}

/// An object with one member, of that name.
fn only<T>(
    reader: &mut Reader<'_>,
    wanted: &'static str,
    read: impl Fn(&mut Reader<'_>) -> Result<T, PolicyError>,
) -> Result<T, PolicyError> {
    let mut value = None;
    reader.object(|reader, name| {
        if name != wanted || value.is_some() {
            return Err(PolicyError::Member("its condition"));
        }
        value = Some(read(reader)?);
        Ok(())
    })?;
    value.ok_or(PolicyError::Member("its condition"))
}

/// `192.0.2.1` or `192.0.2.0/24`; bits behind the prefix do not count.
fn subnet(text: &str) -> Option<Ipv4Net> {
    let Some((address, prefix)) = text.split_once('/') else {
        return Some(text.parse::<Ipv4Addr>().ok()?.into());
    };
    let prefix = integer(prefix.as_bytes()).and_then(|p| u8::try_from(p).ok())?;
    let net = Ipv4Net::new(address.parse().ok()?, prefix).ok()?;
    Some(net.trunc())
}

/// The time in `Expires`, as it stands in the canned policy (CF-566): seconds since 1970.
///
/// # Errors
/// [`PolicyError::Expires`].
pub fn epoch_time(text: &[u8]) -> Result<i64, PolicyError> {
    integer(text).ok_or(PolicyError::Expires)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(condition: &str) -> Result<Policy, PolicyError> {
        Policy::parse(format!(r#"{{"Statement":[{{"Condition":{{{condition}}}}}]}}"#).as_bytes())
    }

    const END: &str = r#""DateLessThan":{"AWS:EpochTime":2000}"#;

    fn at(millis: u64) -> Moment {
        Moment::from(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
    }

    #[test]
    fn what_policies_look_like() {
        // CF-568, CF-569, CF-571
        for text in [
            r#"{"Statement":[{"Resource":"https://d.test/*","Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]}"#,
            r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":2000}},"Resource":"*"}]}"#,
            r#"{"Statement":[{"Condition":{"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"},"DateGreaterThan":{"AWS:EpochTime":1000},"DateLessThan":{"AWS:EpochTime":2000}}}]}"#,
            "\n{ \"Statement\" :\t[ {\r\n \"Condition\" : { \"DateLessThan\" : { \"AWS:EpochTime\" : 2000 } } } ] } \n",
            r#"{"Statement":[{"Resource":"http:\/\/d.test\/\u0061","Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]}"#,
        ] {
            assert!(Policy::parse(text.as_bytes()).is_ok(), "{text}");
        }
        for text in [
            "",
            "{}",
            "null",
            r#"{"Statement":[]}"#,
            r#"{"Statement":{}}"#,
            r#"{"Statement":[{}]}"#,
            r#"{"Statement":[{"Resource":"*"}]}"#,
            r#"{"Statement":[{"Condition":{}}]}"#,
            r#"{"statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]}"#,
            // Two statements, a list of resources, names that no policy has.
            r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":2000}}},{"Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]}"#,
            r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}],"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":9999}}}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]}"#,
            r#"{"Statement":[{"Resource":["*"],"Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]}"#,
            r#"{"Statement":[{"Resource":"*","Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]}"#,
            r#"{"Statement":[{"Resource":"","Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]}"#,
            // No JSON.
            r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]} x"#,
            r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]}{}"#,
            r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":2000}},}]}"#,
            r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":2000}}},]}"#,
            r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]"#,
            r#"{'Statement':[{"Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]}"#,
            "\u{feff}{\"Statement\":[{\"Condition\":{\"DateLessThan\":{\"AWS:EpochTime\":2000}}}]}",
            "{\"Statement\":[{\"Condition\":{\"DateLessThan\":{\"AWS:EpochTime\":2000}}}]}\0",
        ] {
            assert!(Policy::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(
            Policy::parse(b"{\"\xff\":1}"),
            Err(SyntaxError::Utf8.into())
        );
    }

    #[test]
    fn conditions_have_their_names_and_types() {
        // CF-568, CF-569, CF-570
        assert!(of(END).is_ok());
        for condition in [
            r#""DateLessThan":2000"#,
            r#""DateLessThan":{"AWS:EpochTime":"2000"}"#,
            r#""DateLessThan":{"AWS:EpochTime":2000.5}"#,
            r#""DateLessThan":{"AWS:EpochTime":2e3}"#,
            r#""DateLessThan":{"AWS:EpochTime":02000}"#,
            r#""DateLessThan":{"AWS:EpochTime":9223372036854775808}"#,
            r#""DateLessThan":{"AWS:EpochTime":null}"#,
            r#""DateLessThan":{"aws:EpochTime":2000}"#,
            r#""DateLessThan":{"AWS:EpochTime":2000,"AWS:EpochTime":9000}"#,
            r#""DateLessThan":{}"#,
            r#""dateLessThan":{"AWS:EpochTime":2000}"#,
            r#""DateGreaterThan":{"AWS:EpochTime":1000}"#,
        ] {
            assert!(of(condition).is_err(), "{condition}");
        }
        for extra in [
            r#""DateLessThan":{"AWS:EpochTime":9000}"#,
            r#""DateGreaterThan":{"AWS:EpochTime":"1000"}"#,
            r#""IpAddress":"192.0.2.1""#,
            r#""IpAddress":{"AWS:SourceIp":["192.0.2.1"]}"#,
            r#""IpAddress":{"AWS:SourceIp":""}"#,
            r#""IpAddress":{"AWS:SourceIp":"2001:db8::/32"}"#,
            r#""IpAddress":{"AWS:SourceIp":"::ffff:192.0.2.1"}"#,
            r#""IpAddress":{"AWS:SourceIp":"192.0.2"}"#,
            r#""IpAddress":{"AWS:SourceIp":"192.0.2.1/33"}"#,
            r#""IpAddress":{"AWS:SourceIp":"192.0.2.1/"}"#,
            r#""IpAddress":{"AWS:SourceIp":"192.0.2.1/+8"}"#,
            r#""IpAddress":{"AWS:SourceIp":"192.0.2.1/08"}"#,
            r#""IpAddress":{"AWS:SourceIp":"192.0.2.1/-1"}"#,
            r#""IpAddress":{"AWS:SourceIp":"192.0.2.01"}"#,
            r#""IpAddress":{"AWS:SourceIp":" 192.0.2.1"}"#,
            r#""IpAddress":{"AWS:SourceIp":"192.0.2.1,192.0.2.2"}"#,
            r#""NotIpAddress":{"AWS:SourceIp":"192.0.2.1"}"#,
            r#""StringEquals":{"AWS:Referer":"x"}"#,
        ] {
            assert!(of(&format!("{END},{extra}")).is_err(), "{extra}");
        }
    }

    #[test]
    fn both_dates_are_strict() {
        // CF-569
        let policy = of(&format!(
            r#"{END},"DateGreaterThan":{{"AWS:EpochTime":1000}}"#
        ))
        .unwrap();
        for (millis, want) in [
            (0, Err(Denial::NotYet)),
            (1_000_000, Err(Denial::NotYet)),
            (1_000_001, Ok(())),
            (1_001_000, Ok(())),
            (1_999_999, Ok(())),
            (2_000_000, Err(Denial::Expired)),
            (2_000_001, Err(Denial::Expired)),
        ] {
            assert_eq!(policy.check_time(at(millis)), want, "{millis}");
        }
        let never = of(r#""DateLessThan":{"AWS:EpochTime":-1}"#).unwrap();
        assert_eq!(never.check_time(at(0)), Err(Denial::Expired));
        let always = of(r#""DateLessThan":{"AWS:EpochTime":9223372036854775807}"#).unwrap();
        assert_eq!(always.check_time(at(u64::from(u32::MAX) * 1_000)), Ok(()));
    }

    #[test]
    fn addresses_are_of_ipv4() {
        // CF-570, CF-354
        let source =
            |text: &str| of(&format!(r#"{END},"IpAddress":{{"AWS:SourceIp":"{text}"}}"#)).unwrap();
        for (net, viewer, allowed) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1/32", "192.0.2.1", true),
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.77/24", "192.0.2.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("0.0.0.0/0", "::ffff:203.0.113.9", true),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "::192.0.2.1", false),
        ] {
            let told = source(net).check_address(viewer.parse().unwrap());
            assert_eq!(told.is_ok(), allowed, "{net} {viewer}");
        }
        let anybody = of(END).unwrap();
        assert_eq!(
            anybody.check_address("2001:db8::1".parse().unwrap()),
            Ok(())
        );
    }
}
