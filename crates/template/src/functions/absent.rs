//! Functions that the agents have and this crate leaves out, each with the
//! reason, which the error shows.

use crate::function::Functions;

const CONSUL: &str = "it reads Consul; Leasehold reads secrets from Vault and OpenBao only";
const NOMAD: &str = "it reads Nomad; Leasehold reads secrets from Vault and OpenBao only";
const PLUGIN: &str = "it runs a program with secrets as arguments, which Leasehold does not";
const LOOKUP: &str = "it asks a name server while rendering; put the address into the template";
const CIPHER: &str = "it is AES without integrity under a bare password; use Vault's transit engine";
const MASTER: &str = "each call takes 32 MiB and a tenth of a second, and the result never changes; keep the password in Vault";
const PROCESS: &str = "it makes key material that nobody could renew; use a PKI mount and pkiCert";

const ABSENT: &[(&str, &[&str])] = &[
    (
        CONSUL,
        &[
            "byKey",
            "byMeta",
            "byPort",
            "byTag",
            "caLeaf",
            "caRoots",
            "connect",
            "datacenters",
            "explode",
            "exportedServices",
            "key",
            "keyExists",
            "keyExistsGet",
            "keyOrDefault",
            "ls",
            "node",
            "nodes",
            "partitions",
            "peerings",
            "safeLs",
            "safeTree",
            "service",
            "services",
            "tree",
        ],
    ),
    (
        NOMAD,
        &["nomadService", "nomadServices", "nomadVar", "nomadVarExists", "nomadVarList", "nomadVarListSafe"],
    ),
    (PLUGIN, &["plugin"]),
    (LOOKUP, &["sprig_getHostByName"]),
    (CIPHER, &["sprig_decryptAES", "sprig_encryptAES"]),
    (MASTER, &["sprig_derivePassword"]),
    (
        PROCESS,
        &[
            "pkiSign",
            "sprig_buildCustomCert",
            "sprig_genCA",
            "sprig_genCAWithKey",
            "sprig_genPrivateKey",
            "sprig_genSelfSignedCert",
            "sprig_genSelfSignedCertWithKey",
            "sprig_genSignedCert",
            "sprig_genSignedCertWithKey",
        ],
    ),
];

/// Records the functions that are left out in `functions`.
pub(super) fn forbid_in(functions: &mut Functions) {
    for (why, names) in ABSENT {
        for name in *names {
            functions.forbid(name, why);
        }
    }
}
