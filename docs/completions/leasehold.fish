# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_leasehold_global_optspecs
    string join \n h/help V/version
end

function __fish_leasehold_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_leasehold_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_leasehold_using_subcommand
    set -l cmd (__fish_leasehold_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c leasehold -n "__fish_leasehold_needs_command" -s h -l help -d 'Print help'
complete -c leasehold -n "__fish_leasehold_needs_command" -s V -l version -d 'Print version'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "init" -d 'Log in, render and publish everything all or nothing, leave the handoff, end'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "sidecar" -d 'Keep everything renewed and rendered, and notify, until SIGTERM'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "exec" -d 'Run a command with secrets in files and environment, as a sidecar would keep them'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "check" -d 'Check configuration and templates offline: all problems at once'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "plan" -d 'Ask the server what this configuration\'s login may do: what works, what is denied or missing'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "policy" -d 'Print the least policy that this configuration needs, without a server'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "status" -d 'Ask the running daemon how files and secrets are: exit 0 where all is well, 1 where anything is not; never shows a value'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "refresh" -d 'Have the running daemon poll now what has no end of its own: all of it, or what one file is made of'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "quit" -d 'Have the running daemon revoke what it minted, and end'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "log-level" -d 'Change the level of the running daemon\'s log, until it reads its configuration again'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "convert" -d 'Print a configuration of Vault Agent, consul-template or envconsul as Leasehold\'s own'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "render" -d 'Render one template offline to standard output'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "install" -d 'Copy this program, for an image without a shell: an init container puts it where another one runs it'
complete -c leasehold -n "__fish_leasehold_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c leasehold -n "__fish_leasehold_using_subcommand init" -l config -d 'Configuration file, a folder of .hcl and .json files, or `-` for standard input; later ones override. Otherwise LEASEHOLD_CONFIG (a path) or LEASEHOLD_CONFIG_YAML (the text)' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand init" -l timeout -d 'How long all of it may take; overrides `init.timeout` (2m)' -r
complete -c leasehold -n "__fish_leasehold_using_subcommand init" -s h -l help -d 'Print help'
complete -c leasehold -n "__fish_leasehold_using_subcommand sidecar" -l config -d 'Configuration file, a folder of .hcl and .json files, or `-` for standard input; later ones override. Otherwise LEASEHOLD_CONFIG (a path) or LEASEHOLD_CONFIG_YAML (the text)' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand sidecar" -s h -l help -d 'Print help'
complete -c leasehold -n "__fish_leasehold_using_subcommand exec" -l config -d 'Configuration file, a folder of .hcl and .json files, or `-` for standard input; later ones override. Otherwise LEASEHOLD_CONFIG (a path) or LEASEHOLD_CONFIG_YAML (the text)' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand exec" -s h -l help -d 'Print help'
complete -c leasehold -n "__fish_leasehold_using_subcommand check" -l config -d 'Configuration file, a folder of .hcl and .json files, or `-` for standard input; later ones override. Otherwise LEASEHOLD_CONFIG (a path) or LEASEHOLD_CONFIG_YAML (the text)' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand check" -l format -d 'The shape of the report' -r -f -a "text\t'For people: each problem with its line and a caret'
json\t'For editors and CI: one object'"
complete -c leasehold -n "__fish_leasehold_using_subcommand check" -l elsewhere -d 'Leasehold is to run on another machine: files and names that are not on this one are no errors'
complete -c leasehold -n "__fish_leasehold_using_subcommand check" -l strict -d 'Warnings are errors'
complete -c leasehold -n "__fish_leasehold_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasehold -n "__fish_leasehold_using_subcommand plan" -l config -d 'Configuration file, a folder of .hcl and .json files, or `-` for standard input; later ones override. Otherwise LEASEHOLD_CONFIG (a path) or LEASEHOLD_CONFIG_YAML (the text)' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand plan" -l format -d 'The shape of the report' -r -f -a "text\t'For people: each problem with its line and a caret'
json\t'For editors and CI: one object'"
complete -c leasehold -n "__fish_leasehold_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasehold -n "__fish_leasehold_using_subcommand policy" -l config -d 'Configuration file, a folder of .hcl and .json files, or `-` for standard input; later ones override. Otherwise LEASEHOLD_CONFIG (a path) or LEASEHOLD_CONFIG_YAML (the text)' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand policy" -s h -l help -d 'Print help'
complete -c leasehold -n "__fish_leasehold_using_subcommand status" -l config -d 'Configuration file, a folder of .hcl and .json files, or `-` for standard input; later ones override. Otherwise LEASEHOLD_CONFIG (a path) or LEASEHOLD_CONFIG_YAML (the text)' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand status" -l explain -d 'Why the file NAME is as it is, or each that is not as it should be: the first broken link from server to notifier'
complete -c leasehold -n "__fish_leasehold_using_subcommand status" -l json -d 'JSON, as `GET /status` gives it'
complete -c leasehold -n "__fish_leasehold_using_subcommand status" -l watch -d 'Show it again every two seconds'
complete -c leasehold -n "__fish_leasehold_using_subcommand status" -l ready -d 'Only exit 0 (every file published and unexpired) or 1: a startup probe'
complete -c leasehold -n "__fish_leasehold_using_subcommand status" -l live -d 'Only exit 0 (the daemon answers) or 1'
complete -c leasehold -n "__fish_leasehold_using_subcommand status" -s h -l help -d 'Print help'
complete -c leasehold -n "__fish_leasehold_using_subcommand refresh" -l path -d 'A secret by its path, in place of a file' -r
complete -c leasehold -n "__fish_leasehold_using_subcommand refresh" -l config -d 'Configuration file, a folder of .hcl and .json files, or `-` for standard input; later ones override. Otherwise LEASEHOLD_CONFIG (a path) or LEASEHOLD_CONFIG_YAML (the text)' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand refresh" -s h -l help -d 'Print help'
complete -c leasehold -n "__fish_leasehold_using_subcommand quit" -l config -d 'Configuration file, a folder of .hcl and .json files, or `-` for standard input; later ones override. Otherwise LEASEHOLD_CONFIG (a path) or LEASEHOLD_CONFIG_YAML (the text)' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand quit" -s h -l help -d 'Print help'
complete -c leasehold -n "__fish_leasehold_using_subcommand log-level" -l config -d 'Configuration file, a folder of .hcl and .json files, or `-` for standard input; later ones override. Otherwise LEASEHOLD_CONFIG (a path) or LEASEHOLD_CONFIG_YAML (the text)' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand log-level" -s h -l help -d 'Print help'
complete -c leasehold -n "__fish_leasehold_using_subcommand convert" -l from-server -d 'Log in, and name each key of the secrets of which envconsul takes every key'
complete -c leasehold -n "__fish_leasehold_using_subcommand convert" -s h -l help -d 'Print help'
complete -c leasehold -n "__fish_leasehold_using_subcommand render" -l template -d 'The template, `-` for standard input' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand render" -l data -d 'JSON that becomes `.`; without it `.` is nil' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand render" -l secrets -d 'YAML or JSON: from a path (and any arguments, each after one space) to what the server would answer' -r -F
complete -c leasehold -n "__fish_leasehold_using_subcommand render" -l missing-key -d 'What a missing key renders as' -r -f -a "error\t'It stops the rendering. Ours, for a `<no value>` in a password is worse'
default\t'`<no value>`, Go\'s default'
zero\t'The zero value of the map\'s type'"
complete -c leasehold -n "__fish_leasehold_using_subcommand render" -l left-delimiter -d 'Opens an action instead of `{{`' -r
complete -c leasehold -n "__fish_leasehold_using_subcommand render" -l right-delimiter -d 'Closes an action instead of `}}`' -r
complete -c leasehold -n "__fish_leasehold_using_subcommand render" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c leasehold -n "__fish_leasehold_using_subcommand install" -s h -l help -d 'Print help'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "init" -d 'Log in, render and publish everything all or nothing, leave the handoff, end'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "sidecar" -d 'Keep everything renewed and rendered, and notify, until SIGTERM'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "exec" -d 'Run a command with secrets in files and environment, as a sidecar would keep them'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "check" -d 'Check configuration and templates offline: all problems at once'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "plan" -d 'Ask the server what this configuration\'s login may do: what works, what is denied or missing'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "policy" -d 'Print the least policy that this configuration needs, without a server'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "status" -d 'Ask the running daemon how files and secrets are: exit 0 where all is well, 1 where anything is not; never shows a value'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "refresh" -d 'Have the running daemon poll now what has no end of its own: all of it, or what one file is made of'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "quit" -d 'Have the running daemon revoke what it minted, and end'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "log-level" -d 'Change the level of the running daemon\'s log, until it reads its configuration again'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "convert" -d 'Print a configuration of Vault Agent, consul-template or envconsul as Leasehold\'s own'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "render" -d 'Render one template offline to standard output'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "install" -d 'Copy this program, for an image without a shell: an init container puts it where another one runs it'
complete -c leasehold -n "__fish_leasehold_using_subcommand help; and not __fish_seen_subcommand_from init sidecar exec check plan policy status refresh quit log-level convert render install help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
