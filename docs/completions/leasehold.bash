_leasehold() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W 'init sidecar exec check plan policy status refresh quit log-level convert render install new demo completions help --help --version' -- "$cur")); return
    fi
    case ${COMP_WORDS[1]} in
    help) COMPREPLY=($(compgen -W 'init sidecar exec check plan policy status refresh quit log-level convert render install new demo completions' -- "$cur")) ;;
    init)
        case $prev in
        -c | --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --timeout) :; return ;;
        esac
        words='--config --timeout --dry-run --help'
        ;;
    sidecar)
        case $prev in
        -c | --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        words='--config --help'
        ;;
    exec)
        case $prev in
        -c | --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        words='--config --help'
        [[ $cur == -* ]] || :
        ;;
    check)
        case $prev in
        -c | --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --format) COMPREPLY=($(compgen -W 'text json' -- "$cur")); return ;;
        esac
        words='--config --elsewhere --strict --format --help'
        [[ $cur == -* ]] || COMPREPLY=($(compgen -f -- "$cur"))
        ;;
    plan)
        case $prev in
        -c | --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --format) COMPREPLY=($(compgen -W 'text json' -- "$cur")); return ;;
        esac
        words='--config --format --help'
        ;;
    policy)
        case $prev in
        -c | --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --backend) :; return ;;
        esac
        words='--config --backend --help'
        ;;
    status)
        case $prev in
        -c | --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        words='--config --explain --json --watch --ready --live --help'
        [[ $cur == -* ]] || :
        ;;
    refresh)
        case $prev in
        --path) :; return ;;
        -c | --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        words='--path --config --help'
        [[ $cur == -* ]] || :
        ;;
    quit)
        case $prev in
        -c | --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        words='--config --help'
        ;;
    log-level)
        case $prev in
        -c | --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        words='--config --help'
        [[ $cur == -* ]] || COMPREPLY=($(compgen -W 'error warn info debug trace' -- "$cur"))
        ;;
    convert)
        case $prev in
        -o | --output) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        words='--output --from-server --help'
        [[ $cur == -* ]] || COMPREPLY=($(compgen -f -- "$cur"))
        ;;
    render)
        case $prev in
        --template) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --data) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --secrets) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --missing-key) COMPREPLY=($(compgen -W 'error default zero' -- "$cur")); return ;;
        --left-delimiter) :; return ;;
        --right-delimiter) :; return ;;
        esac
        words='--template --data --secrets --missing-key --left-delimiter --right-delimiter --help'
        ;;
    install)
        case $prev in
        esac
        words=' --help'
        [[ $cur == -* ]] || COMPREPLY=($(compgen -f -- "$cur"))
        ;;
    new)
        case $prev in
        --for) COMPREPLY=($(compgen -W 'machine pod' -- "$cur")); return ;;
        --address) :; return ;;
        --ca-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --method) COMPREPLY=($(compgen -W 'approle kubernetes jwt cert token-file' -- "$cur")); return ;;
        --role) :; return ;;
        --secret) :; return ;;
        -o | --output) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        words='--for --address --ca-file --method --role --secret --output --help'
        [[ $cur == -* ]] || :
        ;;
    demo)
        case $prev in
        esac
        words=' --help'
        ;;
    completions)
        case $prev in
        esac
        words=' --help'
        [[ $cur == -* ]] || COMPREPLY=($(compgen -W 'bash zsh fish' -- "$cur"))
        ;;
    esac
    if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "$words" -- "$cur")); fi
}
complete -o filenames -F _leasehold leasehold
