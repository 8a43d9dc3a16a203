//! `fourfront status` (CP-615): how a node is, in short.

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::{
    Exit,
    address::{self, NodeAddress, NodeArgs, text},
    output::{self, OutputArgs},
    stage,
};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(args: &StatusArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let told = node.ask(Method::GET, "/_fourfront/v1/status", None).await?;
        args.output.show(&told, for_people)
    })
}

fn for_people(told: &Value) -> String {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let ready = match told["ready"].as_bool() {
        Some(true) => "ready",
        _ => "not ready",
    };
    let mut lines = vec![
        vec![
            "node".to_owned(),
            format!(
                "{}, version {}, {ready}, up {}",
                text(told, "name"),
                text(told, "version"),
                span(number(&told["uptime_seconds"]))
            ),
        ],
        vec![
            "cache".to_owned(),
            format!(
                "{} objects, {}",
                number(&told["cached_objects"]),
                size(number(&told["cached_bytes"]))
            ),
        ],
        vec!["isolates".to_owned(), number(&told["isolates"]).to_string()],
    ];
    let control = &told["control"];
    if control.is_object() {
        let count = |member: &str| number(&control[member]);
        lines.push(vec![
            "deployed".to_owned(),
            format!(
                "{} functions in {} versions, {} CloudFront functions, {} key-value stores, {} distributions",
                count("functions"),
                count("function_versions"),
                count("cloudfront_functions"),
                count("key_value_stores"),
                count("distributions")
            ),
        ]);
        let place = format!(
            "{}, change {}",
            text(control, "data_dir"),
            count("sequence")
        );
        lines.push(vec!["store".to_owned(), place]);
    }
    let facts: String = lines
        .iter()
        .map(|line| format!("{:<10}{}\n", line[0], line[1]))
        .collect();
    let all = told["distributions"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = all
        .map(|d| {
            let aliases = d["aliases"].as_array().into_iter().flatten();
            let aliases: Vec<&str> = aliases.filter_map(Value::as_str).collect();
            let behaviors = d["behaviors"].as_array().map_or(0, Vec::len);
            vec![
                text(d, "id").to_owned(),
                text(d, "domain_name").to_owned(),
                aliases.join(","),
                behaviors.to_string(),
            ]
        })
        .collect();
    let head = ["DISTRIBUTION", "DOMAIN", "ALIASES", "BEHAVIORS"];
    let distributions = output::table(&head, &rows);
    format!(
        "{facts}{distributions}{}{}",
        trials(told),
        stage::functions(told)
    )
}

/// What is tried out beside what serves (CP-612).
fn trials(told: &Value) -> String {
    let all = told["distributions"].as_array().into_iter().flatten();
    let tried = all.filter(|d| d["rollout"].is_object());
    let rows: Vec<Vec<String>> = tried
        .map(|d| {
            let rollout = &d["rollout"];
            // Told as `stage status` has it.
            let of_stage = json!({ "enabled": rollout["active"], "traffic": rollout["traffic"] });
            let counted = &rollout["requests"];
            vec![
                text(d, "id").to_owned(),
                text(rollout, "staging").to_owned(),
                stage::requests(&of_stage),
                format!("{} here, {} there", counted["primary"], counted["staging"]),
            ]
        })
        .collect();
    output::table(&["STAGED", "BY", "SERVES", "REQUESTS"], &rows)
}

/// A time in the two largest units that it has.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

/// Bytes in a unit that keeps the number short.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = UNITS.iter().find(|(shift, _)| bytes >> shift > 0);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(shift, unit)| {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_in_short() {
        // CP-612, CP-615
        let told = json!({
            "name": "n1", "version": "0.1.0", "ready": true, "uptime_seconds": 3_700, "cached_objects": 2,
            "cached_bytes": 1_572_864, "isolates": 3,
            "distributions": [{ "id": "E1", "domain_name": "d.test", "aliases": ["a.test"], "behaviors": ["/a", "*"],
                "rollout": { "staging": "E2", "active": true, "traffic": { "weight": 0.1 },
                    "requests": { "primary": 9, "staging": 1 } } }],
            "functions": [
                { "function": "f", "version": "1", "calls": 8, "errors": 2, "p50_ms": 1.25, "p95_ms": 3.0 },
                { "function": "f", "version": "2", "calls": 0, "errors": 0, "p50_ms": null, "p95_ms": null },
            ],
        });
        let want = "\
node      n1, version 0.1.0, ready, up 1 h 1 min
cache     2 objects, 1.5 MiB
isolates  3
DISTRIBUTION  DOMAIN  ALIASES  BEHAVIORS
E1            d.test  a.test   2
STAGED  BY  SERVES                REQUESTS
E1      E2  10 % of the requests  9 here, 1 there
FUNCTION  VERSION  CALLS  FAILED  SHARE   P50      P95
f         1        8      2       25.0 %  1.25 ms  3.00 ms
f         2        0      0       -       -        -
";
        assert_eq!(for_people(&told), want);
        assert_eq!(
            [span(5), span(65), span(90_000)],
            ["5 s", "1 min 5 s", "1 d 1 h"]
        );
        assert_eq!([size(1_023), size(1 << 30)], ["1023 B", "1.0 GiB"]);
    }
}
