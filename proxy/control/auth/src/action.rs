//! What each operation is, as far as rights go: all of AWS's operations that are answered here (sections 2 to 5), and all
//! routes of the native API (CP-620). What no table knows needs an administrator.

use std::fmt;

use crate::Service;

/// A kind of thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Asking who one is.
    Identity,
    /// Asking whether the node is well.
    Observe,
    /// Looking at configuration, functions and releases.
    Read,
    /// Fetching an artifact by its hash.
    Artifact,
    /// Looking at logs.
    ReadLogs,
    /// Changing configuration, functions and releases.
    Write,
    /// Running a function outside a request.
    Run,
    /// Making an invalidation.
    Invalidate,
    /// Looking at invalidations.
    ReadInvalidations,
    /// Reading keys of a key value store.
    StoreRead,
    /// Writing keys of a key value store.
    StoreWrite,
    /// Asking another service, which the node only hands requests on to (CP-236).
    Forward,
    /// Looking at, making and removing credentials.
    Credentials,
    /// All else: backup, restore, the fleet, and what is not known.
    Administer,
}

impl Action {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::Identity,
        Self::Observe,
        Self::Read,
        Self::Artifact,
        Self::ReadLogs,
        Self::Write,
        Self::Run,
        Self::Invalidate,
        Self::ReadInvalidations,
        Self::StoreRead,
        Self::StoreWrite,
        Self::Forward,
        Self::Credentials,
        Self::Administer,
    ];

    /// What an operation of AWS's API is.
    pub fn of_operation(service: Service, operation: &str) -> Self {
        OPERATIONS
            .iter()
            .filter(|(of, _, _)| *of == service)
            .find(|(_, _, names)| names.split_ascii_whitespace().any(|name| name == operation))
            .map_or(Self::Administer, |(_, action, _)| *action)
    }

    /// What a request to the native API is: the method, and the path below `/_fourfront/v1/` as it was routed.
    pub fn of_native(method: &str, path: &str) -> Self {
        // Configuration of the kind `credentials` is no configuration.
        if let ["config", "credential" | "credentials", ..] =
            path.split('/').collect::<Vec<_>>().as_slice()
        {
            return Self::Credentials;
        }
        found(method, path).map_or(Self::Administer, |(_, _, action)| *action)
    }

    /// The route of a request to the native API, as the table writes it: `releases/{id}/activate`.
    pub fn route(method: &str, path: &str) -> Option<&'static str> {
        found(method, path).map(|(_, template, _)| *template)
    }

    /// Whether a request to the native API may change something, or takes a copy of everything, and so belongs into the audit
    /// log (CP-433). A plan is a deploy that is not made.
    pub fn native_changes(method: &str, path: &str) -> bool {
        let is_read = matches!(method, "GET" | "HEAD") || (method, path) == ("POST", "plan");
        (!is_read && Self::of_native(method, path).is_mutation())
            || (method, path) == ("GET", "backup")
    }

    /// Whether it may change something, and so belongs into the audit log (CP-433).
    pub const fn is_mutation(self) -> bool {
        matches!(
            self,
            Self::Write
                | Self::Invalidate
                | Self::StoreWrite
                | Self::Credentials
                | Self::Administer
        )
    }

    /// All operations that are known, for checking that nothing answers to a name that is not here.
    pub fn operations() -> impl Iterator<Item = (Service, &'static str, Self)> {
        OPERATIONS.iter().flat_map(|(service, action, names)| {
            names
                .split_ascii_whitespace()
                .map(move |name| (*service, name, *action))
        })
    }

    /// All native routes that are known: method, template and action.
    pub fn routes() -> impl Iterator<Item = (&'static str, &'static str, Self)> {
        ROUTES.iter().copied()
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "ask who it is",
            Self::Observe => "ask how the node is",
            Self::Read => "read this",
            Self::Artifact => "fetch artifacts",
            Self::ReadLogs => "read logs",
            Self::Write => "change this",
            Self::Run => "run functions",
            Self::Invalidate => "make invalidations",
            Self::ReadInvalidations => "read invalidations",
            Self::StoreRead => "read key value stores",
            Self::StoreWrite => "write to key value stores",
            Self::Forward => "use services that the node hands requests on to",
            Self::Credentials => "manage credentials",
            Self::Administer => "do what is for administrators",
        })
    }
}

