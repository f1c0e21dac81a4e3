//! `leasehold completions`: the completion of a shell, out of the definition that the command line is parsed by.
//!
//! Leasehold has two levels, a command and its flags, and three kinds of values: files, words, and anything. The scripts are
//! written for that, and have a third of the size of those that know every command line.

use std::fmt::Write as _;

use clap::{Arg, Command, ValueEnum, ValueHint};

/// The shells whose completions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash, with or without bash-completion.
    Bash,
    /// zsh, as a file `_leasehold` in its fpath.
    Zsh,
    /// fish.
    Fish,
}

/// Returns the script that completes `program` in a shell.
#[must_use]
pub fn script(shell: Shell, program: &Command) -> String {
    let mut text = String::new();
    match shell {
        Shell::Bash => bash(&mut text, program),
        Shell::Zsh => zsh(&mut text, program),
        Shell::Fish => fish(&mut text, program),
    }
    text
}

/// The values that an argument can take.
enum Values {
    Files,
    Words(String),
    Anything,
}

impl Values {
    fn of(argument: &Arg) -> Self {
        let words: Vec<String> =
            argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        match argument.get_value_hint() {
            _ if !words.is_empty() => Self::Words(words.join(" ")),
            ValueHint::AnyPath => Self::Files,
            _ => Self::Anything,
        }
    }
}

/// Returns the commands that a person types.
fn commands(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands().filter(|command| !command.is_hide_set())
}

fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| !argument.is_positional() && !argument.is_hide_set())
}

fn takes_value(argument: &Arg) -> bool {
    argument.get_action().takes_values()
}

/// Returns the names of an option, such as `-c` and `--config`.
fn names(argument: &Arg) -> Vec<String> {
    let short = argument.get_short().map(|short| format!("-{short}"));
    short.into_iter().chain(argument.get_long().map(|long| format!("--{long}"))).collect()
}

/// Returns the first sentence of a help text, without the characters that a shell reads as more than a letter.
fn about(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    let first = text.split([';', ':']).next().unwrap_or_default();
    first.trim().trim_end_matches('.').chars().filter(|sign| !"'\"`[]\\$".contains(*sign)).collect()
}

/// Writes into memory, which cannot fail.
macro_rules! put {
    ($text:expr, $($what:tt)*) => { let _written = writeln!($text, $($what)*); };
}

fn bash(text: &mut String, program: &Command) {
    let reply = |values: &Values| match values {
        Values::Files => "COMPREPLY=($(compgen -f -- \"$cur\"))".to_owned(),
        Values::Words(words) => format!("COMPREPLY=($(compgen -W '{words}' -- \"$cur\"))"),
        Values::Anything => ":".to_owned(),
    };
    let all: Vec<&str> = commands(program).map(Command::get_name).collect();
    put!(text, "_leasehold() {{");
    put!(text, "    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} words=");
    put!(text, "    COMPREPLY=()");
    put!(text, "    if [ \"$COMP_CWORD\" = 1 ]; then");
    put!(
        text,
        "        {}; return",
        reply(&Values::Words(format!("{} help --help --version", all.join(" "))))
    );
    put!(text, "    fi");
    put!(text, "    case ${{COMP_WORDS[1]}} in");
    put!(text, "    help) {} ;;", reply(&Values::Words(all.join(" "))));
    for command in commands(program) {
        put!(text, "    {})", command.get_name());
        put!(text, "        case $prev in");
        for flag in flags(command).filter(|flag| takes_value(flag)) {
            put!(text, "        {}) {}; return ;;", names(flag).join(" | "), reply(&Values::of(flag)));
        }
        put!(text, "        esac");
        let words: Vec<String> =
            flags(command).flat_map(names).filter(|name| name.starts_with("--")).collect();
        put!(text, "        words='{} --help'", words.join(" "));
        if let Some(value) = command.get_positionals().next() {
            put!(text, "        [[ $cur == -* ]] || {}", reply(&Values::of(value)));
        }
        put!(text, "        ;;");
    }
    put!(text, "    esac");
    put!(text, "    if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")); fi");
    put!(text, "}}");
    put!(text, "complete -o filenames -F _leasehold leasehold");
}

fn zsh(text: &mut String, program: &Command) {
    let values = |argument: &Arg| match Values::of(argument) {
        Values::Files => "_files".to_owned(),
        Values::Words(words) => format!("({words})"),
        Values::Anything => " ".to_owned(),
    };
    put!(text, "#compdef leasehold");
    put!(text, "_leasehold() {{");
    put!(text, "  if (( CURRENT == 2 )); then");
    put!(text, "    local -a commands=(");
    for command in commands(program) {
        put!(text, "      '{}:{}'", command.get_name(), about(command.get_about()));
    }
    put!(text, "    )");
    put!(text, "    _describe command commands");
    put!(text, "    return");
    put!(text, "  fi");
    put!(text, "  local command=$words[2]");
    put!(text, "  shift words; (( CURRENT-- ))");
    put!(text, "  case $command in");
    for command in commands(program) {
        put!(text, "  {}) _arguments \\", command.get_name());
        for flag in flags(command) {
            let value = if takes_value(flag) { format!(":value:{}", values(flag)) } else { String::new() };
            for name in names(flag) {
                put!(text, "    '*{name}[{}]{value}' \\", about(flag.get_help()));
            }
        }
        if let Some(value) = command.get_positionals().next() {
            put!(text, "    '*:value:{}' \\", values(value));
        }
        put!(text, "    '--help[Print help]' ;;");
    }
    put!(text, "  esac");
    put!(text, "}}");
    put!(text, "_leasehold \"$@\"");
}

fn fish(text: &mut String, program: &Command) {
    let values = |argument: &Arg| match Values::of(argument) {
        Values::Files => " -F".to_owned(),
        Values::Words(words) => format!(" -x -a '{words}'"),
        Values::Anything => " -x".to_owned(),
    };
    put!(text, "complete -c leasehold -f");
    for command in commands(program) {
        let (name, said) = (command.get_name(), about(command.get_about()));
        put!(text, "complete -c leasehold -n __fish_use_subcommand -a {name} -d '{said}'");
        let seen = format!("complete -c leasehold -n '__fish_seen_subcommand_from {name}'");
        for flag in flags(command) {
            let short = flag.get_short().map(|short| format!(" -s {short}")).unwrap_or_default();
            let long = flag.get_long().unwrap_or_default();
            let value = if takes_value(flag) { format!(" -r{}", values(flag)) } else { String::new() };
            put!(text, "{seen}{short} -l {long}{value} -d '{}'", about(flag.get_help()));
        }
        if let Some(value) = command.get_positionals().next() {
            put!(text, "{seen}{}", values(value).replace(" -x", " -f"));
        }
    }
}
