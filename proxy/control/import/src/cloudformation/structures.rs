//! The structures of CloudFront's API, beside CloudFormation's spelling of them (section 7.4 of the control plane's rules).
//!
//! A table, made from botocore's model of CloudFront 2020-05-31 and held against the properties that aws-cdk-lib 2.276 knows.
//! Members stand in the API's order. What is no rename and no other wrapping is the same on both sides.

/// A structure of the API.
#[derive(Debug)]
pub(crate) struct Structure {
    pub(crate) name: &'static str,
    pub(crate) members: &'static [Member],
}

/// One of its members.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) api: &'static str,
    pub(crate) cloudformation: &'static str,
    pub(crate) kind: MemberKind,
}

/// What a member is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MemberKind {
    Text,
    /// An integer.
    Whole,
    Number,
    Flag,
    Struct(&'static str),
    /// `{"Quantity", "Items"}` in the API.
    List(ListForm, &'static Self),
    /// A list without a wrapper on either side.
    Bare(&'static Self),
    /// `AllowedMethods`, which holds `CachedMethods` in the API and stands beside it in CloudFormation.
    Methods,
    /// `GeoRestriction`: a list and its type in one.
    Geo,
}

/// How CloudFormation writes a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListForm {
    /// An array.
    Array,
    /// An array; the API has `Enabled` beside it.
    Trusted,
    /// `{"Quantity", "Items"}` as in the API.
    Wrapped,
    /// `{"Items"}`.
    Items,
}

use ListForm::{Array, Items, Trusted, Wrapped};
use MemberKind::{Bare, Flag, Geo, List, Methods, Number, Struct, Text, Whole};

const fn same(name: &'static str, kind: MemberKind) -> Member {
    renamed(name, name, kind)
}

const fn renamed(api: &'static str, cloudformation: &'static str, kind: MemberKind) -> Member {
    Member {
        api,
        cloudformation,
        kind,
    }
}

/// Looks a structure up.
pub(crate) fn structure(name: &str) -> Option<&'static Structure> {
    STRUCTURES
        .binary_search_by(|s| s.name.cmp(name))
        .ok()
        .and_then(|i| STRUCTURES.get(i))
}

/// A member of a structure as others than the wire have to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its name in CloudFront's API.
    pub api: &'static str,
    /// Its name in CloudFormation.
    pub cloudformation: &'static str,
    /// What it holds.
    pub shape: Shape,
}

