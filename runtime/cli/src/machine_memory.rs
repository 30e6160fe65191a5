//! How much memory this process may have: the machine's, or its control group's where that is less.

use std::fs::read_to_string;
use std::path::Path;

/// What the kernel says of the machine.
const MACHINE: &str = "/proc/meminfo";
/// Which control group this process is in.
const OWN_GROUP: &str = "/proc/self/cgroup";
/// Where control groups are, version 2.
const GROUPS: &str = "/sys/fs/cgroup";

/// In bytes; nothing where this system doesn't say.
pub fn machine_memory() -> Option<u64> {
    let machine = read_to_string(MACHINE).ok().and_then(|text| of_machine(&text));
    let group = read_to_string(OWN_GROUP).ok();
    let group = group
        .as_deref()
        .and_then(group_path)
        .map(|path| Path::new(GROUPS).join(path));
    // A group has no more than those around it.
    let groups = group.iter().flat_map(|group| group.ancestors());
    let groups = groups.take_while(|group| group.starts_with(GROUPS));
    let of_groups = groups.filter_map(|group| of_group(&read_to_string(group.join("memory.max")).ok()?));
    machine.into_iter().chain(of_groups).min()
}

fn of_machine(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

fn group_path(text: &str) -> Option<&str> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(path.trim())
}

/// `max` is no limit.
fn of_group(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let text = "MemTotal:       24683520 kB\nMemFree:        23583936 kB\n";
        assert_eq!(of_machine(text), Some(24_683_520 << 10));
        assert_eq!(of_machine("MemFree: 1 kB\n"), None);
        assert_eq!(
            group_path("1:name=systemd:/x\n0::/system.slice/sandstep.service\n"),
            Some("system.slice/sandstep.service")
        );
        assert_eq!(group_path("0::/\n"), Some(""));
        assert_eq!(of_group("1073741824\n"), Some(1 << 30));
        assert_eq!(of_group("max\n"), None);
    }
}
