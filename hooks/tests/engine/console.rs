//! `console` against Node's text (NC-24, NC-35).

use serde_json::{Value, json};

use super::harness::{js, load};

/// Node 22 has run the same code, and written what it printed.
#[tokio::test]
async fn everything_is_printed_as_node_prints_it() {
    // NC-24, NC-35
    let f = load(&[("index.js", include_str!("console/probe.js"))]).expect("the function loads");
    f.ok(Value::Null).await;
    let records: Vec<String> = f
        .logs()
        .into_iter()
        .map(|(_, text)| text)
        .filter(|text| !text.starts_with("(node:2) Warning: "))
        .collect();
    let ours = records.join("\n");
    let node = include_str!("console/probe.txt");
    let differing: Vec<_> = ours
        .lines()
        .zip(node.lines())
        .filter(|(ours, node)| ours != node)
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(ours.lines().count(), node.lines().count());
}

#[tokio::test]
async fn consoles_of_the_function_s_own_write_to_its_streams() {
    // NC-35
    let f = js(
        "exports.handler = async () => { let text = ''; const { Writable } = require('stream'); const sink = new Writable({ write(c, e, done) { text += c; done() } });
           const own = new console.Console({ stdout: sink, stderr: sink, groupIndentation: 4 }); own.group('g'); own.log('%s', 'in'); own.error(new Map([[1, 2]])); own.groupEnd(); own.table([[1]]);
           console.log('to the log'); new console.Console(process.stdout).log('by stdout'); return [text, own instanceof console.Console] }",
    );
    assert_eq!(
        f.ok(Value::Null).await,
        json!([
            "g\n    in\n    Map(1) { 1 => 2 }\n┌─────────┬───┐\n│ (index) │ 0 │\n├─────────┼───┤\n│ 0       │ 1 │\n└─────────┴───┘\n",
            true
        ])
    );
    let logs: Vec<String> = f.logs().into_iter().map(|(_, text)| text).collect();
    assert_eq!(logs, ["to the log", "by stdout"]);
}

#[tokio::test]
async fn misuse_is_a_warning_of_the_process_and_times_are_told_in_their_unit() {
    // NC-35
    let f = js(
        "exports.handler = async () => { console.countReset('x'); console.timeEnd('y'); console.timeLog('z'); console.time('t'); console.time('t'); console.timeLog('t', { a: 1 }); console.timeEnd('t'); console.trace('here', 1) }",
    );
    f.ok(Value::Null).await;
    let logs: Vec<String> = f.logs().into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        logs[..4],
        [
            "(node:2) Warning: Count for 'x' does not exist",
            "(node:2) Warning: No such label 'y' for console.timeEnd()",
            "(node:2) Warning: No such label 'z' for console.timeLog()",
            "(node:2) Warning: Label 't' already exists for console.time()"
        ]
    );
    assert!(
        logs[4].starts_with("t: ") && logs[4].ends_with("ms { a: 1 }"),
        "{}",
        logs[4]
    );
    assert!(
        logs[6].starts_with("Trace: here 1\n    at exports.handler (/var/task/index.js:1:"),
        "{}",
        logs[6]
    );
}
