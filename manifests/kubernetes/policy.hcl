# What the pods in this folder need, and nothing else: renewing and revoking their own token is in the
# default policy.

# A secret of KV v2; the configuration calls it secret/web.
path "secret/data/web" {
  capabilities = ["read"]
}

path "database/creds/web" {
  capabilities = ["read"]
}

path "pki/issue/web" {
  capabilities = ["create", "update"]
}

# To take back a replaced lease at once instead of leaving it to expire.
path "sys/leases/revoke" {
  capabilities = ["update"]
}
