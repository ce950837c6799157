//! How much memory the control groups of this process leave it.

use std::path::{Component, Path, PathBuf};

/// Where hierarchies that limit memory are mounted, and the file that holds the limit of a group (cgroups(7)).
const HIERARCHIES: [(&str, Version, &str); 3] = [
    ("sys/fs/cgroup", Version::Unified, "memory.max"),
    // Both versions side by side.
    ("sys/fs/cgroup/unified", Version::Unified, "memory.max"),
    ("sys/fs/cgroup/memory", Version::Memory, "memory.limit_in_bytes"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Version 2: one hierarchy for all controllers.
    Unified,
    /// Version 1: a hierarchy of the memory controller.
    Memory,
}

/// The smallest limit that this process is under, and the file that says so.
pub(super) fn memory_limit() -> Option<(u64, PathBuf)> {
    memory_limit_below(Path::new("/"))
}

/// `root` is `/`, except in tests.
fn memory_limit_below(root: &Path) -> Option<(u64, PathBuf)> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mut limits = Vec::new();
    for (mount, version, name) in HIERARCHIES {
        let mount = root.join(mount);
        let group = groups.lines().find_map(|line| group_of(line, version));
        // In a container the path may be the host's, of which only the container's own group is mounted.
        let group = group.map_or(mount.clone(), |group| below(&mount, group));
        let ancestors = group.ancestors().take_while(|ancestor| ancestor.starts_with(&mount));
        limits.extend(ancestors.filter_map(|ancestor| limit(ancestor.join(name))));
    }
    limits.into_iter().min()
}

/// The group that a line `ID:CONTROLLERS:PATH` of `/proc/self/cgroup` names in a hierarchy.
fn group_of(line: &str, version: Version) -> Option<&Path> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let is_it = match version {
        Version::Unified => controllers.is_empty(),
        Version::Memory => controllers.split(',').any(|controller| controller == "memory"),
    };
    is_it.then_some(Path::new(path))
}

/// `..` stands for a group outside of the namespace, which can't be seen from here.
fn below(mount: &Path, group: &Path) -> PathBuf {
    let names = group.components().filter(|component| matches!(component, Component::Normal(_)));
    mount.join(names.collect::<PathBuf>())
}

/// `None` for `max`, and where there is no such file.
fn limit(path: PathBuf) -> Option<(u64, PathBuf)> {
    let bytes = std::fs::read_to_string(&path).ok()?.trim_ascii().parse().ok()?;
    Some((bytes, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root directory with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, contents) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, contents).unwrap();
        }
        root
    }

    fn limit_with(files: &[(&str, &str)]) -> Option<(u64, String)> {
        let root = root(files);
        memory_limit_below(root.path()).map(|(bytes, path)| {
            let path = path.strip_prefix(root.path()).unwrap().display().to_string();
            (bytes, path)
        })
    }

    #[test]
    fn the_tightest_ancestor_counts() {
        let found = limit_with(&[
            ("proc/self/cgroup", "0::/pods/pod1/app\n"),
            ("sys/fs/cgroup/cgroup.controllers", "memory\n"),
            ("sys/fs/cgroup/pods/memory.max", "1073741824\n"),
            ("sys/fs/cgroup/pods/pod1/memory.max", "268435456\n"),
            ("sys/fs/cgroup/pods/pod1/app/memory.max", "max\n"),
        ]);
        assert_eq!(found, Some((268_435_456, "sys/fs/cgroup/pods/pod1/memory.max".into())));
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        for group in ["0::/\n", "0::/../..\n", "0::/system.slice/docker-4f3a.scope\n"] {
            let found = limit_with(&[("proc/self/cgroup", group), ("sys/fs/cgroup/memory.max", "1000\n")]);
            assert_eq!(found, Some((1000, "sys/fs/cgroup/memory.max".into())), "{group}");
        }
    }

    #[test]
    fn version_1_is_read_too_and_beside_version_2() {
        let groups = "5:cpu,cpuacct:/other\n4:memory,hugetlb:/docker/4f3a\n0::/init\n";
        let memory = ("sys/fs/cgroup/memory/docker/4f3a/memory.limit_in_bytes", "5000\n");
        let unlimited = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        let unified = ("sys/fs/cgroup/unified/init/memory.max", "6000\n");
        let found = limit_with(&[("proc/self/cgroup", groups), memory, unlimited, unified]);
        assert_eq!(found, Some((5000, memory.0.into())));
        let found = limit_with(&[("proc/self/cgroup", groups), unlimited, unified]);
        assert_eq!(found, Some((6000, unified.0.into())));
    }

    #[test]
    fn without_a_limit_there_is_none() {
        assert_eq!(limit_with(&[]), None);
        assert_eq!(limit_with(&[("proc/self/cgroup", "0::/a\n"), ("sys/fs/cgroup/a/memory.max", "max\n")]), None);
    }
}
