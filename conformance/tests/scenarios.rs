//! Scenarios: a viewer, a node and an origin; one behaviour of the node each, over real sockets.
#![forbid(unsafe_code)]

mod scenarios {
    mod bundles;
    mod cache_size;
    mod changes;
    mod cloudfront_functions;
    mod cloudfront_functions_official;
    mod collapsed_misses;
    mod compression;
    mod credentials;
    mod default_root_object;
    mod directory_origin;
    mod disk_tier;
    mod draining;
    mod explain;
    mod freshness;
    mod function_network;
    mod generated_responses;
    mod held_workers;
    mod hook_failures;
    mod hook_results;
    mod hostile;
    mod interim_answers;
    mod invalidation;
    mod invalidation_api;
    mod invalidation_in_flight;
    mod limits_of_results;
    mod node_fields;
    mod npm;
    mod official_samples;
    mod origin_failures;
    mod origin_groups;
    mod origin_requests;
    mod packages;
    mod parts;
    mod parts_refused;
    mod pipeline;
    mod ranges_and_conditions;
    mod refused_requests;
    mod refused_results;
    mod relaxed;
    mod relay;
    mod reload;
    mod request_bodies;
    mod request_body_relay;
    mod request_changes;
    mod response_changes;
    mod staleness;
    mod tls_origin;
    mod triggers;
    mod vary;
    mod viewer_connections;
    mod what_functions_see;
}
