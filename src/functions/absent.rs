//! Names that templates for the references may use and that have no place here, each with the
//! reason that the error shows.

use crate::template::function::Functions;

const CONSUL: &str = "it reads Consul; Leasehold reads secrets from Vault and OpenBao only";
const NOMAD: &str = "it reads Nomad; Leasehold reads secrets from Vault and OpenBao only";
const PLUGIN: &str = "it runs a program with secrets as arguments, which Leasehold does not";
const LOOKUP: &str = "it asks a name server while rendering; put the address into the template";
const SPRIG: &str = "it is not among the functions of Sprig that Leasehold has";
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
    (
        SPRIG,
        &[
            "sprig_camelcase",
            "sprig_decryptAES",
            "sprig_derivePassword",
            "sprig_encryptAES",
            "sprig_hello",
            "sprig_kebabcase",
            "sprig_semver",
            "sprig_semverCompare",
            "sprig_snakecase",
            "sprig_wrap",
            "sprig_wrapWith",
        ],
    ),
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

/// Names what is not here in `functions`.
pub(super) fn forbid_in(functions: &mut Functions) {
    for (why, names) in ABSENT {
        for name in *names {
            functions.forbid(name, why);
        }
    }
}
