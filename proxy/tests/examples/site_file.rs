//! Where the listeners of a node are, which an example leaves to the defaults.

/// A site file whose node listens on an address of its own, unless it says itself where.
pub(crate) fn with_listeners(yaml: &str, address: &str) -> String {
    let listeners = [("listen", 8080), ("admin", 9400)];
    let settings: Vec<String> = listeners
        .iter()
        .filter(|(key, _)| !says(yaml, key))
        .map(|(key, port)| format!("{key}: \"{address}:{port}\""))
        .collect();
    if settings.is_empty() {
        return yaml.to_owned();
    }
    let mut lines = Vec::new();
    let mut found = false;
    for line in yaml.lines() {
        let Some(rest) = line.strip_prefix("node:") else {
            lines.push(line.to_owned());
            continue;
        };
        found = true;
        match rest.trim_start().strip_prefix('{') {
            Some(flow) => lines.push(format!("node: {{ {},{flow}", settings.join(", "))),
            None => {
                lines.push(line.to_owned());
                lines.extend(settings.iter().map(|s| format!("  {s}")));
            }
        }
    }
    if !found {
        lines.push(format!("node: {{ {} }}", settings.join(", ")));
    }
    lines.join("\n") + "\n"
}

/// Whether the settings of the node have a key.
fn says(yaml: &str, key: &str) -> bool {
    let mut is_inside = false;
    yaml.lines().any(|line| {
        let at_the_top = !line.is_empty() && !line.starts_with([' ', '#', '}']);
        if at_the_top {
            is_inside = line.starts_with("node:");
        }
        let line = line.split(" #").next().unwrap_or_default();
        let line = line.strip_prefix("node:").unwrap_or(line).trim_start();
        is_inside
            && line
                .split(['{', ','])
                .any(|part| part.trim_start().starts_with(&format!("{key}:")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_put_where_none_are_named() {
        let own = "node: { listen: \"127.1.1.1:8080\", admin: \"127.1.1.1:9400\" }\n";
        for (yaml, want) in [
            ("distributions: {}\n", format!("distributions: {{}}\n{own}")),
            (
                "node: { threads: 1 }\n",
                own.replace(" }", ", threads: 1 }"),
            ),
            (
                "node:\n  threads: 1 # listen: none\n",
                "node:\n  listen: \"127.1.1.1:8080\"\n  admin: \"127.1.1.1:9400\"\n  threads: 1 # listen: none\n"
                    .to_owned(),
            ),
        ] {
            assert_eq!(with_listeners(yaml, "127.1.1.1"), want);
        }
    }

    #[test]
    fn listeners_that_are_named_stay() {
        for yaml in [
            "node: { listen: 127.0.0.1:1, admin: 127.0.0.1:2 }\n",
            "node:\n  # where\n\n  listen: 127.0.0.1:1\n  admin: { listen: 127.0.0.1:2 }\nx: { y: 1 }\n",
        ] {
            assert_eq!(with_listeners(yaml, "127.1.1.1"), yaml);
        }
        let yaml = "node:\n  admin: 127.0.0.1:2\nx:\n  listen: 1\n";
        let want = "node:\n  listen: \"127.1.1.1:8080\"\n  admin: 127.0.0.1:2\nx:\n  listen: 1\n";
        assert_eq!(with_listeners(yaml, "127.1.1.1"), want);
    }
}
