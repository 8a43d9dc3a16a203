//! The `CloudFront-*` request headers that the edge itself makes of what it knows of a viewer (CF section 4.5): which there
//! are, how they are written, and which of them policies may name where. Their values are made where the facts are.

use std::fmt;

use bytes::Bytes;
use http::HeaderName;

/// A header that the edge generates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GeneratedHeader {
    /// CF-376.
    IsAndroidViewer,
    /// CF-376.
    IsDesktopViewer,
    /// CF-376.
    IsIosViewer,
    /// CF-376.
    IsMobileViewer,
    /// CF-376.
    IsSmartTvViewer,
    /// CF-376.
    IsTabletViewer,
    /// CF-381.
    ForwardedProto,
    /// CF-382.
    ViewerHttpVersion,
    /// CF-377.
    ViewerCountry,
    /// CF-378.
    ViewerCountryName,
    /// CF-378.
    ViewerCountryRegion,
    /// CF-378.
    ViewerCountryRegionName,
    /// CF-378.
    ViewerCity,
    /// CF-378.
    ViewerPostalCode,
    /// CF-378.
    ViewerTimeZone,
    /// CF-378.
    ViewerLatitude,
    /// CF-378.
    ViewerLongitude,
    /// CF-378.
    ViewerMetroCode,
    /// CF-379.
    ViewerAddress,
    /// CF-380.
    ViewerAsn,
    /// CF-383.
    ViewerTls,
    /// CF-385.
    ViewerHeaderOrder,
    /// CF-386.
    ViewerHeaderCount,
    /// CF-387.
    ErrorUri,
    /// CF-387.
    ErrorArgs,
}

use GeneratedHeader as H;