/// Operations of tiers M and S (sections 2.1, 3.1, 3.2, 4 and 5).
const OPERATIONS: &[(Service, Action, &str)] = &[
    (
        Service::CloudFront,
        Action::Read,
        "GetDistribution GetDistributionConfig ListDistributions ListTagsForResource DescribeFunction GetFunction \
         ListFunctions DescribeKeyValueStore ListKeyValueStores \
         GetCachePolicy GetCachePolicyConfig ListCachePolicies \
         GetOriginRequestPolicy GetOriginRequestPolicyConfig ListOriginRequestPolicies \
         GetResponseHeadersPolicy GetResponseHeadersPolicyConfig ListResponseHeadersPolicies \
         GetOriginAccessControl GetOriginAccessControlConfig ListOriginAccessControls \
         GetPublicKey GetPublicKeyConfig ListPublicKeys GetKeyGroup GetKeyGroupConfig ListKeyGroups \
         GetCloudFrontOriginAccessIdentity GetCloudFrontOriginAccessIdentityConfig \
         ListCloudFrontOriginAccessIdentities \
         GetContinuousDeploymentPolicy GetContinuousDeploymentPolicyConfig ListContinuousDeploymentPolicies",
    ),
    (
        Service::CloudFront,
        Action::Write,
        "CreateDistribution CreateDistributionWithTags UpdateDistribution DeleteDistribution CopyDistribution \
         UpdateDistributionWithStagingConfig TagResource UntagResource \
         CreateFunction UpdateFunction PublishFunction DeleteFunction \
         CreateKeyValueStore UpdateKeyValueStore DeleteKeyValueStore \
         CreateCachePolicy UpdateCachePolicy DeleteCachePolicy \
         CreateOriginRequestPolicy UpdateOriginRequestPolicy DeleteOriginRequestPolicy \
         CreateResponseHeadersPolicy UpdateResponseHeadersPolicy DeleteResponseHeadersPolicy \
         CreateOriginAccessControl UpdateOriginAccessControl DeleteOriginAccessControl \
         CreatePublicKey UpdatePublicKey DeletePublicKey CreateKeyGroup UpdateKeyGroup DeleteKeyGroup \
         CreateCloudFrontOriginAccessIdentity UpdateCloudFrontOriginAccessIdentity \
         DeleteCloudFrontOriginAccessIdentity \
         CreateContinuousDeploymentPolicy UpdateContinuousDeploymentPolicy DeleteContinuousDeploymentPolicy",
    ),
    (Service::CloudFront, Action::Run, "TestFunction"),
    (
        Service::CloudFront,
        Action::Invalidate,
        "CreateInvalidation",
    ),
    (
        Service::CloudFront,
        Action::ReadInvalidations,
        "GetInvalidation ListInvalidations",
    ),
    (
        Service::Lambda,
        Action::Read,
        "GetFunction GetFunctionConfiguration ListFunctions ListVersionsByFunction GetPolicy ListTags \
         GetFunctionCodeSigningConfig GetAlias ListAliases GetFunctionConcurrency GetAccountSettings",
    ),
    (
        Service::Lambda,
        Action::Write,
        "CreateFunction UpdateFunctionCode UpdateFunctionConfiguration PublishVersion DeleteFunction AddPermission \
         RemovePermission TagResource UntagResource CreateAlias UpdateAlias DeleteAlias PutFunctionConcurrency \
         DeleteFunctionConcurrency",
    ),
    (Service::Lambda, Action::Run, "Invoke"),
    (
        Service::KeyValueStore,
        Action::StoreRead,
        "DescribeKeyValueStore GetKey ListKeys",
    ),
    (
        Service::KeyValueStore,
        Action::StoreWrite,
        "PutKey DeleteKey UpdateKeys",
    ),
    (Service::Sts, Action::Identity, "GetCallerIdentity"),
    // Roles are documents that permit nothing (CP-231).
    (
        Service::Iam,
        Action::Read,
        "GetRole ListRoleTags GetRolePolicy ListRolePolicies ListAttachedRolePolicies ListInstanceProfilesForRole",
    ),
    (
        Service::Iam,
        Action::Write,
        "CreateRole UpdateAssumeRolePolicy DeleteRole TagRole UntagRole PutRolePolicy DeleteRolePolicy AttachRolePolicy \
         DetachRolePolicy",
    ),
    (
        Service::Logs,
        Action::ReadLogs,
        "DescribeLogGroups DescribeLogStreams FilterLogEvents GetLogEvents ListTagsForResource",
    ),
    (
        Service::Logs,
        Action::Write,
        "CreateLogGroup DeleteLogGroup PutRetentionPolicy",
    ),
];

