//! Countries, and which of them a distribution serves (CF-048, CF section 6.11).

use std::{fmt, str::FromStr};

/// A country as ISO 3166-1 alpha-2 writes it: two upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

/// A text is no two upper-case letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not two upper-case letters")]
pub struct CountryCodeError;

impl CountryCode {
    /// The two letters.
    pub fn as_str(&self) -> &str {
        // Made of ASCII letters alone.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether the code is a country's: assigned in ISO 3166-1, or `XK`, which databases have for Kosovo.
    pub fn is_assigned(&self) -> bool {
        // Two letters each, in order.
        ASSIGNED
            .as_bytes()
            .chunks_exact(3)
            .any(|code| code[..2] == self.0)
    }
}

impl FromStr for CountryCode {
    type Err = CountryCodeError;

    fn from_str(text: &str) -> Result<Self, CountryCodeError> {
        match *text.as_bytes() {
            [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self([a, b])),
            _ => Err(CountryCodeError),
        }
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const ASSIGNED: &str = "\
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP \
KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT \
MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ \
UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW ";

/// `GeoRestriction`: from where a distribution may be used (CF-600).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeoRestriction {
    /// `whitelist`: these countries alone.
    Only(Vec<CountryCode>),
    /// `blacklist`: all countries but these.
    AllBut(Vec<CountryCode>),
}

impl GeoRestriction {
    /// Whether a viewer in that country is served. Where it is not known which one that is, it is (CF-602).
    pub fn allows(&self, country: Option<CountryCode>) -> bool {
        let Some(country) = country else {
            return true;
        };
        match self {
            Self::Only(listed) => listed.contains(&country),
            Self::AllBut(listed) => !listed.contains(&country),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> CountryCode {
        text.parse().unwrap()
    }

    #[test]
    fn codes_are_two_upper_case_letters_and_some_are_countries() {
        // CF-048
        for text in ["DE", "GB", "NO", "AD", "ZW", "XK"] {
            assert!(code(text).is_assigned(), "{text}");
            assert_eq!(code(text).as_str(), text);
        }
        for text in ["UK", "EU", "ZZ", "AA", "XX"] {
            assert!(!code(text).is_assigned(), "{text}");
        }
        for text in ["", "D", "de", "De", "DEU", "D1", "\u{c4}"] {
            assert_eq!(text.parse::<CountryCode>(), Err(CountryCodeError), "{text}");
        }
        let all: Vec<_> = ASSIGNED.split_whitespace().collect();
        assert_eq!(all.len(), 250);
        assert!(all.is_sorted() && all.iter().all(|c| code(c).is_assigned()));
    }

    #[test]
    fn lists_name_who_is_served_or_who_is_not_and_the_unknown_are() {
        // CF-600, CF-602
        let only = GeoRestriction::Only(vec![code("DE"), code("AT")]);
        let but = GeoRestriction::AllBut(vec![code("DE"), code("AT")]);
        for (country, by_only, by_but) in [
            (Some("DE"), true, false),
            (Some("AT"), true, false),
            (Some("FR"), false, true),
            (None, true, true),
        ] {
            let country = country.map(code);
            assert_eq!(only.allows(country), by_only, "{country:?}");
            assert_eq!(but.allows(country), by_but, "{country:?}");
        }
    }
}
