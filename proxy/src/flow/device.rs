//! What kind of device a viewer uses, by its `User-Agent` (CF-376).
//!
//! CloudFront documents six classes and no way to them, so this is a table of the words by which such devices are known:
//! as small as the classes are coarse. Of the crates for this, `woothee` knows neither tablets nor televisions, and
//! `uaparser` is a list of expressions of a megabyte that is tried for each request; both answer which browser it is, which
//! nobody asks here. One pass over the text finds all words at once (`aho-corasick`).

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use fourfront_model::GeneratedHeader;

/// The classes that a device is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// It runs Android.
    pub android: bool,
    /// It runs iOS or iPadOS.
    pub ios: bool,
    /// It is small, or says that it is mobile.
    pub mobile: bool,
    /// It is a tablet.
    pub tablet: bool,
    /// It is a television, or a box at one.
    pub smart_tv: bool,
}

const ANDROID: u8 = 1;
const IOS: u8 = 1 << 1;
const MOBILE: u8 = 1 << 2;
const TABLET: u8 = 1 << 3;
const TV: u8 = 1 << 4;
/// It says that it is others, too.
const WINDOWS_PHONE: u8 = 1 << 5;
/// Part of Windows on any desktop.
const TABLET_PC: u8 = 1 << 6;

/// Words in lower case, and what each means.
const WORDS: [(&str, u8); 47] = [
    ("android", ANDROID),
    ("iphone", IOS | MOBILE),
    ("ipod", IOS | MOBILE),
    ("ipad", IOS | TABLET),
    ("mobi", MOBILE),
    ("windows phone", WINDOWS_PHONE | MOBILE),
    ("windows ce", MOBILE),
    ("blackberry", MOBILE),
    ("bb10", MOBILE),
    ("opera mini", MOBILE),
    ("symbian", MOBILE),
    ("nokia", MOBILE),
    ("midp", MOBILE),
    ("j2me", MOBILE),
    ("kaios", MOBILE),
    ("docomo", MOBILE),
    ("up.browser", MOBILE),
    ("tablet", TABLET),
    ("tablet pc", TABLET_PC),
    ("kindle", TABLET),
    ("silk/", TABLET),
    ("playbook", TABLET),
    ("touchpad", TABLET),
    ("sm-t", TABLET),
    ("smarttv", TV),
    ("smart-tv", TV),
    ("smart tv", TV),
    ("smarthub", TV),
    ("googletv", TV),
    ("google tv", TV),
    ("android tv", TV),
    ("androidtv", TV),
    ("appletv", TV),
    ("apple tv", TV),
    ("hbbtv", TV),
    ("ce-html", TV),
    ("netcast", TV),
    ("nettv", TV),
    ("netrange", TV),
    ("web0s", TV),
    ("webos.tv", TV),
    ("bravia", TV),
    ("viera", TV),
    ("roku", TV),
    ("crkey", TV),
    // The boxes and sticks that are called AFTB, AFTMM and so on.
    ("; aft", TV),
    ("inettvbrowser", TV),
];

/// `None` only if the table above were not one that can be searched for, which a test rules out.
static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(WORDS.map(|(word, _)| word))
        .ok()
});

impl Device {
    /// What a `User-Agent` says. Without one, and of one that says nothing of the kind, it is a desktop.
    pub fn of(user_agent: &[u8]) -> Self {
        let mut said = 0;
        if let Some(search) = &*SEARCH {
            for found in search.find_overlapping_iter(user_agent) {
                said |= WORDS[found.pattern().as_usize()].1;
            }
        }
        let says = |bit: u8| said & bit != 0;
        let smart_tv = says(TV);
        let windows_phone = says(WINDOWS_PHONE);
        let android = says(ANDROID) && !windows_phone;
        let mobile = says(MOBILE) && !smart_tv;
        // Tablets with Android are those that do not say that they are mobile.
        let tablet = (says(TABLET) && !says(TABLET_PC)) || (android && !mobile);
        Self {
            android,
            ios: says(IOS) && !windows_phone,
            mobile,
            tablet: tablet && !smart_tv,
            smart_tv,
        }
    }