impl GeneratedHeader {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::IsAndroidViewer,
        Self::IsDesktopViewer,
        Self::IsIosViewer,
        Self::IsMobileViewer,
        Self::IsSmartTvViewer,
        Self::IsTabletViewer,
        Self::ForwardedProto,
        Self::ViewerHttpVersion,
        Self::ViewerCountry,
        Self::ViewerCountryName,
        Self::ViewerCountryRegion,
        Self::ViewerCountryRegionName,
        Self::ViewerCity,
        Self::ViewerPostalCode,
        Self::ViewerTimeZone,
        Self::ViewerLatitude,
        Self::ViewerLongitude,
        Self::ViewerMetroCode,
        Self::ViewerAddress,
        Self::ViewerAsn,
        Self::ViewerTls,
        Self::ViewerHeaderOrder,
        Self::ViewerHeaderCount,
        Self::ErrorUri,
        Self::ErrorArgs,
    ];

    /// How it is written on HTTP/1.1 (CF-359), and its name in lower case.
    const fn spelled(self) -> (&'static str, &'static str) {
        match self {
            Self::IsAndroidViewer => (
                "CloudFront-Is-Android-Viewer",
                "cloudfront-is-android-viewer",
            ),
            Self::IsDesktopViewer => (
                "CloudFront-Is-Desktop-Viewer",
                "cloudfront-is-desktop-viewer",
            ),
            Self::IsIosViewer => ("CloudFront-Is-IOS-Viewer", "cloudfront-is-ios-viewer"),
            Self::IsMobileViewer => ("CloudFront-Is-Mobile-Viewer", "cloudfront-is-mobile-viewer"),
            Self::IsSmartTvViewer => (
                "CloudFront-Is-SmartTV-Viewer",
                "cloudfront-is-smarttv-viewer",
            ),
            Self::IsTabletViewer => ("CloudFront-Is-Tablet-Viewer", "cloudfront-is-tablet-viewer"),
            Self::ForwardedProto => ("CloudFront-Forwarded-Proto", "cloudfront-forwarded-proto"),
            Self::ViewerHttpVersion => (
                "CloudFront-Viewer-Http-Version",
                "cloudfront-viewer-http-version",
            ),
            Self::ViewerCountry => ("CloudFront-Viewer-Country", "cloudfront-viewer-country"),
            Self::ViewerCountryName => (
                "CloudFront-Viewer-Country-Name",
                "cloudfront-viewer-country-name",
            ),
            Self::ViewerCountryRegion => (
                "CloudFront-Viewer-Country-Region",
                "cloudfront-viewer-country-region",
            ),
            Self::ViewerCountryRegionName => (
                "CloudFront-Viewer-Country-Region-Name",
                "cloudfront-viewer-country-region-name",
            ),
            Self::ViewerCity => ("CloudFront-Viewer-City", "cloudfront-viewer-city"),
            Self::ViewerPostalCode => (
                "CloudFront-Viewer-Postal-Code",
                "cloudfront-viewer-postal-code",
            ),
            Self::ViewerTimeZone => ("CloudFront-Viewer-Time-Zone", "cloudfront-viewer-time-zone"),
            Self::ViewerLatitude => ("CloudFront-Viewer-Latitude", "cloudfront-viewer-latitude"),
            Self::ViewerLongitude => ("CloudFront-Viewer-Longitude", "cloudfront-viewer-longitude"),
            Self::ViewerMetroCode => (
                "CloudFront-Viewer-Metro-Code",
                "cloudfront-viewer-metro-code",
            ),
            Self::ViewerAddress => ("CloudFront-Viewer-Address", "cloudfront-viewer-address"),
            Self::ViewerAsn => ("CloudFront-Viewer-ASN", "cloudfront-viewer-asn"),
            Self::ViewerTls => ("CloudFront-Viewer-TLS", "cloudfront-viewer-tls"),
            Self::ViewerHeaderOrder => (
                "CloudFront-Viewer-Header-Order",
                "cloudfront-viewer-header-order",
            ),
            Self::ViewerHeaderCount => (
                "CloudFront-Viewer-Header-Count",
                "cloudfront-viewer-header-count",
            ),
            Self::ErrorUri => ("CloudFront-Error-Uri", "cloudfront-error-uri"),
            Self::ErrorArgs => ("CloudFront-Error-Args", "cloudfront-error-args"),
        }
    }

    /// The name in lower case, as policies have it.
    pub const fn name(self) -> &'static str {
        self.spelled().1
    }

    /// The name as a field's.
    pub fn header_name(self) -> HeaderName {
        HeaderName::from_static(self.name())
    }

    /// The name in the casing that CloudFront writes.
    pub const fn key(self) -> Bytes {
        Bytes::from_static(self.spelled().0.as_bytes())
    }

    /// The one of that name in lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        is_cloudfront(name).then_some(())?;
        Self::ALL.into_iter().find(|h| h.name() == name)
    }

    /// Whether a cache policy may name it (CF-121, CF section 4.5): what tells viewers apart one by one, or the errors
    /// that one page stands for, would make a copy for each.
    pub const fn may_be_keyed(self) -> bool {
        !matches!(
            self,
            Self::ViewerAddress
                | Self::ViewerAsn
                | Self::ViewerTls
                | Self::ViewerHeaderOrder
                | Self::ViewerHeaderCount
                | Self::ErrorUri
                | Self::ErrorArgs
        )
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Whether a name in lower case is one that only the edge speaks under (CF-174, CF-358).
pub fn is_cloudfront(name: &str) -> bool {
    name.starts_with("cloudfront-")
}

/// A set of generated headers.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct GeneratedHeaders(u32);

impl GeneratedHeaders {
    /// None.
    pub const NONE: Self = Self(0);
    /// What says how a device looks (CF-376).
    pub const DEVICE: Self = Self::of(&[
        H::IsAndroidViewer,
        H::IsDesktopViewer,
        H::IsIosViewer,
        H::IsMobileViewer,
        H::IsSmartTvViewer,
        H::IsTabletViewer,
    ]);
    /// What says where a viewer is (CF-377, CF-378).
    pub const PLACE: Self = Self::of(&[
        H::ViewerCountry,
        H::ViewerCountryName,
        H::ViewerCountryRegion,
        H::ViewerCountryRegionName,
        H::ViewerCity,
        H::ViewerPostalCode,
        H::ViewerTimeZone,
        H::ViewerLatitude,
        H::ViewerLongitude,
        H::ViewerMetroCode,
    ]);
    /// What says how a viewer connects (CF-381..383).
    pub const CONNECTION: Self = Self::of(&[H::ForwardedProto, H::ViewerHttpVersion, H::ViewerTls]);

    /// These.
    pub const fn of(headers: &[GeneratedHeader]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < headers.len() {
            bits |= headers[at].bit();
            at += 1;
        }
        Self(bits)
    }

    /// Those that are among these names in lower case.
    pub fn among(names: &[String]) -> Self {
        let known = names.iter().filter_map(|n| GeneratedHeader::from_name(n));
        known.fold(Self::NONE, |set, header| Self(set.0 | header.bit()))
    }

    /// Those of either.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it is among them.
    pub const fn contains(self, header: GeneratedHeader) -> bool {
        self.0 & header.bit() != 0
    }

    /// Whether some of the others are among them.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// They, one by one.
    pub fn iter(self) -> impl Iterator<Item = GeneratedHeader> {
        let all = GeneratedHeader::ALL.into_iter();
        all.filter(move |header| self.contains(*header))
    }
}

impl fmt::Debug for GeneratedHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(GeneratedHeader::name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_once_and_found_again() {
        // CF-359, CF-376..383, CF-385..387
        for header in GeneratedHeader::ALL {
            let (key, name) = header.spelled();
            assert_eq!(name, key.to_ascii_lowercase());
            assert!(key.starts_with("CloudFront-"));
            assert_eq!(GeneratedHeader::from_name(name), Some(header));
            assert_eq!(header.header_name().as_str(), name);
        }
        for name in ["cloudfront-viewer", "CloudFront-Viewer-Country", "host", ""] {
            assert_eq!(GeneratedHeader::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_set_holds_what_it_was_made_of() {
        // CF-125
        let names = ["cloudfront-viewer-country", "host", "cloudfront-x"];
        let set = GeneratedHeaders::among(&names.map(str::to_owned));
        assert_eq!(set.iter().collect::<Vec<_>>(), [H::ViewerCountry]);
        assert!(set.meets(GeneratedHeaders::PLACE) && !set.meets(GeneratedHeaders::DEVICE));
        let both = set.and(GeneratedHeaders::DEVICE);
        assert_eq!(both.iter().count(), 7);
        assert!(GeneratedHeaders::NONE.is_empty() && !both.is_empty());
        let all = GeneratedHeaders::of(&GeneratedHeader::ALL);
        assert_eq!(all.iter().count(), GeneratedHeader::ALL.len());
    }

    #[test]
    fn what_tells_single_viewers_apart_is_not_keyed() {
        // CF-121, CF-379, CF-380, CF-383, CF-385..387
        let not = GeneratedHeader::ALL
            .into_iter()
            .filter(|h| !h.may_be_keyed());
        assert_eq!(
            not.map(GeneratedHeader::name).collect::<Vec<_>>(),
            [
                "cloudfront-viewer-address",
                "cloudfront-viewer-asn",
                "cloudfront-viewer-tls",
                "cloudfront-viewer-header-order",
                "cloudfront-viewer-header-count",
                "cloudfront-error-uri",
                "cloudfront-error-args",
            ]
        );
    }
}
