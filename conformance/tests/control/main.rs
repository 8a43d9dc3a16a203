//! The AWS-compatible API as its users meet it: a node as a process, driven by boto3 and the AWS CLI (CP-700, CP-702).
//!
//! What is done and expected stands in Python under `conformance/aws/contract`, a file a test. The clients are installed
//! from PyPI (and npm, for JavaScript), once per version of their list, into the folder that cargo keeps for tests;
//! `scripts/setup.sh test` installs pip. Nothing here links the library, so this costs no further link of the engine.
#![forbid(unsafe_code)]

mod clients;
mod node;
mod outcomes;

use fourfront_auth::Action;
use node::Node;
use serde_json::json;

#[test]
fn hosts_bodies_methods_and_attempts_are_as_the_wire_has_them() {
    // CP-700: CP-001, CP-002, CP-003, CP-004, CP-005, CP-006, CP-007, CP-009, CP-010, CP-011, CP-013, CP-016, CP-020, CP-025,
    // CP-028, CP-030, CP-415
    Node::start().run("wire.py");
}

#[test]
fn lambdas_operations_are_answered_as_lambda_answers_them() {
    // CP-700: CP-005, CP-006, CP-011, CP-016, CP-030, CP-031, CP-032, CP-033, CP-043, CP-045, CP-047, CP-060, CP-061, CP-062,
    // CP-063, CP-064, CP-065, CP-066, CP-067, CP-068, CP-069, CP-070, CP-071, CP-072, CP-073, CP-074, CP-076, CP-077, CP-078,
    // CP-079, CP-080, CP-081, CP-230, CP-236, CP-251
    Node::start().run("lambda_api.py");
}

#[test]
fn distributions_are_answered_as_cloudfront_answers_them() {
    // CP-700, CP-705: CP-006, CP-007, CP-020, CP-021, CP-022, CP-023, CP-025, CP-026, CP-027, CP-028, CP-040, CP-041, CP-044,
    // CP-047, CP-048, CP-049, CP-110, CP-111, CP-112, CP-113, CP-114, CP-115, CP-116, CP-118, CP-119, CP-130, CP-131, CP-132, CP-133,
    // CP-140, CP-141, CP-142, CP-143, CP-158, CP-255
    Node::start().run("distributions.py");
}

#[test]
fn policies_and_access_controls_have_six_operations_each() {
    // CP-700, CP-705: CP-022, CP-023, CP-040, CP-041, CP-044, CP-047, CP-048, CP-100, CP-101, CP-112, CP-275
    Node::start().run("families.py");
}

#[test]
fn edge_functions_and_their_stores_are_answered_as_cloudfront_answers_them() {
    // CP-700: CP-008, CP-024, CP-042, CP-046, CP-075, CP-131, CP-133, CP-150, CP-151, CP-152, CP-153, CP-154, CP-155, CP-156,
    // CP-157, CP-158, CP-200, CP-201, CP-202, CP-203, CP-204, CP-205, CP-206, CP-271, CP-272
    Node::start().run("edge_functions.py");
}

#[test]
fn a_node_may_be_set_otherwise() {
    // CP-700: CP-011, CP-023, CP-065, CP-120, CP-130, CP-134, CP-152, CP-202, LE-340
    Node::start_otherwise().run("settings.py");
}

#[test]
fn what_is_beyond_a_quota_is_refused_by_its_name() {
    // CP-700: CP-120
    Node::start_small().run("quotas.py");
}

#[test]
fn a_second_plan_of_terraforms_reads_what_was_written() {
    // CP-702: CP-231, CP-265, CP-266, CP-267, CP-268, CP-269, CP-270, CP-271, CP-272, CP-273, CP-274, CP-275, CP-276, CP-278,
    // CP-279, CP-280
    Node::start().run("terraform.py");
}

#[test]
fn keys_are_written_in_batches_by_several_at_the_same_time() {
    // CP-289, CP-042, CP-202, CP-203, CP-204, CP-273
    Node::start().run("batches.py");
}

