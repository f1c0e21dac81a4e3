#!/bin/sh
# Lets the service account of the pods in this folder log in and read its secrets. Run it as somebody who
# may write policies and auth methods, with VAULT_ADDR (BAO_ADDR) and a token as usual; it can be run again.
#
#   vault-setup.sh [NAMESPACE] [SERVICE_ACCOUNT]        default: default web
#
# Vault inside the cluster reviews tokens with its own service account (reviewer.yaml). For a Vault outside
# of it give the API server and a reviewer:
#   KUBERNETES_HOST=https://…:6443 KUBERNETES_CA_FILE=ca.pem REVIEWER_JWT_FILE=reviewer.jwt vault-setup.sh
set -eu

namespace=${1:-default}
account=${2:-web}
here=$(dirname "$0")

if command -v bao >/dev/null; then
    cli=bao
elif command -v vault >/dev/null; then
    cli=vault
else
    echo "vault-setup: neither bao nor vault is on the path" >&2
    exit 1
fi

"$cli" policy write "$account" "$here/policy.hcl"

"$cli" auth list | grep -q '^kubernetes/' || "$cli" auth enable kubernetes

if [ -n "${KUBERNETES_HOST:-}" ]; then
    "$cli" write auth/kubernetes/config \
        kubernetes_host="$KUBERNETES_HOST" \
        kubernetes_ca_cert=@"$KUBERNETES_CA_FILE" \
        token_reviewer_jwt=@"$REVIEWER_JWT_FILE" \
        disable_local_ca_jwt=true
else
    "$cli" write auth/kubernetes/config kubernetes_host=https://kubernetes.default.svc
fi

# A token for any other audience is refused, so that one that leaks from elsewhere opens nothing here.
"$cli" write "auth/kubernetes/role/$account" \
    bound_service_account_names="$account" \
    bound_service_account_namespaces="$namespace" \
    audience=vault \
    token_policies="$account" \
    token_ttl=1h \
    token_max_ttl=24h
