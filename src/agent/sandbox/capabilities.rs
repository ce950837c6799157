//! Privileges of root that the configuration needs none of, given up for good.

use super::needs::Needs;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};
use std::io;
use std::path::Path;

/// Ports below it are root's.
const UNPRIVILEGED_PORT: u16 = 1024;

/// Gives up what the calling thread does not need, and says what it keeps. Threads that it makes later have no more.
pub(super) fn drop_unneeded(needs: &Needs) -> io::Result<CapabilitySet> {
    set_no_new_privs(true)?;
    let had = capabilities(None)?;
    if had.permitted.is_empty() {
        return Ok(CapabilitySet::empty());
    }
    for capability in CapabilitySet::all().iter() {
        // Without CAP_SETPCAP it stays; nothing is executed, and no privileges are gained since the call above.
        let _ = remove_capability_from_bounding_set(capability);
    }
    let mut kept = CapabilitySet::empty();
    if needs.bind.iter().chain(&needs.bind_udp).any(|port| (1..UNPRIVILEGED_PORT).contains(port)) {
        kept |= CapabilitySet::NET_BIND_SERVICE;
    }
    if needs.follows {
        // Services keep their logs to themselves.
        kept |= CapabilitySet::DAC_READ_SEARCH;
    }
    kept &= had.permitted;
    // The others can be taken back while they are permitted: whether they are needed is tried without them.
    set(had.permitted, kept)?;
    if !can_read(needs) {
        kept |= CapabilitySet::DAC_READ_SEARCH & had.permitted;
    }
    if !can_write(needs) {
        kept |= CapabilitySet::DAC_OVERRIDE & had.permitted;
    }
    let _ = clear_ambient_capability_set();
    set(kept, kept)?;
    Ok(kept)
}

fn set(permitted: CapabilitySet, effective: CapabilitySet) -> io::Result<()> {
    let sets = CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() };
    Ok(set_capabilities(None, sets)?)
}

fn can_read(needs: &Needs) -> bool {
    needs.reloaded.iter().all(|path| is_allowed(path, Access::READ_OK))
}

fn can_write(needs: &Needs) -> bool {
    let directories = needs.append.iter().chain(&needs.sockets).chain(&needs.state);
    directories.into_iter().all(|path| {
        let how = if path.is_dir() { Access::WRITE_OK | Access::EXEC_OK } else { Access::WRITE_OK };
        is_allowed(path, how)
    }) && needs.outputs.iter().all(|path| is_allowed(path, Access::WRITE_OK))
}

/// What is not there is no reason to keep a privilege.
fn is_allowed(path: &Path, access: Access) -> bool {
    !matches!(accessat(CWD, path, access, AtFlags::EACCESS), Err(rustix::io::Errno::ACCESS))
}
