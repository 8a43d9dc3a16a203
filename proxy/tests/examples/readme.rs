//! A README as a list of steps: what a reader types, and what is shown to come back.
//!
//! Blocks opened with `sh` hold commands, one a line; blocks opened with `console` hold commands after `$ ` and their
//! output. What is opened in another way (`sh norun`, `yaml`, nothing) is not run.

/// What a reader does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Types a command that starts something or sets it up.
    Run(String),
    /// Types a command, and sees these lines.
    Expect {
        command: String,
        output: Vec<String>,
    },
}

/// The steps of a README in their order.
pub(crate) fn steps(readme: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        // Blocks in lists are indented.
        let indent = line.len() - line.trim_start().len();
        let Some(info) = line[indent..].strip_prefix("```") else {
            continue;
        };
        let inside = lines.by_ref().map(|l| without_indent(l, indent));
        let block: Vec<&str> = inside.take_while(|l| !l.starts_with("```")).collect();
        match info.trim() {
            "sh" => steps.extend(commands(&block)),
            "console" => steps.extend(exchanges(&block)),
            _ => {}
        }
    }
    steps
}

fn without_indent(line: &str, indent: usize) -> &str {
    let own = line.len() - line.trim_start().len();
    &line[own.min(indent)..]
}

fn commands(block: &[&str]) -> Vec<Step> {
    let mut commands = Vec::new();
    let mut lines = block.iter();
    while let Some(line) = lines.next() {
        let mut command = (*line).to_owned();
        while command.ends_with('\\')
            && let Some(more) = lines.next()
        {
            command.push('\n');
            command.push_str(more);
        }
        let command = command.trim();
        if !command.is_empty() && !command.starts_with('#') {
            commands.push(Step::Run(command.to_owned()));
        }
    }
    commands
}

fn exchanges(block: &[&str]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = block.iter();
    while let Some(line) = lines.next() {
        if let Some(command) = line.strip_prefix("$ ") {
            let mut command = command.to_owned();
            while command.ends_with('\\')
                && let Some(more) = lines.next()
            {
                command.push('\n');
                command.push_str(more.strip_prefix("> ").unwrap_or(more));
            }
            let output = Vec::new();
            steps.push(Step::Expect { command, output });
        } else if let Some(Step::Expect { output, .. }) = steps.last_mut() {
            output.push((*line).to_owned());
        } else {
            panic!("a block of `console` begins with `$ `, not with `{line}`");
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(command: &str) -> Step {
        Step::Run(command.to_owned())
    }

    fn expect(command: &str, output: &[&str]) -> Step {
        Step::Expect {
            command: command.to_owned(),
            output: output.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    #[test]
    fn blocks_that_a_reader_types_are_steps_and_others_are_not() {
        let readme = "# T\n\n```sh\n# first\nnpm ci   # once\n\na \\\n  b\n```\n```js\nno\n```\n```sh norun\nno\n```\n\
                      ```\nno\n```\n```console\n$ curl x\none\n\n$ y\n```\n";
        let want = [
            run("npm ci   # once"),
            run("a \\\n  b"),
            expect("curl x", &["one", ""]),
            expect("y", &[]),
        ];
        assert_eq!(steps(readme), want);
    }

    #[test]
    fn commands_go_on_in_the_next_line() {
        let readme = "```console\n$ curl \\\n> -s \\\n    http://x\nout\n```\n";
        let want = [expect("curl \\\n-s \\\n    http://x", &["out"])];
        assert_eq!(steps(readme), want);
    }

    #[test]
    fn blocks_may_be_indented() {
        let readme = "- so:\n\n  ```console\n  $ x\n    two\n  ```\n";
        assert_eq!(steps(readme), [expect("x", &["  two"])]);
    }
}
