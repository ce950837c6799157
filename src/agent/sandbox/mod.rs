//! What the process may still do once its configuration is known: read, write and connect to what that names.
//!
//! All of it holds for the calling thread and those that it makes, so it is done before the first of them. Landlock
//! (landlock(7)) takes files and ports away, and capabilities(7) are given up that the configuration does not need.

mod capabilities;
mod needs;
mod reload;

pub use reload::reload_problems;

use super::config::{Config, SandboxMode};
use super::data_dir;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};
use needs::Needs;
use std::path::Path;

/// The newest that we know how to ask for.
const NEWEST: ABI = ABI::V6;
/// The oldest that restricts files and ports, which is what `require` asks for.
const OLDEST: ABI = ABI::V4;

/// Why the process is not restricted as it must be.
#[derive(Debug)]
pub struct SandboxError(String);

impl std::fmt::Display for SandboxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sandbox: {}", self.0)
    }
}

impl std::error::Error for SandboxError {}

/// Restricts the calling thread to what the configuration needs. `data_dir` is made if it is missing and `makes_data_dir`
/// says so.
///
/// # Errors
/// Under `require`, when the system can't do that, and when the directories can't be made.
pub fn confine(config: &Config, key_file: &Path, makes_data_dir: bool) -> Result<(), SandboxError> {
    if config.sandbox == SandboxMode::Off {
        return Ok(());
    }
    let needs = Needs::of(config, key_file);
    let keeps_state = config.data_dir.as_ref().filter(|path| needs.state.contains(*path));
    if let (Some(path), true) = (keeps_state, makes_data_dir) {
        data_dir::make(path).map_err(|error| SandboxError(format!("data_dir {}: {error}", path.display())))?;
    }
    // Rules hold open files, which may take the privileges that are dropped.
    let ruleset = ruleset(&needs).map_err(|error| SandboxError(format!("can't be made: {error}")))?;
    let is_required = config.sandbox == SandboxMode::Require;
    match capabilities::drop_unneeded(&needs) {
        Ok(kept) => tracing::info!(kept = ?kept, "capabilities are dropped"),
        Err(error) if is_required => return Err(SandboxError(format!("can't drop capabilities: {error}"))),
        Err(error) => tracing::warn!(%error, "capabilities can't be dropped"),
    }
    let status = ruleset.restrict_self().map_err(|error| SandboxError(format!("can't be applied: {error}")))?;
    match (lack(status.landlock), is_required) {
        (None, _) => tracing::info!("files and ports are restricted to those of the configuration"),
        (Some(lack), true) => return Err(SandboxError(lack + r#"; `sandbox = "best_effort"` starts without"#)),
        (Some(lack), false) => tracing::warn!(lack, "the process is not restricted as it could be"),
    }
    Ok(())
}

/// What the system can't do of what is required.
fn lack(landlock: LandlockStatus) -> Option<String> {
    match landlock {
        LandlockStatus::NotImplemented => Some("this kernel has no Landlock, or its use is forbidden here".to_owned()),
        LandlockStatus::NotEnabled => Some("Landlock is not enabled in this kernel (boot parameter lsm=)".to_owned()),
        LandlockStatus::Available { effective_abi, .. } if effective_abi < OLDEST => {
            Some("this kernel's Landlock can't restrict files and ports both, which takes Linux 6.7".to_owned())
        }
        LandlockStatus::Available { .. } => None,
    }
}

fn ruleset(needs: &Needs) -> Result<landlock::RulesetCreated, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let append: BitFlags<AccessFs> = read | AccessFs::WriteFile | AccessFs::MakeReg;
    let state = append | AccessFs::RemoveFile | AccessFs::Truncate;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(&needs.read, read))?
        .add_rules(path_beneath_rules(&needs.append, append))?
        .add_rules(path_beneath_rules(&needs.sockets, AccessFs::MakeSock | AccessFs::RemoveFile))?
        .add_rules(path_beneath_rules(&needs.state, state))?;
    for &port in &needs.bind {
        ruleset = ruleset.add_rule(NetPort::new(port, AccessNet::BindTcp))?;
    }
    for &port in &needs.connect {
        ruleset = ruleset.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    Ok(ruleset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_said() {
        let of = |effective_abi| lack(LandlockStatus::Available { effective_abi, kernel_abi: None });
        assert_eq!(of(ABI::V4), None);
        assert_eq!(of(ABI::V6), None);
        assert!(of(ABI::V3).unwrap().contains("Linux 6.7"));
        assert!(lack(LandlockStatus::NotImplemented).unwrap().contains("no Landlock"));
        assert!(lack(LandlockStatus::NotEnabled).unwrap().contains("lsm="));
    }
}
