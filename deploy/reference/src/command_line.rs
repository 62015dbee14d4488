//! `command-line.md`, from clap.

use clap::{Arg, Command, builder::StyledStr};

use crate::markdown::{code, filled, sentence, table};

const HEADS: [&str; 3] = ["argument", "meaning", "default"];

pub(crate) fn page(mut command: Command) -> String {
    command.build();
    let mut commands = String::new();
    let globals: Vec<&Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).collect();
    for sub in command.get_subcommands().filter(|sub| !is_left_out(sub)) {
        section(sub, command.get_name(), &globals, 2, &mut commands);
    }
    let index = command.get_subcommands().filter(|sub| !is_left_out(sub)).map(|sub| {
        let name = format!("{} {}", command.get_name(), sub.get_name());
        let anchor = name.replace(' ', "-");
        vec![format!("[`{name}`](#{anchor})"), about(sub)]
    });
    let index = table(&["command", "what it does"], index);
    let globals = arguments(globals.iter().copied());
    filled(
        include_str!("../text/command-line.md"),
        &[("index", index), ("globals", globals), ("commands", commands)],
    )
}

/// clap's own command.
fn is_left_out(command: &Command) -> bool {
    command.is_hide_set() || command.get_name() == "help"
}

fn section(command: &Command, parent: &str, globals: &[&Arg], level: usize, text: &mut String) {
    let name = format!("{parent} {}", command.get_name());
    text.push_str(&format!("{} {name}\n\n{}\n\n", "#".repeat(level), about(command)));
    let subs: Vec<&Command> = command.get_subcommands().filter(|sub| !is_left_out(sub)).collect();
    if subs.is_empty() {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        text.push_str(&format!("```text\n{}\n```\n\n", usage.replace("\n       ", "\n")));
    }
    let own = command.get_arguments().filter(|arg| {
        let is_global = globals.iter().any(|global| global.get_id() == arg.get_id());
        !is_global && !arg.is_hide_set() && arg.get_id() != "help" && arg.get_id() != "version"
    });
    let table = arguments(own);
    if !table.is_empty() {
        text.push_str(&format!("{table}\n"));
    }
    for sub in subs {
        section(sub, &name, globals, level + 1, text);
    }
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or(command.get_about());
    sentence(&about.map(StyledStr::to_string).unwrap_or_default().replace('\n', " "))
}

fn arguments<'c>(arguments: impl Iterator<Item = &'c Arg>) -> String {
    let rows: Vec<Vec<String>> = arguments.map(row).collect();
    if rows.is_empty() { String::new() } else { table(&HEADS, rows) }
}

fn row(argument: &Arg) -> Vec<String> {
    let help = argument.get_long_help().or(argument.get_help());
    let mut meaning = sentence(&help.map(StyledStr::to_string).unwrap_or_default());
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set() && argument.get_action().takes_values())
        .map(|value| code(value.get_name()))
        .collect();
    if !values.is_empty() {
        meaning.push_str(&format!(" One of {}.", values.join(", ")));
    }
    if let Some(variable) = argument.get_env() {
        meaning.push_str(&format!(" Environment variable: `{}`.", variable.to_string_lossy()));
    }
    if argument.is_required_set() {
        meaning.push_str(" Required.");
    }
    let takes = argument.get_action().takes_values();
    let defaults = argument.get_default_values().iter().filter(|_| takes);
    let defaults: Vec<String> = defaults.map(|it| code(&it.to_string_lossy())).collect();
    vec![code(&spelled(argument)), meaning, defaults.join(", ")]
}

/// Such as `-s, --sku <SKU>`.
fn spelled(argument: &Arg) -> String {
    let mut names: Vec<String> =
        argument.get_value_names().into_iter().flatten().map(ToString::to_string).collect();
    if names.is_empty() {
        names.push(argument.get_id().to_string());
    }
    let many = argument.get_num_args().is_some_and(|range| range.max_values() > names.len().max(1));
    let dots = if many { "..." } else { "" };
    let values: String = names.iter().map(|name| format!(" <{name}>{dots}")).collect();
    let values = if argument.get_action().takes_values() { values } else { String::new() };
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let options: Vec<String> = [short, long].into_iter().flatten().collect();
    if options.is_empty() {
        values.trim_start().to_owned()
    } else {
        format!("{}{values}", options.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_told_with_its_values_and_its_default() {
        let command = Command::new("shop").subcommand(
            Command::new("buy").about("Buy a thing").arg(
                Arg::new("colour")
                    .long("colour")
                    .short('c')
                    .help("Which")
                    .default_value("red")
                    .value_parser(["red", "blue"]),
            ),
        );
        let page = page(command);
        assert!(page.contains("## shop buy\n\nBuy a thing.\n"), "{page}");
        assert!(
            page.contains("| `-c, --colour <colour>` | Which. One of `red`, `blue`. | `red` |"),
            "{page}"
        );
    }
}
