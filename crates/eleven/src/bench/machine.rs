//! What the machine is, and what processes took of it: read from `/proc`.

use super::primitives::{self, Primitive};
use eleven_core::encoding::{Object, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// The kernel counts processor time for `/proc` in hundredths of a second on every Linux (USER_HZ).
const MICROS_PER_TICK: u64 = 10_000;

/// The machine of a measurement, and what it does at that hour.
pub(crate) struct Machine {
    description: String,
    primitives: Vec<Primitive>,
}

impl Machine {
    /// Looks at the machine, and at the disk that `folder` lies on, and measures its primitives.
    ///
    /// # Errors
    /// As [`primitives::measure`].
    pub(crate) fn measure(folder: &Path) -> Result<Self, String> {
        Ok(Self { description: describe(folder), primitives: primitives::measure()? })
    }

    /// For people, before the figures.
    pub(crate) fn lines(&self) -> Vec<String> {
        let primitive = |Primitive { name, alone, together }: &Primitive| {
            format!("  {name:<28} {alone:>6.1} us on a core alone, {together:>6.1} us on all cores at once")
        };
        [self.description.clone()].into_iter().chain(self.primitives.iter().map(primitive)).collect()
    }

    /// For machines.
    pub(crate) fn to_object(&self) -> Object {
        let nanos = |micros: f64| (micros * 1000.0).round() as u64;
        let primitive = |one: &Primitive| {
            let object = Object::new().with("primitive", one.name);
            Value::Object(object.with("alone_ns", nanos(one.alone)).with("all_cores_ns", nanos(one.together)))
        };
        let primitives: Vec<Value> = self.primitives.iter().map(primitive).collect();
        let object = Object::new().with("machine", &self.description).with("optimised", !cfg!(debug_assertions));
        object.with("primitives", primitives)
    }
}

/// The machine in one line: processor, cores, kernel, file system.
fn describe(folder: &Path) -> String {
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("an unnamed processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let release = read("/proc/sys/kernel/osrelease");
    format!("{model}, {cores} cores, Linux {}, {}", release.trim(), file_system(&read("/proc/self/mounts"), folder))
}

/// The file system that a folder lies on: the mount with the longest path above it.
fn file_system(mounts: &str, folder: &Path) -> String {
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (at, kind) = (fields.next()?, fields.next()?);
        folder.starts_with(at).then_some((at.len(), kind))
    });
    mounted.max_by_key(|(length, _)| *length).map_or("an unknown file system", |(_, kind)| kind).to_owned()
}

/// Microseconds of processor time that a process took until now, its ended threads included.
pub(crate) fn cpu_micros(pid: u32) -> u64 {
    ticks(&read(&format!("/proc/{pid}/stat"))).unwrap_or(0) * MICROS_PER_TICK
}

/// User and system time in `/proc/PID/stat`: the 12th and 13th field behind the name, which may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Microseconds of processor time of each living thread of this process until now, by the thread's number.
pub(crate) fn threads() -> BTreeMap<u32, (String, u64)> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let numbers = tasks.filter_map(|task| task.file_name().to_str()?.parse().ok());
    numbers
        .map(|number: u32| {
            let stat = read(&format!("/proc/self/task/{number}/stat"));
            let name = read(&format!("/proc/self/task/{number}/comm")).trim().to_owned();
            (number, (name, ticks(&stat).unwrap_or(0) * MICROS_PER_TICK))
        })
        .collect()
}

/// Microseconds that the living threads of each name took since `before`.
pub(crate) fn threads_since(before: &BTreeMap<u32, (String, u64)>) -> Vec<(String, u64)> {
    let mut took: BTreeMap<String, u64> = BTreeMap::new();
    for (number, (name, micros)) in threads() {
        let earlier = before.get(&number).map_or(0, |(_, micros)| *micros);
        *took.entry(name).or_default() += micros.saturating_sub(earlier);
    }
    took.into_iter().filter(|(_, micros)| *micros > 0).collect()
}

/// Lets the kernel count the most memory of this process anew from now on.
pub(crate) fn forget_peak_memory() {
    // Where that is not allowed, the peak is that of the whole run: never too low.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that a process held, in KiB.
pub(crate) fn peak_memory(pid: u32) -> u64 {
    let status = read(&format!("/proc/{pid}/status"));
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_whatever_the_name_is() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 100 1 1 1";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks(""), None);
        assert!(peak_memory(std::process::id()) > 0);
    }

    #[test]
    fn a_folder_lies_on_the_nearest_mount() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmpfiles xfs rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/x")), "tmpfs");
        assert_eq!(file_system(mounts, Path::new("/home")), "ext4");
        assert_eq!(file_system("", Path::new("/home")), "an unknown file system");
    }
}