/// What a [`Property`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// A whole number, or one with a fraction.
    Number,
    /// True or false.
    Flag,
    /// A structure by its name.
    Struct(&'static str),
    /// A list of scalars.
    Scalars,
    /// A list of structures.
    Structs(&'static str),
    /// The methods of a behaviour, which the API has as one structure and CloudFormation as two lists.
    Methods,
    /// Where viewers have to be: a list of countries and its kind.
    Geo,
}

/// The members of a structure of CloudFront's API, in the API's order; none of one that there is not.
pub fn properties(structure: &str) -> impl Iterator<Item = Property> {
    let found = self::structure(structure);
    found.into_iter().flat_map(|s| s.members).map(|m| Property {
        api: m.api,
        cloudformation: m.cloudformation,
        shape: match m.kind {
            Text => Shape::Text,
            Whole | Number => Shape::Number,
            Flag => Shape::Flag,
            Struct(name) => Shape::Struct(name),
            List(_, Struct(name)) | Bare(Struct(name)) => Shape::Structs(name),
            List(..) | Bare(_) => Shape::Scalars,
            Methods => Shape::Methods,
            Geo => Shape::Geo,
        },
    })
}

/// Sorted by name.
static STRUCTURES: &[Structure] = &[
    Structure {
        name: "CacheBehavior",
        members: &[
            same("PathPattern", Text),
            same("TargetOriginId", Text),
            same("TrustedSigners", List(Trusted, &Text)),
            same("TrustedKeyGroups", List(Trusted, &Text)),
            same("ViewerProtocolPolicy", Text),
            same("AllowedMethods", Methods),
            same("SmoothStreaming", Flag),
            same("Compress", Flag),
            same(
                "LambdaFunctionAssociations",
                List(Array, &Struct("LambdaFunctionAssociation")),
            ),
            same(
                "FunctionAssociations",
                List(Array, &Struct("FunctionAssociation")),
            ),
            same("FieldLevelEncryptionId", Text),
            same("RealtimeLogConfigArn", Text),
            same("CachePolicyId", Text),
            same("OriginRequestPolicyId", Text),
            same("ResponseHeadersPolicyId", Text),
            same("GrpcConfig", Struct("GrpcConfig")),
            same("ForwardedValues", Struct("ForwardedValues")),
            same("MinTTL", Whole),
            same("DefaultTTL", Whole),
            same("MaxTTL", Whole),
        ],
    },
    Structure {
        name: "CachePolicyConfig",
        members: &[
            same("Comment", Text),
            same("Name", Text),
            same("DefaultTTL", Whole),
            same("MaxTTL", Whole),
            same("MinTTL", Whole),
            same(
                "ParametersInCacheKeyAndForwardedToOrigin",
                Struct("ParametersInCacheKeyAndForwardedToOrigin"),
            ),
        ],
    },
    Structure {
        name: "CachePolicyCookiesConfig",
        members: &[
            same("CookieBehavior", Text),
            same("Cookies", List(Array, &Text)),
        ],
    },
    Structure {
        name: "CachePolicyHeadersConfig",
        members: &[
            same("HeaderBehavior", Text),
            same("Headers", List(Array, &Text)),
        ],
    },
    Structure {
        name: "CachePolicyQueryStringsConfig",
        members: &[
            same("QueryStringBehavior", Text),
            same("QueryStrings", List(Array, &Text)),
        ],
    },
    Structure {
        name: "CacheTagConfig",
        members: &[same("HeaderName", Text)],
    },
    Structure {
        name: "CloudFrontOriginAccessIdentityConfig",
        members: &[same("CallerReference", Text), same("Comment", Text)],
    },
    Structure {
        name: "ConnectionFunctionAssociation",
        members: &[same("Id", Text)],
    },
    Structure {
        name: "ContinuousDeploymentPolicyConfig",
        members: &[
            same("StagingDistributionDnsNames", List(Array, &Text)),
            same("Enabled", Flag),
            same("TrafficConfig", Struct("TrafficConfig")),
        ],
    },
    Structure {
        name: "ContinuousDeploymentSingleHeaderConfig",
        members: &[same("Header", Text), same("Value", Text)],
    },
    Structure {
        name: "ContinuousDeploymentSingleWeightConfig",
        members: &[
            same("Weight", Number),
            same("SessionStickinessConfig", Struct("SessionStickinessConfig")),
        ],
    },
    Structure {
        name: "CookiePreference",
        members: &[
            same("Forward", Text),
            same("WhitelistedNames", List(Array, &Text)),
        ],
    },
    Structure {
        name: "CustomErrorResponse",
        members: &[
            same("ErrorCode", Whole),
            same("ResponsePagePath", Text),
            same("ResponseCode", Text),
            same("ErrorCachingMinTTL", Whole),
        ],
    },
    Structure {
        name: "CustomOriginConfig",
        members: &[
            same("HTTPPort", Whole),
            same("HTTPSPort", Whole),
            same("OriginProtocolPolicy", Text),
            renamed(
                "OriginSslProtocols",
                "OriginSSLProtocols",
                List(Array, &Text),
            ),
            same("OriginReadTimeout", Whole),
            same("OriginKeepaliveTimeout", Whole),
            same("IpAddressType", Text),
            same("OriginMtlsConfig", Struct("OriginMtlsConfig")),
            same("OriginHttpVersion", Text),
        ],
    },
    Structure {
        name: "DefaultCacheBehavior",
        members: &[
            same("TargetOriginId", Text),
            same("TrustedSigners", List(Trusted, &Text)),
            same("TrustedKeyGroups", List(Trusted, &Text)),
            same("ViewerProtocolPolicy", Text),
            same("AllowedMethods", Methods),
            same("SmoothStreaming", Flag),
            same("Compress", Flag),
            same(
                "LambdaFunctionAssociations",
                List(Array, &Struct("LambdaFunctionAssociation")),
            ),
            same(
                "FunctionAssociations",
                List(Array, &Struct("FunctionAssociation")),
            ),
            same("FieldLevelEncryptionId", Text),
            same("RealtimeLogConfigArn", Text),
            same("CachePolicyId", Text),
            same("OriginRequestPolicyId", Text),
            same("ResponseHeadersPolicyId", Text),
            same("GrpcConfig", Struct("GrpcConfig")),
            same("ForwardedValues", Struct("ForwardedValues")),
            same("MinTTL", Whole),
            same("DefaultTTL", Whole),
            same("MaxTTL", Whole),
        ],
    },
    Structure {
        name: "DistributionConfig",
        members: &[
            same("CallerReference", Text),
            same("Aliases", List(Array, &Text)),
            same("DefaultRootObject", Text),
            same("Origins", List(Array, &Struct("Origin"))),
            same("OriginGroups", List(Wrapped, &Struct("OriginGroup"))),
            same("DefaultCacheBehavior", Struct("DefaultCacheBehavior")),
            same("CacheBehaviors", List(Array, &Struct("CacheBehavior"))),
            same(
                "CustomErrorResponses",
                List(Array, &Struct("CustomErrorResponse")),
            ),
            same("Comment", Text),
            same("Logging", Struct("LoggingConfig")),
            same("PriceClass", Text),
            same("Enabled", Flag),
            same("ViewerCertificate", Struct("ViewerCertificate")),
            same("Restrictions", Struct("Restrictions")),
            same("WebACLId", Text),
            same("HttpVersion", Text),
            renamed("IsIPV6Enabled", "IPV6Enabled", Flag),
            same("ContinuousDeploymentPolicyId", Text),
            same("Staging", Flag),
            same("AnycastIpListId", Text),
            same("TenantConfig", Struct("TenantConfig")),
            same("ConnectionMode", Text),
            same("ViewerMtlsConfig", Struct("ViewerMtlsConfig")),
            same(
                "ConnectionFunctionAssociation",
                Struct("ConnectionFunctionAssociation"),
            ),
            same("CacheTagConfig", Struct("CacheTagConfig")),
        ],
    },
    Structure {
        name: "ForwardedValues",
        members: &[
            same("QueryString", Flag),
            same("Cookies", Struct("CookiePreference")),
            same("Headers", List(Array, &Text)),
            same("QueryStringCacheKeys", List(Array, &Text)),
        ],
    },
    Structure {
        name: "FunctionAssociation",
        members: &[same("FunctionARN", Text), same("EventType", Text)],
    },
    Structure {
        name: "FunctionConfig",
        members: &[
            same("Comment", Text),
            same("Runtime", Text),
            same(
                "KeyValueStoreAssociations",
                List(Array, &Struct("KeyValueStoreAssociation")),
            ),
        ],
    },
    Structure {
        name: "GrpcConfig",
        members: &[same("Enabled", Flag)],
    },
    Structure {
        name: "KeyGroupConfig",
        members: &[
            same("Name", Text),
            same("Items", Bare(&Text)),
            same("Comment", Text),
        ],
    },
    Structure {
        name: "KeyValueStoreAssociation",
        members: &[same("KeyValueStoreARN", Text)],
    },
    Structure {
        name: "LambdaFunctionAssociation",
        members: &[
            same("LambdaFunctionARN", Text),
            same("EventType", Text),
            same("IncludeBody", Flag),
        ],
    },
    Structure {
        name: "LoggingConfig",
        members: &[
            same("Enabled", Flag),
            same("IncludeCookies", Flag),
            same("Bucket", Text),
            same("Prefix", Text),
        ],
    },
    Structure {
        name: "Origin",
        members: &[
            same("Id", Text),
            same("DomainName", Text),
            same("OriginPath", Text),
            renamed(
                "CustomHeaders",
                "OriginCustomHeaders",
                List(Array, &Struct("OriginCustomHeader")),
            ),
            same("S3OriginConfig", Struct("S3OriginConfig")),
            same("CustomOriginConfig", Struct("CustomOriginConfig")),
            same("VpcOriginConfig", Struct("VpcOriginConfig")),
            same("ConnectionAttempts", Whole),
            same("ConnectionTimeout", Whole),
            same("ResponseCompletionTimeout", Whole),
            same("OriginShield", Struct("OriginShield")),
            same("OriginAccessControlId", Text),
        ],
    },
    Structure {
        name: "OriginAccessControlConfig",
        members: &[
            same("Name", Text),
            same("Description", Text),
            same("SigningProtocol", Text),
            same("SigningBehavior", Text),
            same("OriginAccessControlOriginType", Text),
        ],
    },
    Structure {
        name: "OriginCustomHeader",
        members: &[same("HeaderName", Text), same("HeaderValue", Text)],
    },
    Structure {
        name: "OriginGroup",
        members: &[
            same("Id", Text),
            same("FailoverCriteria", Struct("OriginGroupFailoverCriteria")),
            same("Members", List(Wrapped, &Struct("OriginGroupMember"))),
            same("SelectionCriteria", Text),
        ],
    },
    Structure {
        name: "OriginGroupFailoverCriteria",
        members: &[same("StatusCodes", List(Wrapped, &Whole))],
    },
    Structure {
        name: "OriginGroupMember",
        members: &[same("OriginId", Text)],
    },
    Structure {
        name: "OriginMtlsConfig",
        members: &[same("ClientCertificateArn", Text)],
    },
    Structure {
        name: "OriginRequestPolicyConfig",
        members: &[
            same("Comment", Text),
            same("Name", Text),
            same("HeadersConfig", Struct("OriginRequestPolicyHeadersConfig")),
            same("CookiesConfig", Struct("OriginRequestPolicyCookiesConfig")),
            same(
                "QueryStringsConfig",
                Struct("OriginRequestPolicyQueryStringsConfig"),
            ),
        ],
    },
    Structure {
        name: "OriginRequestPolicyCookiesConfig",
        members: &[
            same("CookieBehavior", Text),
            same("Cookies", List(Array, &Text)),
        ],
    },
    Structure {
        name: "OriginRequestPolicyHeadersConfig",
        members: &[
            same("HeaderBehavior", Text),
            same("Headers", List(Array, &Text)),
        ],
    },
    Structure {
        name: "OriginRequestPolicyQueryStringsConfig",
        members: &[
            same("QueryStringBehavior", Text),
            same("QueryStrings", List(Array, &Text)),
        ],
    },
    Structure {
        name: "OriginShield",
        members: &[same("Enabled", Flag), same("OriginShieldRegion", Text)],
    },
    Structure {
        name: "ParameterDefinition",
        members: &[
            same("Name", Text),
            same("Definition", Struct("ParameterDefinitionSchema")),
        ],
    },
    Structure {
        name: "ParameterDefinitionSchema",
        members: &[same("StringSchema", Struct("StringSchemaConfig"))],
    },
    Structure {
        name: "ParametersInCacheKeyAndForwardedToOrigin",
        members: &[
            same("EnableAcceptEncodingGzip", Flag),
            same("EnableAcceptEncodingBrotli", Flag),
            same("HeadersConfig", Struct("CachePolicyHeadersConfig")),
            same("CookiesConfig", Struct("CachePolicyCookiesConfig")),
            same(
                "QueryStringsConfig",
                Struct("CachePolicyQueryStringsConfig"),
            ),
        ],
    },
    Structure {
        name: "PublicKeyConfig",
        members: &[
            same("CallerReference", Text),
            same("Name", Text),
            same("EncodedKey", Text),
            same("Comment", Text),
        ],
    },
    Structure {
        name: "ResponseHeadersPolicyConfig",
        members: &[
            same("Comment", Text),
            same("Name", Text),
            same("CorsConfig", Struct("ResponseHeadersPolicyCorsConfig")),
            same(
                "SecurityHeadersConfig",
                Struct("ResponseHeadersPolicySecurityHeadersConfig"),
            ),
            same(
                "ServerTimingHeadersConfig",
                Struct("ResponseHeadersPolicyServerTimingHeadersConfig"),
            ),
            same(
                "CustomHeadersConfig",
                List(Items, &Struct("ResponseHeadersPolicyCustomHeader")),
            ),
            same(
                "RemoveHeadersConfig",
                List(Items, &Struct("ResponseHeadersPolicyRemoveHeader")),
            ),
        ],
    },
    Structure {
        name: "ResponseHeadersPolicyContentSecurityPolicy",
        members: &[same("Override", Flag), same("ContentSecurityPolicy", Text)],
    },
    Structure {
        name: "ResponseHeadersPolicyContentTypeOptions",
        members: &[same("Override", Flag)],
    },
    Structure {
        name: "ResponseHeadersPolicyCorsConfig",
        members: &[
            same("AccessControlAllowOrigins", List(Items, &Text)),
            same("AccessControlAllowHeaders", List(Items, &Text)),
            same("AccessControlAllowMethods", List(Items, &Text)),
            same("AccessControlAllowCredentials", Flag),
            same("AccessControlExposeHeaders", List(Items, &Text)),
            same("AccessControlMaxAgeSec", Whole),
            same("OriginOverride", Flag),
        ],
    },
    Structure {
        name: "ResponseHeadersPolicyCustomHeader",
        members: &[
            same("Header", Text),
            same("Value", Text),
            same("Override", Flag),
        ],
    },
    Structure {
        name: "ResponseHeadersPolicyFrameOptions",
        members: &[same("Override", Flag), same("FrameOption", Text)],
    },
    Structure {
        name: "ResponseHeadersPolicyReferrerPolicy",
        members: &[same("Override", Flag), same("ReferrerPolicy", Text)],
    },
    Structure {
        name: "ResponseHeadersPolicyRemoveHeader",
        members: &[same("Header", Text)],
    },
    Structure {
        name: "ResponseHeadersPolicySecurityHeadersConfig",
        members: &[
            same(
                "XSSProtection",
                Struct("ResponseHeadersPolicyXSSProtection"),
            ),
            same("FrameOptions", Struct("ResponseHeadersPolicyFrameOptions")),
            same(
                "ReferrerPolicy",
                Struct("ResponseHeadersPolicyReferrerPolicy"),
            ),
            same(
                "ContentSecurityPolicy",
                Struct("ResponseHeadersPolicyContentSecurityPolicy"),
            ),
            same(
                "ContentTypeOptions",
                Struct("ResponseHeadersPolicyContentTypeOptions"),
            ),
            same(
                "StrictTransportSecurity",
                Struct("ResponseHeadersPolicyStrictTransportSecurity"),
            ),
        ],
    },
    Structure {
        name: "ResponseHeadersPolicyServerTimingHeadersConfig",
        members: &[same("Enabled", Flag), same("SamplingRate", Number)],
    },
    Structure {
        name: "ResponseHeadersPolicyStrictTransportSecurity",
        members: &[
            same("Override", Flag),
            same("IncludeSubdomains", Flag),
            same("Preload", Flag),
            same("AccessControlMaxAgeSec", Whole),
        ],
    },
    Structure {
        name: "ResponseHeadersPolicyXSSProtection",
        members: &[
            same("Override", Flag),
            same("Protection", Flag),
            same("ModeBlock", Flag),
            same("ReportUri", Text),
        ],
    },
    Structure {
        name: "Restrictions",
        members: &[same("GeoRestriction", Geo)],
    },
    Structure {
        name: "S3OriginConfig",
        members: &[
            same("OriginAccessIdentity", Text),
            same("OriginReadTimeout", Whole),
        ],
    },
    Structure {
        name: "SessionStickinessConfig",
        members: &[same("IdleTTL", Whole), same("MaximumTTL", Whole)],
    },
    Structure {
        name: "StringSchemaConfig",
        members: &[
            same("Comment", Text),
            same("DefaultValue", Text),
            same("Required", Flag),
        ],
    },
    Structure {
        name: "TenantConfig",
        members: &[same(
            "ParameterDefinitions",
            Bare(&Struct("ParameterDefinition")),
        )],
    },
    Structure {
        name: "TrafficConfig",
        members: &[
            same(
                "SingleWeightConfig",
                Struct("ContinuousDeploymentSingleWeightConfig"),
            ),
            same(
                "SingleHeaderConfig",
                Struct("ContinuousDeploymentSingleHeaderConfig"),
            ),
            same("Type", Text),
        ],
    },
    Structure {
        name: "TrustStoreConfig",
        members: &[
            same("TrustStoreId", Text),
            same("AdvertiseTrustStoreCaNames", Flag),
            same("IgnoreCertificateExpiry", Flag),
        ],
    },
    Structure {
        name: "ViewerCertificate",
        members: &[
            same("CloudFrontDefaultCertificate", Flag),
            renamed("IAMCertificateId", "IamCertificateId", Text),
            renamed("ACMCertificateArn", "AcmCertificateArn", Text),
            renamed("SSLSupportMethod", "SslSupportMethod", Text),
            same("MinimumProtocolVersion", Text),
            same("Certificate", Text),
            same("CertificateSource", Text),
        ],
    },
    Structure {
        name: "ViewerMtlsConfig",
        members: &[
            same("Mode", Text),
            same("TrustStoreConfig", Struct("TrustStoreConfig")),
        ],
    },
    Structure {
        name: "VpcOriginConfig",
        members: &[
            same("VpcOriginId", Text),
            same("OwnerAccountId", Text),
            same("OriginReadTimeout", Whole),
            same("OriginKeepaliveTimeout", Whole),
            same("OriginHttpVersion", Text),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_closed() {
        // CP-303, section 7.4: every structure named exists, and can be found.
        assert!(STRUCTURES.is_sorted_by(|a, b| a.name < b.name));
        fn inner(kind: MemberKind) -> Option<&'static str> {
            match kind {
                Struct(name) => Some(name),
                List(_, of) | Bare(of) => inner(*of),
                _ => None,
            }
        }
        for member in STRUCTURES.iter().flat_map(|s| s.members) {
            if let Some(name) = inner(member.kind) {
                assert!(structure(name).is_some(), "{name}");
            }
        }
    }
}