/// A project as a tool leaves it on disk: deployed, deployed again without a change, and changed.
fn deployed_and_again(tool: &str) {
    Node::start().run_with(&["tools.py", tool], "");
}

#[test]
fn a_package_of_the_serverless_framework_is_deployed() {
    // CP-285, CP-067, CP-364
    deployed_and_again("packaged");
    deployed_and_again("seed");
}

#[test]
fn a_template_of_sams_is_deployed() {
    // CP-287, CP-067, CP-075
    deployed_and_again("sam");
    deployed_and_again("sam/transformed.json");
}

#[test]
fn an_assembly_of_the_cdk_is_deployed() {
    // CP-288, CP-067, CP-364
    deployed_and_again("cdk-us-east-1");
    deployed_and_again("cdk-eu-west-1");
}

#[test]
fn a_person_deploys_updates_rolls_back_and_purges_with_the_aws_cli() {
    // CP-700: CP-067, CP-250, CP-251, CP-252, CP-253, CP-254, CP-255, CP-256, CP-257, CP-258, CP-259, CP-513
    Node::start().run("flow.py");
}

#[test]
fn a_staging_distribution_takes_its_share_and_is_promoted_or_dropped() {
    // CP-122, CP-612
    Node::start().run("rollout.py");
}

#[test]
fn an_account_is_imported_by_the_aws_cli() {
    // CP-613, CP-350, CP-070, CP-611
    let (account, node) = (Node::start(), Node::start());
    let program = env!("CARGO_BIN_EXE_conformance-node");
    let [admin, viewer, keys] = node.told();
    account.run_with(&["import_aws.py", program, &admin, &viewer, &keys], "");
}

#[test]
fn every_route_of_the_native_api_answers_as_its_description_says() {
    // CP-620, CP-621: CP-040, CP-118, CP-430, CP-432, CP-433, CP-603, CP-605, CP-606, CP-608, CP-609, CP-610, CP-611, CP-612
    Node::start().run("native.py");
}

#[test]
fn the_sdk_for_javascript_finds_what_it_needs() {
    // CP-701: CP-008, CP-020, CP-206, CP-272
    Node::start().run_javascript();
}

#[test]
fn services_that_the_node_lacks_are_anothers() {
    // CP-236, CP-075, CP-305, CP-433: moto, which PyPI has
    let services = clients::Services::start();
    Node::start_beside(&services.address).run("forward.py");
}

#[test]
fn what_was_deployed_is_served_after_a_kill() {
    // CP-114, CP-204, CP-505, CP-560, CP-564
    let node = Node::start();
    node.run_with(&["kept.py", "deployed"], "");
    node.again().run_with(&["kept.py", "there"], "");
}

#[test]
fn nothing_is_reached_without_a_key() {
    // CP-700: CP-002, CP-016, CP-206, CP-400, CP-402, CP-420, CP-432, CP-620, CP-621
    Node::start().run_with(&["access.py"], &known());
}

#[test]
fn nothing_is_reached_from_elsewhere_without_a_key() {
    // CP-002, CP-400, CP-401, CP-402, CP-416, CP-420, CP-432, CP-620
    Node::far().run_with(&["access.py"], &known());
}

#[test]
fn whatever_may_change_something_leaves_an_entry_in_the_audit_log() {
    // CP-433
    Node::start().run_with(&["audited.py"], &known());
}

/// The node's tables of operations and routes, and which of them may change something.
fn known() -> String {
    let changes = |action: Action| action.is_mutation() || action == Action::Run;
    let operations = Action::operations().map(|(service, name, action)| {
        json!([service.scope(), name, changes(action), action.is_mutation()])
    });
    let routes = Action::routes().map(|(method, template, action)| {
        let is_entered = Action::native_changes(method, template);
        json!([method, template, changes(action), is_entered])
    });
    json!({
        "operations": operations.collect::<Vec<_>>(),
        "routes": routes.collect::<Vec<_>>(),
    })
    .to_string()
}
