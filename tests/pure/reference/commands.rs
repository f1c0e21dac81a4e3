//! Commands and flags, out of the definition that parses them: a page, man pages, completions.

use clap::{Arg, Command};
use leasehold::cli::definition;
use leasehold::commands::completions::{Shell, script};

use crate::reference::page::{cell, code};

/// The command line, complete: clap adds help and names only when it is used.
fn command() -> Command {
    let mut command = definition().disable_help_subcommand(true);
    command.build();
    command
}

pub(crate) fn page() -> String {
    let mut page = "# Commands

`leasehold COMMAND --help` says the same. Results go to standard output, logs to standard error;
[exit-codes.md](exit-codes.md) has the exit codes.
"
    .to_owned();
    for command in command().get_subcommands() {
        page.push_str(&section(command));
    }
    page
}

fn section(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut section = format!(
        "\n## leasehold {}\n\n{}\n\n```\n{}\n```\n",
        command.get_name(),
        sentence(&about),
        usage.trim_start_matches("Usage: ").trim()
    );
    let arguments: Vec<&Arg> = command.get_arguments().filter(|arg| arg.get_id() != "help").collect();
    if !arguments.is_empty() {
        section.push_str("\n| argument | what |\n| --- | --- |\n");
        for argument in arguments {
            section.push_str(&row(argument));
        }
    }
    let examples = examples(command);
    section
        + &format!("\n```console\n{}```\n", examples.iter().map(|it| format!("$ {it}\n")).collect::<String>())
}

/// The command lines below the help of a command, without what they are for.
fn examples(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.strip_prefix("  leasehold "));
    lines.map(|line| format!("leasehold {}", line.split("  ").next().unwrap_or_default().trim())).collect()
}

#[test]
fn the_help_of_every_command_has_examples_that_are_taken() {
    for command in command().get_subcommands() {
        let (name, examples) = (command.get_name(), examples(command));
        assert!(!examples.is_empty(), "{name}");
        for example in examples {
            let line = example.split(['|', '>']).next().unwrap_or_default();
            assert!(line.starts_with(&format!("leasehold {name}")), "{example}");
            if let Err(error) = definition().try_get_matches_from(line.split_whitespace()) {
                panic!("{example}: {error}");
            }
        }
    }
}

fn row(argument: &Arg) -> String {
    let names: Vec<String> =
        argument.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let value = if argument.get_action().takes_values() { names.join(" ") } else { String::new() };
    let short = argument.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    let call = match argument.get_long() {
        Some(long) => format!("{short}--{long} {value}").trim_end().to_owned(),
        None => value,
    };
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let choices = argument.get_possible_values();
    let words: Vec<String> = choices.iter().map(|choice| code(choice.get_name())).collect();
    let choices = if argument.get_action().takes_values() && !words.is_empty() {
        format!(" One of {}.", words.join(", "))
    } else {
        String::new()
    };
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| code(&value.to_string_lossy())).collect();
    let defaults = match defaults.is_empty() || !argument.get_action().takes_values() {
        true => String::new(),
        false => format!(" Without it {}.", defaults.join(", ")),
    };
    format!("| {} | {}{choices}{defaults} |\n", code(&call), cell(&sentence(&help)))
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

/// One page for each command, and one for all of them.
pub(crate) fn man_pages() -> Vec<(String, String)> {
    let whole = command();
    let all = whole.get_subcommands().map(|below| {
        let name = format!("leasehold-{}", below.get_name());
        // A name with a hyphen is the page's; the usage keeps the space.
        (below.clone(), name)
    });
    let mut pages = vec![man_page(&whole, "leasehold")];
    pages.extend(all.map(|(below, name)| man_page(&below, &name)));
    pages
}

fn man_page(command: &Command, name: &str) -> (String, String) {
    let mut text = Vec::new();
    let title = name.to_uppercase();
    let source = concat!("leasehold ", env!("CARGO_PKG_VERSION"));
    let page = clap_mangen::Man::new(command.clone().version(env!("CARGO_PKG_VERSION")));
    page.title(title).source(source).render(&mut text).expect("writing into memory cannot fail");
    let text = String::from_utf8(text).expect("a man page is text");
    // What stands behind the help is the exit codes, or examples.
    let text = text.replace(".SH EXTRA\nExit codes:\n", ".SH EXIT STATUS\n");
    (format!("{name}.1"), text.replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n.nf\n"))
}

pub(crate) fn completions() -> Vec<(String, String)> {
    let shells =
        [(Shell::Bash, "leasehold.bash"), (Shell::Zsh, "_leasehold"), (Shell::Fish, "leasehold.fish")];
    let one = |(shell, name): (Shell, &str)| (name.to_owned(), script(shell, &definition()));
    shells.map(one).into()
}