fn found(method: &str, path: &str) -> Option<&'static (&'static str, &'static str, Action)> {
    let given: Vec<&str> = path.split('/').collect();
    ROUTES.iter().find(|(known, template, _)| {
        let template: Vec<&str> = template.split('/').collect();
        // The rest of the path, which may have slashes, as keys do.
        let open = template.last() == Some(&"{..}") && given.len() >= template.len();
        *known == method
            && (open || given.len() == template.len())
            && template.iter().zip(&given).all(|(wanted, part)| {
                !part.is_empty() && (wanted.starts_with('{') || wanted == part)
            })
    })
}

/// Routes below `/_fourfront/v1/` (CP-620). `{..}` is the rest of the path.
const ROUTES: &[(&str, &str, Action)] = &[
    ("GET", "health", Action::Observe),
    ("GET", "ready", Action::Observe),
    ("GET", "metrics", Action::Observe),
    ("GET", "status", Action::Read),
    ("GET", "origins", Action::Read),
    ("GET", "config", Action::Read),
    ("POST", "plan", Action::Write),
    ("POST", "releases", Action::Write),
    ("GET", "releases", Action::Read),
    ("GET", "releases/{id}", Action::Read),
    ("POST", "releases/{id}/activate", Action::Write),
    ("GET", "stages/{id}", Action::Read),
    ("POST", "stages/{id}", Action::Write),
    ("PUT", "stages/{id}", Action::Write),
    ("DELETE", "stages/{id}", Action::Write),
    ("POST", "stages/{id}/deploy", Action::Write),
    ("POST", "stages/{id}/promote", Action::Write),
    ("POST", "explain", Action::Read),
    ("POST", "test", Action::Run),
    ("GET", "logs", Action::ReadLogs),
    ("POST", "purge", Action::Invalidate),
    ("GET", "purge", Action::ReadInvalidations),
    ("GET", "purge/{id}", Action::ReadInvalidations),
    ("GET", "kv/{store}", Action::StoreRead),
    ("POST", "kv/{store}", Action::StoreWrite),
    ("GET", "kv/{store}/{..}", Action::StoreRead),
    ("PUT", "kv/{store}/{..}", Action::StoreWrite),
    ("DELETE", "kv/{store}/{..}", Action::StoreWrite),
    ("GET", "artifacts/sha256/{hex}", Action::Artifact),
    ("HEAD", "artifacts/sha256/{hex}", Action::Artifact),
    ("PUT", "artifacts/sha256/{hex}", Action::Write),
    ("GET", "config/{kind}", Action::Read),
    ("GET", "config/{kind}/{id}", Action::Read),
    ("PUT", "config/{kind}/{id}", Action::Write),
    ("DELETE", "config/{kind}/{id}", Action::Write),
    ("GET", "keys", Action::Credentials),
    ("POST", "keys", Action::Credentials),
    ("POST", "keys/{id}/rotate", Action::Credentials),
    ("DELETE", "keys/{id}", Action::Credentials),
    ("GET", "audit", Action::Administer),
    ("GET", "backup", Action::Administer),
    ("GET", "openapi.json", Action::Observe),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_operation_of_the_document_has_its_action_once() {
        // CP-432: as many operations as the document counts (section 3.1: 50 and 26; section 2.1: 17 and 9; 4: 6; 5: 1, 15, 8)
        let count = |service| {
            Action::operations()
                .filter(|(of, _, _)| *of == service)
                .count()
        };
        assert_eq!(count(Service::CloudFront), 50 + 26);
        assert_eq!(count(Service::Lambda), 17 + 9);
        assert_eq!(count(Service::KeyValueStore), 6);
        assert_eq!(count(Service::Sts), 1);
        assert_eq!(count(Service::Iam), 15);
        assert_eq!(count(Service::Logs), 8);
        let once: HashSet<_> = Action::operations()
            .map(|(service, name, _)| (service, name))
            .collect();
        assert_eq!(once.len(), Action::operations().count());
    }

    #[test]
    fn an_operation_that_changes_something_is_no_read() {
        // CP-432
        for (service, name, action) in Action::operations() {
            assert_eq!(Action::of_operation(service, name), action);
            let looks = ["Get", "List", "Describe", "Filter"]
                .iter()
                .any(|verb| name.starts_with(verb));
            let changes = action.is_mutation() || action == Action::Run;
            assert_ne!(looks, changes, "{name}");
        }
    }

    #[test]
    fn what_no_table_knows_is_for_administrators() {
        // CP-432: `GetFunction` is one of two services, and none of a third
        assert_eq!(
            Action::of_operation(Service::Lambda, "GetFunction"),
            Action::Read
        );
        for (service, name) in [
            (Service::KeyValueStore, "GetFunction"),
            (Service::CloudFront, "CreateStreamingDistribution"),
            (Service::CloudFront, ""),
            (Service::CloudFront, "getdistribution"),
            (Service::Native, "GetKey"),
        ] {
            assert_eq!(
                Action::of_operation(service, name),
                Action::Administer,
                "{name}"
            );
        }
    }

    #[test]
    fn requests_that_change_something_are_told_from_others() {
        // CP-433
        for (method, path, changes) in [
            ("PUT", "kv/s/k", true),
            ("DELETE", "keys/FF1", true),
            ("POST", "releases", true),
            ("GET", "backup", true),
            ("POST", "whatever", true),
            ("POST", "plan", false),
            ("POST", "explain", false),
            ("GET", "keys", false),
            ("HEAD", "artifacts/sha256/00", false),
            ("GET", "audit", false),
        ] {
            assert_eq!(
                Action::native_changes(method, path),
                changes,
                "{method} {path}"
            );
        }
        let route = Action::route("POST", "releases/r1/activate");
        assert_eq!(route, Some("releases/{id}/activate"));
        assert_eq!(Action::route("POST", "releases/r1"), None);
    }

    #[test]
    fn each_native_route_has_its_action() {
        // CP-620
        for (method, template, action) in Action::routes() {
            let path = template.replace("{..}", "a/b").replace(['{', '}'], "");
            assert_eq!(Action::of_native(method, &path), action, "{method} {path}");
        }
        for (method, path) in [
            ("DELETE", "releases"),
            ("POST", "backup"),
            ("DELETE", "audit"),
            ("POST", "restore"),
            ("GET", ""),
            ("GET", "health/"),
            ("DELETE", "kv/store"),
            ("GET", "kv/store/"),
            ("GET", "kv//key"),
            ("POST", "releases//activate"),
            ("get", "health"),
            ("GET", "keys/FF1"),
        ] {
            assert_eq!(
                Action::of_native(method, path),
                Action::Administer,
                "{method} {path}"
            );
        }
        for (method, path) in [
            ("GET", "config/credentials"),
            ("GET", "config/credentials/FF1"),
            ("PUT", "config/credential/FF1"),
            ("DELETE", "config/credential/FF1"),
        ] {
            assert_eq!(
                Action::of_native(method, path),
                Action::Credentials,
                "{method} {path}"
            );
        }
    }
}
