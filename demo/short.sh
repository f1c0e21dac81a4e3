# `leasehold demo`: a development server, init, a sidecar, a changed secret, the end. Run by sh with the path of leasehold and
# two free ports. Everything is in one folder in memory, which is removed however this ends.
set -eu
program=$1 port=$2 listen=$3
vault=$(command -v bao || command -v vault) || {
    echo "leasehold: neither bao nor vault is on the path; install OpenBao or Vault, or run make demo in a clone" >&2
    exit 69
}
space=$(mktemp -d /dev/shm/leasehold-short-demo-XXXXXX)
server= sidecar=
end() {
    trap - EXIT
    for process in $sidecar $server; do kill "$process" 2>/dev/null && wait "$process" || true; done
    rm -rf "$space"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
bold= plain=
if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi

step() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
leasehold() { "$program" "$@"; }
vault() { "$vault" "$@"; }
shown() { printf '  $ %s\n' "$*"; }
run() {
    shown "$@"
    "$@" >said 2>&1 || { code=$?; cat said >&2; exit "$code"; }
    sed 's/^/    /' said
}
soon() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { echo "leasehold: waited in vain for: $*" >&2; cat server.log sidecar.log >&2; exit 75; }
        sleep 0.1
    done
}

cd "$space"
export HOME="$space" BAO_ADDR="http://127.0.0.1:$port" VAULT_ADDR="http://127.0.0.1:$port"
export BAO_TOKEN=only-for-this-demo VAULT_TOKEN=only-for-this-demo
: >sidecar.log

step "A development server, which keeps everything in memory, with a secret"
"$vault" server -dev -dev-root-token-id="$BAO_TOKEN" -dev-listen-address="127.0.0.1:$port" >server.log 2>&1 &
server=$!
soon vault status
run vault kv put -mount=secret web password=tulip-1

step "What the application wants: one file, in memory, with one value"
cat >web.yaml <<END
vault: {address: "http://127.0.0.1:$port"}
auth: {method: token_file, token_file: web.token}
secrets_dir: $space/secrets
files:
  - {path: password, secret: secret/web#password, refresh: 2s}
listen: 127.0.0.1:$listen
END
run cat web.yaml
run leasehold check -c web.yaml

step "A policy that grants exactly that, and a token with it"
shown "leasehold policy -c web.yaml | vault policy write web -"
leasehold policy -c web.yaml >web.policy.hcl
vault policy write web web.policy.hcl >/dev/null
(umask 077; vault token create -policy=web -period=1h -field=token >web.token)
unset BAO_TOKEN VAULT_TOKEN
run leasehold plan -c web.yaml

step "init: everything is there, or nothing"
run leasehold init -c web.yaml
run cat secrets/password
echo

step "sidecar: it stays, and the file follows a change"
shown "leasehold sidecar -c web.yaml &"
"$program" sidecar -c web.yaml >sidecar.log 2>&1 &
sidecar=$!
soon leasehold status --ready -c web.yaml
BAO_TOKEN=only-for-this-demo VAULT_TOKEN=only-for-this-demo run vault kv put -mount=secret web password=tulip-2
soon grep -q tulip-2 secrets/password
run cat secrets/password
echo
run leasehold status -c web.yaml

step "The end"
run leasehold quit -c web.yaml
wait "$sidecar"
sidecar=
printf '\nEvery step was seen. Go on: leasehold new --help\n'
