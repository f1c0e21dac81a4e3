//! Landlock: the process reaches its own paths and TCP ports only, whatever the modes of files allow.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ::landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};

use super::Lack;
use super::needs::Needs;

const LAYER: &str = "Landlock";

/// The first version that knows every right of files and ports that we speak of. A later one's are not asked for before
/// they were tried: of version 9, which also governs connecting to Unix sockets, one would have to
/// know every socket that the name look-up and the service manager use.
const KNOWN: ABI = ABI::V5;

/// Restricts this thread, and what it starts, to what `needs` names.
pub(super) fn restrict(needs: &Needs) -> Result<(), Lack> {
    let status =
        ruleset(needs).and_then(RulesetCreated::restrict_self).map_err(|why| Lack::new(LAYER, why))?;
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } if effective_abi >= ABI::V4 => Ok(()),
        LandlockStatus::Available { .. } => {
            Err(Lack::new("Landlock for TCP ports", "it begins with Linux 6.7; for paths it is on"))
        }
        LandlockStatus::NotEnabled => Err(Lack::new(LAYER, "this kernel was started without it (see lsm=)")),
        LandlockStatus::NotImplemented => {
            Err(Lack::new(LAYER, "neither this kernel (Linux 5.13) nor the container runtime has it"))
        }
    }
}

/// Returns what may not be reached outside of this process. It takes version 6 (Linux 6.12); an older kernel leaves
/// it open.
///
/// Abstract Unix sockets have no path, so no rule of files is about them. Only a service manager that listens on
/// one has to be reached. Signals go out if a notifier sends some, because the application is outside.
fn scope(needs: &Needs) -> BitFlags<Scope> {
    let mut scope = BitFlags::empty();
    if !needs.abstract_sockets {
        scope |= Scope::AbstractUnixSocket;
    }
    if !needs.signals {
        scope |= Scope::Signal;
    }
    scope
}

fn ruleset(needs: &Needs) -> Result<RulesetCreated, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let publish = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSym
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let listen = AccessFs::MakeSock | AccessFs::RemoveFile;
    let created = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?;
    let scope = scope(needs);
    let created = if scope.is_empty() { created } else { created.scope(scope)? };
    let created = created.create()?;
    let created = beneath(created, &needs.read, read)?;
    let created = beneath(created, &needs.publish, publish)?;
    let created = beneath(created, &needs.clear, read | AccessFs::RemoveFile)?;
    let created = beneath(created, &needs.sockets, listen)?;
    let ports = |ports: &BTreeSet<u16>, access: AccessNet| {
        let rules: Vec<_> = ports.iter().map(|&port| Ok(NetPort::new(port, access))).collect();
        rules
    };
    created
        .add_rules(ports(&needs.connect, AccessNet::ConnectTcp))?
        .add_rules(ports(&needs.bind, AccessNet::BindTcp))
}

/// Adds rules for the paths. A path that does not exist is left out: the code that wants to use it reports it
/// better.
fn beneath(
    created: RulesetCreated,
    paths: &BTreeSet<PathBuf>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    created.add_rules(path_beneath_rules(paths, access))
}