    /// Whether it is in the class that a header speaks of; `None` for headers that speak of none.
    pub const fn is(self, header: GeneratedHeader) -> Option<bool> {
        Some(match header {
            GeneratedHeader::IsAndroidViewer => self.android,
            GeneratedHeader::IsIosViewer => self.ios,
            GeneratedHeader::IsMobileViewer => self.mobile,
            GeneratedHeader::IsTabletViewer => self.tablet,
            GeneratedHeader::IsSmartTvViewer => self.smart_tv,
            GeneratedHeader::IsDesktopViewer => !self.mobile && !self.tablet && !self.smart_tv,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use fourfront_model::GeneratedHeaders;

    use super::*;

    /// The classes of a device, in a fixed order.
    fn classes(user_agent: &str) -> String {
        let device = Device::of(user_agent.as_bytes());
        let held = GeneratedHeaders::DEVICE
            .iter()
            .filter(|h| device.is(*h) == Some(true));
        let short = held.map(|h| {
            let name = h.name().trim_start_matches("cloudfront-is-");
            name.trim_end_matches("-viewer").to_owned()
        });
        short.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn devices_are_known_by_what_they_say() {
        // CF-376
        for (user_agent, want) in [
            ("", "desktop"),
            ("curl/8.5.0", "desktop"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
                "desktop",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
                "desktop",
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/126.0",
                "desktop",
            ),
            (
                "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; Tablet PC 2.0)",
                "desktop",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1",
                "ios mobile",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) AppleWebKit/605.1.15 Version/12.1 Mobile/15E148 Safari/604.1",
                "ios mobile tablet",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36",
                "android mobile",
            ),
            (
                "Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
                "android tablet",
            ),
            (
                "Mozilla/5.0 (Android 13; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0",
                "android mobile",
            ),
            (
                "Mozilla/5.0 (Android 13; Tablet; rv:127.0) Gecko/127.0 Firefox/127.0",
                "android tablet",
            ),
            (
                "Mozilla/5.0 (Mobile; rv:48.0; A405DL) Gecko/48.0 Firefox/48.0 KAIOS/2.5",
                "mobile",
            ),
            (
                "Mozilla/5.0 (Linux; U; en-us; KFTT Build/IML74K) AppleWebKit/535.19 Silk/2.1 Safari/535.19 Silk-Accelerated=true",
                "tablet",
            ),
            (
                "Mozilla/5.0 (Mobile; Windows Phone 8.1; Android 4.0; ARM; IEMobile/11.0; NOKIA; Lumia 520) like iPhone OS 7_0_3",
                "mobile",
            ),
            (
                "Opera/9.80 (J2ME/MIDP; Opera Mini/9.5/37; U; en) Presto/2.12",
                "mobile",
            ),
            (
                "Mozilla/5.0 (BB10; Touch) AppleWebKit/537.10+ Version/10.0 Mobile Safari/537.10+",
                "mobile",
            ),
            (
                "Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) AppleWebKit/538.1 Version/5.0 NativeTVAds Safari/538.1",
                "smarttv",
            ),
            (
                "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 Chrome/79.0 Safari/537.36 WebAppManager",
                "smarttv",
            ),
            (
                "Mozilla/5.0 (Linux; Android 5.1.1; AFTT Build/LVY48F) AppleWebKit/537.36 Mobile Safari/537.36",
                "android smarttv",
            ),
            ("AppleTV11,1/11.1", "smarttv"),
            ("Roku/DVP-12.5 (12.5.0.4178-88)", "smarttv"),
            (
                "Mozilla/5.0 (Linux; Android 12; BRAVIA 4K VH2) Safari/537.36",
                "android smarttv",
            ),
            (
                "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) Mobile Safari/537.36 (compatible; Googlebot/2.1)",
                "android mobile",
            ),
        ] {
            assert_eq!(classes(user_agent), want, "{user_agent}");
        }
        assert_eq!(Device::default().is(GeneratedHeader::ViewerCountry), None);
    }

    #[test]
    fn every_word_is_found_in_either_case() {
        // CF-376
        assert!(SEARCH.is_some());
        for (word, _) in WORDS {
            assert_eq!(word, word.to_ascii_lowercase());
            for text in [word.to_owned(), word.to_ascii_uppercase()] {
                let device = Device::of(format!("x {text} y").as_bytes());
                let desktop = device.is(GeneratedHeader::IsDesktopViewer);
                assert_eq!(desktop, Some(word == "tablet pc"), "{text}");
            }
        }
    }
}
